"""Straight ways between references: the inner loop follows them, and the supervisor judges the speed they have."""

from __future__ import annotations

from dataclasses import dataclass

from tenon.control.geometry import interpolate
from tenon.control.types import Pose, Vector


def elapsed_fraction(begin_ns: int, duration_ns: int, now_ns: int) -> float:
    """How much of a ramp has passed, in [0, 1]. A ramp without duration has passed."""
    if duration_ns <= 0:
        return 1.0
    return min(max((now_ns - begin_ns) / duration_ns, 0.0), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class PoseRamp:
    """A pose that goes from start to target at constant speed, from begin_ns on, and then stays there."""

    start: Pose
    target: Pose
    begin_ns: int
    duration_ns: int

    def at(self, now_ns: int) -> Pose:
        fraction = elapsed_fraction(self.begin_ns, self.duration_ns, now_ns)
        return self.target if fraction >= 1.0 else interpolate(self.start, self.target, fraction)


@dataclass(frozen=True, slots=True, eq=False)
class JointRamp:
    """Joint angles (n,) in rad that go from start to target at constant speed, from begin_ns on, and then stay."""

    start_rad: Vector
    target_rad: Vector
    begin_ns: int
    duration_ns: int

    def at(self, now_ns: int) -> Vector:
        fraction = elapsed_fraction(self.begin_ns, self.duration_ns, now_ns)
        if fraction >= 1.0:
            return self.target_rad
        return self.start_rad + fraction * (self.target_rad - self.start_rad)
