"""The two engineered rewards of insertion (Schoettler et al., 2020, eqs. (47) and (48))."""

from __future__ import annotations

import numpy as np

from tenon.control.types import Vector

DISTANCE_WEIGHT_PER_M = 100.0
CLOSENESS_WEIGHT_M = 0.002
FORCE_WEIGHT_PER_N = 0.1
CLOSENESS_FLOOR_M = 1e-3


def electrical_reward(*, connected: bool) -> float:
    """1 on each step on which the connection is detected, eq. (47)."""
    return float(connected)


def dense_reward(offset_m: Vector, press_n: float, *, inserted: bool) -> float:
    """Eq. (48) with the sign of beta repaired: r = -100 |d|_1 + 0.002 / (|d|_2 + 1 mm) - phi f_z.

    offset_m: x - x_goal (3,). press_n: f_z, positive when pressed. phi is 0.1, and -0.1 once inserted: pressing costs
    before the insertion and pays after it. With the printed sign, the best place is 4.5 mm away from the goal.
    """
    near = CLOSENESS_WEIGHT_M / (float(np.linalg.norm(offset_m)) + CLOSENESS_FLOOR_M)
    force_weight = -FORCE_WEIGHT_PER_N if inserted else FORCE_WEIGHT_PER_N
    return -DISTANCE_WEIGHT_PER_M * float(np.abs(offset_m).sum()) + near - force_weight * press_n
