"""The values that drivers, controllers and the supervisor exchange. All in SI units, frames in the names."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def _zeros(size: int) -> Vector:
    return np.zeros(size)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A rigid pose: position_m (3,) and unit quaternion_xyzw (4,), in the frame that the holder's name tells."""

    position_m: Vector
    quaternion_xyzw: Vector


class ControlMode(enum.IntEnum):
    """How a reference is meant. Values are those of ``tenon_msgs/msg/Reference``."""

    HOLD = 0
    CARTESIAN = 1
    JOINT = 2


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What the arm is asked to do until ``stamp_ns + valid_for_ns``; later than that the receiver holds.

    stamp_ns: time of the observation that the reference answers. tcp_in_base counts in CARTESIAN mode,
    joint_position_rad in JOINT mode. source names the controller: "residual", "session", "teleop".
    """

    stamp_ns: int
    mode: ControlMode
    source: str
    valid_for_ns: int
    tcp_in_base: Pose | None = None
    joint_position_rad: Vector | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RobotState:
    """One reading of an arm. stamp_ns is the time of measurement.

    joint_*: (n,) in rad, rad/s, Nm. tcp_velocity_in_base: (6,) m/s then rad/s. wrench_in_base: (6,) N then Nm, the
    force that the environment exerts on the tool, at the TCP, in axes of the base.
    """

    stamp_ns: int
    joint_position_rad: Vector
    joint_velocity_rad_s: Vector
    joint_effort_nm: Vector
    tcp_in_base: Pose
    tcp_velocity_in_base: Vector = field(default_factory=lambda: _zeros(6))
    wrench_in_base: Vector = field(default_factory=lambda: _zeros(6))
