"""A RealSense behind the interface of all cameras: configure, activate, read, deactivate."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyrealsense2 as rs
from numpy.typing import NDArray

from tenon.configuration.camera import CameraConfig, IntrinsicsConfig
from tenon_camera.frame import CameraError, CameraFault, Clock, Frame, taken_ns
from tenon_realsense.config import RealsenseConfig
from tenon_realsense.sources import FrameSource, PipelineSource

MILLIMETRE = 1e-3
HOST_CLOCKS = (rs.timestamp_domain.system_time, rs.timestamp_domain.global_time)


class RealsenseDriver:
    """A tenon_camera.frame.Camera. source: where framesets come from, a pipeline by default."""

    def __init__(
        self, camera: CameraConfig, config: RealsenseConfig | None = None, source: FrameSource | None = None
    ) -> None:
        self._camera = camera
        self._config = config or RealsenseConfig()
        self._source = source or PipelineSource(camera)
        self._align = rs.align(rs.stream.color)
        self._intrinsics: IntrinsicsConfig | None = None
        self._started = False

    @property
    def intrinsics(self) -> IntrinsicsConfig | None:
        return self._intrinsics

    def configure(self) -> None:
        colour = self._source.start()
        self._started = True
        self._intrinsics = intrinsics_of(colour.as_video_stream_profile().get_intrinsics())

    def activate(self) -> None:
        self._read(time.monotonic_ns, self._config.first_frame_timeout_s)

    def read(self, clock: Clock) -> Frame:
        return self._read(clock, self._config.frame_timeout_s)

    def deactivate(self) -> None:
        if self._started:
            self._started = False
            self._source.stop()

    def _read(self, clock: Clock, timeout_s: float) -> Frame:
        camera = self._camera
        if not self._started:
            raise CameraError(CameraFault.REFUSED, f"camera {camera.name!r} is not configured: call configure first")
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0.0:
            frames = self._source.wait(left_s)
            if frames is None:
                break
            colour, depth = self._parts(frames)
            if colour and (depth or camera.depth is None):
                stamp_ns = taken_ns(clock, _age_s(colour))
                return Frame(stamp_ns, self._rgb(colour), _millimetres(depth) if depth else None)
        raise CameraError(
            CameraFault.UNPLUGGED,
            f"camera {camera.name!r} ({camera.serial or camera.file}) has delivered no whole frame for {timeout_s:g} "
            "s: check its cable and that it sits in a USB 3 port",
        )

    def _parts(self, frames: Any) -> tuple[Any, Any]:
        """Colour, and depth as seen from the colour camera; either may be missing from a frameset."""
        colour, depth = frames.get_color_frame(), frames.get_depth_frame()
        if self._camera.depth is None or not (colour and depth):
            return colour, None
        aligned = self._align.process(frames)
        return aligned.get_color_frame(), aligned.get_depth_frame()

    def _rgb(self, colour: Any) -> NDArray[np.uint8]:
        """(height, width, 3), a copy: librealsense uses its buffers again."""
        camera = self._camera
        size, kind = (colour.get_width(), colour.get_height()), colour.get_profile().format()
        if size != (camera.width, camera.height) or kind not in (rs.format.rgb8, rs.format.bgr8):
            raise CameraError(
                CameraFault.WRONG_PICTURE,
                f"camera {camera.name!r} delivers {size[0]} x {size[1]} pixels of format {kind.name}, its "
                f"configuration says {camera.width} x {camera.height} in colour: set width and height to what "
                "the camera can do",
            )
        picture = np.asanyarray(colour.get_data())
        if picture.shape != (camera.height, camera.width, 3):
            raise CameraError(
                CameraFault.WRONG_PICTURE,
                f"camera {camera.name!r} delivers a picture of {picture.size} bytes, {camera.width} x {camera.height} "
                "have more or less: its stream is damaged, check the USB cable",
            )
        return np.ascontiguousarray(picture if kind == rs.format.rgb8 else picture[:, :, ::-1]).copy()


def intrinsics_of(lens: Any) -> IntrinsicsConfig:
    """librealsense's intrinsics as sensor_msgs/CameraInfo has them (its model "plumb_bob")."""
    return IntrinsicsConfig(
        width=lens.width,
        height=lens.height,
        fx=lens.fx,
        fy=lens.fy,
        cx=lens.ppx,
        cy=lens.ppy,
        distortion=tuple(float(value) for value in lens.coeffs),
    )


def _millimetres(depth: Any) -> NDArray[np.uint16]:
    raw = np.asanyarray(depth.get_data())
    unit = depth.get_units()
    if abs(unit - MILLIMETRE) < 1e-9:
        return np.array(raw)
    return np.minimum(np.rint(raw * (unit / MILLIMETRE)), np.iinfo(np.uint16).max).astype(np.uint16)


def _age_s(frame: Any) -> float:
    """How old a frame is; a negative number where its stamps are of the camera's own clock."""
    if frame.get_frame_timestamp_domain() not in HOST_CLOCKS:
        return -1.0
    return time.time() - 1e-3 * frame.get_timestamp()
