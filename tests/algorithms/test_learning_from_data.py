"""BC, AWAC, IQL and DDPG with demonstrations learn what they should on toys whose optimum is known, in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tenon.algorithms import Algorithm, create
from tenon.algorithms.awac import AWAC
from tenon.algorithms.iql import IQL
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.sampling import RelabelConfig, SamplingConfig
from tenon.data.transitions import EnvironmentSpec, GoalSpec, Observation, ObservationSpec, Transition
from tenon.training.config import TrainerConfig
from tenon.training.loop import evaluate_gym, train_gym
from tenon.training.trainer import Trainer

pytestmark = pytest.mark.learning

FAST = {"hidden_sizes": [32, 32], "actor_learning_rate": 3e-3}


def _spec(states: int, actions: int) -> EnvironmentSpec:
    return EnvironmentSpec(observation=ObservationSpec(state_size=states), action_size=actions)


def _batch(state: Tensor, action: Tensor, reward: Tensor, next_state: Tensor, terminated: Tensor) -> Batch:
    return Batch(
        observation=ObservationBatch(state),
        action=action,
        reward=reward,
        next_observation=ObservationBatch(next_state),
        terminated=terminated,
        number=torch.arange(len(reward)),
        prior=torch.ones(len(reward), dtype=torch.bool),
    )


@pytest.mark.parametrize("policy", ["gaussian", "deterministic"])
def test_bc_recovers_the_controller_behind_noisy_demonstrations(policy: str) -> None:
    learner = create("bc", {**FAST, "policy": policy, "initial_std": 0.3}, _spec(2, 2), seed=0)
    generator = torch.Generator().manual_seed(0)
    gain = torch.tensor([[-0.6, 0.2], [0.3, -0.5]])
    for _ in range(600):
        state = torch.rand(64, 2, generator=generator) * 2 - 1
        action = state @ gain + 0.1 * torch.randn(64, 2, generator=generator)
        learner.update(_batch(state, action, torch.zeros(64), state, torch.zeros(64)))
    state = torch.rand(200, 2, generator=generator) * 2 - 1
    error = learner.policy.action(state, None) - state @ gain
    assert float(error.detach().abs().mean()) < 0.04
    if policy == "gaussian":
        noise = learner.policy.action(state, torch.ones(200, 2)) - learner.policy.action(state, None)
        assert float(noise.detach().mean()) == pytest.approx(0.1, rel=0.15)


def test_awac_reweights_the_behaviour_by_the_exponential_of_the_return() -> None:
    """One state, r = -(a - 0.5)^2, behaviour uniform: pi* is a Gaussian with mean 0.5 and variance lambda / 2."""
    temperature = 0.05
    config = {**FAST, "critic_learning_rate": 3e-3, "temperature": temperature, "policy_weight_decay": 0.0}
    learner = create("awac", {**config, "initial_std": 0.5}, _spec(1, 1), seed=0)
    assert isinstance(learner, AWAC)
    generator = torch.Generator().manual_seed(0)
    state = torch.ones(256, 1)
    for _ in range(800):
        action = torch.rand(256, 1, generator=generator) * 2 - 1
        reward = -(action[:, 0] - 0.5).square()
        learner.update(_batch(state, action, reward, state, torch.ones(256)))
    assert float(learner.policy.mean(state)[0].detach()) == pytest.approx(0.5, abs=0.04)
    assert float(learner.policy.log_std().exp().detach()) == pytest.approx((temperature / 2) ** 0.5, rel=0.15)


CELLS, DISCOUNT, RIGHT_SHARE = 8, 0.9, 0.3


def _corridor(generator: torch.Generator, size: int) -> Batch:
    """Single steps from random cells, a > 0 to the right, which the data seldom do; -1 each, 0 into the last cell."""
    cell = torch.randint(CELLS - 1, (size,), generator=generator)
    right = torch.rand(size, generator=generator) < RIGHT_SHARE
    action = torch.where(right, 0.5, -0.5) + 0.3 * (torch.rand(size, generator=generator) - 0.5)
    following = torch.where(right, cell + 1, (cell - 1).clamp(min=0))
    ended = (following == CELLS - 1).to(torch.float32)
    one_hot = torch.eye(CELLS)
    return _batch(one_hot[cell], action[:, None], ended - 1.0, one_hot[following], ended)


def _corridor_values(expectile: float) -> np.ndarray:
    """The fixed point of V(s) = expectile over the data's actions of r + gamma V(s'), cell by cell."""
    values = np.zeros(CELLS)
    up, down = expectile * RIGHT_SHARE, (1 - expectile) * (1 - RIGHT_SHARE)
    for _ in range(300):
        left = -1 + DISCOUNT * values[np.maximum(np.arange(CELLS) - 1, 0)]
        right = np.append(-1 + DISCOUNT * values[1:], 0.0)
        right[CELLS - 2] = 0.0
        values = (up * right + down * left) / (up + down)
        values[-1] = 0.0
    return values[:-1]


@pytest.mark.parametrize("expectile", [0.5, 0.95])
def test_iql_stitches_single_steps_into_the_way_that_nobody_went(expectile: float) -> None:
    config = {**FAST, "critic_learning_rate": 3e-3, "discount": DISCOUNT, "target_rate": 0.02, "expectile": expectile}
    learner = create("iql", {**config, "inverse_temperature": 10.0}, _spec(CELLS, 1), seed=0)
    cloning = create("bc", FAST, _spec(CELLS, 1), seed=0)
    assert isinstance(learner, IQL)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2000):
        batch = _corridor(generator, 128)
        learner.update(batch)
        cloning.update(batch)
    cells = torch.eye(CELLS)[:-1]
    values = learner.value(cells).detach().numpy()
    np.testing.assert_allclose(values, _corridor_values(expectile), rtol=0.1, atol=0.25)
    if expectile > 0.9:
        assert float(learner.policy.mean(cells).detach().min()) > 0.3
    assert float(cloning.policy.action(cells, None).detach().max()) < 0.0


class PointReach:
    """A point in the plane, x' = x + 0.2 a, that shall come within 0.1 of a random goal; 12 steps, reward -1 or 0."""

    SPEC = EnvironmentSpec(
        observation=ObservationSpec(state_size=4, goal=GoalSpec(size=2, tolerance=0.1, reward="miss_penalty")),
        action_size=2,
    )
    STEPS = 12

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self._x, self._goal = np.random.default_rng(seed).uniform(-1, 1, (2, 2))
        self._steps = 0
        return self._observed(), {}

    def step(self, action: np.ndarray, /) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        self._x = np.clip(self._x + 0.2 * action, -1.5, 1.5)
        self._steps += 1
        success = bool(np.linalg.norm(self._x - self._goal) < 0.1)
        return self._observed(), float(success) - 1.0, False, self._steps == self.STEPS, {"success": success}

    def _observed(self) -> dict[str, np.ndarray]:
        return {"state": np.append(self._x, self._goal), "achieved_goal": self._x}


def _demonstrations(episodes: int) -> Iterator[Transition]:
    """A controller with noise that walks straight to the goal."""
    env, rng = PointReach(), np.random.default_rng(9)
    for episode in range(episodes):
        seen, _ = env.reset(seed=1000 + episode)
        for step in range(env.STEPS):
            way = (seen["state"][2:] - seen["state"][:2]) / 0.2
            action = np.clip(way + 0.2 * rng.normal(size=2), -1, 1).astype(np.float32)
            following, reward, _, truncated, info = env.step(action)
            yield Transition(
                session="script",
                episode=episode,
                step=step,
                observation=_as_observation(seen),
                action=action,
                reward=reward,
                next_observation=_as_observation(following),
                terminated=False,
                truncated=truncated,
                success=info["success"],
            )
            seen = following


def _as_observation(seen: dict[str, np.ndarray]) -> Observation:
    state, achieved = (seen[key].astype(np.float32) for key in ("state", "achieved_goal"))
    return Observation(state, achieved_goal=achieved)


def _success(tmp_path: Path, *, hindsight: bool, demonstrations: int, episodes: int) -> float:
    """Share of 50 goals that are held at the end, after practice."""
    config = TrainerConfig(
        method="ddpg_her",
        algorithm={
            "hidden_sizes": [64, 64],
            "discount": 0.9,
            "target_update_every": 1,
            "cloning": "filtered" if demonstrations else "off",
        },
        batch_size=128,
        warmup_transitions=60,
        checkpoint_every_updates=100_000,
        sampling=SamplingConfig(
            relabel=RelabelConfig() if hindsight else None, prior_share=0.25 if demonstrations else None
        ),
    )
    prior = _demonstrations(demonstrations) if demonstrations else None
    trainer = Trainer.create(config, PointReach.SPEC, tmp_path, seed=0, prior=prior)
    train_gym(PointReach(), trainer, episodes, rng=np.random.default_rng(0))
    results = evaluate_gym(PointReach(), trainer, range(50), deterministic=True)
    return float(np.mean([result.final_success for result in results]))


def test_ddpg_reaches_goals_with_hindsight(tmp_path: Path) -> None:
    assert _success(tmp_path, hindsight=True, demonstrations=0, episodes=120) >= 0.9


def test_ddpg_reaches_goals_soonest_with_demonstrations_and_hindsight(tmp_path: Path) -> None:
    assert _success(tmp_path, hindsight=True, demonstrations=10, episodes=40) >= 0.9


def test_ddpg_reaches_no_goals_without_either(tmp_path: Path) -> None:
    assert _success(tmp_path, hindsight=False, demonstrations=0, episodes=120) <= 0.3


@pytest.mark.parametrize("name", ["awac", "iql", "ddpg_her"])
@pytest.mark.parametrize(("terminated", "value"), [(1.0, 1.0), (0.0, 5.0)], ids=["terminated", "truncated"])
def test_value_ends_where_the_task_does_and_goes_on_where_time_ran_out(
    name: str, terminated: float, value: float
) -> None:
    """One state, reward 1, discount 0.8, episodes of one step: worth 1 if it is over then, 1 / (1 - 0.8) = 5 if not."""
    config: dict[str, Any] = {"hidden_sizes": [16], "discount": 0.8, "critic_learning_rate": 1e-2, "target_rate": 0.1}
    if name == "ddpg_her":
        config |= {"target_update_every": 1, "encoder": {"standardize_state": False}}
    learner: Algorithm[Any, Any] = create(name, config, _spec(1, 1), seed=0)
    generator = torch.Generator().manual_seed(0)
    state = torch.ones(32, 1)
    for _ in range(600):
        action = torch.rand(32, 1, generator=generator) * 2 - 1
        metrics = learner.update(_batch(state, action, torch.ones(32), state, torch.full((32,), terminated))).as_dict()
    assert metrics["q_mean"] == pytest.approx(value, rel=0.05)
