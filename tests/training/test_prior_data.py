"""Training from prior data, before practice and beside it: bit-equal weights however it is interrupted."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tenon.algorithms import METHODS, Algorithm, Metrics
from tenon.configuration import ConfigurationError
from tenon.data.mapped_array import StorageError
from tenon.data.replay import ReplayConfig
from tenon.data.sampling import RelabelConfig, SamplingConfig
from tenon.data.transitions import EnvironmentSpec, GoalSpec, Observation, ObservationSpec, Transition, TransitionError
from tenon.training.config import TrainerConfig
from tenon.training.loop import train_gym
from tenon.training.trainer import Trainer, TrainerError

GOAL = GoalSpec(size=1, tolerance=0.5, reward="miss_penalty")
SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3, goal=GOAL), action_size=2)
LENGTH, OFFLINE, PRIOR, STOP = 5, 25, 40, 50


def config_of(method: str = "sac", **changes: Any) -> TrainerConfig:
    values: dict[str, Any] = {
        "method": method,
        "algorithm": {"hidden_sizes": [16, 16], "actor_learning_rate": 1e-3},
        "batch_size": 8,
        "offline_updates": OFFLINE,
        "warmup_transitions": 10,
        "checkpoint_every_updates": 7,
        "sampling": SamplingConfig(relabel=RelabelConfig(), prior_share=0.25, n_step=2),
        "replay": ReplayConfig(capacity=10_000, reserve=1_000),
    }
    return TrainerConfig.model_validate({**values, **changes})


def transition_number(number: int, session: str = "own") -> Transition:
    rng = np.random.default_rng((number, len(session)))
    episode, step = divmod(number, LENGTH)
    return Transition(
        session=session,
        episode=episode,
        step=step,
        observation=Observation(rng.normal(size=3).astype(np.float32)),
        action=rng.uniform(-1, 1, 2).astype(np.float32),
        reward=float(rng.uniform(-1.0, 0.0)),
        next_observation=Observation(rng.normal(size=3).astype(np.float32), achieved_goal=rng.random(1, np.float32)),
        terminated=False,
        truncated=step == LENGTH - 1,
    )


def prior_data(count: int = PRIOR) -> list[Transition]:
    return [transition_number(number, "demonstration") for number in range(count)]


def train(trainer: Trainer, stop: int = STOP) -> Trainer:
    """Does every update as soon as it is due, until ``stop`` own transitions came in."""
    trainer.train_offline()
    while trainer.update_due():
        trainer.update()
    for number in range(trainer.replay.transitions, stop):
        trainer.add(transition_number(number))
        while trainer.update_due():
            trainer.update()
            if trainer.save_due():
                trainer.save()
    return trainer


def assert_equal(a: Trainer, b: Trainer) -> None:
    left, right = a.learner.state(), b.learner.state()
    assert (a.updates, left.optimizer_steps) == (b.updates, right.optimizer_steps)
    assert a.updates > OFFLINE
    for name, tensor in left.tensors.items():
        assert torch.equal(tensor, right.tensors[name]), name


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("stopped_at", [3, OFFLINE, OFFLINE + 12])
def test_training_that_is_stopped_and_resumed_ends_bit_equal(tmp_path: Path, method: str, stopped_at: int) -> None:
    config = config_of(method)
    reference = train(Trainer.create(config, SPEC, tmp_path / "a", seed=4, prior=prior_data()))
    trainer = Trainer.create(config, SPEC, tmp_path / "b", seed=4, prior=prior_data())
    added = 0
    while trainer.updates < stopped_at:
        if not trainer.update_due():
            trainer.add(transition_number(added))
            added += 1
        else:
            trainer.update()
    trainer.close()
    trainer = Trainer.resume(tmp_path / "b")
    assert (trainer.updates, trainer.replay.transitions) == (stopped_at, added)
    assert_equal(reference, train(trainer))


def test_learner_is_told_of_how_many_sessions_the_prior_data_are_at_the_start_and_on_resuming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(Algorithm, "on_prior", lambda self, sessions: told.append(sessions))
    prior = [transition_number(number, session) for session in ("a", "b", "c") for number in range(2 * LENGTH)]
    Trainer.create(config_of(), SPEC, tmp_path / "a", seed=4, prior=prior).close()
    Trainer.resume(tmp_path / "a").close()
    Trainer.create(config_of(offline_updates=0, sampling=SamplingConfig()), SPEC, tmp_path / "b", seed=4).close()
    assert told == [3, 3]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_prior_data import SPEC, config_of, prior_data, transition_number
from tenon.training.trainer import Trainer
trainer = Trainer.open(config_of(offline_updates=120), SPEC, Path(sys.argv[1]), seed=4, prior=prior_data())
while True:
    if not trainer.update_due():
        trainer.add(transition_number(trainer.replay.transitions))
        continue
    trainer.update()
    if trainer.save_due():
        trainer.save()
    print(trainer.updates, flush=True)
"""


def test_killed_trainer_ends_bit_equal_to_an_uninterrupted_one(tmp_path: Path) -> None:
    """kill -9 twice in the offline phase, then twice in practice."""
    script = textwrap.dedent(KILLED).format(folder=str(Path(__file__).parent))
    rng = np.random.default_rng(1)
    for target in (int(rng.integers(10, 60)), int(rng.integers(60, 110)), 140, int(rng.integers(150, 190))):
        seen = 0
        command = [sys.executable, "-c", script, str(tmp_path / "killed")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            while seen < target:
                seen = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
    killed = Trainer.resume(tmp_path / "killed")
    stop = killed.replay.transitions + 10
    config = config_of(offline_updates=120)
    uninterrupted = Trainer.create(config, SPEC, tmp_path / "uninterrupted", seed=4, prior=prior_data())
    assert_equal(train(uninterrupted, stop), train(killed, stop))


def test_transitions_that_come_in_during_the_offline_phase_change_nothing(tmp_path: Path) -> None:
    reference = train(Trainer.create(config_of(), SPEC, tmp_path / "a", seed=4, prior=prior_data()))
    early = Trainer.create(config_of(), SPEC, tmp_path / "b", seed=4, prior=prior_data())
    for number in range(STOP):
        early.add(transition_number(number))
    while early.update_due():
        early.update()
    assert_equal(reference, early)


def test_offline_updates_are_due_at_once_and_the_others_once_practice_has_begun(tmp_path: Path) -> None:
    trainer = Trainer.create(config_of(), SPEC, tmp_path, seed=0, prior=prior_data())
    told: list[Metrics] = []
    trainer.train_offline(told.append)
    assert (len(told), trainer.updates, trainer.durable_updates) == (OFFLINE, OFFLINE, 21)
    trainer.train_offline(told.append)
    assert len(told) == OFFLINE
    with pytest.raises(TrainerError, match="update 26 needs 11 transitions, 0 are there"):
        trainer.update()
    for number in range(13):
        trainer.add(transition_number(number))
        while trainer.update_due():
            trainer.update()
    assert trainer.updates == OFFLINE + 3


def test_offline_training_is_continued_by_the_loop_bit_equal_to_an_uninterrupted_run(tmp_path: Path) -> None:
    class Walk:
        def reset(self, *, seed: int | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
            self.rng, self.steps = np.random.default_rng(seed), 0
            return self._see(), {}

        def step(self, action: np.ndarray, /) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
            self.steps += 1
            return self._see(), -1.0, False, self.steps == LENGTH, {}

        def _see(self) -> dict[str, np.ndarray]:
            return {"state": self.rng.normal(size=3), "achieved_goal": self.rng.normal(size=1)}

    in_one_go = Trainer.create(config_of(), SPEC, tmp_path / "a", seed=4, prior=prior_data())
    train_gym(Walk(), in_one_go, 6, rng=np.random.default_rng(8))

    offline = Trainer.create(config_of(), SPEC, tmp_path / "b", seed=4, prior=prior_data())
    offline.train_offline()
    offline.close()
    resumed = Trainer.resume(tmp_path / "b")
    train_gym(Walk(), resumed, 6, rng=np.random.default_rng(8))
    assert_equal(in_one_go, resumed)


def test_prior_data_are_those_of_another_training(tmp_path: Path) -> None:
    plain = config_of(offline_updates=0, sampling=SamplingConfig())
    source = Trainer.create(plain, SPEC, tmp_path / "source", seed=0)
    for transition in prior_data():
        source.add(transition)
    source.close()
    from_folder = Trainer.create(config_of(), SPEC, tmp_path / "a", seed=4, prior=tmp_path / "source")
    shutil.rmtree(tmp_path / "source")
    from_list = Trainer.create(config_of(), SPEC, tmp_path / "b", seed=4, prior=prior_data())
    assert_equal(train(from_list), train(from_folder))


def test_opening_again_keeps_the_prior_data_it_has(tmp_path: Path) -> None:
    Trainer.open(config_of(), SPEC, tmp_path, seed=4, prior=prior_data()).close()
    for prior in (prior_data(3), None):
        trainer = Trainer.open(config_of(), SPEC, tmp_path, seed=4, prior=prior)
        assert trainer.prior is not None and trainer.prior.transitions == PRIOR
        trainer.close()


def test_prior_data_for_a_training_that_has_none_are_refused(tmp_path: Path) -> None:
    config = config_of(offline_updates=0, sampling=SamplingConfig())
    Trainer.open(config, SPEC, tmp_path, seed=4).close()
    with pytest.raises(TrainerError, match="holds a training without prior data"):
        Trainer.open(config, SPEC, tmp_path, seed=4, prior=prior_data())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling": SamplingConfig()}, "offline_updates: is 25, but there are no prior data"),
        ({"offline_updates": 0}, r"sampling.prior_share: is 0.25, but there are no prior data"),
    ],
)
def test_configuration_that_wants_prior_data_without_any_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Trainer.create(config_of(**changes), SPEC, tmp_path / "t", seed=0)
    assert not (tmp_path / "t").exists()


def test_bad_prior_data_start_no_training(tmp_path: Path) -> None:
    bad = [*prior_data(7), dataclasses.replace(transition_number(7, "demonstration"), reward=float("nan"))]
    with pytest.raises(TransitionError, match="reward is nan"):
        Trainer.create(config_of(), SPEC, tmp_path, seed=0, prior=bad)
    assert not Trainer.exists(tmp_path)
    Trainer.create(config_of(), SPEC, tmp_path, seed=0, prior=prior_data()).close()


@pytest.mark.parametrize("damage", ["gone", "cut", "another"])
def test_prior_data_that_were_lost_or_replaced_are_noticed(tmp_path: Path, damage: str) -> None:
    trainer = Trainer.create(config_of(), SPEC, tmp_path / "t", seed=0, prior=prior_data())
    trainer.close()
    del trainer
    folder = tmp_path / "t" / "prior"
    if damage == "cut":
        os.truncate(folder / "state", 100)
    else:
        shutil.rmtree(folder)
    if damage == "another":
        Trainer.create(config_of(), SPEC, tmp_path / "o", seed=0, prior=prior_data(3)).close()
        shutil.copytree(tmp_path / "o" / "prior", folder)
    message = {"gone": "holds no replay", "cut": "the file was cut off", "another": "holds 3 transitions, 40 were"}
    with pytest.raises(StorageError, match=message[damage]):
        Trainer.resume(tmp_path / "t")
