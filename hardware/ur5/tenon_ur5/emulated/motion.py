"""How an emulated arm moves: each motion of URScript as an object that moves the joints on, period by period.

Everything is in Tenon's base; the program that makes a motion converts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.control.geometry import distance, interpolate
from tenon.control.kinematics import Kinematics
from tenon.control.types import Pose, Vector

DAMPING = 0.01
LOOKAHEAD_MIN_S = 0.03
FORCE_MODE_MASS_KG, FORCE_MODE_INERTIA_KG_M2 = 20.0, 0.4
"""What the wrench accelerates: how a controller chooses it is not told, that it keeps a speed without damping is."""
STOP_DECELERATION_RAD_S2 = 10.0
SPEED_REACHED_RAD_S = 1e-6


class Joints:
    """Where the controller wants the joints: position and speed (n,), and the tool that it knows of."""

    def __init__(self, arm: ArmConfig, position_rad: Vector) -> None:
        self.arm = arm
        self.position_rad = position_rad.copy()
        self.velocity_rad_s = np.zeros(len(arm.joints))
        self._limit_rad_s = np.array([joint.velocity_limit_rad_s for joint in arm.joints])
        self.set_tool(None)

    def set_tool(self, tool_in_flange: Pose | None) -> None:
        self.kinematics = Kinematics(self.arm, tool_in_flange)

    def tcp_in_base(self) -> Pose:
        return self.kinematics.forward(self.position_rad)

    def inverse(self, target_in_base: Pose) -> Vector:
        """The nearest joint angles for a pose of the TCP."""
        return self.kinematics.inverse(target_in_base, self.position_rad).joint_position_rad

    def joint_velocity(self, twist_in_base: Vector) -> Vector:
        """(6,) m/s and rad/s of the TCP -> (n,) rad/s."""
        jacobian = self.kinematics.jacobian(self.position_rad)
        velocity: Vector = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + DAMPING**2 * np.eye(6), twist_in_base)
        return velocity

    def move_to(self, target_rad: Vector, period_s: float) -> None:
        """As far towards the target as the joints' speed lets them."""
        self.turn(np.clip((target_rad - self.position_rad) / period_s, -self._limit_rad_s, self._limit_rad_s), period_s)

    def turn(self, velocity_rad_s: Vector, period_s: float) -> None:
        self.velocity_rad_s = velocity_rad_s
        self.position_rad = self.position_rad + period_s * velocity_rad_s

    def rest_at(self, position_rad: Vector) -> None:
        """Takes what the encoders say: after brakes, after a hand."""
        self.position_rad = position_rad.copy()
        self.velocity_rad_s = np.zeros_like(position_rad)


class Motion(Protocol):
    """One motion under way."""

    def step(self, joints: Joints, period_s: float) -> bool:
        """Moves the joints on by a period. Returns whether the motion is done."""
        ...


class Trapezoid:
    """Share of a way as a function of time: up to speed, along, and down again."""

    def __init__(self, length: float, speed: float, acceleration: float) -> None:
        self._length = max(length, 1e-9)
        self._acceleration = max(acceleration, 1e-3)
        self._speed = min(max(speed, 1e-3), math.sqrt(self._length * self._acceleration))
        self._rise_s = self._speed / self._acceleration
        self.duration_s = self._rise_s + self._length / self._speed

    def share(self, time_s: float) -> float:
        if time_s >= self.duration_s:
            return 1.0
        if time_s < self._rise_s:
            way = 0.5 * self._acceleration * time_s**2
        elif time_s > self.duration_s - self._rise_s:
            way = self._length - 0.5 * self._acceleration * (self.duration_s - time_s) ** 2
        else:
            way = self._speed * (time_s - 0.5 * self._rise_s)
        return way / self._length


class MoveJ:
    """movej: all joints start and arrive together."""

    def __init__(self, joints: Joints, goal_rad: Vector, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        self._start_rad, self._goal_rad = joints.position_rad.copy(), np.asarray(goal_rad, dtype=np.float64)
        self._way = Trapezoid(float(np.abs(self._goal_rad - self._start_rad).max()), speed_rad_s, acceleration_rad_s2)
        self._time_s = 0.0

    def step(self, joints: Joints, period_s: float) -> bool:
        self._time_s += period_s
        share = self._way.share(self._time_s)
        joints.move_to(self._start_rad + share * (self._goal_rad - self._start_rad), period_s)
        return share >= 1.0


class MoveL:
    """movel: the TCP on a straight line."""

    def __init__(self, joints: Joints, goal: Pose, speed_m_s: float, acceleration_m_s2: float) -> None:
        self._start, self._goal = joints.tcp_in_base(), goal
        way_m, turn_rad = distance(self._start, goal)
        self._way = Trapezoid(max(way_m, 0.1 * turn_rad), speed_m_s, acceleration_m_s2)
        self._time_s = 0.0

    def step(self, joints: Joints, period_s: float) -> bool:
        self._time_s += period_s
        share = self._way.share(self._time_s)
        joints.move_to(joints.inverse(interpolate(self._start, self._goal, share)), period_s)
        return share >= 1.0


class Path:
    """Motions one after the other."""

    def __init__(self, makers: Sequence[Callable[[Joints], Motion]]) -> None:
        self._makers = list(makers)
        self._motion: Motion | None = None

    def step(self, joints: Joints, period_s: float) -> bool:
        if self._motion is None:
            if not self._makers:
                return True
            self._motion = self._makers.pop(0)(joints)
        if self._motion.step(joints, period_s):
            self._motion = None
        return self._motion is None and not self._makers


class Servo:
    """servoj: after the newest target, smoothed over the lookahead time."""

    def __init__(self, target_rad: Vector, lookahead_s: float) -> None:
        self._target_rad = np.asarray(target_rad, dtype=np.float64)
        self._lookahead_s = max(lookahead_s, LOOKAHEAD_MIN_S)

    def step(self, joints: Joints, period_s: float) -> bool:
        share = 1.0 - math.exp(-period_s / self._lookahead_s)
        joints.move_to(joints.position_rad + share * (self._target_rad - joints.position_rad), period_s)
        return False


@dataclass(frozen=True, slots=True, eq=False)
class SpeedCall:
    """One speedj or speedl. target: (n,) of the joints, or with twist (6,) of the TCP. time_s: 0 for none."""

    target: Vector
    acceleration: float
    time_s: float
    twist: bool


class Speed:
    """speedj, speedl: call after call, each to its speed at no more than its acceleration, the speed kept between.

    A call ends after its time; one without a time when its speed is reached, and nothing newer counts until then.
    """

    def __init__(self, call: SpeedCall) -> None:
        self._call, self._next = call, call
        self._passed_s = 0.0

    def take(self, call: SpeedCall) -> None:
        """The newest wish: made once the call under way has ended."""
        self._next = call

    def step(self, joints: Joints, period_s: float) -> bool:
        call = self._call
        wanted = joints.joint_velocity(call.target) if call.twist else call.target
        allowed = max(call.acceleration, 1e-3) * (10.0 if call.twist else 1.0) * period_s
        change = np.clip(wanted - joints.velocity_rad_s, -allowed, allowed)
        joints.turn(joints.velocity_rad_s + change, period_s)
        self._passed_s += period_s
        reached = np.abs(wanted - joints.velocity_rad_s).max() < SPEED_REACHED_RAD_S
        ended = self._passed_s > call.time_s - 0.5 * period_s if call.time_s > 0.0 else reached
        if ended:
            self._call, self._passed_s = self._next, 0.0
        return False


class ForceMode:
    """force_mode: along the chosen axes of a frame the wrench makes the TCP go, no faster than the limits.

    rotation: (3, 3) the frame's axes in the base. wrench, limits: (6,) in that frame. damping: share of the speed that
    a period takes out; with none it is kept. felt_in_base: asked each period.
    """

    def __init__(self, rotation: Vector, selection: Vector, wrench: Vector, limits: Vector, *, damping: float) -> None:
        self._rotation, self._selection = rotation, selection
        self._wrench, self._limits = wrench, np.abs(limits)
        self.damping = damping
        self.felt_in_base = np.zeros(6)

    def step(self, joints: Joints, period_s: float) -> bool:
        felt = self._local(self.felt_in_base)
        speed = self._local(joints.kinematics.jacobian(joints.position_rad) @ joints.velocity_rad_s)
        mass = np.repeat((FORCE_MODE_MASS_KG, FORCE_MODE_INERTIA_KG_M2), 3)
        speed = (1.0 - self.damping) * speed + period_s * (self._wrench + felt) / mass
        speed = np.clip(speed, -self._limits, self._limits) * self._selection
        twist = np.concatenate((self._rotation @ speed[:3], self._rotation @ speed[3:]))
        joints.turn(joints.joint_velocity(twist), period_s)
        return False

    def _local(self, in_base: Vector) -> Vector:
        return np.concatenate((self._rotation.T @ in_base[:3], self._rotation.T @ in_base[3:]))


class Stop:
    """stopj, stopl and the ends of streams: to a standstill at no more than the deceleration."""

    def __init__(self, deceleration_rad_s2: float = STOP_DECELERATION_RAD_S2) -> None:
        self._deceleration = max(deceleration_rad_s2, 0.1)

    def step(self, joints: Joints, period_s: float) -> bool:
        allowed = self._deceleration * period_s
        joints.turn(joints.velocity_rad_s - np.clip(joints.velocity_rad_s, -allowed, allowed), period_s)
        return not joints.velocity_rad_s.any()
