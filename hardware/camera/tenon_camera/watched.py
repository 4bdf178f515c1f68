"""A camera that comes back: watches what it delivers, names what is wrong, opens it anew once it was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tenon.configuration.camera import CameraConfig, IntrinsicsConfig
from tenon.control.rate import RateWatch
from tenon_camera.frame import Camera, CameraError, CameraFault, Clock, Frame

RATE_TOLERANCE: Final = 0.9
"""A camera that delivers less than this share of its rate is slow."""
IDENTICAL_FRAMES: Final = 10
"""A sensor's noise makes each picture another; so many equal ones in a row come from a camera that hangs."""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """fault: None while all is well. detail: what was seen and what to do. losses: how often the source was lost."""

    fault: CameraFault | None
    detail: str
    losses: int


class WatchedCamera:
    """Feed it time by calling ``poll`` at the camera's rate. Not thread-safe.

    While a camera is lost nothing is delivered (an old picture is never sent again), and one that is back delivers
    without being asked; what the arm does about it is the safety supervisor's affair.
    """

    def __init__(self, camera: Camera, config: CameraConfig) -> None:
        self._camera, self._config = camera, config
        self._rate = RateWatch()
        self._retry_ns: int | None = None
        self._last: NDArray[np.uint8] | None = None
        self._identical = 0
        self._fault: tuple[CameraFault, str] | None = None
        self._losses = 0

    @property
    def health(self) -> CameraHealth:
        fault, detail = self._fault or (None, "")
        return CameraHealth(fault, detail, self._losses)

    @property
    def intrinsics(self) -> IntrinsicsConfig | None:
        return self._camera.intrinsics

    def open(self) -> None:
        """Configures and activates. Raises CameraError: at the start a person is there to mend it."""
        try:
            self._camera.configure()
            self._camera.activate()
        except CameraError:
            self._camera.deactivate()
            raise

    def close(self) -> None:
        self._camera.deactivate()

    def poll(self, clock: Clock, steady_ns: int) -> Frame | None:
        """The next frame; None while there is none, and ``health`` says why. steady_ns: a steady clock's reading."""
        if self._retry_ns is not None and not self._reopened(steady_ns):
            return None
        try:
            frame = self._camera.read(clock)
            self._check_that_it_lives(frame)
        except CameraError as error:
            self._lose(error, steady_ns)
            return None
        self._watch_rate(steady_ns)
        return frame

    def _reopened(self, steady_ns: int) -> bool:
        assert self._retry_ns is not None
        if steady_ns < self._retry_ns:
            return False
        try:
            self.open()
        except CameraError as error:
            self._retry_ns = steady_ns + round(self._config.reconnect_s * 1e9)
            self._fault = (error.fault, str(error))
            return False
        self._retry_ns, self._fault = None, None
        self._rate = RateWatch()
        return True

    def _lose(self, error: CameraError, steady_ns: int) -> None:
        self._losses += 1
        self._fault = (error.fault, str(error))
        self._camera.deactivate()
        self._last, self._identical = None, 0
        self._retry_ns = steady_ns + round(self._config.reconnect_s * 1e9)

    def _check_that_it_lives(self, frame: Frame) -> None:
        if not self._config.live:
            return
        same = self._last is not None and np.array_equal(self._last, frame.rgb)
        self._identical = self._identical + 1 if same else 0
        self._last = frame.rgb
        if self._identical >= IDENTICAL_FRAMES:
            raise CameraError(
                CameraFault.FROZEN,
                f"camera {self._config.name!r} has sent the same picture {self._identical + 1} times: it hangs. It is "
                "opened anew; if that does not help, unplug it and plug it in again",
            )

    def _watch_rate(self, steady_ns: int) -> None:
        rate_hz = self._rate.add(steady_ns)
        if rate_hz is None:
            return
        self._fault = None
        if rate_hz < RATE_TOLERANCE * self._config.rate_hz:
            self._fault = (
                CameraFault.SLOW,
                f"{self._config.name} camera delivers {rate_hz:.1f} Hz, its configuration says "
                f"{self._config.rate_hz:g} Hz: check exposure time, USB port and cable, or lower rate_hz in its file",
            )
