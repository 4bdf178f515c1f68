"""Learning on toys whose optimum is known, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tenon.algorithms import create
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, Observation, ObservationSpec
from tenon.training.config import TrainerConfig
from tenon.training.loop import train_gym
from tenon.training.trainer import Trainer

pytestmark = pytest.mark.learning

BIAS = np.array([0.3, -0.2])
REACH = 0.5


class BiasedPoint:
    """x' = x + 0.5 a + bias, r = -|x'|^2 per step, 8 steps. Best action: clip(-(x + bias) / 0.5, -1, 1)."""

    def reset(self, *, seed: int | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        self._x = np.random.default_rng(seed).uniform(-0.5, 0.5, 2)
        self._steps = 0
        return self._x, {}

    def step(self, action: np.ndarray, /) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._x = self._x + REACH * action + BIAS
        self._steps += 1
        return self._x, -float(self._x @ self._x), False, self._steps == 8, {}


@pytest.mark.parametrize(
    ("method", "algorithm"),
    [("sac", {"initial_temperature": 0.02}), ("td3", {"exploration_std": 0.4, "target_noise_std": 0.1})],
)
def test_learns_to_cancel_a_bias(method: str, algorithm: dict[str, Any], tmp_path: Path) -> None:
    config = TrainerConfig(
        method=method,
        algorithm={
            "hidden_sizes": [32, 32],
            "discount": 0.5,
            "actor_learning_rate": 3e-3,
            "critic_learning_rate": 3e-3,
            **algorithm,
        },
        batch_size=64,
        warmup_transitions=100,
        checkpoint_every_updates=100_000,
    )
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=2), action_size=2)
    trainer = Trainer.create(config, spec, tmp_path, seed=0)
    train_gym(BiasedPoint(), trainer, 200, rng=np.random.default_rng(0))
    actor = trainer.actor(np.random.default_rng(1))
    errors = []
    for x in np.random.default_rng(2).uniform(-0.2, 0.2, (100, 2)):
        action = actor.act(Observation(x.astype(np.float32)), deterministic=True)
        errors.append(np.abs(action - np.clip(-(x + BIAS) / REACH, -1, 1)).mean())
    assert np.mean(errors) < 0.1


@pytest.mark.parametrize(("terminated", "value"), [(1.0, 1.0), (0.0, 5.0)], ids=["terminated", "truncated"])
@pytest.mark.parametrize(
    ("method", "algorithm"), [("sac", {"initial_temperature": 1e-8, "temperature_learning_rate": 1e-8}), ("td3", {})]
)
def test_value_ends_where_the_task_does_and_goes_on_where_time_ran_out(
    method: str, algorithm: dict[str, Any], terminated: float, value: float
) -> None:
    """One state, reward 1, discount 0.8, episodes of one step: worth 1 if it is over then, 1 / (1 - 0.8) = 5 if not."""
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=1), action_size=1)
    config = {
        "hidden_sizes": [16],
        "discount": 0.8,
        "critic_learning_rate": 1e-2,
        "actor_learning_rate": 1e-2,
        "target_rate": 0.1,
    }
    learner = create(method, {**config, **algorithm}, spec, seed=0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(500):
        batch = Batch(
            observation=ObservationBatch(torch.ones(32, 1)),
            action=torch.rand(32, 1, generator=generator) * 2 - 1,
            reward=torch.ones(32),
            next_observation=ObservationBatch(torch.ones(32, 1)),
            terminated=torch.full((32,), terminated),
            number=torch.arange(32),
            prior=torch.zeros(32, dtype=torch.bool),
        )
        metrics = learner.update(batch).as_dict()
    assert metrics["q_mean"] == pytest.approx(value, rel=0.05)
