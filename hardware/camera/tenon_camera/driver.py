"""A camera with the lifecycle of all drivers: configure, activate, read, deactivate.

``device`` is a video device of the operating system, with exposure and white balance fixed; ``file`` plays a video in a
loop at the configured rate, so that everything behind a camera can be tested without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tenon.configuration.camera import CameraConfig

_MANUAL_EXPOSURE = 1.0
_EXPOSURE_UNIT_US = 100.0
"""Video4Linux counts exposure in units of 100 us."""


class CameraError(RuntimeError):
    """A camera that does not deliver. The message says what was tried, what is there and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture: rgb (height, width, 3) uint8; stamp_ns: when it was taken, on the clock of the caller."""

    stamp_ns: int
    rgb: NDArray[np.uint8]


class CameraDriver:
    """Not thread-safe. Nothing here moves."""

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._capture: cv2.VideoCapture | None = None

    def configure(self) -> None:
        """Opens the source and sets size, rate, exposure. Afterwards frames can be read after ``activate``.

        Raises CameraError when it is missing, busy, or refuses the settings.
        """
        config = self._config
        if config.source == "file":
            self._open_file(config)
        elif config.source == "device":
            self._open_device(config)
        else:
            raise CameraError(
                f"camera {config.name!r}: camera_node does not drive source {config.source!r}; only 'device', 'file'"
            )

    def activate(self) -> None:
        """Takes the first frame, so that a camera which opens but delivers nothing is found now."""
        self.read(0)

    def read(self, now_ns: int) -> Frame:
        """The next frame, stamped now_ns. Raises CameraError when none comes."""
        capture = self._opened()
        delivered, bgr = capture.read()
        if not delivered and self._config.source == "file":
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            delivered, bgr = capture.read()
        if not delivered:
            raise CameraError(
                f"camera {self._config.name!r} ({self._what()}) delivers no frame: check its cable and that no other "
                "program uses it"
            )
        height, width = bgr.shape[:2]
        if (width, height) != (self._config.width, self._config.height):
            raise CameraError(
                f"camera {self._config.name!r} delivers {width} x {height} pixels, its configuration says "
                f"{self._config.width} x {self._config.height}: set width and height to what the camera can do"
            )
        return Frame(now_ns, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))

    def deactivate(self) -> None:
        """Lets go of the source. ``configure`` opens it anew."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _opened(self) -> cv2.VideoCapture:
        if self._capture is None:
            raise CameraError(f"camera {self._config.name!r} is not configured: call configure first")
        return self._capture

    def _what(self) -> str:
        return str(self._config.file if self._config.source == "file" else self._config.device)

    def _open_file(self, config: CameraConfig) -> None:
        assert config.file is not None  # the configuration has seen to it
        if not config.file.is_file():
            raise CameraError(f"camera {config.name!r}: {config.file}: no such file")
        self._capture = self._open(cv2.VideoCapture(str(config.file)), f"{config.file} is no video that can be read")

    def _open_device(self, config: CameraConfig) -> None:
        device = config.device
        there = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "none"
        complaint = f"device {device} cannot be opened. Video devices here: {there}. Check cable, power and permissions"
        path = f"/dev/video{device}" if isinstance(device, int) else str(device)
        if not Path(path).exists():
            raise CameraError(f"camera {config.name!r}: {complaint}")
        capture = self._open(cv2.VideoCapture(path, cv2.CAP_V4L2), complaint)
        assert config.exposure_us is not None  # the configuration has seen to it
        settings = (
            (cv2.CAP_PROP_FRAME_WIDTH, config.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, config.height),
            (cv2.CAP_PROP_FPS, config.rate_hz),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
            (cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE),
            (cv2.CAP_PROP_EXPOSURE, config.exposure_us / _EXPOSURE_UNIT_US),
            (cv2.CAP_PROP_AUTO_WB, 0.0),
            (cv2.CAP_PROP_WB_TEMPERATURE, float(config.white_balance_k or 0)),
        )
        for key, value in settings:
            capture.set(key, value)
        self._capture = capture

    def _open(self, capture: cv2.VideoCapture, complaint: str) -> cv2.VideoCapture:
        if not capture.isOpened():
            raise CameraError(f"camera {self._config.name!r}: {complaint}")
        return capture
