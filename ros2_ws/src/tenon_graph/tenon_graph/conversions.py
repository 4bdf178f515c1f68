"""Messages to the library's values and back. Every field is copied in one place only."""

from __future__ import annotations

from array import array

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Pose as PoseMsg
from sensor_msgs.msg import Image
from tenon_msgs.msg import Observation as ObservationMsg
from tenon_msgs.msg import Reference as ReferenceMsg

from tenon.control.types import ControlMode, Pose, Reference

NS_PER_S = 1_000_000_000


def to_ns(stamp: Time | Duration) -> int:
    """A stamp or duration as integer nanoseconds."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def to_stamp(ns: int) -> Time:
    """Integer nanoseconds as a stamp."""
    return Time(sec=ns // NS_PER_S, nanosec=ns % NS_PER_S)


def pose_to_msg(pose: Pose) -> PoseMsg:
    msg = PoseMsg()
    msg.position.x, msg.position.y, msg.position.z = map(float, pose.position_m)
    q = msg.orientation
    q.x, q.y, q.z, q.w = map(float, pose.quaternion_xyzw)
    return msg


def pose_from_msg(msg: PoseMsg) -> Pose:
    p, q = msg.position, msg.orientation
    return Pose(np.array((p.x, p.y, p.z)), np.array((q.x, q.y, q.z, q.w)))


def reference_to_msg(reference: Reference) -> ReferenceMsg:
    msg = ReferenceMsg(mode=int(reference.mode), source=reference.source)
    msg.header.stamp = to_stamp(reference.stamp_ns)
    msg.header.frame_id = "base"
    if reference.tcp_in_base is not None:
        msg.tcp_in_base = pose_to_msg(reference.tcp_in_base)
    else:
        msg.tcp_in_base.orientation.w = 0.0  # the message's default is a valid rotation; without a pose there is none
    if reference.joint_position_rad is not None:
        msg.joint_position_rad = array("d", reference.joint_position_rad)
    msg.valid_for = Duration(sec=reference.valid_for_ns // NS_PER_S, nanosec=reference.valid_for_ns % NS_PER_S)
    return msg


def reference_from_msg(msg: ReferenceMsg) -> Reference:
    """Raises ValueError for a mode that no receiver knows. A HOLD without a pose has the quaternion (0, 0, 0, 0)."""
    mode = ControlMode(msg.mode)
    pose = pose_from_msg(msg.tcp_in_base)
    has_pose = mode is ControlMode.CARTESIAN or (mode is ControlMode.HOLD and bool(pose.quaternion_xyzw.any()))
    return Reference(
        stamp_ns=to_ns(msg.header.stamp),
        mode=mode,
        source=msg.source,
        valid_for_ns=to_ns(msg.valid_for),
        tcp_in_base=pose if has_pose else None,
        joint_position_rad=np.array(msg.joint_position_rad) if mode is ControlMode.JOINT else None,
    )


def electrical_from_msg(msg: ObservationMsg) -> bool | None:
    """Whether the connection is made, by the stand's own detector; None where it has none."""
    return None if msg.no_detector else bool(msg.electrical)


def image_to_msg(rgb: np.ndarray, stamp_ns: int, frame_id: str) -> Image:
    """rgb: (height, width, 3) uint8, contiguous."""
    height, width, channels = rgb.shape
    msg = Image(height=height, width=width, encoding="rgb8", step=width * channels)
    msg.header.stamp = to_stamp(stamp_ns)
    msg.header.frame_id = frame_id
    msg.data = array("B", rgb.tobytes())
    return msg
