"""What every reward takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
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
    """value: the reward of the step. success: the task is done at this step."""

    value: float
    success: bool


class Reward(Protocol):
    """A judgement of one step."""

    name: ClassVar[str]

    def reward(self, observation: RewardObservation) -> RewardResult:
        """Raises RewardError for an observation that cannot be judged."""
        ...
