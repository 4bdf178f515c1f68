"""Where practice starts: found in whatever folder is named, and refused with the reason where it cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tenon.cli.checkpoints import newest_checkpoint, newest_of
from tenon.configuration import ConfigurationError
from tenon.configuration.session import PracticeConfig
from tenon.data.checkpoint import CheckpointFolder
from tenon.data.transitions import EnvironmentSpec, ImageSpec, ObservationSpec
from tenon.session.finetune import check_fits, find_start
from tenon.training.config import TrainerConfig
from tenon_session.testing.sessions import offline_training

STATE = ObservationSpec(state_size=4)
SPEC = EnvironmentSpec(observation=STATE, action_size=3)


def with_pictures(size_px: int) -> EnvironmentSpec:
    image = ImageSpec(height=size_px, width=size_px, channels=3)
    return EnvironmentSpec(observation=STATE.model_copy(update={"image": image}), action_size=3)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return offline_training(tmp_path_factory.mktemp("offline") / "work" / "iql-0" / "trainer", SPEC)


def newest(training: Path) -> Path:
    checkpoints = CheckpointFolder(training / "checkpoints")
    return checkpoints.path(checkpoints.updates()[-1])


def test_training_is_found_from_each_of_its_folders(training: Path) -> None:
    for place in (training, training.parent, training.parents[2]):
        start = find_start(place)
        assert (start.checkpoint, start.prior) == (newest(training), training / "prior")


def test_checkpoint_of_a_training_is_taken_as_it_is(training: Path) -> None:
    assert find_start(newest(training)).checkpoint == newest(training)


def test_checkpoint_within_the_offline_phase_is_refused(training: Path) -> None:
    checkpoints = CheckpointFolder(training / "checkpoints")
    earlier = checkpoints.path(checkpoints.updates()[0])
    with pytest.raises(ConfigurationError, match=r"was saved after 10 of 20 offline updates: let that training come"):
        find_start(earlier)


def test_policy_whose_encoders_have_not_come_to_their_end_is_refused(tmp_path: Path) -> None:
    layers = {"channels": [2], "specific_channels": [2], "kernels_px": [3], "strides_px": [2], "dense_size": 4}
    algorithm = {"hidden_sizes": [8], "domains": 2, "encoder_updates": 30, "bottleneck": layers}
    short = offline_training(tmp_path, with_pictures(16), method="iql_daib", algorithm=algorithm)
    with pytest.raises(ConfigurationError, match=r"its encoders learn until update 30, 20 are done"):
        find_start(short)


def test_best_of_an_earlier_practice_is_a_start_too(training: Path, tmp_path: Path) -> None:
    shutil.copytree(training, tmp_path / "run" / "trainer")
    shutil.copytree(newest(training), tmp_path / "run" / "best")
    start = find_start(tmp_path / "run" / "best")
    assert start.checkpoint == tmp_path / "run" / "best"
    assert start.prior == tmp_path / "run" / "trainer" / "prior"


def test_run_directory_of_a_practice_means_what_it_handed_over(training: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(training, run / "trainer")
    shutil.copytree(newest(training), run / "best")
    assert find_start(run).checkpoint == newest(run / "trainer"), "a folder by that name alone is no practice"
    (run / "practice.json").write_text("{}")
    assert find_start(run).checkpoint == run / "best"
    assert newest_of(run) == newest_checkpoint(run) == run / "best"


def test_practice_keeps_the_learner_and_draws_a_quarter_from_its_own_trials(training: Path) -> None:
    start = find_start(training)
    config = TrainerConfig.model_validate(start.practice_trainer(PracticeConfig()))
    offline = TrainerConfig.model_validate(start.trainer)
    assert (config.method, config.algorithm) == (offline.method, offline.algorithm)
    assert (offline.offline_updates, config.offline_updates) == (20, 0)
    assert config.sampling.prior_share == 0.75


@pytest.mark.parametrize(
    ("spec", "method", "told"),
    [
        (SPEC, "td3", r"is a policy of 'iql', 'td3' is asked for"),
        (with_pictures(64), None, "was trained with no pictures, the session gives pictures of 64 x 64 pixels"),
        (
            SPEC.model_copy(update={"observation": STATE.model_copy(update={"state_scale": (1.0, 1.0, 1.0, 5.0)})}),
            None,
            "is a policy of another task than 'job-far': observation.state_scale",
        ),
    ],
)
def test_policy_of_something_else_is_refused_by_the_name_of_the_difference(
    training: Path, spec: EnvironmentSpec, method: str | None, told: str
) -> None:
    start = find_start(training)
    check_fits(start, SPEC, task="job-far", method="iql")
    with pytest.raises(ConfigurationError, match=told):
        check_fits(start, spec, task="job-far", method=method)


def test_folder_that_cannot_be_started_from_says_what_is_missing(training: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        find_start(tmp_path / "none")
    with pytest.raises(ConfigurationError, match=r"belongs to no training \(trainer\.json is missing\)"):
        find_start(tmp_path)
    without_prior = shutil.copytree(training, tmp_path / "a")
    shutil.rmtree(without_prior / "prior")
    with pytest.raises(ConfigurationError, match="was trained without prior data"):
        find_start(without_prior)
    without_checkpoint = shutil.copytree(training, tmp_path / "b")
    shutil.rmtree(without_checkpoint / "checkpoints")
    with pytest.raises(ConfigurationError, match="holds no checkpoint yet"):
        find_start(without_checkpoint)


def test_two_trainings_in_one_folder_have_to_be_told_apart(training: Path, tmp_path: Path) -> None:
    for seed in range(2):
        shutil.copytree(training, tmp_path / "work" / f"iql-{seed}" / "trainer")
    with pytest.raises(ConfigurationError, match="holds 2 trainings, name one of them"):
        find_start(tmp_path)


def test_damaged_training_and_checkpoint_are_told(training: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(training, tmp_path / "a")
    (damaged / "trainer.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(ConfigurationError, match="config or spec is missing"):
        find_start(damaged)
    cut = shutil.copytree(training, tmp_path / "b")
    tensors = newest(cut) / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-5])
    with pytest.raises(ConfigurationError, match="it was cut off"):
        find_start(cut)
