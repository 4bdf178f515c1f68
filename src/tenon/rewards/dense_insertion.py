"""The dense reward: closeness to the goal, and pressing only once inserted. Eq. (48) with its sign repaired."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from pydantic import Field

from tenon.configuration import Config
from tenon.rewards.base import Formula, RewardError, RewardObservation, RewardResult


class DenseInsertionConfig(Config):
    """r = -alpha |e|_1 + beta / (|e|_2 + eps) - phi f, insertion.md 2.3.

    The thesis prints a minus before beta; that would put the best place sqrt(beta / alpha) = 4.5 mm away from the goal.
    """

    inserted_below_m: float = Field(gt=0.0, description="inserted: tip less than this above the goal; of the connector")
    distance_weight: float = Field(default=100.0, ge=0.0, description="alpha, 1/m")
    bonus_weight: float = Field(default=0.002, ge=0.0, description="beta, m; with the sign of the released code")
    bonus_softening_m: float = Field(default=1e-3, gt=0.0, description="eps; the bonus tops out at beta / eps = 2")
    force_weight: float = Field(default=0.1, ge=0.0, description="phi, 1/N; a cost outside, a reward once inserted")
    inserted_within_m: float = Field(default=0.005, gt=0.0, description="inserted: tip closer than this sideways")
    success_within_m: float = Field(default=0.002, gt=0.0, description="success: distance to the goal below this")


class DenseInsertionReward(Formula):
    """Takes the position error and the pressing force."""

    name: ClassVar[str] = "dense_insertion"

    def __init__(self, config: DenseInsertionConfig):
        self._config = config

    def reward(self, observation: RewardObservation) -> RewardResult:
        error_m, force_n = _checked(observation)
        config = self._config
        distance_m = float(np.linalg.norm(error_m))
        sideways_m = math.hypot(error_m[0], error_m[1])
        inserted = error_m[2] < config.inserted_below_m and sideways_m < config.inserted_within_m
        force_cost = -config.force_weight if inserted else config.force_weight
        value = (
            -config.distance_weight * float(np.abs(error_m).sum())
            + config.bonus_weight / (distance_m + config.bonus_softening_m)
            - force_cost * force_n
        )
        return RewardResult(value=value, success=distance_m < config.success_within_m)


def _checked(observation: RewardObservation) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    error_m, force_n = observation.position_error_m, observation.pressing_force_n
    if error_m is None or force_n is None:
        raise RewardError("the dense reward needs position error and force, and one was not measured: check the driver")
    if error_m.shape != (3,) or not np.isfinite(error_m).all():
        raise RewardError(f"the position error is {error_m}: three finite numbers in m are needed")
    if not math.isfinite(force_n):
        raise RewardError(
            f"the pressing force is {force_n} N: a finite number is needed; check the sensor and its tare"
        )
    return error_m, force_n
