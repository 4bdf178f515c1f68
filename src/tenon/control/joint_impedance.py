"""Joint impedance as torques: a spring, a damper and a slow integral about a reference, for arms that take torques."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from tenon.configuration.base import Config
from tenon.control.types import Vector

Positive = Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]
NonNegative = Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)]


class JointImpedanceConfig(Config):
    """One value per joint, from the base to the wrist.

    integral_nm_rad_s: torque that grows per second and radian of error, up to integral_limit_nm. ramp_s: the torque
    grows from nothing within this time after ``reset``, so that taking over from another controller does not jerk.
    """

    stiffness_nm_rad: Positive
    damping_nm_s_rad: Positive
    integral_nm_rad_s: NonNegative
    torque_limit_nm: Positive
    integral_limit_nm: NonNegativeFloat = 10.0
    ramp_s: NonNegativeFloat = 0.1

    @model_validator(mode="after")
    def _one_arm(self) -> JointImpedanceConfig:
        sizes = {
            name: len(getattr(self, name))
            for name in ("stiffness_nm_rad", "damping_nm_s_rad", "integral_nm_rad_s", "torque_limit_nm")
        }
        if len(set(sizes.values())) != 1:
            raise ValueError(f"each needs one value per joint, there are {sizes}")
        return self

    @property
    def size(self) -> int:
        """Number of joints."""
        return len(self.stiffness_nm_rad)


class JointImpedance:
    """tau = K e + I + D (dq_ref - dq), each within its limit; dI/dt = k_i e, but not further into a limit.

    Gravity is compensated elsewhere, by the arm.
    """

    def __init__(self, config: JointImpedanceConfig) -> None:
        self.config = config
        self._stiffness = np.array(config.stiffness_nm_rad)
        self._damping = np.array(config.damping_nm_s_rad)
        self._integral_gain = np.array(config.integral_nm_rad_s)
        self._limit = np.array(config.torque_limit_nm)
        self.reset()

    @property
    def integral_nm(self) -> Vector:
        """(n,) what the integral adds now."""
        return self._integral.copy()

    def reset(self) -> None:
        """Forgets the past: the next torque starts from nothing."""
        self._integral = np.zeros(self.config.size)
        self._age_s = 0.0

    def torque(
        self,
        position_rad: Vector,
        velocity_rad_s: Vector,
        reference_rad: Vector,
        period_s: float,
        reference_rad_s: Vector,
    ) -> Vector:
        """(n,) Nm. period_s: since the last call. reference_rad_s: with which the reference moves."""
        error = reference_rad - position_rad
        spring_and_damper = self._stiffness * error + self._damping * (reference_rad_s - velocity_rad_s)
        self._integrate(error, spring_and_damper, period_s)
        self._age_s += period_s
        share = 1.0 if self._age_s >= self.config.ramp_s else self._age_s / self.config.ramp_s
        return share * np.clip(spring_and_damper + self._integral, -self._limit, self._limit)

    def _integrate(self, error: Vector, other_nm: Vector, period_s: float) -> None:
        """Anti-windup: an integral that only pushes a torque further beyond its limit stands still."""
        cap = self.config.integral_limit_nm
        grown = np.clip(self._integral + period_s * self._integral_gain * error, -cap, cap)
        total = other_nm + grown
        winding_up = (np.abs(total) > self._limit) & (np.sign(grown - self._integral) == np.sign(total))
        self._integral = np.where(winding_up, self._integral, grown)
