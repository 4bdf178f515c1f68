"""A camera's pictures, lens and depth on the graph."""

from __future__ import annotations

from array import array

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image

from tenon.configuration.camera import IntrinsicsConfig
from tenon.control.frames import optical_frame
from tenon_graph import contract
from tenon_graph.conversions import image_to_msg, to_stamp

DISTORTION_MODEL = "plumb_bob"


class CameraPublisher:
    """Publishes what one camera sees, in its optical frame. camera: its name.

    further: beside the one that policies see, so that its topics lie in a namespace of its name.
    """

    def __init__(self, node: Node, camera: str, *, further: bool = False) -> None:
        self._frame = optical_frame(camera)
        self._node = node
        self._prefix = f"{camera}/" if further else ""
        self._image, self._info = self._advertise(contract.CAMERA_IMAGE), self._advertise(contract.CAMERA_INFO)
        self._depth: Publisher | None = None

    def _advertise(self, topic: contract.Topic) -> Publisher:
        return self._node.create_publisher(topic.type, self._prefix + topic.name, topic.qos)

    @property
    def is_watched(self) -> bool:
        """Whether somebody listens to its pictures."""
        return self._image.get_subscription_count() > 0

    def publish(
        self,
        stamp_ns: int,
        rgb: np.ndarray,
        lens: IntrinsicsConfig | None = None,
        depth_mm: np.ndarray | None = None,
    ) -> None:
        """rgb (height, width, 3) uint8; depth_mm (height, width) uint16, aligned to it."""
        self._image.publish(image_to_msg(rgb, stamp_ns, self._frame))
        if lens is not None:
            self._info.publish(camera_info_to_msg(lens, stamp_ns, self._frame))
        if depth_mm is not None:
            self._depth = self._depth or self._advertise(contract.CAMERA_DEPTH)
            self._depth.publish(depth_to_msg(depth_mm, stamp_ns, self._frame))


def camera_info_to_msg(lens: IntrinsicsConfig, stamp_ns: int, frame_id: str) -> CameraInfo:
    """As REP 104 has it, without rectification."""
    msg = CameraInfo(width=lens.width, height=lens.height, distortion_model=DISTORTION_MODEL)
    msg.header.stamp = to_stamp(stamp_ns)
    msg.header.frame_id = frame_id
    msg.d = array("d", lens.distortion)
    msg.k = lens.matrix.ravel()
    msg.r = np.eye(3).ravel()
    msg.p = np.column_stack((lens.matrix, np.zeros(3))).ravel()
    return msg


def lens_from_msg(msg: CameraInfo) -> IntrinsicsConfig:
    """Raises ValueError for a lens that is no pinhole with five coefficients."""
    distortion = tuple(float(value) for value in msg.d) or (0.0,) * 5
    if len(distortion) != 5:
        raise ValueError(f"the camera's lens is of model {msg.distortion_model!r} with {len(distortion)} coefficients")
    k = msg.k
    return IntrinsicsConfig(
        width=msg.width,
        height=msg.height,
        fx=float(k[0]),
        fy=float(k[4]),
        cx=float(k[2]),
        cy=float(k[5]),
        distortion=distortion,
    )


def depth_to_msg(depth_mm: np.ndarray, stamp_ns: int, frame_id: str) -> Image:
    """As REP 118 has it: millimetres, 0 where nothing was measured."""
    height, width = depth_mm.shape
    msg = Image(height=height, width=width, encoding="16UC1", step=2 * width)
    msg.header.stamp = to_stamp(stamp_ns)
    msg.header.frame_id = frame_id
    msg.data = array("B", depth_mm.astype("<u2").tobytes())
    return msg


def health_to_msg(camera: str, detail: str, stamp_ns: int, *, level: bytes) -> DiagnosticArray:
    """One camera's state for the diagnostics' viewers. detail: empty while all is well."""
    status = DiagnosticStatus(level=level, name=f"camera: {camera}", message=detail or "delivers", hardware_id=camera)
    msg = DiagnosticArray(status=[status])
    msg.header.stamp = to_stamp(stamp_ns)
    return msg
