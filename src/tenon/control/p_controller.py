"""The hand-written part of insertion: proportional control of the TCP towards an estimated goal.

Source: Schoettler et al., 2020, eq. (50): pi_H(x) = -k_p (x - x*), a relative displacement per control step.
"""

from __future__ import annotations

import numpy as np
from pydantic import PositiveFloat

from tenon.configuration.base import Config
from tenon.control.types import Vector


class PControllerConfig(Config):
    """gain: k_p, the fraction of the error that one step removes, per axis. step_limit_m: largest |step| per axis."""

    gain: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 0.3)
    step_limit_m: PositiveFloat = 0.01


class PController:
    """u_H = clip(-gain * (x - x_goal), +-step_limit)."""

    def __init__(self, config: PControllerConfig) -> None:
        self.config = config
        self._gain = np.array(config.gain)

    def step(self, position_m: Vector, goal_m: Vector) -> Vector:
        """Displacement (3,) in metres, in the frame of the two positions (3,)."""
        step = -self._gain * (position_m - goal_m)
        return np.clip(step, -self.config.step_limit_m, self.config.step_limit_m)
