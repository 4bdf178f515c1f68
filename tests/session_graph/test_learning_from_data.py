"""Every method by name, prior data, and checkpoints of other trainings in a session, with all nodes in one process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tenon_msgs.action import RunSession

from tenon.algorithms import METHODS
from tenon.algorithms.base import StateError
from tenon.cli import main as entry
from tenon.configuration import ConfigurationError
from tenon.data.checkpoint import CheckpointFolder, DamagedCheckpointError, OtherCheckpointError
from tenon.data.mapped_array import StorageError
from tenon.data.store import EpisodeStore
from tenon.training.trainer import Trainer
from tenon_session.testing.one_process import one_process
from tenon_session.testing.probe import Probe
from tenon_session.testing.sessions import HORIZON_STEPS, learning_session, training_goal
from tenon_session.testing.stage import private_network

EPISODES = 2
OFFLINE_UPDATES = 20
RUN_TIMEOUT_S = 120.0

pytestmark = [pytest.mark.session, pytest.mark.timeout(300)]


def small_session(directory: Path, method: str = "sac", *, config: dict[str, Any] | None = None, **changes: Any) -> Any:
    """A session on short episodes without cameras, whose method trains small networks."""
    session = learning_session(directory)
    algorithm = {
        "method": method,
        "batch_size": 8,
        "warmup_transitions": 5,
        "checkpoint_every_updates": 10,
        "replay": {"capacity": 1000},
        "algorithm": {"hidden_sizes": [8, 8]},
    }
    Path(session["algorithm"]).write_text(yaml.safe_dump({**algorithm, **(config or {})}))
    return {**session, "cameras": [], **{key: str(value) for key, value in changes.items()}}


def practise(session: dict[str, Any], directory: Path) -> Trainer:
    """Runs a few training episodes and returns the training that they left, with all of their steps."""
    with one_process(session, directory) as probe:
        result = probe.finish_run(probe.start_run(training_goal(EPISODES)), RUN_TIMEOUT_S)
        if probe.recoveries:
            pytest.skip("the machine is too busy for a run without a fault")
        assert (result.stop_reason, result.episodes) == ("done", EPISODES)
        steps = EPISODES * HORIZON_STEPS
        probe.wait_for(lambda: probe.trainer_state().transitions == steps, "the last transition at the trainer")
    return Trainer.resume(directory / "run" / "trainer")


def versions(trainer: Trainer) -> list[int]:
    """Of the policy, at each step that was practised."""
    rows = trainer.replay.rows(torch.arange(trainer.replay.transitions))
    return [int(version) for version in rows["policy_version"]]


def record(probe: Probe) -> None:
    goal = RunSession.Goal(controller="p_dither", episodes=EPISODES, goal_error_m=0.001, record=True)
    probe.finish_run(probe.start_run(goal), RUN_TIMEOUT_S)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a few episodes that the controller with dither ran."""
    directory = tmp_path_factory.mktemp("recorded")
    with one_process(small_session(directory), directory) as probe:
        record(probe)
        store = EpisodeStore(directory / "run" / "episodes")
        probe.wait_for(lambda: len(store.episodes()) == EPISODES, "the last episode on disk")
    return store.directory


@pytest.fixture(scope="module")
def checkpoint(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `tenon train` made of the recorded episodes, offline, for the session's task."""
    directory = tmp_path_factory.mktemp("offline")
    small_session(directory, "iql")
    data = ["--data", str(recorded), "--env", "insertion-easy", "--updates", str(OFFLINE_UPDATES)]
    where = ["--config", str(directory / "small.yaml"), "--out", str(directory / "out"), "--draws", "1", "--jobs", "1"]
    assert entry.main(["train", "iql", *data, *where]) == 0
    (work,) = (directory / "out" / "work").iterdir()
    checkpoints = CheckpointFolder(work / "trainer" / "checkpoints")
    return checkpoints.path(checkpoints.updates()[-1])


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_practises_in_a_session_by_its_name(tmp_path: Path, method: str) -> None:
    trainer = practise(small_session(tmp_path, method), tmp_path)
    assert trainer.learner.name == method
    assert trainer.updates > 0
    assert len(versions(trainer)) == EPISODES * HORIZON_STEPS
    assert versions(trainer)[-1] > 0, "the robot acts with what it learnt"


@pytest.mark.parametrize(
    ("algorithm", "told"),
    [
        ("ddpg_her_goals", "the task has no goals to replace"),
        ("sca", "did you mean 'sac'"),
    ],
)
def test_method_that_cannot_run_in_the_session_is_refused_with_the_reason(
    tmp_path: Path, algorithm: str, told: str
) -> None:
    session = {**small_session(tmp_path), "algorithm": algorithm}
    with pytest.raises(ConfigurationError, match=told), one_process(session, tmp_path):
        pass
    assert not (tmp_path / "run" / "trainer" / "trainer.json").exists()


@pytest.mark.parametrize("method", ["iql", "awac"])
def test_practice_begins_with_what_recorded_episodes_taught(tmp_path: Path, recorded: Path, method: str) -> None:
    offline = {"offline_updates": OFFLINE_UPDATES, "sampling": {"prior_share": 0.5}}
    trainer = practise(small_session(tmp_path, method, config=offline, prior_data=recorded), tmp_path)
    assert trainer.prior is not None
    assert trainer.prior.transitions == sum(
        episode.counts["/transition"] for episode in EpisodeStore(recorded).episodes()
    )
    assert min(versions(trainer)) >= OFFLINE_UPDATES
    assert trainer.updates > OFFLINE_UPDATES
    assert_as_without_a_robot(trainer, tmp_path, prior=recorded)


def test_session_goes_on_from_a_checkpoint_that_was_trained_offline(tmp_path: Path, checkpoint: Path) -> None:
    trainer = practise(small_session(tmp_path, "iql", initial_checkpoint=checkpoint), tmp_path)
    assert min(versions(trainer)) == OFFLINE_UPDATES, "the first episode runs with the checkpoint's policy"
    assert trainer.learner.updates == OFFLINE_UPDATES + trainer.updates
    assert trainer.prior is None
    assert_as_without_a_robot(trainer, tmp_path, initial=checkpoint)


def assert_as_without_a_robot(trainer: Trainer, directory: Path, **started_from: Path) -> None:
    """The same steps, handed to a trainer in this process, give the same weights."""
    alone = Trainer.create(trainer.config, trainer.spec, directory / "alone", seed=trainer.seed, **started_from)
    alone.train_offline()
    store = EpisodeStore(directory / "run" / "episodes")
    for episode in store.episodes():
        for transition in store.transitions(episode):
            alone.add(transition)
    while alone.updates < trainer.updates:
        alone.update()
    ours, theirs = alone.learner.state().tensors, trainer.learner.state().tensors
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def changed(path: str, **changes: Any) -> None:
    """Changes keys of a YAML file."""
    file = Path(path)
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}))


def of_another_method(session: dict[str, Any], checkpoint: Path) -> dict[str, str]:
    changed(session["algorithm"], method="awac")
    return {"initial_checkpoint": str(checkpoint)}


def of_another_task(session: dict[str, Any], checkpoint: Path) -> dict[str, str]:
    changed(session["task"], observation_scale={"force_n": 50.0})
    return {"initial_checkpoint": str(checkpoint)}


def of_other_sizes(session: dict[str, Any], checkpoint: Path) -> dict[str, str]:
    changed(session["algorithm"], algorithm={"hidden_sizes": [16, 16]})
    return {"initial_checkpoint": str(checkpoint)}


def cut_off(session: dict[str, Any], checkpoint: Path) -> dict[str, str]:
    copy = shutil.copytree(checkpoint, Path(session["task"]).parent / "cut_off")
    os.truncate(copy / "tensors.safetensors", 100)
    return {"initial_checkpoint": str(copy)}


def empty_prior_data(session: dict[str, Any], checkpoint: Path) -> dict[str, str]:
    empty = Path(session["task"]).parent / "empty"
    empty.mkdir()
    return {"prior_data": str(empty)}


def prior_data_of_another_task(session: dict[str, Any], checkpoint: Path) -> dict[str, str]:
    changed(session["task"], observation_scale={"force_n": 50.0})
    return {"prior_data": str(checkpoint.parents[1] / "prior")}


@pytest.mark.parametrize(
    ("spoil", "error", "told"),
    [
        (of_another_method, OtherCheckpointError, "is a checkpoint of 'iql', 'awac' is asked for"),
        (of_another_task, OtherCheckpointError, "choose the same task"),
        (of_other_sizes, StateError, "set the same hidden_sizes"),
        (cut_off, DamagedCheckpointError, "it was cut off"),
        (empty_prior_data, StorageError, "holds no transitions"),
        (prior_data_of_another_task, StorageError, r"holds a replay with .*state_scale"),
    ],
)
def test_unusable_start_is_refused_and_the_run_can_be_started_once_it_is_mended(
    tmp_path: Path,
    checkpoint: Path,
    spoil: Callable[[dict[str, Any], Path], dict[str, str]],
    error: type[Exception],
    told: str,
) -> None:
    session = small_session(tmp_path, "iql")
    start_from = spoil(session, checkpoint)
    before = contents(checkpoint)
    with pytest.raises(error, match=told), one_process({**session, **start_from}, tmp_path):
        pass
    assert not Trainer.exists(tmp_path / "run" / "trainer")
    assert contents(checkpoint) == before
    mended = small_session(tmp_path, "iql", initial_checkpoint=checkpoint)
    with one_process(mended, tmp_path) as probe:
        assert probe.trainer_state().method == "iql"


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_refused_session_ends_with_the_reason_before_the_arm_moves(tmp_path: Path, checkpoint: Path) -> None:
    """The whole graph, as an operator starts it: status 1, the trainer's own words, and no episode."""
    session = small_session(tmp_path, "iql")
    spoiled = {**session, **cut_off(session, checkpoint), "run_directory": str(tmp_path / "run")}
    file = tmp_path / "session.yaml"
    file.write_text(yaml.safe_dump(spoiled))
    with private_network():
        command = [sys.executable, "-m", "tenon.cli.main", "session", "run", "--session", str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    assert ended.returncode == 1
    assert "node trainer_node has died (exit status 2)" in ended.stderr
    assert "it was cut off" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list((tmp_path / "run").glob("episodes/*"))
