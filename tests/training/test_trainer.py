"""The trainer: bit-equal weights however the stream of transitions reaches it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tenon.algorithms import METHODS, DivergenceError
from tenon.configuration import ConfigurationError, load, parse
from tenon.data.checkpoint import (
    CheckpointError,
    CheckpointFolder,
    DamagedCheckpointError,
    OtherCheckpointError,
    load_checkpoint,
)
from tenon.data.mapped_array import MappedArray, StorageError
from tenon.data.replay import ReplayConfig
from tenon.data.transitions import EnvironmentSpec, ImageSpec, Observation, ObservationSpec, Transition, TransitionError
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer, TrainerError

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)
LENGTH = 5
REPOSITORY = Path(__file__).parents[2]


def config_of(method: str = "sac", **changes: Any) -> TrainerConfig:
    values: dict[str, Any] = {
        "method": method,
        "algorithm": {"hidden_sizes": [16, 16], "actor_learning_rate": 1e-3},
        "batch_size": 8,
        "warmup_transitions": 10,
        "checkpoint_every_updates": 7,
        "replay": ReplayConfig(capacity=10_000, reserve=1_000),
    }
    return TrainerConfig.model_validate({**values, **changes})


def transition_number(number: int) -> Transition:
    rng = np.random.default_rng(number)
    episode, step = divmod(number, LENGTH)
    return Transition(
        session="s",
        episode=episode,
        step=step,
        observation=Observation(rng.normal(size=3).astype(np.float32)),
        action=rng.uniform(-1, 1, 2).astype(np.float32),
        reward=float(rng.normal()),
        next_observation=Observation(rng.normal(size=3).astype(np.float32)),
        terminated=step == LENGTH - 1 and episode % 2 == 0,
        truncated=step == LENGTH - 1 and episode % 2 == 1,
    )


def train_synchronously(trainer: Trainer, stop: int) -> None:
    """Adds the rest of the first ``stop`` transitions, and does every update as soon as it is due."""
    while trainer.update_due():
        trainer.update()
    for number in range(trainer.replay.transitions, stop):
        trainer.add(transition_number(number))
        while trainer.update_due():
            trainer.update()
        if trainer.save_due():
            trainer.save()


def _assert_equal(a: Trainer, b: Trainer) -> None:
    left, right = a.learner.state(), b.learner.state()
    assert (a.updates, left.updates, left.optimizer_steps) == (b.updates, right.updates, right.optimizer_steps)
    assert a.updates > 0
    for name, tensor in left.tensors.items():
        assert torch.equal(tensor, right.tensors[name]), name


@pytest.fixture
def reference(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Trainer]:
    """An uninterrupted synchronous training on 60 transitions."""
    trainer = Trainer.create(config_of(getattr(request, "param", "sac")), SPEC, tmp_path / "reference", seed=4)
    train_synchronously(trainer, 60)
    yield trainer
    trainer.close()


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
def test_lagging_training_gives_bit_equal_weights(tmp_path: Path, ratio: float) -> None:
    config = config_of(updates_per_transition=ratio)
    synchronous = Trainer.create(config, SPEC, tmp_path / "a", seed=4)
    train_synchronously(synchronous, 60)
    lagging = Trainer.create(config, SPEC, tmp_path / "b", seed=4)
    for number in range(60):
        lagging.add(transition_number(number))
    while lagging.update_due():
        lagging.update()
    assert lagging.updates == int(50 * ratio)
    _assert_equal(synchronous, lagging)


@pytest.mark.parametrize("reference", sorted(METHODS), indirect=True)
def test_clean_stop_and_resume_is_exact(tmp_path: Path, reference: Trainer) -> None:
    trainer = Trainer.create(reference.config, SPEC, tmp_path / "t", seed=4)
    train_synchronously(trainer, 33)
    trainer.close()
    trainer = Trainer.resume(tmp_path / "t")
    assert (trainer.updates, trainer.durable_updates) == (23, 23)
    train_synchronously(trainer, 60)
    _assert_equal(reference, trainer)


def test_damaged_checkpoint_goes_back_one_and_ends_bit_equal(tmp_path: Path, reference: Trainer) -> None:
    trainer = Trainer.create(config_of(), SPEC, tmp_path / "t", seed=4)
    train_synchronously(trainer, 33)
    trainer.replay.close()
    newest = sorted((tmp_path / "t" / "checkpoints").iterdir())[-1]
    os.truncate(newest / "tensors.safetensors", 100)
    trainer = Trainer.resume(tmp_path / "t")
    assert trainer.updates == 14
    train_synchronously(trainer, 60)
    _assert_equal(reference, trainer)


def test_training_without_any_checkpoint_starts_again_and_ends_bit_equal(tmp_path: Path, reference: Trainer) -> None:
    trainer = Trainer.create(config_of(checkpoint_every_updates=1000), SPEC, tmp_path / "t", seed=4)
    train_synchronously(trainer, 33)
    trainer.replay.close()
    trainer = Trainer.resume(tmp_path / "t")
    assert (trainer.updates, trainer.replay.transitions) == (0, 33)
    train_synchronously(trainer, 60)
    _assert_equal(reference, trainer)


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_trainer import SPEC, config_of, transition_number
from tenon.training.trainer import Trainer
trainer = Trainer.open(config_of(), SPEC, Path(sys.argv[1]), seed=4)
while True:
    trainer.add(transition_number(trainer.replay.transitions))
    while trainer.update_due():
        trainer.update()
    if trainer.save_due():
        trainer.save()
    print(trainer.replay.transitions, flush=True)
"""


def test_killed_trainer_ends_bit_equal_to_an_uninterrupted_one(tmp_path: Path) -> None:
    """kill -9 at three random moments; each time the next process goes on from what is on disk."""
    rng = np.random.default_rng(1)
    script = textwrap.dedent(KILLED).format(folder=str(Path(__file__).parent))
    seen = 0
    for _ in range(3):
        target = seen + int(rng.integers(20, 60))
        command = [sys.executable, "-c", script, str(tmp_path / "killed")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            while seen < target:
                seen = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
    killed = Trainer.resume(tmp_path / "killed")
    assert killed.replay.transitions >= seen
    stop = killed.replay.transitions + 10
    train_synchronously(killed, stop)
    uninterrupted = Trainer.create(config_of(), SPEC, tmp_path / "uninterrupted", seed=4)
    train_synchronously(uninterrupted, stop)
    _assert_equal(uninterrupted, killed)


def test_training_that_lags_beyond_the_ring_catches_up_and_stays_bit_equal(tmp_path: Path) -> None:
    config = config_of(replay=ReplayConfig(capacity=40, reserve=12))
    synchronous = Trainer.create(config, SPEC, tmp_path / "a", seed=4)
    train_synchronously(synchronous, 200)
    lagging = Trainer.create(config, SPEC, tmp_path / "b", seed=4)
    for number in range(200):
        lagging.add(transition_number(number))
    while lagging.update_due():
        lagging.update()
    _assert_equal(synchronous, lagging)
    lagging.replay.close()
    resumed = Trainer.resume(tmp_path / "b")
    while resumed.update_due():
        resumed.update()
    _assert_equal(synchronous, resumed)


def test_training_that_lags_beyond_the_frames_of_its_ring_catches_up_and_stays_bit_equal(tmp_path: Path) -> None:
    """Episodes of one step take two frames a transition: frames come round long before rows."""
    spec = EnvironmentSpec(
        observation=ObservationSpec(state_size=3, image=ImageSpec(height=8, width=8, channels=1)), action_size=2
    )
    algorithm = {"hidden_sizes": [16], "encoder": {"channels": [4], "strides": [2], "embedding_size": 8}}
    config = config_of(
        algorithm=algorithm, replay=ReplayConfig(capacity=100, reserve=8), checkpoint_every_updates=1_000
    )

    def step_of_one(number: int) -> Transition:
        step = transition_number(number)
        images = np.random.default_rng(number).integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
        return dataclasses.replace(
            step,
            episode=number,
            step=0,
            observation=dataclasses.replace(step.observation, image=images[0]),
            next_observation=dataclasses.replace(step.next_observation, image=images[1]),
            terminated=True,
            truncated=False,
        )

    synchronous = Trainer.create(config, spec, tmp_path / "a", seed=4)
    lagging = Trainer.create(config, spec, tmp_path / "b", seed=4)
    for number in range(90):
        for trainer in (synchronous, lagging):
            trainer.add(step_of_one(number))
        while synchronous.update_due():
            synchronous.update()
    while lagging.update_due():
        lagging.update()
    _assert_equal(synchronous, lagging)
    lagging.replay.close()
    resumed = Trainer.resume(tmp_path / "b")
    assert resumed.updates < lagging.updates
    while resumed.update_due():
        resumed.update()
    _assert_equal(synchronous, resumed)


def test_update_waits_for_its_transitions(tmp_path: Path) -> None:
    trainer = Trainer.create(config_of(updates_per_transition=0.5), SPEC, tmp_path, seed=0)
    due = []
    for number in range(16):
        trainer.add(transition_number(number))
        due.append(trainer.update_due())
        while trainer.update_due():
            trainer.update()
    assert [index for index, is_due in enumerate(due) if is_due] == [11, 13, 15]
    with pytest.raises(TrainerError, match="update 4 needs 18 transitions, 16 are there"):
        trainer.update()


def test_step_that_is_held_is_not_stored_again(tmp_path: Path) -> None:
    trainer = Trainer.create(config_of(), SPEC, tmp_path, seed=0)
    assert trainer.add(transition_number(3))
    assert not trainer.add(transition_number(3))
    assert trainer.replay.transitions == 1


def test_fine_tuning_starts_from_the_weights_of_a_checkpoint(tmp_path: Path, reference: Trainer) -> None:
    checkpoint = reference.save()
    tuned = Trainer.create(config_of(), SPEC, tmp_path / "tuned", seed=9, initial=checkpoint)
    before = reference.learner.state().tensors
    assert all(torch.equal(before[name], tensor) for name, tensor in tuned.learner.state().tensors.items())
    assert (tuned.updates, tuned.snapshot().version, tuned.replay.transitions) == (0, 50, 0)
    assert tuned.learner.seed == 9, "the noise of its updates is its own"
    tuned.replay.close()
    resumed = Trainer.resume(tmp_path / "tuned")
    assert resumed.learner.seed == 9
    assert all(torch.equal(before[name], tensor) for name, tensor in resumed.learner.state().tensors.items())


def test_checkpoint_of_another_method_is_refused_for_fine_tuning(tmp_path: Path, reference: Trainer) -> None:
    with pytest.raises(OtherCheckpointError, match="'sac', 'td3' is asked for"):
        Trainer.create(config_of("td3"), SPEC, tmp_path / "t", seed=0, initial=reference.save())
    assert not Trainer.exists(tmp_path / "t")


def test_starting_over_a_training_is_refused(tmp_path: Path) -> None:
    Trainer.create(config_of(), SPEC, tmp_path, seed=0).close()
    with pytest.raises(TrainerError, match="holds a training already"):
        Trainer.create(config_of(), SPEC, tmp_path, seed=0)


def test_checkpoints_of_a_lost_description_are_not_overwritten(tmp_path: Path) -> None:
    Trainer.create(config_of(), SPEC, tmp_path, seed=0).close()
    (tmp_path / "trainer.json").unlink()
    with pytest.raises(TrainerError, match=r"holds checkpoints, but no trainer.json"):
        Trainer.create(config_of(), SPEC, tmp_path, seed=1)


def test_start_that_was_cut_off_after_its_first_checkpoint_is_made_anew(
    tmp_path: Path, reference: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, initial = reference.save(), tmp_path / "initial"
    shutil.copytree(first, initial)
    save = Trainer.save

    def cut_off(trainer: Trainer) -> Path:
        save(trainer)
        trainer.replay.close()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "save", cut_off)
        Trainer.create(config_of(), SPEC, tmp_path / "a", seed=4, initial=initial)
    assert not Trainer.exists(tmp_path / "a")
    train_synchronously(reference, 70)
    trainer = Trainer.create(config_of(), SPEC, tmp_path / "a", seed=4, initial=reference.save())
    trainer.close()
    resumed = Trainer.resume(tmp_path / "a")
    for name, tensor in reference.learner.state().tensors.items():
        assert torch.equal(tensor, resumed.learner.state().tensors[name]), "not the weights of the start before it"
    resumed.close()


def test_trainer_that_cannot_save_lets_go_of_its_folder_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise CheckpointError("the disk is full")

    trainer = Trainer.create(config_of(), SPEC, tmp_path, seed=0)
    with monkeypatch.context() as patched, pytest.raises(CheckpointError):
        patched.setattr(CheckpointFolder, "save", full)
        trainer.close()
    Trainer.resume(tmp_path).close()


def test_opening_with_another_configuration_names_the_difference(tmp_path: Path) -> None:
    Trainer.open(config_of(), SPEC, tmp_path, seed=0).close()
    with pytest.raises(TrainerError, match=r"config.batch_size = 8 \(asked for: 9\).*seed = 0 \(asked for: 1\)"):
        Trainer.open(config_of(batch_size=9), SPEC, tmp_path, seed=1)
    Trainer.open(config_of(), SPEC, tmp_path, seed=0).close()


def test_resuming_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no training"):
        Trainer.resume(tmp_path)


def test_resuming_with_all_checkpoints_damaged_is_refused(tmp_path: Path) -> None:
    trainer = Trainer.create(config_of(), SPEC, tmp_path, seed=0)
    train_synchronously(trainer, 20)
    trainer.close()
    for folder in (tmp_path / "checkpoints").iterdir():
        (folder / "manifest.json").write_text("{")
    with pytest.raises(DamagedCheckpointError):
        Trainer.resume(tmp_path)


def test_replay_that_lost_what_the_checkpoint_saw_is_refused(tmp_path: Path) -> None:
    trainer = Trainer.create(config_of(), SPEC, tmp_path, seed=0)
    train_synchronously(trainer, 20)
    trainer.close()
    (tmp_path / "replay").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="trained on 20 transitions, the replay holds 0"):
        Trainer.resume(tmp_path)


def test_checkpoint_asks_for_no_transition_that_came_in_while_the_disk_was_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer.create(config_of(), SPEC, tmp_path, seed=0)
    train_synchronously(trainer, 20)
    flush = MappedArray.flush

    def flush_and_go_on(array: MappedArray) -> None:
        flush(array)
        trainer.add(transition_number(20))

    with monkeypatch.context() as patched:
        patched.setattr(MappedArray, "flush", flush_and_go_on)
        saved = load_checkpoint(trainer.save())
    assert trainer.replay.transitions == 21
    assert saved.counters["transitions"] == 20, "a power cut may take the others, and with them the resume"
    trainer.close()


def test_bad_transition_is_refused_and_training_goes_on(tmp_path: Path, reference: Trainer) -> None:
    trainer = Trainer.create(config_of(), SPEC, tmp_path / "t", seed=4)
    train_synchronously(trainer, 30)
    bad = transition_number(30)
    bad.observation.state[0] = np.nan
    with pytest.raises(TransitionError, match="finite"):
        trainer.add(bad)
    train_synchronously(trainer, 60)
    _assert_equal(reference, trainer)


def test_diverged_update_leaves_the_trainer_as_it_was(tmp_path: Path) -> None:
    trainer = Trainer.create(config_of(warmup_transitions=0), SPEC, tmp_path, seed=4)
    trainer.add(transition_number(0))
    trainer.replay._fields["reward"].array[0] = np.inf
    before = trainer.learner.state().tensors
    with pytest.raises(DivergenceError, match="reward is not finite"):
        trainer.update()
    assert trainer.updates == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in trainer.learner.state().tensors.items())


@pytest.mark.parametrize("method", sorted(METHODS))
def test_shipped_configuration_is_valid(method: str) -> None:
    config = load(TrainerConfig, REPOSITORY / "config" / "algorithms" / f"{method}.yaml")
    assert config.method == method


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "sca"}, "did you mean 'sac'"),
        ({"algorithm": {"hiden_sizes": [4]}}, "did you mean 'hidden_sizes'"),
        ({"batch_size": 0}, "batch_size"),
        ({"replay": ReplayConfig(capacity=4, reserve=1)}, "below batch_size"),
    ],
)
def test_bad_configuration_is_refused_with_its_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(TrainerConfig, {**config_of().model_dump(), **changes}, where="test")
