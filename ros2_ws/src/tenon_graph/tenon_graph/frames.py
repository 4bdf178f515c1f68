"""The frames of the stand on /tf and /tf_static, and the robot's description, for people's tools."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from tenon.control.frames import Frame
from tenon.control.types import Vector
from tenon.session.frames import frame_tree, robot_description
from tenon_graph import contract
from tenon_graph.conversions import to_stamp
from tenon_graph.node import GraphNode


class FramePublisher:
    """Publishes what stands still once, and the links at the control rate."""

    def __init__(self, node: GraphNode) -> None:
        stand = node.setup.stand
        self._tree = frame_tree(stand)
        self._period_ns = node.setup.config.control_period_ns
        self._last_tick = -1
        self._moving = node.advertise(contract.TF)
        self._fixed = node.advertise(contract.TF_STATIC)
        self._description = node.advertise(contract.ROBOT_DESCRIPTION)
        self._fixed.publish(frames_to_msg(self._tree.fixed, node.now_ns()))
        self._description.publish(String(data=robot_description(stand)))

    def publish(self, stamp_ns: int, joint_position_rad: Vector) -> None:
        """Where the links are, where a new control period has begun."""
        tick = stamp_ns // self._period_ns
        if tick == self._last_tick:
            return
        self._last_tick = tick
        self._moving.publish(frames_to_msg(self._tree.moving(joint_position_rad), stamp_ns))


def frames_to_msg(frames: Iterable[Frame], stamp_ns: int) -> TFMessage:
    return TFMessage(transforms=[_transform(frame, stamp_ns) for frame in frames])


def _transform(frame: Frame, stamp_ns: int) -> TransformStamped:
    msg = TransformStamped(child_frame_id=frame.child)
    msg.header.stamp = to_stamp(stamp_ns)
    msg.header.frame_id = frame.parent
    place, turn = msg.transform.translation, msg.transform.rotation
    place.x, place.y, place.z = map(float, frame.pose.position_m)
    turn.x, turn.y, turn.z, turn.w = map(float, frame.pose.quaternion_xyzw)
    return msg
