"""The checks of the safety supervisor as pure functions: each sees one value and names what is wrong with it.

Every detail tells an operator what was seen, what is allowed and what to do.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tenon.configuration.safety import SafetyConfig
from tenon.control.geometry import distance
from tenon.control.ramp import JointRamp, PoseRamp
from tenon.control.types import ControlMode, Pose, Reference, RobotState, Vector

NS_PER_S = 1_000_000_000
UNIT_TOLERANCE = 1e-3
"""A quaternion further from length 1 than this is no rotation but a mistake."""

ForwardKinematics = Callable[[Vector], Pose]


class Check(enum.StrEnum):
    """Name of a fault. *Instant*: the value that violates it is never passed on, or the reading that shows it stops
    the arm as it arrives. *Timed*: the arm holds once so much time has passed, and where nothing mends it for longer (5
    periods by default) it is a fault."""

    NOT_FINITE = "not_finite"  # instant: NaN or infinity in a command or a reading
    MALFORMED = "malformed"  # instant: a field is missing, has a wrong size or an impossible value
    QUATERNION = "quaternion"  # instant: a rotation that is none
    WORKSPACE = "workspace"  # instant: the target is outside the box
    JUMP = "jump"  # instant: the target is too far from where the arm is
    TCP_SPEED = "tcp_speed"  # instant: of the commanded motion
    TCP_ACCELERATION = "tcp_acceleration"  # instant: of the commanded motion
    JOINT_LIMIT = "joint_limit"  # instant: commanded or measured angle
    JOINT_SPEED = "joint_speed"  # instant: commanded or measured speed
    FORCE = "force"  # instant, with the reading that shows it
    TORQUE = "torque"  # instant, with the reading that shows it
    FUTURE_STAMP = "future_stamp"  # instant
    OUT_OF_ORDER = "out_of_order"  # instant: older than what came before from the same place
    CLOCK = "clock"  # instant: session time went back
    ARM = "arm"  # instant: the device has stopped or is out of reach; the detail begins with its name for that
    OPERATOR = "operator"  # instant: a person has pressed stop
    STALE_COMMAND = "stale_command"  # timed: 2 control periods, in coming or in age
    STALE_STATE = "stale_state"  # timed: 1.5 control periods by default
    LOST_IMAGE = "lost_image"  # timed: 1.5 control periods by default
    LOOP_OVERRUN = "loop_overrun"  # instant, at the first turn after a gap of 2 control periods


@dataclass(frozen=True, slots=True)
class Violation:
    """A check that failed. detail: what was seen, what is allowed, what to do."""

    check: Check
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """A SafetyConfig as arrays and nanoseconds, for one control period. name: of its file, as the session has it."""

    config: SafetyConfig
    name: str
    period_s: float
    workspace_min_m: Vector
    workspace_max_m: Vector
    joint_lower_rad: Vector
    joint_upper_rad: Vector
    joint_speed_max_rad_s: Vector
    command_timeout_ns: int
    command_lost_ns: int
    state_timeout_ns: int
    image_timeout_ns: int
    tick_timeout_ns: int
    future_tolerance_ns: int

    @classmethod
    def of(cls, config: SafetyConfig, name: str, control_period_ns: int) -> Limits:
        if control_period_ns <= 0:
            raise ValueError(f"control period of {control_period_ns} ns: it must be positive")
        return cls(
            config=config,
            name=name,
            period_s=control_period_ns / NS_PER_S,
            workspace_min_m=np.array(config.workspace.min_m),
            workspace_max_m=np.array(config.workspace.max_m),
            joint_lower_rad=np.array([joint.lower_rad for joint in config.joints]),
            joint_upper_rad=np.array([joint.upper_rad for joint in config.joints]),
            joint_speed_max_rad_s=np.array([joint.speed_max_rad_s for joint in config.joints]),
            command_timeout_ns=round(config.command_timeout_periods * control_period_ns),
            command_lost_ns=round(config.command_lost_periods * control_period_ns),
            state_timeout_ns=round(config.state_timeout_periods * control_period_ns),
            image_timeout_ns=round(config.image_timeout_periods * control_period_ns),
            tick_timeout_ns=round(config.tick_timeout_periods * control_period_ns),
            future_tolerance_ns=round(config.future_tolerance_periods * control_period_ns),
        )


def check_stamp(stamp_ns: int, last_ns: int, now_ns: int, limits: Limits, what: str) -> Violation | None:
    """A stamp must not lie in the future, nor before the last one (last_ns) from the same place."""
    ahead_ns = stamp_ns - now_ns
    if ahead_ns > limits.future_tolerance_ns:
        return Violation(
            Check.FUTURE_STAMP,
            f"{what} carries a stamp {milliseconds(ahead_ns)} in the future, allowed are "
            f"{milliseconds(limits.future_tolerance_ns)}: look at the clock of its sender",
        )
    if stamp_ns < last_ns:
        return Violation(
            Check.OUT_OF_ORDER,
            f"{what} is {milliseconds(last_ns - stamp_ns)} older than the one before it, stamps must not go back: look "
            "for a second sender",
        )
    return None


def check_vector(value: Vector | None, size: int, what: str) -> Violation | None:
    """Shape (size,) and finite numbers."""
    if value is None:
        return Violation(Check.MALFORMED, f"{what} is missing: look at the node that sends it")
    if value.shape != (size,):
        return Violation(
            Check.MALFORMED,
            f"{what} has shape {value.shape}, {size} numbers are needed: look at the node that sends it",
        )
    if not np.isfinite(value).all():
        return Violation(
            Check.NOT_FINITE, f"{what} is {value.tolist()}, finite numbers are needed: look at the node that sends it"
        )
    return None


def check_pose(pose: Pose | None, what: str) -> Violation | None:
    """Finite numbers and a quaternion of length 1."""
    if pose is None:
        return Violation(Check.MALFORMED, f"{what} is missing: look at the node that sends it")
    violation = check_vector(pose.position_m, 3, f"{what}'s position")
    violation = violation or check_vector(pose.quaternion_xyzw, 4, f"{what}'s quaternion")
    if violation:
        return violation
    length = math.hypot(*pose.quaternion_xyzw.tolist())
    if abs(length - 1.0) > UNIT_TOLERANCE:
        return Violation(
            Check.QUATERNION,
            f"{what}'s quaternion has length {length:.4g}, a rotation needs 1 within {UNIT_TOLERANCE}: "
            "look at the node that sends it (order x, y, z, w)",
        )
    return None


def check_joint_positions(position_rad: Vector, limits: Limits, what: str) -> Violation | None:
    outside = (position_rad < limits.joint_lower_rad) | (position_rad > limits.joint_upper_rad)
    if not outside.any():
        return None
    index = int(np.argmax(outside))
    joint = limits.config.joints[index]
    return Violation(
        Check.JOINT_LIMIT,
        f"{what} of {joint.name} is {position_rad[index]:.4f} rad, allowed are {joint.lower_rad} to {joint.upper_rad}: "
        "bring the joint back with the robot's own controls, then clear",
    )


def check_joint_speeds(speed_rad_s: Vector, limits: Limits, what: str) -> Violation | None:
    excess = np.abs(speed_rad_s) > limits.joint_speed_max_rad_s
    if not excess.any():
        return None
    index = int(np.argmax(excess))
    joint = limits.config.joints[index]
    return Violation(
        Check.JOINT_SPEED,
        f"{what} of {joint.name} is {abs(speed_rad_s[index]):.4g} rad/s, allowed are {joint.speed_max_rad_s}: "
        "the arm may be near a singularity; bring it to its home posture, then clear",
    )


def check_state(state: RobotState, limits: Limits) -> Violation | None:
    """All checks of one reading alone: size, numbers, joint limits and speeds, force, torque."""
    joints = len(limits.config.joints)
    violation = (
        check_pose(state.tcp_in_base, "the measured pose")
        or check_vector(state.joint_position_rad, joints, "the measured joint position")
        or check_vector(state.joint_velocity_rad_s, joints, "the measured joint velocity")
        or check_vector(state.joint_effort_nm, joints, "the measured joint effort")
        or check_vector(state.tcp_velocity_in_base, 6, "the measured TCP velocity")
        or check_vector(state.wrench_in_base, 6, "the measured wrench")
    )
    if violation:
        return violation
    return (
        _check_wrench(state.wrench_in_base, limits)
        or check_joint_positions(state.joint_position_rad, limits, "the measured angle")
        or check_joint_speeds(state.joint_velocity_rad_s, limits, "the measured speed")
    )


def _check_wrench(wrench: Vector, limits: Limits) -> Violation | None:
    config = limits.config
    values = wrench.tolist()
    force_n, torque_nm = math.hypot(*values[:3]), math.hypot(*values[3:])
    remedy = "free the tool, look whether part or plug is damaged, then clear"
    if force_n > config.force_max_n:
        return Violation(
            Check.FORCE, f"the tool feels {force_n:.1f} N, allowed are {config.force_max_n:.1f} N: {remedy}"
        )
    if torque_nm > config.torque_max_nm:
        return Violation(
            Check.TORQUE, f"the tool feels {torque_nm:.2f} Nm, allowed are {config.torque_max_nm:.2f} Nm: {remedy}"
        )
    return None


def check_form(reference: Reference, limits: Limits) -> Violation | None:
    """Whether a motion reference is complete, finite and a rotation."""
    if reference.valid_for_ns <= 0:
        return Violation(
            Check.MALFORMED,
            f"{_asked(reference)}'s validity is {reference.valid_for_ns} ns, it must be positive: look at its sender",
        )
    if reference.mode is ControlMode.JOINT:
        return check_vector(
            reference.joint_position_rad, len(limits.config.joints), f"{_asked(reference)}'s joint position"
        )
    return check_pose(reference.tcp_in_base, _asked(reference))


def check_workspace(pose: Pose, limits: Limits, what: str) -> Violation | None:
    inside = (pose.position_m >= limits.workspace_min_m) & (pose.position_m <= limits.workspace_max_m)
    if inside.all():
        return None
    axis = int(np.argmin(inside))
    return Violation(
        Check.WORKSPACE,
        f"{what} asks for {'xyz'[axis]} = {pose.position_m[axis]:.4f} m, the workspace goes from "
        f"{limits.workspace_min_m[axis]} to {limits.workspace_max_m[axis]} m: look at goal and controller, or at "
        f"workspace in safety {limits.name!r}",
    )


def check_jump(target: Pose, measured: Pose, limits: Limits, what: str) -> Violation | None:
    """Distance and angle between a target and where the arm is."""
    config = limits.config
    jump_m, jump_rad = distance(target, measured)
    if jump_m > config.jump_max_m:
        return Violation(
            Check.JUMP,
            f"{what} asks for a point {1e3 * jump_m:.1f} mm from the TCP, allowed are "
            f"{1e3 * config.jump_max_m:.1f} mm: look for a wrong goal, a wrong frame or an arm that cannot follow",
        )
    if jump_rad > config.jump_max_rad:
        return Violation(
            Check.JUMP,
            f"{what} asks for a turn of {jump_rad:.3f} rad, allowed are {config.jump_max_rad:.3f}: look for a wrong "
            "frame or the order of a quaternion",
        )
    return None


def check_joint_jump(target_rad: Vector, measured_rad: Vector, limits: Limits, what: str) -> Violation | None:
    distance_rad = np.abs(target_rad - measured_rad)
    index = int(np.argmax(distance_rad))
    allowed = limits.config.joint_jump_max_rad
    if distance_rad[index] <= allowed:
        return None
    return Violation(
        Check.JUMP,
        f"{what} asks {limits.config.joints[index].name} to go {distance_rad[index]:.3f} rad at once, allowed are "
        f"{allowed}: look for a wrong order of joints",
    )


def ramp_velocity_m_s(ramp: PoseRamp, limits: Limits) -> Vector:
    """(3,) m/s: velocity of the set point on its way to the target, which takes one control period."""
    return np.asarray((ramp.target.position_m - ramp.start.position_m) / limits.period_s)


def check_motion(ramp: PoseRamp, before_m_s: Vector, limits: Limits, what: str) -> Violation | None:
    """Speed, rate of turn and acceleration of the set point. before_m_s: (3,) its velocity before this reference."""
    config = limits.config
    velocity_m_s = ramp_velocity_m_s(ramp, limits)
    speed_m_s = math.hypot(*velocity_m_s.tolist())
    if speed_m_s > config.tcp_speed_max_m_s:
        return Violation(
            Check.TCP_SPEED,
            f"{what} asks for {speed_m_s:.3f} m/s, allowed are {config.tcp_speed_max_m_s} m/s: lower the step of "
            "the controller",
        )
    turn_rad_s = distance(ramp.start, ramp.target)[1] / limits.period_s
    if turn_rad_s > config.tcp_turn_max_rad_s:
        return Violation(
            Check.TCP_SPEED,
            f"{what} asks for a turn of {turn_rad_s:.3f} rad/s, allowed are {config.tcp_turn_max_rad_s} rad/s: lower "
            "the step of the controller",
        )
    acceleration_m_s2 = math.hypot(*(velocity_m_s - before_m_s).tolist()) / limits.period_s
    if acceleration_m_s2 > config.tcp_acceleration_max_m_s2:
        return Violation(
            Check.TCP_ACCELERATION,
            f"{what} asks for {acceleration_m_s2:.2f} m/s^2, allowed are {config.tcp_acceleration_max_m_s2} m/s^2: "
            "smooth the controller's output or lower its step",
        )
    return None


def check_joint_motion(ramp: JointRamp, limits: Limits, what: str) -> Violation | None:
    return check_joint_speeds((ramp.target_rad - ramp.start_rad) / limits.period_s, limits, f"{what}: the asked speed")


def milliseconds(duration_ns: int) -> str:
    """A duration as an operator reads it."""
    return f"{duration_ns / 1e6:.1f} ms"


def _asked(reference: Reference) -> str:
    return f"the reference of {reference.source!r}"
