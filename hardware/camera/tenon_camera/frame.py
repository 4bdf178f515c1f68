"""What every camera delivers, and how it says that it does not."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenon.configuration.camera import IntrinsicsConfig

Clock = Callable[[], int]
"""Reads the time that stamps are in, in nanoseconds."""
AGE_MAX_S = 1.0
"""A source that says a picture is older than this has a clock of its own: then the time of arrival counts."""


class CameraFault(enum.StrEnum):
    """What can be wrong with a camera, by name."""

    MISSING = "missing"
    UNPLUGGED = "unplugged"
    REFUSED = "refused"
    WRONG_PICTURE = "wrong_picture"
    FROZEN = "frozen"
    SLOW = "slow"


class CameraError(RuntimeError):
    """A camera that does not deliver. The message says what was tried, what is there and what to do."""

    def __init__(self, fault: CameraFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture: rgb (height, width, 3) uint8; depth_mm (height, width) uint16, 0 where there is none, aligned to
    rgb; stamp_ns: when it was taken, on the clock of the caller.
    """

    stamp_ns: int
    rgb: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16] | None = None


class Camera(Protocol):
    """The lifecycle of all cameras. Not thread-safe. Nothing here moves."""

    def configure(self) -> None:
        """Finds the source and sets size, rate, exposure. Raises CameraError when it is missing, busy, or refuses."""
        ...

    def activate(self) -> None:
        """Takes the first frame, so that a camera which opens but delivers nothing is found now."""
        ...

    def read(self, clock: Clock) -> Frame:
        """Waits for the next frame. Raises CameraError when none comes, or one that nobody asked for."""
        ...

    def deactivate(self) -> None:
        """Lets go of the source. ``configure`` opens it anew."""
        ...

    @property
    def intrinsics(self) -> IntrinsicsConfig | None:
        """Of the pictures; None where nobody has measured them. Known once configured."""
        ...


def taken_ns(clock: Clock, age_s: float) -> int:
    """The stamp of a picture that came just now and says that it is age_s old."""
    plausible = 0.0 <= age_s <= AGE_MAX_S
    return clock() - (round(age_s * 1e9) if plausible else 0)
