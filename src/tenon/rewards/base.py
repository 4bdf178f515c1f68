"""What every reward takes and gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray


class RewardError(ValueError):
    """An observation that cannot be judged. The message says what was seen and what is needed."""


@dataclass(frozen=True, slots=True, eq=False)
class RewardObservation:
    """What can be measured of one step; each reward asks for what it needs, and None is what was not measured.

    position_error_m: (3,), x - x*, TCP minus goal, z against the direction of insertion. pressing_force_n: along the
    insertion, positive when the tool presses on the part, tare subtracted. electrical: the connection is detected.
    image: (height, width, channels) or (height, width) of uint8.
    """

    position_error_m: NDArray[np.float64] | None = None
    pressing_force_n: float | None = None
    electrical: bool | None = None
    image: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class RewardResult:
    """value: the reward of the step. success: the task is done at this step.

    logit, version: output of a classifier and which one it was, so that the step can be paid anew by another one; NaN
    and empty for a formula.
    """

    value: float
    success: bool
    logit: float = math.nan
    version: str = ""


@dataclass(frozen=True, slots=True)
class RewardSession:
    """What a reward is told of the session that it is of.

    memory: file for what the session teaches it. of: what such a file must belong to, to be of use: the work and what
    sees it. live_camera: a sensor makes the pictures, so that none is byte for byte the one before.
    """

    memory: Path
    of: str
    live_camera: bool


class Reward(Protocol):
    """A judgement of one step after the other."""

    name: ClassVar[str]

    def begin_session(self, session: RewardSession) -> int:
        """Before the first episode of a session, for which it goes on. Returns of how many episodes it knows already.

        Raises ConfigurationError for a memory that is damaged.
        """
        ...

    def begin_episode(self) -> None:
        """The next observation is the first of an episode."""
        ...

    def end_episode(self) -> None:
        """Keeps what the episode has taught, where a session has begun. Raises RewardError where that is impossible."""
        ...

    def reward(self, observation: RewardObservation) -> RewardResult:
        """Raises RewardError for an observation that cannot be judged."""
        ...


class Formula:
    """A reward that judges each observation by itself: sessions and episodes teach it nothing."""

    def begin_session(self, session: RewardSession) -> int:
        """Nothing to recall."""
        return 0

    def begin_episode(self) -> None:
        """Nothing to forget."""

    def end_episode(self) -> None:
        """Nothing to keep."""
