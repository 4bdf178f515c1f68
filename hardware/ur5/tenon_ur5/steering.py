"""From a set point to what a UR controller is told: joint speeds, joint positions, or its force mode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.control.admittance import Admittance, AdmittanceConfig
from tenon.control.geometry import conjugate, matrix_from_quaternion, multiply, rotation_vector
from tenon.control.kinematics import InverseKinematicsConfig, Kinematics
from tenon.control.loop import SetPoint
from tenon.control.types import Pose, RobotState, Vector
from tenon_ur5.config import DriverSettings
from tenon_ur5.frames import pose_to_controller

DAMPING = 0.02
SERVO_IK = InverseKinematicsConfig(iterations=5, position_tolerance_m=1e-5, rotation_tolerance_rad=1e-5)
SERVO_SPEED, SERVO_ACCELERATION = 0.5, 0.5
"""servoj takes these two and ignores them."""
COMPLIANT_AXES = [1, 1, 1, 1, 1, 1]
FORCE_MODE_FIXED_FRAME = 2
FORCE_MODE_SPEED = [0.25, 0.25, 0.25, 1.0, 1.0, 1.0]
"""Largest speed along a compliant axis, m/s and rad/s."""
FORCE_LIMIT = np.repeat((60.0, 6.0), 3)


class Steering(ABC):
    """Turns set points into commands, one a period."""

    def __init__(self, settings: DriverSettings, kinematics: Kinematics, arm: ArmConfig) -> None:
        self._settings, self._kinematics = settings, kinematics
        self._speed_limit = np.array([joint.velocity_limit_rad_s for joint in arm.joints])

    @abstractmethod
    def reset(self) -> None:
        """The arm begins anew, wherever it is."""

    @abstractmethod
    def steer(self, control: Any, set_point: SetPoint, state: RobotState, period_s: float) -> None:
        """One period. control: ur-rtde's control interface. state: the newest reading. period_s: since the last one."""

    @abstractmethod
    def stop(self, control: Any) -> None:
        """Ends what streams, so that something else may begin."""


class _Compliant(Steering):
    """Gives way by admittance in front of whatever the arm is told."""

    def __init__(self, settings: DriverSettings, kinematics: Kinematics, arm: ArmConfig) -> None:
        super().__init__(settings, kinematics, arm)
        stiff = settings.compliance == "none"
        self._admittance = None if stiff else Admittance(settings.admittance)
        self._holding = False

    def reset(self) -> None:
        self._holding = False
        if self._admittance is not None:
            self._admittance.reset()

    def _goal(self, set_point: SetPoint, state: RobotState, period_s: float) -> Pose:
        """Where the tool shall be now."""
        begins_to_hold, self._holding = set_point.holding and not self._holding, set_point.holding
        if set_point.joint_position_rad is not None:
            if self._admittance is not None:
                self._admittance.reset()
            return self._kinematics.forward(set_point.joint_position_rad)
        if self._admittance is None:
            return set_point.tcp_in_base
        if begins_to_hold:  # where it was measured, so what the tool had given way until then is in the set point
            self._admittance.reset()
        return self._admittance.step(set_point.tcp_in_base, state.wrench_in_base, period_s)


class SpeedSteering(_Compliant):
    """speedj: the speed of the goal itself, and what takes out the error. The arm follows within a few periods."""

    def __init__(self, settings: DriverSettings, kinematics: Kinematics, arm: ArmConfig) -> None:
        super().__init__(settings, kinematics, arm)
        self._last: Pose | Vector | None = None

    def reset(self) -> None:
        super().reset()
        self._last = None

    def steer(self, control: Any, set_point: SetPoint, state: RobotState, period_s: float) -> None:
        settings, joints_rad = self._settings, set_point.joint_position_rad
        goal = self._goal(set_point, state, period_s)
        if joints_rad is None:
            wanted = self._tool_speed(goal, state, period_s)
        else:
            wanted = self._joint_speed(joints_rad, state, period_s)
        self._last = goal if joints_rad is None else joints_rad
        speed = np.clip(wanted, -self._speed_limit, self._speed_limit)
        # Without a time speedj would last until the speed is reached, deaf to a newer one meanwhile.
        control.speedJ(speed.tolist(), settings.speed_acceleration_rad_s2, settings.period_s)

    def stop(self, control: Any) -> None:
        control.speedStop()

    def _joint_speed(self, goal_rad: Vector, state: RobotState, period_s: float) -> Vector:
        last, gain = self._last, self._settings.position_gain
        ahead = (goal_rad - last) / period_s if isinstance(last, np.ndarray) else np.zeros_like(goal_rad)
        speed: Vector = ahead + gain * (goal_rad - state.joint_position_rad)
        return speed

    def _tool_speed(self, goal: Pose, state: RobotState, period_s: float) -> Vector:
        ahead = np.zeros(6)
        if isinstance(self._last, Pose):
            ahead = _between(self._last, goal) / period_s
        twist = ahead + self._settings.position_gain * _between(state.tcp_in_base, goal)
        jacobian = self._kinematics.jacobian(state.joint_position_rad)
        speed: Vector = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + DAMPING**2 * np.eye(6), twist)
        return speed


class ServoSteering(_Compliant):
    """servoj: the goal as joint angles, which the controller smooths over its lookahead time."""

    def __init__(self, settings: DriverSettings, kinematics: Kinematics, arm: ArmConfig) -> None:
        super().__init__(settings, kinematics, arm)
        self._last_rad: Vector | None = None

    def reset(self) -> None:
        super().reset()
        self._last_rad = None

    def steer(self, control: Any, set_point: SetPoint, state: RobotState, period_s: float) -> None:
        settings, last_rad = self._settings, self._last_rad
        if last_rad is None:
            last_rad = state.joint_position_rad
        goal, target_rad = self._goal(set_point, state, period_s), set_point.joint_position_rad
        if target_rad is None:
            target_rad = self._kinematics.inverse(goal, last_rad, SERVO_IK).joint_position_rad
        step_rad = self._speed_limit * period_s
        self._last_rad = last_rad + np.clip(target_rad - last_rad, -step_rad, step_rad)
        control.servoJ(
            self._last_rad.tolist(),
            SERVO_SPEED,
            SERVO_ACCELERATION,
            settings.period_s,
            settings.servo_lookahead_s,
            settings.servo_gain,
        )

    def stop(self, control: Any) -> None:
        control.servoStop()


class ForceModeSteering(Steering):
    """force_mode: the controller itself gives way; it is told the wrench of a spring towards the set point and of a
    damper, since of itself it keeps a speed for long.

    Joint set points are followed by their pose.
    """

    def __init__(self, settings: DriverSettings, kinematics: Kinematics, arm: ArmConfig) -> None:
        super().__init__(settings, kinematics, arm)
        config: AdmittanceConfig = settings.admittance
        self._stiffness = np.array((*config.stiffness_n_m, *config.rotational_stiffness_nm_rad))
        self._damping = np.repeat((settings.force_damping_n_s_m, settings.force_damping_nm_s_rad), 3)

    def reset(self) -> None:
        """Nothing is kept from one period to the next."""

    def steer(self, control: Any, set_point: SetPoint, state: RobotState, period_s: float) -> None:
        joints_rad = set_point.joint_position_rad
        goal = set_point.tcp_in_base if joints_rad is None else self._kinematics.forward(joints_rad)
        axes = matrix_from_quaternion(goal.quaternion_xyzw)
        error, twist = _along(axes, _between(state.tcp_in_base, goal)), _along(axes, state.tcp_velocity_in_base)
        wrench = np.clip(self._stiffness * error - self._damping * twist, -FORCE_LIMIT, FORCE_LIMIT)
        control.forceMode(
            pose_to_controller(goal), COMPLIANT_AXES, wrench.tolist(), FORCE_MODE_FIXED_FRAME, FORCE_MODE_SPEED
        )

    def stop(self, control: Any) -> None:
        control.forceModeStop()


def create_steering(settings: DriverSettings, kinematics: Kinematics, arm: ArmConfig) -> Steering:
    """What the robot's file asks for."""
    if settings.compliance == "force_mode":
        return ForceModeSteering(settings, kinematics, arm)
    kind = SpeedSteering if settings.command == "speed" else ServoSteering
    return kind(settings, kinematics, arm)


def _between(start: Pose, end: Pose) -> Vector:
    """(6,) from one pose to the other in axes of the base, m and rad."""
    turn = rotation_vector(multiply(end.quaternion_xyzw, conjugate(start.quaternion_xyzw)))
    return np.concatenate((end.position_m - start.position_m, turn))


def _along(axes: Vector, vector: Vector) -> Vector:
    """(6,) in the base -> in axes (3, 3) of the base."""
    return np.concatenate((axes.T @ vector[:3], axes.T @ vector[3:]))
