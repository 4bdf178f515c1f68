"""Where a fingertip is, and which joint angles bring it somewhere: one finger of a claw, in closed form.

The tip's position is given around the palm's axis: along the finger's own azimuth (away from the axis), across it
(counter-clockwise), and down from the plane of the swing axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenon.configuration.hand import HandConfig

Vector = NDArray[np.float64]


class FingerKinematics:
    """Of any finger of a claw: they are alike. All arrays may carry leading axes, one entry per finger say."""

    def __init__(self, config: HandConfig) -> None:
        self._base_m = config.base_radius_m
        self._lengths_m = config.link_lengths_m

    def tip(self, angles_rad: Vector) -> Vector:
        """(..., 3): away, across, down in m. angles_rad (..., 3): swing, bend, tip."""
        swing, bend, elbow = np.moveaxis(np.asarray(angles_rad, np.float64), -1, 0)
        first_m, second_m, third_m = self._lengths_m
        away_m = self._base_m + second_m * np.sin(bend) + third_m * np.sin(bend + elbow)
        drop_m = first_m + second_m * np.cos(bend) + third_m * np.cos(bend + elbow)
        return np.stack((away_m, drop_m * np.sin(swing), drop_m * np.cos(swing)), axis=-1)

    def angles(self, tip_m: Vector) -> Vector:
        """(..., 3): swing, bend, tip in rad, the finger bowed outwards. A tip out of reach is taken back into it."""
        away_m, across_m, down_m = np.moveaxis(np.asarray(tip_m, np.float64), -1, 0)
        first_m, second_m, third_m = self._lengths_m
        x_m, z_m = away_m - self._base_m, np.hypot(across_m, down_m) - first_m
        cosine = (x_m**2 + z_m**2 - second_m**2 - third_m**2) / (2 * second_m * third_m)
        elbow = -np.arccos(np.clip(cosine, -1.0, 1.0))
        bend = np.arctan2(x_m, z_m) - np.arctan2(third_m * np.sin(elbow), second_m + third_m * np.cos(elbow))
        return np.stack((np.arctan2(across_m, down_m), bend, elbow), axis=-1)
