"""Offline updates, then practice: how often it is looked at, and how it goes on after an interruption."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tenon.data.transitions import EnvironmentSpec, Observation, ObservationSpec, Transition
from tenon.experiments.experiment import Job, JobContext
from tenon.experiments.practice import Plan, Practice, policy_chooser, practised
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

HORIZON = 5
SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=2), action_size=1)
JOB = Job("sac", "toy", 0, 1.0)


class Walk:
    """x' = x + 0.1 a from a random start, five steps."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._x, self._steps = float(np.random.default_rng(seed).uniform(-1.0, 1.0)), 0
        return self._observation(), {}

    def step(self, action: Any, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._x, self._steps = self._x + 0.1 * float(action[0]), self._steps + 1
        return self._observation(), -abs(self._x), False, self._steps == HORIZON, {"success": abs(self._x) < 0.5}

    def _observation(self) -> Any:
        return np.array([self._x, self._steps], np.float32)


def config(*, offline_updates: int = 0) -> TrainerConfig:
    return TrainerConfig(
        method="sac",
        algorithm={"hidden_sizes": (8,)},  # comes back from the disk as a list
        batch_size=4,
        warmup_transitions=0,
        offline_updates=offline_updates,
        checkpoint_every_updates=7,
    )


def prior() -> Iterator[Transition]:
    rng = np.random.default_rng(0)
    for step in range(10):
        states = rng.standard_normal((2, 2)).astype(np.float32)
        action = rng.uniform(-1.0, 1.0, 1).astype(np.float32)
        yield Transition(
            "shown", 0, step, Observation(states[0]), action, -1.0, Observation(states[1]), False, step == 9
        )


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.learner.policy.parameters()])


def seen_steps(directory: Path, plan: Plan, **options: Any) -> list[int]:
    seen: list[int] = []
    data = prior() if options.get("offline_updates") else None
    trainer = Trainer.create(config(**options), SPEC, directory, seed=0, prior=data)
    Practice(trainer, plan, lambda _, step: seen.append(step), env=Walk() if plan.steps else None).run()
    trainer.close()
    return seen


def test_practice_is_looked_at_every_so_many_steps_and_at_the_end(tmp_path: Path) -> None:
    assert seen_steps(tmp_path, Plan(steps=32, evaluate_every=10)) == [10, 20, 30, 35]


def test_offline_updates_are_looked_at_by_their_own_count(tmp_path: Path) -> None:
    plan = Plan(steps=0, evaluate_every=10, evaluate_every_updates=4)
    assert seen_steps(tmp_path, plan, offline_updates=10) == [4, 8, 10]


def test_practice_counts_on_from_the_offline_updates(tmp_path: Path) -> None:
    plan = Plan(steps=20, evaluate_every=10, evaluate_every_updates=10)
    assert seen_steps(tmp_path, plan, offline_updates=10) == [10, 20, 30]


@pytest.mark.parametrize("interrupted_at", [5, 10, 20, 30, 40])
def test_interrupted_training_ends_as_one_that_was_not(tmp_path: Path, interrupted_at: int) -> None:
    """The end of an episode is when it is looked at, so nothing of an episode is lost here."""
    plan = Plan(steps=30, evaluate_every=10, evaluate_every_updates=5)

    def train(directory: Path, *, stop_at: int | None) -> tuple[torch.Tensor, list[float]]:
        context = JobContext(JOB, directory)

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            if step == stop_at:
                raise InterruptedError
            return {"weight": float(weights(trainer).sum())}

        with practised(context, config(offline_updates=10), SPEC, plan, look, env=Walk(), prior=prior) as trainer:
            return weights(trainer), [point.value for point in context.points]

    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", stop_at=interrupted_at)
    resumed, resumed_curve = train(tmp_path / "cut", stop_at=None)
    whole, whole_curve = train(tmp_path / "whole", stop_at=None)
    assert torch.equal(resumed, whole)
    assert resumed_curve == whole_curve


@pytest.mark.parametrize(
    ("killed_at", "killed_in_look"), [({3}, 0), ({9}, 0), ({10}, 0), ({18}, 0), ({10, 12}, 0), ({10}, 1), ({9}, 2)]
)
def test_training_that_was_killed_is_looked_at_as_often(
    tmp_path: Path, killed_at: set[int], killed_in_look: int
) -> None:
    plan = Plan(steps=32, evaluate_every=8)
    begun: list[int] = []
    looks: list[int] = []

    class Killed(Walk):
        taken = 0

        def step(self, action: Any, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            Killed.taken += 1
            if Killed.taken in killed_at:
                raise InterruptedError
            return super().step(action)

    def look(trainer: Trainer, step: int) -> dict[str, float]:
        begun.append(step)
        if len(begun) == killed_in_look:
            raise InterruptedError
        looks.append(step)
        return {"success": 1.0}

    def train() -> None:
        with practised(JobContext(JOB, tmp_path), config(), SPEC, plan, look, env=Killed()):
            pass

    for _ in range(3):
        with suppress(InterruptedError):
            train()
    assert [step // 8 for step in looks] == [1, 2, 3, 4]


def test_finished_training_does_nothing_more(tmp_path: Path) -> None:
    plan = Plan(steps=10, evaluate_every=10)
    looks: list[int] = []

    def look(trainer: Trainer, step: int) -> dict[str, float]:
        looks.append(step)
        return {"success": 1.0}

    for _ in range(2):
        with practised(JobContext(JOB, tmp_path), config(), SPEC, plan, look, env=Walk()) as trainer:
            assert (trainer.updates, trainer.replay.transitions) == (10, 10)
    assert looks == [10]


def test_cut_off_episode_is_left_as_it_is(tmp_path: Path) -> None:
    trainer = Trainer.create(config(), SPEC, tmp_path, seed=0)
    observation = Observation(np.zeros(2, np.float32))
    cut = Transition("practice", 0, 0, observation, np.zeros(1, np.float32), 0.0, observation, False, False)
    trainer.add(cut)
    Practice(trainer, Plan(steps=6, evaluate_every=10), lambda trainer, step: None, env=Walk()).run()
    assert trainer.replay.transitions == 1 + HORIZON
    assert trainer.has_episode("practice", 1) and not trainer.has_episode("practice", 0)
    trainer.close()


def test_looking_changes_nothing(tmp_path: Path) -> None:
    trainer = Trainer.create(config(), SPEC, tmp_path, seed=0)
    observation = Observation(np.zeros(2, np.float32))
    first = [policy_chooser(trainer, deterministic=False, step=3)(observation) for _ in range(2)]
    assert np.array_equal(*first)
    assert not np.array_equal(first[0], policy_chooser(trainer, deterministic=False, step=4)(observation))
    trainer.close()
