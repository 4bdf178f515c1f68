"""Episodes of hand-written policies: demonstrations, and mixed data to learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tenon.data.transitions import FloatArray, Observation, Transition
from tenon.training.loop import observation_from_gym

ScriptedPolicy = Callable[[Observation], FloatArray]
SimulatorState = NDArray[np.float64]
_SCRIPT_STREAM = 5


class ScriptError(RuntimeError):
    """A script that cannot do what is asked of it. The message says what was tried."""


class Environment(Protocol):
    """The part of ``gymnasium.Env`` that a script needs."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]: ...

    def step(self, action: Any, /) -> tuple[Any, Any, bool, bool, dict[str, Any]]: ...


@dataclass(frozen=True, slots=True, eq=False)
class ScriptedEpisode:
    """states: the simulator's state before each transition, where it was asked for, else empty.

    success: on the last step.
    """

    transitions: tuple[Transition, ...]
    states: tuple[SimulatorState, ...] = ()

    @property
    def success(self) -> bool:
        return self.transitions[-1].success


def script_rng(seed: int) -> np.random.Generator:
    """What the scripted data of a seed are drawn from: the same, whichever experiment or command asks for them."""
    return np.random.default_rng((seed, _SCRIPT_STREAM))


def transitions_of(episodes: Iterable[ScriptedEpisode]) -> Iterator[Transition]:
    """Those of all episodes, in order."""
    return (transition for episode in episodes for transition in episode.transitions)


def noisy_action(wanted: NDArray[Any], noise: float, rng: np.random.Generator) -> FloatArray:
    """``wanted`` (A,) with normal noise on each entry, in [-1, 1] before and after."""
    noisy: NDArray[np.float64] = np.clip(wanted, -1.0, 1.0) + noise * rng.standard_normal(wanted.size)
    return np.clip(noisy, -1.0, 1.0).astype(np.float32)


def run_script(
    env: Environment,
    policy: ScriptedPolicy,
    *,
    session: str,
    episode: int,
    seed: int,
    state: Callable[[], SimulatorState] | None = None,
    options: dict[str, Any] | None = None,
) -> ScriptedEpisode:
    """One episode. state: reads the simulator's state, to be kept with each step. options: of the reset."""
    raw, _ = env.reset(seed=seed, options=options)
    observation = observation_from_gym(raw)
    transitions: list[Transition] = []
    states: list[SimulatorState] = []
    while not transitions or not transitions[-1].ended:
        if state is not None:
            states.append(state())
        action = policy(observation)
        raw, reward, terminated, truncated, info = env.step(action)
        next_observation = observation_from_gym(raw)
        transitions.append(
            Transition(
                session=session,
                episode=episode,
                step=len(transitions),
                observation=observation,
                action=action,
                reward=float(reward),
                next_observation=next_observation,
                terminated=bool(terminated),
                truncated=bool(truncated),
                success=bool(info.get("success", False)),
            )
        )
        observation = next_observation
    return ScriptedEpisode(tuple(transitions), tuple(states))
