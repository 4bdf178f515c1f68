"""The valve as a session's job: a claw moves its joints, and the valve's own encoder tells when it is turned.

The pose that a claw's session speaks of (``tcp/pose``, the goal) is the valve's: its place, and how far it is turned.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable

import numpy as np

from tenon.configuration.base import Config
from tenon.configuration.session import ControllerName
from tenon.control.geometry import pose
from tenon.control.observer import Tick
from tenon.control.types import ControlMode, Pose, Reference, Vector
from tenon.data.transitions import EnvironmentSpec
from tenon.session.claw_stand import ClawStand
from tenon.session.reset import SOURCE, VALIDITY_PERIODS, ResetStage, ResetStep
from tenon.simulation.valve_task import ValveTask


class ValveJob:
    """A claw over its valve."""

    controller_node = "joint_controller"
    controllers: tuple[ControllerName, ...] = ("policy", "gait")
    has_detector = True
    awaits_electrical = False
    zeroes_force = False
    goal_error_m = 0.0
    goal_error_min_m = None

    def __init__(self, stand: ClawStand) -> None:
        self._stand = stand
        self.task = ValveTask(stand.task, stand.hand)

    @property
    def horizon_steps(self) -> int:
        return self._stand.task.horizon_steps

    @property
    def reference_ramp_s(self) -> float:
        return self._stand.task.control_period_s

    @property
    def force_limit_n(self) -> float:
        """A claw has no force sensor; its servos never push harder than the current that they are given."""
        return self._stand.safety.force_max_n

    @property
    def robot_name(self) -> str:
        return self._stand.hand.name

    @property
    def parts(self) -> tuple[Config, ...]:
        return self._stand.hand, self._stand.task

    @property
    def environment_spec(self) -> EnvironmentSpec:
        return self.task.spec

    def controller_version(self, _controller: str) -> str:
        text = json.dumps(self._stand.task.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def kinematics(self) -> Callable[[Vector], Pose]:
        """Fingers move nothing that has a workspace: the valve stays in its place."""
        place = valve_pose(0.0)
        return lambda _joint_position_rad: place

    def goal_in_base(self, seed: int, _goal_error_m: Vector) -> Pose:
        return valve_pose(self.task.draw(seed).target_rad)

    def observe(self, tick: Tick, goal_in_base: Pose) -> Vector:
        """(22,), as in the environment ``claw-valve``."""
        return self.task.observe(
            tick.joint_position_rad, tick.joint_velocity_rad_s, valve_rad(tick.tcp_in_base), valve_rad(goal_in_base)
        ).astype(np.float64)

    def is_done(self, tick: Tick, goal_in_base: Pose) -> bool:
        return self.task.is_turned(valve_rad(tick.tcp_in_base), valve_rad(goal_in_base))

    def begin_start_motion(self, _goal_in_base: Pose, begin_ns: int) -> ValveStart:
        return ValveStart(self.task, round(self._stand.session.reset.timeout_s * 1e9), begin_ns)


class ValveStart:
    """The fingers go to where they are clear of the valve, so that its motor can turn it back: outwards first."""

    def __init__(self, task: ValveTask, timeout_ns: int, begin_ns: int) -> None:
        self._task = task
        self._target_rad = task.start_rad
        self._validity_ns = round(VALIDITY_PERIODS * task.config.control_period_s * 1e9)
        self._deadline_ns = begin_ns + timeout_ns
        self._timeout_s = timeout_ns * 1e-9

    def step(self, _tcp_in_base: Pose, state: Vector, stamp_ns: int) -> ResetStep:
        task = self._task
        position_rad = state[: task.joints]
        off_rad = float(np.abs(position_rad - self._target_rad).max())
        if off_rad <= task.config.start_tolerance_rad:
            return ResetStep(self.stay(stamp_ns), ResetStage.DONE, 0.0, off_rad, "")
        if stamp_ns >= self._deadline_ns:
            joint = task.hand.joint_names[int(np.abs(position_rad - self._target_rad).argmax())]
            message = (
                f"the fingers do not come clear of the valve: after {self._timeout_s:g} s {joint} is {off_rad:.3f} rad "
                f"from its start, allowed are {task.config.start_tolerance_rad:g}: free it"
            )
            return ResetStep(self.stay(stamp_ns), ResetStage.FAILED, 0.0, off_rad, message)
        next_rad = task.towards(position_rad, self._outwards_first(position_rad))
        return ResetStep(self._reference(stamp_ns, next_rad), ResetStage.TRAVEL, 0.0, off_rad, "")

    def stay(self, stamp_ns: int) -> Reference:
        return self._reference(stamp_ns, self._target_rad)

    def _outwards_first(self, position_rad: Vector) -> Vector:
        """A finger that is still between the prongs does not swing: it would turn the valve with it."""
        target = self._target_rad.reshape(-1, 3).copy()
        present = position_rad.reshape(-1, 3)
        inside = np.abs(target[:, 1:] - present[:, 1:]).max(axis=1) > self._task.config.clear_rad
        target[inside, 0] = present[inside, 0]
        return target.ravel()

    def _reference(self, stamp_ns: int, joint_position_rad: Vector) -> Reference:
        return Reference(stamp_ns, ControlMode.JOINT, SOURCE, self._validity_ns, joint_position_rad=joint_position_rad)


def valve_pose(angle_rad: float) -> Pose:
    """The valve turned by so much, in the base."""
    return pose((0.0, 0.0, 0.0), (0.0, 0.0, math.sin(angle_rad / 2), math.cos(angle_rad / 2)))


def valve_rad(valve_in_base: Pose) -> float:
    """How far the valve is turned, in (-pi, pi]."""
    _, _, z, w = valve_in_base.quaternion_xyzw
    return math.remainder(2 * math.atan2(z, w), 2 * math.pi)
