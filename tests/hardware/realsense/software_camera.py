"""librealsense's own software device as a source of framesets: real frames, syncer and profiles, made-up pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyrealsense2 as rs

from tenon_camera.frame import CameraError, CameraFault

WIDTH, HEIGHT, RATE_HZ = 64, 48, 30
FOCAL_COLOUR, FOCAL_DEPTH = 60.0, 40.0
DEPTH_UNIT_M = 1e-3
BASELINE_M = 0.015
BOX_MM, WALL_MM = 500, 800
SYNCER_QUEUE = 10
FIRST_TRIES = 10
LAG_S = 0.8
"""How old the first picture is. The following ones are a nominal period apart, however fast they are taken."""


class SoftwareCamera:
    """A D400 in software. Its cable can be pulled, its picture's size and its clock can be wrong."""

    def __init__(self, serial: str = "000000000001", recording: Path | None = None, width: int = WIDTH) -> None:
        self.width = width
        self.plugged_in = True
        self.hangs = False
        self.depth_flows = True
        self.starts = 0
        self._count = 0
        self._stamp_ms = 1e3 * (time.time() - LAG_S)
        self._device = rs.software_device()
        self._device.create_matcher(rs.matchers.default)
        self._device.register_info(rs.camera_info.name, "Software D435")
        self._device.register_info(rs.camera_info.serial_number, serial)
        self._depth, self._colour = (self._device.add_sensor(name) for name in ("Stereo Module", "RGB Camera"))
        self._depth_profile = self._add(self._depth, rs.stream.depth, 1, rs.format.z16, FOCAL_DEPTH)
        self._colour_profile = self._add(self._colour, rs.stream.color, 2, rs.format.rgb8, FOCAL_COLOUR)
        self._depth.add_read_only_option(rs.option.depth_units, DEPTH_UNIT_M)
        extrinsics = rs.extrinsics()
        extrinsics.rotation, extrinsics.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [BASELINE_M, 0, 0]
        self._depth_profile.register_extrinsics_to(self._colour_profile, extrinsics)
        self._recorder = rs.recorder(str(recording), self._device) if recording is not None else None

    def _add(self, sensor: Any, kind: Any, uid: int, form: Any, focal: float) -> Any:
        lens = rs.intrinsics()
        lens.width, lens.height, lens.fx, lens.fy = self.width, HEIGHT, focal, focal
        lens.ppx, lens.ppy = self.width / 2, HEIGHT / 2
        lens.model, lens.coeffs = rs.distortion.brown_conrady, [0.1, 0.0, 0.0, 0.0, 0.0]
        stream = rs.video_stream()
        stream.type, stream.index, stream.uid, stream.fmt = kind, 0, uid, form
        stream.width, stream.height, stream.fps = self.width, HEIGHT, RATE_HZ
        stream.bpp, stream.intrinsics = 2 if kind == rs.stream.depth else 3, lens
        return rs.video_stream_profile(sensor.add_video_stream(stream))

    # --- tenon_realsense.sources.FrameSource ---

    def start(self) -> Any:
        if not self.plugged_in:
            raise CameraError(CameraFault.MISSING, "no RealSense with that serial is connected")
        self.starts += 1
        self._syncer = rs.syncer(SYNCER_QUEUE)
        for sensor, profile in zip(self._sensors(), (self._depth_profile, self._colour_profile), strict=True):
            sensor.open(profile)
            sensor.start(self._syncer)
        return self._colour_profile

    def wait(self, timeout_s: float) -> Any | None:
        """The syncer may need a pair or two before it hands out the first."""
        for _ in range(FIRST_TRIES):
            if not self.plugged_in:
                break
            self.push()
            arrived, frames = self._syncer.try_wait_for_frames(round(1e3 * timeout_s / FIRST_TRIES))
            if arrived and frames.get_color_frame():
                return frames
        return None

    def stop(self) -> None:
        for sensor in self._sensors():
            sensor.stop()
            sensor.close()

    def close_recording(self) -> None:
        del self._recorder

    # --- what it sees ---

    def push(self) -> None:
        """One pair of pictures."""
        self._count += not self.hangs
        self._stamp_ms += 1e3 / RATE_HZ
        depth = np.full((HEIGHT, self.width), WALL_MM, np.uint16)
        depth[12:36, 16:48] = BOX_MM
        if self.depth_flows:
            self._send(self._depth, self._depth_profile, depth, 2, self._stamp_ms)
        self._send(self._colour, self._colour_profile, picture(self._count, self.width), 3, self._stamp_ms)

    def _send(self, sensor: Any, profile: Any, pixels: Any, size: int, stamp_ms: float) -> None:
        frame = rs.software_video_frame()
        frame.pixels, frame.stride, frame.bpp = np.ascontiguousarray(pixels), self.width * size, size
        frame.timestamp, frame.domain = stamp_ms, rs.timestamp_domain.system_time
        frame.frame_number, frame.profile = self._count, profile
        if size == 2:
            frame.depth_units = DEPTH_UNIT_M
        self._kept = [*getattr(self, "_kept", [])[-20:], pixels]  # librealsense borrows the pixels
        sensor.on_video_frame(frame)

    def _sensors(self) -> Any:
        if self._recorder is not None:
            return self._recorder.query_sensors()
        return self._depth, self._colour


def picture(count: int, width: int = WIDTH) -> np.ndarray:
    """(HEIGHT, width, 3) RGB: red counts, a green spot in the middle."""
    rgb = np.zeros((HEIGHT, width, 3), np.uint8)
    rgb[:, :, 0] = count % 200
    rgb[20:28, width // 2 - 4 : width // 2 + 4] = (0, 255, 0)
    return rgb
