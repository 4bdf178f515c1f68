"""The arm's own controller, which Gazebo has none of: from readings and set points to joint torques.

It knows no ROS and no Gazebo: readings come in, torques go out, so that it runs in the tests on MuJoCo's arm.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.control.drivers import DriverError
from tenon.control.geometry import rotate
from tenon.control.impedance import CartesianImpedance, CartesianImpedanceConfig
from tenon.control.kinematics import Kinematics
from tenon.control.loop import SetPoint
from tenon.control.types import Pose, RobotState, Vector
from tenon.simulation.tasks import InsertionTaskConfig
from tenon_gazebo.config import DriverSettings

SIDEWAYS_M = 0.002
"""A plug at this depth and no further beside the axis is in the hole, for it fits nowhere else."""

RESET_NS = 100_000_000
"""Readings may overtake each other by less than this; time that goes back further begins anew."""


class GazeboDriver:
    """first_rad (n,): the posture to begin in. tool: the TCP in the flange. Not thread-safe."""

    def __init__(
        self,
        arm: ArmConfig,
        tool: Pose,
        impedance: CartesianImpedanceConfig,
        settings: DriverSettings,
        first_rad: Vector,
    ) -> None:
        self._arm, self._settings = arm, settings
        self._kinematics, self._flange = Kinematics(arm, tool), Kinematics(arm)
        self._impedance = CartesianImpedance(impedance)
        self._effort_nm = np.array([joint.effort_limit_nm for joint in arm.joints])
        self._first_rad, self._begun_rad = np.array(first_rad), np.zeros(0)
        self._way_s = 0.0
        self._wrench_in_flange = np.zeros(6)
        self._state: RobotState | None = None
        self.arrived = False

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._arm.joint_names

    def on_wrench(self, tool_on_arm_in_flange: Vector) -> None:
        """(6,) N and Nm at the flange, in its axes, as the sensor gives it: what the tool does to the arm."""
        self._wrench_in_flange = np.array(tool_on_arm_in_flange, dtype=np.float64)

    def on_joints(
        self, stamp_ns: int, position_rad: Mapping[str, float], velocity_rad_s: Mapping[str, float]
    ) -> RobotState:
        """One reading, by joint name. Raises DriverError for a joint that is missing, or a world that was reset."""
        if self._state is not None and self._state.stamp_ns - stamp_ns > RESET_NS:
            raise DriverError("Gazebo's world was reset and its arm is at zero again: start the session anew")
        missing = [name for name in self.joint_names if name not in position_rad or name not in velocity_rad_s]
        if missing:
            raise DriverError(
                f"Gazebo tells no position and velocity of {', '.join(missing)}; its joints are "
                f"{', '.join(position_rad) or 'none'}: launch the world of a {self._arm.name}"
            )
        joints = np.array([position_rad[name] for name in self.joint_names])
        speeds = np.array([velocity_rad_s[name] for name in self.joint_names])
        tcp = self._kinematics.forward(joints)
        self._state = RobotState(
            stamp_ns=stamp_ns,
            joint_position_rad=joints,
            joint_velocity_rad_s=speeds,
            joint_effort_nm=np.zeros(len(joints)),
            tcp_in_base=tcp,
            tcp_velocity_in_base=self._kinematics.jacobian(joints) @ speeds,
            wrench_in_base=self._wrench_at_tcp(joints, tcp),
        )
        return self._state

    def torques(self, set_point: SetPoint, period_s: float) -> Vector:
        """(n,) Nm, within the joints' limits. Until the first posture is reached the set point does not count."""
        state = self._state
        if state is None:
            return np.zeros(len(self._effort_nm))
        if not self.arrived:
            torque = self._joint_torque(state, self._on_the_way(state, period_s))
        elif set_point.joint_position_rad is not None:
            torque = self._joint_torque(state, set_point.joint_position_rad)
        else:
            jacobian = self._kinematics.jacobian(state.joint_position_rad)
            torque = self._impedance.torque(
                jacobian, state.tcp_in_base, state.tcp_velocity_in_base, set_point.tcp_in_base or state.tcp_in_base
            )
        return np.clip(torque, -self._effort_nm, self._effort_nm)

    def _on_the_way(self, state: RobotState, period_s: float) -> Vector:
        """The joints move together, the slowest at first_speed_rad_s."""
        if not self._begun_rad.size:
            self._begun_rad = state.joint_position_rad
        way = self._first_rad - self._begun_rad
        self._way_s += period_s
        longest_s = float(np.abs(way).max()) / self._settings.first_speed_rad_s
        share = 1.0 if self._way_s >= longest_s else self._way_s / longest_s
        off = float(np.abs(self._first_rad - state.joint_position_rad).max())
        self.arrived = share == 1.0 and off < self._settings.first_tolerance_rad
        return self._begun_rad + share * way

    def _joint_torque(self, state: RobotState, target_rad: Vector) -> Vector:
        settings = self._settings
        error = target_rad - state.joint_position_rad
        return settings.joint_stiffness_nm_rad * error - settings.joint_damping_nm_s_rad * state.joint_velocity_rad_s

    def _wrench_at_tcp(self, joints: Vector, tcp: Pose) -> Vector:
        """What the environment does to the tool, at the TCP, in axes of the base. The tool's own weight is not in it:
        its link in the world has none."""
        flange = self._flange.forward(joints)
        force = rotate(flange.quaternion_xyzw, self._wrench_in_flange[:3])
        torque = rotate(flange.quaternion_xyzw, self._wrench_in_flange[3:])
        return np.concatenate((force, torque - np.cross(tcp.position_m - flange.position_m, force)))


def first_posture(arm: ArmConfig, tool: Pose, start_in_base: Pose) -> Vector:
    """(n,) joint angles in which the arm waits for its first episode. Raises DriverError where it cannot."""
    found = Kinematics(arm, tool).inverse(start_in_base, np.array(arm.home_rad))
    if not found.converged:
        raise DriverError(
            f"{arm.name} cannot reach the start of the task, {1e3 * found.position_error_m:.1f} mm remain: move "
            "scene.socket_mouth_in_base_m into its reach"
        )
    return found.joint_position_rad


def is_seated(tcp_in_base: Pose, seated_in_base: Pose, task: InsertionTaskConfig) -> bool:
    """What a detector at the socket would say: Gazebo has none."""
    off = np.abs(tcp_in_base.position_m - seated_in_base.position_m)
    return bool(off[2] <= task.success_tolerance_m and off[:2].max() <= SIDEWAYS_M)
