"""The synchronous loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tenon.algorithms import Metrics
from tenon.data.sampling import RelabelConfig, SamplingConfig
from tenon.data.transitions import (
    EnvironmentSpec,
    GoalSpec,
    ImageSpec,
    Observation,
    ObservationSpec,
    Transition,
)
from tenon.training.config import TrainerConfig
from tenon.training.loop import EpisodeResult, LoopCallback, Reset, evaluate_gym, observation_from_gym, train_gym
from tenon.training.snapshot import load_actor
from tenon.training.trainer import Trainer

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=1), action_size=1)
CONFIG = TrainerConfig(
    method="sac",
    algorithm={"hidden_sizes": [8]},
    batch_size=4,
    warmup_transitions=6,
    updates_per_transition=2.0,
    checkpoint_every_updates=10,
)


class Counting:
    """Ends after four steps: every second episode terminates with success, the others run out of time."""

    def __init__(self) -> None:
        self.episodes = -1
        self.seeds: list[int | None] = []
        self.options: list[dict[str, Any] | None] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        self.episodes += 1
        self.seeds.append(seed)
        self.options.append(options)
        self.steps = 0
        return np.zeros(1), {}

    def step(self, action: np.ndarray, /) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        last, good = self.steps == 4, self.episodes % 2 == 0
        return np.array([self.steps]), 0.5, last and good, last and not good, {"success": last and good}


class Record(LoopCallback):
    def __init__(self) -> None:
        self.transitions: list[Transition] = []
        self.updates: list[Metrics] = []
        self.results: list[EpisodeResult] = []

    def on_transition(self, transition: Transition) -> None:
        self.transitions.append(transition)

    def on_update(self, metrics: Metrics) -> None:
        self.updates.append(metrics)

    def on_episode(self, result: EpisodeResult) -> None:
        self.results.append(result)


def test_loop_stores_trains_saves_and_tells(tmp_path: Path) -> None:
    trainer, record = Trainer.create(CONFIG, SPEC, tmp_path, seed=0), Record()
    results = train_gym(Counting(), trainer, 3, rng=np.random.default_rng(0), callbacks=[record])
    assert results == record.results
    assert [(r.episode, r.steps, r.total_reward, r.success) for r in results] == [
        (0, 4, 2.0, True),
        (1, 4, 2.0, False),
        (2, 4, 2.0, True),
    ]
    assert len(record.updates) == trainer.updates == 2 * (12 - 6)
    assert trainer.durable_updates == 10
    assert [(t.terminated, t.truncated) for t in record.transitions if t.ended] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    assert [float(t.next_observation.state[0]) for t in record.transitions[:4]] == [1, 2, 3, 4]


def test_loop_is_determined_by_its_generator(tmp_path: Path) -> None:
    trainers = [Trainer.create(CONFIG, SPEC, tmp_path / name, seed=0) for name in "ab"]
    environments = [Counting(), Counting()]
    for trainer, environment in zip(trainers, environments, strict=True):
        train_gym(environment, trainer, 4, rng=np.random.default_rng(3))
    assert environments[0].seeds == environments[1].seeds
    states = [trainer.learner.state().tensors for trainer in trainers]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_evaluation_leaves_the_trainer_alone(tmp_path: Path) -> None:
    trainer = Trainer.create(CONFIG, SPEC, tmp_path, seed=0)
    results = evaluate_gym(Counting(), trainer, [5, 6], deterministic=True, rng=np.random.default_rng(0))
    assert [result.success for result in results] == [True, False]
    assert (trainer.replay.transitions, trainer.updates) == (0, 0)


class Zero:
    """A script: always the same action."""

    def act(self, observation: Observation, *, deterministic: bool) -> np.ndarray:
        return np.zeros(1, np.float32)


def test_whatever_acts_can_be_evaluated(tmp_path: Path) -> None:
    trainer = Trainer.create(CONFIG, SPEC, tmp_path, seed=0)
    for actor in (Zero(), trainer, trainer.learner, load_actor(trainer.snapshot())):
        results = evaluate_gym(Counting(), actor, [5, 6, 7], deterministic=True)
        assert [result.success for result in results] == [True, False, True]


def test_trainer_that_explores_in_an_evaluation_needs_a_generator(tmp_path: Path) -> None:
    trainer = Trainer.create(CONFIG, SPEC, tmp_path, seed=0)
    with pytest.raises(ValueError, match="hand in the generator"):
        evaluate_gym(Counting(), trainer, [5], deterministic=False)


def test_success_on_the_way_is_told_apart_from_success_at_the_end() -> None:
    class Passing(Counting):
        def step(self, action: np.ndarray, /) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            *rest, _ = super().step(action)
            return (*rest, {"success": self.steps == 3 if self.episodes == 0 else self.steps >= 3})

    results = evaluate_gym(Passing(), Zero(), [0, 1], deterministic=True)
    assert [(result.success, result.final_success) for result in results] == [(True, False), (True, True)]


def test_episodes_begin_as_they_are_told_to(tmp_path: Path) -> None:
    environment = Counting()
    evaluate_gym(environment, Zero(), [3, Reset(4), Reset(5, {"demonstration": 1})], deterministic=True)
    assert environment.seeds == [3, 4, 5]
    assert environment.options == [None, None, {"demonstration": 1}]

    trainer, environment = Trainer.create(CONFIG, SPEC, tmp_path, seed=0), Counting()
    train_gym(
        environment,
        trainer,
        3,
        rng=np.random.default_rng(0),
        first_episode=7,
        resets=lambda episode: Reset(episode, {"start": episode} if episode % 2 else None),
    )
    assert environment.seeds == [7, 8, 9]
    assert environment.options == [{"start": 7}, None, {"start": 9}]


def test_versions_are_those_of_the_policy_that_acted(tmp_path: Path) -> None:
    trainer, record = Trainer.create(CONFIG, SPEC, tmp_path, seed=0), Record()
    train_gym(Counting(), trainer, 3, rng=np.random.default_rng(0), callbacks=[record])
    assert [t.policy_version for t in record.transitions] == [0] * 7 + [2, 4, 6, 8, 10]


class Reach:
    """Move a point on a line to the goal. State [position, goal]; the reward is that of the goal's specification."""

    spec = EnvironmentSpec(
        observation=ObservationSpec(state_size=2, goal=GoalSpec(size=1, tolerance=0.2, reward="miss_penalty")),
        action_size=1,
    )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self.goal, self.position, self.steps = float(np.random.default_rng(seed).uniform(-2.0, 2.0)), 0.0, 0
        return self._see(), {}

    def step(self, action: np.ndarray, /) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        self.position += 0.3 * float(action[0])
        self.steps += 1
        success = abs(self.position - self.goal) < 0.2
        return self._see(), float(success) - 1.0, False, self.steps == 10, {"success": success}

    def _see(self) -> dict[str, np.ndarray]:
        return {"state": np.array([self.position, self.goal]), "achieved_goal": np.array([self.position])}


def test_goals_of_an_environment_reach_the_replay(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"sampling": SamplingConfig(relabel=RelabelConfig())})
    trainer = Trainer.create(config, Reach.spec, tmp_path, seed=0)
    train_gym(Reach(), trainer, 3, rng=np.random.default_rng(0))
    numbers = torch.arange(30)
    positions = trainer.replay.gather(numbers).next_observation.state[:, 0]
    assert torch.equal(trainer.replay.values("achieved_goal", numbers.numpy())[:, 0], positions)
    assert trainer.updates == 2 * (30 - 6)


def test_mapping_with_an_image_becomes_an_observation() -> None:
    image = np.zeros((2, 2, 1), np.uint8)
    observation = observation_from_gym({"state": np.array([1.0]), "image": image})
    assert observation.state.dtype == np.float32
    assert observation.image is image


@pytest.mark.learning
def test_learns_from_an_image(tmp_path: Path) -> None:
    """The best action is told by the picture alone: +1 for white, -1 for black."""

    class Lamp:
        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
            self.white = bool(np.random.default_rng(seed).integers(2))
            return self._see(), {}

        def step(self, action: np.ndarray, /) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
            reward = -abs(float(action[0]) - (0.8 if self.white else -0.8))
            return self._see(), reward, True, False, {}

        def _see(self) -> dict[str, np.ndarray]:
            return {"state": np.zeros(1), "image": np.full((3, 3, 1), 255 * self.white, np.uint8)}

    spec = EnvironmentSpec(
        observation=ObservationSpec(state_size=1, image=ImageSpec(height=3, width=3, channels=1)), action_size=1
    )
    config = TrainerConfig(
        method="sac",
        algorithm={
            "hidden_sizes": [32],
            "actor_learning_rate": 3e-3,
            "critic_learning_rate": 3e-3,
            "initial_temperature": 0.05,
        },
        batch_size=32,
        warmup_transitions=50,
        checkpoint_every_updates=100_000,
    )
    trainer = Trainer.create(config, spec, tmp_path, seed=0)
    train_gym(Lamp(), trainer, 400, rng=np.random.default_rng(0))
    results = evaluate_gym(Lamp(), trainer, range(20), deterministic=True, rng=np.random.default_rng(0))
    assert np.mean([result.total_reward for result in results]) > -0.2
