"""The synchronous loop: a Gymnasium environment and a trainer in one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tenon.algorithms import Metrics
from tenon.data.transitions import Observation, Transition
from tenon.training.trainer import Trainer

_SEED_LIMIT = 2**31


class GymEnvironment(Protocol):
    """The part of ``gymnasium.Env`` that is used; the core does not import it."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]: ...

    def step(self, action: Any, /) -> tuple[Any, Any, bool, bool, dict[str, Any]]: ...


@dataclass(frozen=True)
class EpisodeResult:
    """One episode in numbers. success: ``info["success"]`` of any step."""

    episode: int
    steps: int
    total_reward: float
    success: bool


class LoopCallback:
    """What a loop tells. Override what is wanted."""

    def on_transition(self, transition: Transition) -> None:
        """After a step was stored."""

    def on_update(self, metrics: Metrics) -> None:
        """After a gradient step."""

    def on_episode(self, result: EpisodeResult) -> None:
        """After an episode."""


def train_gym(
    env: GymEnvironment,
    trainer: Trainer,
    episodes: int,
    *,
    rng: np.random.Generator,
    session: str = "gym",
    first_episode: int = 0,
    callbacks: Sequence[LoopCallback] = (),
) -> list[EpisodeResult]:
    """Runs ``episodes`` episodes, exploring, and trains after each step as much as is due; saves when that is due.

    rng: exploration and the seeds of resets draw from it. Episodes are numbered from ``first_episode`` within
    ``session``; a pair that the trainer knows already would be ignored by it.
    """
    actor = trainer.actor(rng)
    results = []
    for episode in range(first_episode, first_episode + episodes):
        raw, _ = env.reset(seed=int(rng.integers(_SEED_LIMIT)))
        observation = observation_from_gym(raw)
        step, total_reward, success, ended = 0, 0.0, False, False
        while not ended:
            action = actor.act(observation, deterministic=False)
            raw, reward, terminated, truncated, info = env.step(action)
            transition = Transition(
                session=session,
                episode=episode,
                step=step,
                observation=observation,
                action=action,
                reward=float(reward),
                next_observation=observation_from_gym(raw),
                terminated=bool(terminated),
                truncated=bool(truncated),
                success=bool(info.get("success", False)),
                policy_version=trainer.learner.updates,
            )
            _learn(trainer, transition, callbacks)
            observation, ended = transition.next_observation, transition.ended
            step, total_reward, success = step + 1, total_reward + transition.reward, success or transition.success
        results.append(EpisodeResult(episode=episode, steps=step, total_reward=total_reward, success=success))
        for callback in callbacks:
            callback.on_episode(results[-1])
    return results


def evaluate_gym(
    env: GymEnvironment, trainer: Trainer, seeds: Sequence[int], *, deterministic: bool, rng: np.random.Generator
) -> list[EpisodeResult]:
    """One episode per seed with the policy as it is; nothing is stored or trained."""
    actor = trainer.actor(rng)
    results = []
    for number, seed in enumerate(seeds):
        raw, _ = env.reset(seed=seed)
        steps, total_reward, success, ended = 0, 0.0, False, False
        while not ended:
            action = actor.act(observation_from_gym(raw), deterministic=deterministic)
            raw, reward, terminated, truncated, info = env.step(action)
            steps, total_reward, success = steps + 1, total_reward + float(reward), success or bool(info.get("success"))
            ended = terminated or truncated
        results.append(EpisodeResult(episode=number, steps=steps, total_reward=total_reward, success=success))
    return results


def observation_from_gym(raw: NDArray[Any] | Mapping[str, NDArray[Any]]) -> Observation:
    """From a vector, or from a mapping with ``state`` and perhaps ``image``."""
    if isinstance(raw, Mapping):
        return Observation(state=np.asarray(raw["state"], dtype=np.float32), image=raw.get("image"))
    return Observation(state=np.asarray(raw, dtype=np.float32))


def _learn(trainer: Trainer, transition: Transition, callbacks: Sequence[LoopCallback]) -> None:
    trainer.add(transition)
    for callback in callbacks:
        callback.on_transition(transition)
    while trainer.update_due():
        metrics = trainer.update()
        for callback in callbacks:
            callback.on_update(metrics)
    if trainer.save_due():
        trainer.save()
