"""Episodes on fixed draws, for policies and for hand-written controllers alike; nothing is stored or trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenon.data.transitions import FloatArray, Observation
from tenon.session.draws import EVALUATION_SEED
from tenon.training.loop import GymEnvironment, observation_from_gym

_DITHER_STREAM = 3

Chooser = Callable[[Observation], FloatArray]
"""From an observation to an action (A,) in [-1, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One episode in numbers.

    first_success: step of the first success, from 1; 0 without one. at_end: success on the last step.
    peak_force_n: the largest at any time, by ``info``; peak_vertical_force_n: the largest reading at the end of a step,
    as a policy sees it. Both are 0 where the environment measures none. start_info: of the reset.
    """

    seed: int
    steps: int
    total_reward: float
    first_success: int
    at_end: bool
    peak_force_n: float
    peak_vertical_force_n: float
    start_info: Mapping[str, Any]


def evaluation_seeds(count: int) -> range:
    """The fixed draws: the same for every method and every moment of a training."""
    return range(EVALUATION_SEED, EVALUATION_SEED + count)


def roll_out(
    env: GymEnvironment,
    choose: Chooser,
    seeds: Sequence[int],
    *,
    options: Mapping[str, Any] | None = None,
) -> list[Episode]:
    """One episode per seed. options: of every reset."""
    return [_episode(env, choose, seed, options) for seed in seeds]


def constant(action: Sequence[float]) -> Chooser:
    """Always the same action: zeros are the hand-written controller alone."""
    values = np.asarray(action, np.float32)
    return lambda observation: values.copy()


def uniform(size: int, rng: np.random.Generator) -> Chooser:
    """Every entry uniform in [-1, 1] on each step: dither."""
    return lambda observation: rng.uniform(-1.0, 1.0, size).astype(np.float32)


def dither(size: int, seed: int) -> Chooser:
    """``uniform`` on a stream of its own, the same in every experiment of that seed."""
    return uniform(size, np.random.default_rng((seed, _DITHER_STREAM)))


def success_rate(episodes: Sequence[Episode]) -> float:
    """Share of episodes that end in success."""
    return float(np.mean([episode.at_end for episode in episodes]))


def mean_steps(episodes: Sequence[Episode]) -> float | None:
    """Mean number of steps to the first success, over the episodes that have one; None without any."""
    steps = [episode.first_success for episode in episodes if episode.first_success]
    return float(np.mean(steps)) if steps else None


def peak_force_n(episodes: Sequence[Episode]) -> float:
    """The largest force of all."""
    return max(episode.peak_force_n for episode in episodes)


def peak_vertical_force_n(episodes: Sequence[Episode]) -> float:
    """The largest vertical force of all."""
    return max(episode.peak_vertical_force_n for episode in episodes)


def mean_return(episodes: Sequence[Episode]) -> float:
    return float(np.mean([episode.total_reward for episode in episodes]))


def _episode(env: GymEnvironment, choose: Chooser, seed: int, options: Mapping[str, Any] | None) -> Episode:
    raw, start_info = env.reset(seed=seed, options=None if options is None else dict(options))
    observation = observation_from_gym(raw)
    steps, total, first, at_end, ended = 0, 0.0, 0, False, False
    force_n = vertical_n = 0.0
    while not ended:
        raw, reward, terminated, truncated, info = env.step(choose(observation))
        observation = observation_from_gym(raw)
        steps, total, at_end = steps + 1, total + float(reward), bool(info.get("success", False))
        force_n = max(force_n, float(info.get("peak_force_n", 0.0)))
        vertical_n = max(vertical_n, abs(float(info.get("vertical_force_n", 0.0))))
        first = steps if at_end and not first else first
        ended = bool(terminated or truncated)
    return Episode(seed, steps, total, first, at_end, force_n, vertical_n, start_info)
