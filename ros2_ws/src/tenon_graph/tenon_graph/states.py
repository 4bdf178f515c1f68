"""Joins /joint_states, /tcp/pose and /tcp/wrench of one measurement into a RobotState, and takes one apart."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import PoseStamped, WrenchStamped
from sensor_msgs.msg import JointState

from tenon.control.types import Pose, RobotState
from tenon.session.stand import Stand
from tenon_graph import contract
from tenon_graph.conversions import pose_from_msg, pose_to_msg, to_ns, to_stamp
from tenon_graph.node import GraphNode

if TYPE_CHECKING:
    from tenon_graph.frames import FramePublisher


def robot_state(
    joints: JointState, pose: PoseStamped, wrench: WrenchStamped, tcp_velocity_in_base: np.ndarray
) -> RobotState:
    """The three parts as one reading, with the stamp of the oldest."""
    force, torque = wrench.wrench.force, wrench.wrench.torque
    return RobotState(
        stamp_ns=_stamp_ns(joints, pose, wrench),
        joint_position_rad=np.array(joints.position),
        joint_velocity_rad_s=np.array(joints.velocity),
        joint_effort_nm=np.array(joints.effort),
        tcp_in_base=pose_from_msg(pose.pose),
        tcp_velocity_in_base=tcp_velocity_in_base,
        wrench_in_base=np.array((force.x, force.y, force.z, torque.x, torque.y, torque.z)),
    )


def _stamp_ns(*parts: JointState | PoseStamped | WrenchStamped) -> int:
    return min(to_ns(part.header.stamp) for part in parts)


class StateJoiner:
    """Calls back with a RobotState whenever all three parts are newer than the last one.

    The parts of one measurement carry one stamp, and come in any order. Where one was lost or skipped, or where a
    driver stamps its topics apart, the state carries the stamp of its oldest part.
    """

    def __init__(self, node: GraphNode, on_state: Callable[[RobotState], None], *, newest_only: bool = False) -> None:
        """newest_only: where a node falls behind it skips readings, so that what it judges is never old."""
        self._on_state = on_state
        self._joints: JointState | None = None
        self._wrench: WrenchStamped | None = None
        self._pose: PoseStamped | None = None
        self._last: tuple[int, Pose] | None = None
        depth = 1 if newest_only else None
        node.subscribe(contract.JOINT_STATES, self._on_joints, depth=depth)
        node.subscribe(contract.TCP_POSE, self._on_pose, depth=depth)
        node.subscribe(contract.TCP_WRENCH, self._on_wrench, depth=depth)

    def _on_joints(self, msg: JointState) -> None:
        self._joints = msg
        self._join()

    def _on_pose(self, msg: PoseStamped) -> None:
        self._pose = msg
        self._join()

    def _on_wrench(self, msg: WrenchStamped) -> None:
        self._wrench = msg
        self._join()

    def _join(self) -> None:
        joints, wrench, pose = self._joints, self._wrench, self._pose
        if joints is None or wrench is None or pose is None:
            return
        stamp_ns = _stamp_ns(joints, pose, wrench)
        if self._last is not None and stamp_ns == self._last[0]:
            return
        tcp_in_base = pose_from_msg(pose.pose)
        state = robot_state(joints, pose, wrench, self._velocity(stamp_ns, tcp_in_base))
        self._last = (stamp_ns, tcp_in_base)
        self._on_state(state)

    def _velocity(self, stamp_ns: int, tcp_in_base: Pose) -> np.ndarray:
        """(6,): the arm publishes no TCP velocity; the difference of two readings stands in (translation only)."""
        velocity = np.zeros(6)
        if self._last is not None and stamp_ns > self._last[0]:
            step_m = tcp_in_base.position_m - self._last[1].position_m
            velocity[:3] = step_m / ((stamp_ns - self._last[0]) * 1e-9)
        return velocity


class StatePublisher:
    """Publishes a RobotState as the three messages, and at the control rate as frames."""

    def __init__(self, node: GraphNode, joint_names: tuple[str, ...]) -> None:
        self._names = list(joint_names)
        self._joints = node.advertise(contract.JOINT_STATES)
        self._pose = node.advertise(contract.TCP_POSE)
        self._wrench = node.advertise(contract.TCP_WRENCH)
        self._frames = _frame_publisher(node)

    def publish(self, state: RobotState) -> None:
        stamp = to_stamp(state.stamp_ns)
        joints = JointState(name=self._names)
        joints.header.stamp = stamp
        joints.position = array("d", state.joint_position_rad)
        joints.velocity = array("d", state.joint_velocity_rad_s)
        joints.effort = array("d", state.joint_effort_nm)
        wrench = WrenchStamped()
        wrench.header.stamp = stamp
        wrench.header.frame_id = "base"
        force, torque = wrench.wrench.force, wrench.wrench.torque
        force.x, force.y, force.z, torque.x, torque.y, torque.z = map(float, state.wrench_in_base)
        pose = PoseStamped(pose=pose_to_msg(state.tcp_in_base))
        pose.header.stamp = stamp
        pose.header.frame_id = "base"
        self._joints.publish(joints)
        self._wrench.publish(wrench)
        self._pose.publish(pose)
        if self._frames is not None:
            self._frames.publish(state.stamp_ns, state.joint_position_rad)


def _frame_publisher(node: GraphNode) -> FramePublisher | None:
    """Only an arm needs it, and the libraries behind it take as long to import as the rest of a node."""
    if not isinstance(node.setup.stand, Stand):
        return None
    from tenon_graph.frames import FramePublisher

    return FramePublisher(node)
