"""Cartesian admittance: an arm that only takes positions or speeds gives way to a force as a spring and a damper would.

At rest it stands where the impedance law of the same stiffness would stand (tenon.control.impedance), so a controller
that was tuned on the one keeps its meaning on the other.
"""

from __future__ import annotations

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat

from tenon.configuration.base import Config
from tenon.control.geometry import matrix_from_quaternion, multiply, quaternion_from_rotation_vector
from tenon.control.types import Pose, Vector

Triple = tuple[PositiveFloat, PositiveFloat, PositiveFloat]


class AdmittanceConfig(Config):
    """Per axis of the reference pose's frame.

    damping: against hard contact it must exceed the contact's stiffness times the delay of the loop (sensor, network,
    servo), else the tool chatters. inertia: smooths the noise of the sensor. deadband: forces below are not followed,
    so that a sensor's bias moves nothing; an estimate without a sensor needs more. offset_max: the tool gives way no
    further, whatever pushes. The defaults suit a UR5 at 125 Hz (servoj, 30 ms of lookahead) against 8 kN/m: measured
    ripple of a press of 9 N below 1 N.
    """

    stiffness_n_m: Triple = (2000.0, 2000.0, 1600.0)
    damping_n_s_m: Triple = (700.0, 700.0, 700.0)
    inertia_kg: Triple = (0.5, 0.5, 0.5)
    rotational_stiffness_nm_rad: Triple = (60.0, 60.0, 60.0)
    rotational_damping_nm_s_rad: Triple = (20.0, 20.0, 20.0)
    rotational_inertia_kg_m2: Triple = (0.02, 0.02, 0.02)
    force_deadband_n: NonNegativeFloat = 0.5
    torque_deadband_nm: NonNegativeFloat = 0.05
    offset_max_m: PositiveFloat = 0.03
    offset_max_rad: PositiveFloat = 0.2


class Admittance:
    """M a + D v + K x = F, x the way that the tool gives from its reference. Implicit Euler: stable at any period."""

    def __init__(self, config: AdmittanceConfig) -> None:
        self.config = config
        self._stiffness = np.array((*config.stiffness_n_m, *config.rotational_stiffness_nm_rad))
        self._damping = np.array((*config.damping_n_s_m, *config.rotational_damping_nm_s_rad))
        self._inertia = np.array((*config.inertia_kg, *config.rotational_inertia_kg_m2))
        self._deadband = np.repeat((config.force_deadband_n, config.torque_deadband_nm), 3)
        self._limit = np.repeat((config.offset_max_m, config.offset_max_rad), 3)
        self.reset()

    def reset(self) -> None:
        """Forgets what gave way: the reference itself counts again."""
        self._offset = np.zeros(6)
        self._velocity = np.zeros(6)

    @property
    def offset(self) -> Vector:
        """(6,) m and rad in axes of the reference: how far the tool has given way."""
        return self._offset.copy()

    def step(self, reference: Pose, wrench_in_base: Vector, period_s: float) -> Pose:
        """Where the tool shall be now, in the base.

        reference: in the base. wrench_in_base: (6,) N and Nm on the tool, bias subtracted. period_s: since the last.
        """
        axes = matrix_from_quaternion(reference.quaternion_xyzw)
        felt = np.concatenate((axes.T @ wrench_in_base[:3], axes.T @ wrench_in_base[3:]))
        felt = np.sign(felt) * np.maximum(np.abs(felt) - self._deadband, 0.0)
        momentum = self._inertia * self._velocity + period_s * (felt - self._stiffness * self._offset)
        self._velocity = momentum / (self._inertia + period_s * self._damping + period_s**2 * self._stiffness)
        wanted = self._offset + period_s * self._velocity
        self._offset = np.clip(wanted, -self._limit, self._limit)
        self._velocity[self._offset != wanted] = 0.0
        turn = quaternion_from_rotation_vector(self._offset[3:])
        return Pose(
            reference.position_m + axes @ self._offset[:3],
            multiply(reference.quaternion_xyzw, turn),
        )
