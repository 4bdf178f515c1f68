"""IQL with bottlenecks from pictures of many domains, then practice on a new one: what it learns, how it resumes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tenon.data.replay import ReplayConfig
from tenon.data.sampling import SamplingConfig
from tenon.data.transitions import EnvironmentSpec, ImageSpec, Observation, ObservationSpec, Transition
from tenon.training.config import TrainerConfig
from tenon.training.loop import evaluate_gym, train_gym
from tenon.training.snapshot import load_actor
from tenon.training.trainer import Trainer

SIZE, SQUARE, DOMAINS, OFFLINE = 16, 4, 5, 250
SPEC = EnvironmentSpec(
    observation=ObservationSpec(state_size=1, image=ImageSpec(height=SIZE, width=SIZE, channels=3)), action_size=2
)
NEAR = 0.25


class Squares:
    """A square on a ground, in two colours that belong to the domain; to point at it pays 1. One step.

    bias: the pointer's zero is off by it, so that what other domains teach misses here.
    """

    def __init__(self, domain: int, bias: tuple[float, float] = (0.0, 0.0)) -> None:
        colours = np.random.default_rng((7, domain))
        self._ground = colours.integers(0, 100, 3)
        self._square = colours.integers(150, 256, 3)
        self._bias = np.array(bias)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self.place = np.random.default_rng(seed).uniform(-0.6, 0.6, 2)
        return self._observation(), {}

    def step(self, action: np.ndarray, /) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        near = bool(np.abs(action - self._bias - self.place).max() < NEAR)
        return self._observation(), float(near), True, False, {"success": near}

    def _observation(self) -> dict[str, np.ndarray]:
        row, column = np.round((self.place + 1) / 2 * (SIZE - SQUARE)).astype(int)
        image = np.broadcast_to(self._ground, (SIZE, SIZE, 3)).astype(np.uint8)
        image[row : row + SQUARE, column : column + SQUARE] = self._square
        return {"state": np.zeros(1, dtype=np.float32), "image": image}


def logs(each: int = 150) -> Iterator[Transition]:
    """Of a controller that points at the square, roughly, in all domains but the held-out one."""
    for domain in range(DOMAINS):
        env, rng = Squares(domain), np.random.default_rng((1, domain))
        for episode in range(each):
            seen, _ = env.reset(seed=int(rng.integers(2**31)))
            action = np.clip(env.place + rng.normal(0, 0.35, 2), -1, 1).astype(np.float32)
            following, reward, terminated, truncated, info = env.step(action)
            yield Transition(
                session=f"domain{domain}",
                episode=episode,
                step=0,
                observation=Observation(seen["state"], seen["image"]),
                action=action,
                reward=reward,
                next_observation=Observation(following["state"], following["image"]),
                terminated=terminated,
                truncated=truncated,
                success=info["success"],
            )


def config(**changes: Any) -> TrainerConfig:
    values: dict[str, Any] = {
        "method": "iql_daib",
        "algorithm": {
            "hidden_sizes": [32, 32],
            "discount": 0.9,
            "inverse_temperature": 3.0,
            "actor_learning_rate": 2e-3,
            "critic_learning_rate": 2e-3,
            "last_layer_scale": 0.1,
            "initial_std": 0.3,
            "target_rate": 0.05,
            "domains": DOMAINS,
            "encoder_updates": OFFLINE,
            "bottleneck": {
                "invariant_size": 16,
                "specific_size": 4,
                "channels": [8, 8],
                "specific_channels": [4, 4],
                "kernels_px": [3, 3],
                "strides_px": [2, 2],
                "dense_size": 32,
                "adversarial_weight": 0.3,
            },
            "augment": {"shift_px": 0, "channel_offset": 0.05},
        },
        "batch_size": 64,
        "offline_updates": OFFLINE,
        "warmup_transitions": 50,
        "checkpoint_every_updates": 100_000,
        "sampling": SamplingConfig(prior_share=0.5),
        "replay": ReplayConfig(capacity=4_000, reserve=1_000),
    }
    return TrainerConfig.model_validate({**values, **changes})


def hits(trainer: Trainer, env: Squares, count: int = 150) -> float:
    """Share of successes by the policy that a robot would be sent."""
    actor = load_actor(trainer.snapshot(), spec=SPEC)
    results = evaluate_gym(env, actor, range(10_000, 10_000 + count), deterministic=True)
    return float(np.mean([result.success for result in results]))


@pytest.mark.learning
def test_learns_offline_what_transfers_and_by_practice_what_does_not(tmp_path: Path) -> None:
    mixed = SamplingConfig(prior_share=0.25)  # as in the paper; half of old data holds the policy back
    practising = config(sampling=mixed, updates_per_transition=2.0)
    trainer = Trainer.create(practising, SPEC, tmp_path, seed=0, prior=logs())
    trainer.train_offline()
    unseen, shifted = Squares(DOMAINS), Squares(DOMAINS, bias=(0.3, -0.3))
    assert hits(trainer, unseen) > 0.8  # a policy that is blind to the square: 0.15
    before = hits(trainer, shifted)
    train_gym(shifted, trainer, 500, rng=np.random.default_rng(0))
    assert trainer.updates == OFFLINE + 2 * 450
    assert hits(trainer, shifted) > before + 0.3


@pytest.mark.parametrize("stopped_at", [15, 20, 33])
def test_stopped_in_either_phase_and_resumed_it_ends_bit_equal(tmp_path: Path, stopped_at: int) -> None:
    algorithm = {**config().algorithm, "encoder_updates": 20}
    short = config(offline_updates=20, warmup_transitions=8, batch_size=16, algorithm=algorithm)

    def run(trainer: Trainer, until: int) -> Trainer:
        env = Squares(DOMAINS)
        while trainer.updates < until:
            if trainer.update_due():
                trainer.update()
                continue
            episode = trainer.replay.transitions
            while trainer.update_due():
                trainer.update()
            train = np.random.default_rng((3, episode))
            seen, _ = env.reset(seed=episode)
            action = train.uniform(-1, 1, 2).astype(np.float32)
            following, reward, *_ = env.step(action)
            observation = Observation(seen["state"], seen["image"])
            next_observation = Observation(following["state"], following["image"])
            trainer.add(Transition("own", episode, 0, observation, action, reward, next_observation, True, False))
        return trainer

    reference = run(Trainer.create(short, SPEC, tmp_path / "a", seed=1, prior=logs(8)), 40)
    run(Trainer.create(short, SPEC, tmp_path / "b", seed=1, prior=logs(8)), stopped_at).close()
    resumed = run(Trainer.resume(tmp_path / "b"), 40)
    left, right = reference.learner.state(), resumed.learner.state()
    assert left.optimizer_steps == right.optimizer_steps
    assert left.optimizer_steps["policy_encoder"] == 20
    assert all(torch.equal(left.tensors[name], right.tensors[name]) for name in left.tensors)


def test_practice_from_a_checkpoint_goes_on_with_frozen_encoders(tmp_path: Path) -> None:
    algorithm = {**config().algorithm, "encoder_updates": 20}
    offline = Trainer.create(
        config(offline_updates=20, algorithm=algorithm), SPEC, tmp_path / "offline", seed=0, prior=logs(8)
    )
    offline.train_offline()
    checkpoint, before = offline.save(), offline.learner.state()
    offline.close()
    practice = Trainer.create(
        config(offline_updates=0, algorithm=algorithm),
        SPEC,
        tmp_path / "practice",
        seed=3,
        prior=tmp_path / "offline" / "prior",
        initial=checkpoint,
    )
    train_gym(Squares(DOMAINS), practice, 60, rng=np.random.default_rng(0))
    assert practice.updates == 10
    after = practice.learner.state()
    moved = {name.split(".")[0] for name in after.tensors if not torch.equal(after.tensors[name], before.tensors[name])}
    assert moved == {"policy", "critic", "value", "target_critic", "adam"}
