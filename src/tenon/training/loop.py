"""The synchronous loop: a Gymnasium environment and a trainer in one process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tenon.algorithms import Metrics
from tenon.data.transitions import FloatArray, Observation, Transition
from tenon.training.trainer import Trainer

_SEED_LIMIT = 2**31


class GymEnvironment(Protocol):
    """The part of ``gymnasium.Env`` that is used; the core does not import it."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]: ...

    def step(self, action: Any, /) -> tuple[Any, Any, bool, bool, dict[str, Any]]: ...


class Acts(Protocol):
    """Whatever chooses actions: an ``Actor``, a learner, a script."""

    def act(self, observation: Observation, *, deterministic: bool) -> FloatArray: ...


class Reset(NamedTuple):
    """How an episode begins: what ``env.reset`` is called with."""

    seed: int
    options: dict[str, Any] | None = None


@dataclass(frozen=True)
class EpisodeResult:
    """One episode in numbers. success: ``info["success"]`` of any step; final_success: of the last one."""

    episode: int
    steps: int
    total_reward: float
    success: bool
    final_success: bool


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
    resets: Callable[[int], Reset] | None = None,
    callbacks: Sequence[LoopCallback] = (),
) -> list[EpisodeResult]:
    """Runs ``episodes`` episodes, exploring, and trains after each step as much as is due; saves when that is due.

    rng: exploration and the seeds of resets draw from it. Episodes are numbered from ``first_episode`` within
    ``session``; a pair that the trainer knows already would be ignored by it. resets: how the episode of a number
    begins (in the middle of a demonstration, say); without it, with a seed from ``rng`` alone. What is due before the
    first step, the updates on prior data among it, comes first.
    """
    actor = trainer.actor(rng)
    _train(trainer, callbacks)
    results = []
    for episode in range(first_episode, first_episode + episodes):
        reset = Reset(int(rng.integers(_SEED_LIMIT))) if resets is None else resets(episode)
        result = _nothing_yet(episode)
        for transition in run_episode(
            env,
            actor,
            reset,
            deterministic=False,
            session=session,
            episode=episode,
            policy_version=lambda: trainer.learner.updates,
        ):
            result = _with_step(result, transition)
            trainer.add(transition)
            for callback in callbacks:
                callback.on_transition(transition)
            _train(trainer, callbacks)
        results.append(result)
        for callback in callbacks:
            callback.on_episode(results[-1])
    return results


def evaluate_gym(
    env: GymEnvironment,
    actor: Acts | Trainer,
    draws: Sequence[int | Reset],
    *,
    deterministic: bool,
    rng: np.random.Generator | None = None,
) -> list[EpisodeResult]:
    """One episode per draw (a seed, or a seed with options) with the policy as it is; nothing is stored or trained.

    actor: of a checkpoint, a snapshot or a script; or a trainer, whose policy explores with ``rng``.
    """
    acts = _actor_of(actor, deterministic=deterministic, rng=rng) if isinstance(actor, Trainer) else actor
    results = []
    for number, draw in enumerate(draws):
        reset = draw if isinstance(draw, Reset) else Reset(draw)
        result = _nothing_yet(number)
        for transition in run_episode(env, acts, reset, deterministic=deterministic, episode=number):
            result = _with_step(result, transition)
        results.append(result)
    return results


def run_episode(
    env: GymEnvironment,
    actor: Acts,
    reset: Reset,
    *,
    deterministic: bool,
    session: str = "gym",
    episode: int = 0,
    policy_version: Callable[[], int] = lambda: 0,
) -> Iterator[Transition]:
    """The transitions of one episode as they happen; the next action is chosen when the next one is asked for.

    policy_version: that of ``actor`` at this moment. What ``info`` says of ``success``, ``reward_logit`` and
    ``reward_version`` and ``tcp_in_base_m`` is kept with the transition; its ``human_action`` is what a person did in
    the stead of the actor.
    """
    given: dict[str, Any] = {} if reset.options is None else {"options": reset.options}
    raw, _ = env.reset(seed=reset.seed, **given)
    observation, step, ended = observation_from_gym(raw), 0, False
    while not ended:
        version = policy_version()
        action = actor.act(observation, deterministic=deterministic)
        raw, reward, terminated, truncated, info = env.step(action)
        by_hand, tcp = info.get("human_action"), info.get("tcp_in_base_m")
        transition = Transition(
            session=session,
            episode=episode,
            step=step,
            observation=observation,
            action=action if by_hand is None else np.asarray(by_hand, dtype=np.float32),
            reward=float(reward),
            next_observation=observation_from_gym(raw),
            terminated=bool(terminated),
            truncated=bool(truncated),
            success=bool(info.get("success", False)),
            policy_version=version,
            human=by_hand is not None,
            reward_logit=float(info.get("reward_logit", math.nan)),
            reward_version=str(info.get("reward_version", "")),
            next_tcp_in_base_m=None if tcp is None else np.asarray(tcp, dtype=np.float32),
        )
        yield transition
        observation, step, ended = transition.next_observation, step + 1, transition.ended


def observation_from_gym(raw: NDArray[Any] | Mapping[str, NDArray[Any]]) -> Observation:
    """From a vector, or from a mapping with ``state`` and perhaps ``image`` and ``achieved_goal``."""
    if not isinstance(raw, Mapping):
        return Observation(state=np.asarray(raw, dtype=np.float32))
    goal = raw.get("achieved_goal")
    return Observation(
        state=np.asarray(raw["state"], dtype=np.float32),
        image=raw.get("image"),
        achieved_goal=None if goal is None else np.asarray(goal, dtype=np.float32),
    )


def _nothing_yet(episode: int) -> EpisodeResult:
    return EpisodeResult(episode=episode, steps=0, total_reward=0.0, success=False, final_success=False)


def _with_step(result: EpisodeResult, transition: Transition) -> EpisodeResult:
    return EpisodeResult(
        episode=result.episode,
        steps=result.steps + 1,
        total_reward=result.total_reward + transition.reward,
        success=result.success or transition.success,
        final_success=transition.success,
    )


def _actor_of(trainer: Trainer, *, deterministic: bool, rng: np.random.Generator | None) -> Acts:
    if rng is None and not deterministic:
        raise ValueError("a trainer's policy explores: hand in the generator `rng` that it draws from")
    return trainer.actor(rng or np.random.default_rng(0))


def _train(trainer: Trainer, callbacks: Sequence[LoopCallback]) -> None:
    """All updates that are due; saves after them when that is due."""
    while trainer.update_due():
        metrics = trainer.update()
        for callback in callbacks:
            callback.on_update(metrics)
        if trainer.save_due():
            trainer.save()
