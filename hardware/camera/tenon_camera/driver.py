"""A plain camera, by OpenCV.

``device`` is a video device of the operating system, with exposure and white balance fixed; ``file`` plays a video in a
loop at the configured rate, so that everything behind a camera can be tested without one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tenon.configuration.camera import CameraConfig, IntrinsicsConfig
from tenon_camera.frame import CameraError, CameraFault, Clock, Frame, taken_ns

LOG = logging.getLogger(__name__)

_MANUAL_EXPOSURE = 1.0
_EXPOSURE_UNIT_US = 100.0
"""Video4Linux counts exposure in units of 100 us."""

OpenDevice = Callable[[str], cv2.VideoCapture]


def open_v4l2(path: str) -> cv2.VideoCapture:
    """A video device by Video4Linux."""
    return cv2.VideoCapture(path, cv2.CAP_V4L2)


class CameraDriver:
    """A tenon_camera.frame.Camera."""

    def __init__(self, config: CameraConfig, open_device: OpenDevice = open_v4l2) -> None:
        self._config = config
        self._open_device_at = open_device
        self._capture: cv2.VideoCapture | None = None

    @property
    def intrinsics(self) -> IntrinsicsConfig | None:
        return self._config.intrinsics

    def configure(self) -> None:
        config = self._config
        if config.source == "file":
            self._open_file(config)
        elif config.source == "device":
            self._open_device(config)
        else:
            raise CameraError(
                CameraFault.REFUSED,
                f"camera {config.name!r}: this driver has no source {config.source!r}; only 'device' and 'file'",
            )

    def activate(self) -> None:
        self.read(time.monotonic_ns)

    def read(self, clock: Clock) -> Frame:
        capture = self._opened()
        delivered, bgr = capture.read()
        if not delivered and self._config.source == "file":
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            delivered, bgr = capture.read()
        if not delivered:
            raise CameraError(
                CameraFault.UNPLUGGED,
                f"camera {self._config.name!r} ({self._what()}) delivers no frame: check its cable and that no other "
                "program uses it",
            )
        return Frame(taken_ns(clock, self._age_s(capture)), self._checked(bgr))

    def deactivate(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _checked(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = bgr.shape[:2]
        if (width, height) != (self._config.width, self._config.height):
            raise CameraError(
                CameraFault.WRONG_PICTURE,
                f"camera {self._config.name!r} delivers {width} x {height} pixels, its configuration says "
                f"{self._config.width} x {self._config.height}: set width and height to what the camera can do",
            )
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))

    def _age_s(self, capture: cv2.VideoCapture) -> float:
        """Video4Linux stamps its buffers on the steady clock; a video has no such stamps."""
        if self._config.source == "file":
            return 0.0
        return time.monotonic() - 1e-3 * capture.get(cv2.CAP_PROP_POS_MSEC)

    def _opened(self) -> cv2.VideoCapture:
        if self._capture is None:
            raise CameraError(
                CameraFault.REFUSED, f"camera {self._config.name!r} is not configured: call configure first"
            )
        return self._capture

    def _what(self) -> str:
        return str(self._config.file if self._config.source == "file" else self._config.device)

    def _open_file(self, config: CameraConfig) -> None:
        assert config.file is not None  # the configuration has seen to it
        if not config.file.is_file():
            raise CameraError(CameraFault.MISSING, f"camera {config.name!r}: {config.file}: no such file")
        self._capture = self._open(cv2.VideoCapture(str(config.file)), f"{config.file} is no video that can be read")

    def _open_device(self, config: CameraConfig) -> None:
        device = config.device
        there = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "none"
        complaint = f"device {device} cannot be opened. Video devices here: {there}. Check cable, power and permissions"
        path = f"/dev/video{device}" if isinstance(device, int) else str(device)
        if not Path(path).exists():
            raise CameraError(CameraFault.MISSING, f"camera {config.name!r}: {complaint}")
        capture = self._open(self._open_device_at(path), complaint)
        self._capture = capture
        settings = (
            (cv2.CAP_PROP_FRAME_WIDTH, config.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, config.height),
            (cv2.CAP_PROP_FPS, config.rate_hz),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        )
        for key, value in settings:  # what comes of them shows in the pictures
            capture.set(key, value)
        self._lock_colours(capture)

    def _lock_colours(self, capture: cv2.VideoCapture) -> None:
        """Video4Linux puts what a camera cannot do into its range without a word, so it is read again."""
        config = self._config
        assert config.exposure_us is not None and config.white_balance_k is not None  # the configuration has seen to it
        settings = (
            ("manual exposure", cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE),
            ("exposure in units of 100 us", cv2.CAP_PROP_EXPOSURE, config.exposure_us / _EXPOSURE_UNIT_US),
            ("automatic white balance", cv2.CAP_PROP_AUTO_WB, 0.0),
            ("white_balance_k", cv2.CAP_PROP_WB_TEMPERATURE, float(config.white_balance_k)),
        )
        has = {key: capture.set(key, value) for _, key, value in settings}
        for name, key, value in settings:
            taken = capture.get(key)
            if not has[key] and taken < 0.0:
                LOG.warning("camera %r has no %s to set: see that its pictures do not adapt", config.name, name)
            elif abs(taken - value) >= 1.0:
                raise CameraError(
                    CameraFault.REFUSED,
                    f"camera {config.name!r} was asked for {name}: {value:g}, and took {taken:g}: see by "
                    "v4l2-ctl --list-ctrls what it can do",
                )

    def _open(self, capture: cv2.VideoCapture, complaint: str) -> cv2.VideoCapture:
        if not capture.isOpened():
            raise CameraError(CameraFault.MISSING, f"camera {self._config.name!r}: {complaint}")
        return capture
