"""How far scripted searches get: the baselines of on-the-job learning on an insertion environment.

Source: daib.md section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenon.control.search import BASELINES, BaselineName, Search, SearchReading, baseline
from tenon.data.transitions import FloatArray, ImageArray, Observation
from tenon.environments.insertion import InsertionEnv
from tenon.environments.scripted import run_script


class Localises(Protocol):
    """``tenon.algorithms.localise.Localiser``, or whatever tells where a picture shows the socket."""

    def offset_m(self, image: ImageArray) -> NDArray[np.float64]:
        """(2,): of the TCP from the socket's axis, in axes of the base."""
        ...


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """successes: episodes whose last step had the plug in."""

    name: BaselineName
    successes: int
    draws: int


class BaselinePolicy:
    """A search that acts on observations of an insertion, pictures included where it localises."""

    def __init__(
        self,
        name: BaselineName,
        authority_m: tuple[float, float, float],
        *,
        far: bool,
        localiser: Localises | None = None,
    ) -> None:
        config = baseline(name, far=far)
        if config.localise != "never" and localiser is None:
            where = "far from the socket" if far else "near the socket"
            raise ValueError(f"the baseline {name!r} {where} needs a localiser: train one, `train_localiser`")
        self._search = Search(config, authority_m)
        self._localiser = localiser

    def begin(self, seed: int) -> None:
        """A new episode."""
        self._search.begin(seed)

    def act(self, observation: Observation) -> FloatArray:
        """(3,) in [-1, 1]."""
        position_m, press_n = observation.state[:3].astype(np.float64), float(observation.state[3])
        socket_m = None
        if self._search.needs_socket:
            assert self._localiser is not None
            if observation.image is None:
                raise ValueError(
                    "a search that localises needs pictures: make the environment with observation='image'"
                )
            socket_m = position_m[:2] - self._localiser.offset_m(observation.image)
        return self._search.act(SearchReading(position_m, press_n, socket_m))


def evaluate_baseline(
    env: InsertionEnv,
    name: BaselineName,
    seeds: Sequence[int],
    *,
    far: bool,
    localiser: Localises | None = None,
) -> BaselineResult:
    """One episode per seed. far: the task's start is out of reach of a search. Raises ValueError without a localiser
    where one is needed."""
    policy = BaselinePolicy(name, env.controller.config.authority_m, far=far, localiser=localiser)
    successes = 0
    for number, seed in enumerate(seeds):
        policy.begin(seed)
        successes += run_script(env, policy.act, session=name, episode=number, seed=seed).success
    return BaselineResult(name, successes, len(seeds))


def evaluate_baselines(
    env: InsertionEnv, seeds: Sequence[int], *, far: bool, localiser: Localises
) -> list[BaselineResult]:
    """All four on the same draws."""
    return [evaluate_baseline(env, name, seeds, far=far, localiser=localiser) for name in BASELINES]
