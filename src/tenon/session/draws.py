"""What the session draws from an episode's seed: the error of the goal, and the residual of the dither baseline."""

from __future__ import annotations

import numpy as np

from tenon.control.types import Vector
from tenon.simulation.tasks import goal_error

DITHER_STREAM = 1
"""Second word of the dither's seed, so that its stream is not that of the goal error."""
EVALUATION_SEED = 1_000_000_000
"""Seed of the first draw that judges, in commands and experiments alike; training draws from other seeds."""
CHOICE_SEED = EVALUATION_SEED + 500_000_000
"""Seed of the first draw on which a practice chooses its best policy: others than those that judge the chosen one."""


def episode_seed(first_seed: int, index: int) -> int:
    """Seed of the episode with this index (from 0) in a session whose first episode has ``first_seed``."""
    if first_seed < 0 or index < 0:
        raise ValueError(f"seed {first_seed} and episode index {index} must not be negative")
    return first_seed + index


def draw_goal_error(seed: int, size_m: float, minimum_m: float | None = None) -> Vector:
    """(3,) in axes of the base: estimated minus true goal, uniform in +-size_m on x and y, 0 on z (insertion.md 2.5).

    minimum_m: where given, in the ring from it to size_m instead (daib.md section 4). Equal, bit for bit, to the goal
    error of ``tenon.simulation.tasks.draw_episode`` for the same seed.
    """
    if not 0.0 <= size_m < np.inf:
        raise ValueError(f"goal error of {size_m} m: it must be finite and not negative")
    if minimum_m is not None and not 0.0 <= minimum_m <= size_m:
        raise ValueError(f"goal error of {minimum_m} m or more: it must be from 0 to {size_m} m, the greatest one")
    return goal_error(np.random.default_rng(seed).uniform(-1.0, 1.0, 2), size_m, minimum_m)


class Dither:
    """The residual of the baseline "p_dither": uniform in [-1, 1] per axis and step, the same for the same seed."""

    def __init__(self, seed: int, size: int) -> None:
        self._generator = np.random.default_rng([seed, DITHER_STREAM])
        self._size = size

    def draw(self) -> Vector:
        """(size,): the next step's residual."""
        return self._generator.uniform(-1.0, 1.0, self._size)
