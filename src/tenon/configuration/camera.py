"""A camera of the stand, one file each in ``config/cameras``. Real and simulated ones deliver the same topics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tenon.configuration.base import Config

CameraSource = Literal["simulation", "device", "realsense", "realsense_recording", "file"]
PictureSize = Annotated[PositiveInt, Field(le=4096)]
Distortion = tuple[float, float, float, float, float]

_NEEDS: dict[CameraSource, tuple[str, ...]] = {
    "simulation": (),
    "device": ("device",),
    "realsense": ("serial",),
    "realsense_recording": ("file",),
    "file": ("file",),
}
REALSENSE: tuple[CameraSource, ...] = ("realsense", "realsense_recording")


class IntrinsicsConfig(Config):
    """A pinhole camera with the lens of Brown and Conrady, as sensor_msgs/CameraInfo has it.

    width, height: of the picture that the values belong to, pixels. fx, fy, cx, cy: focal lengths and principal point,
    pixels. distortion: k1, k2, t1, t2, k3.
    """

    width: PictureSize
    height: PictureSize
    fx: PositiveFloat
    fy: PositiveFloat
    cx: float
    cy: float
    distortion: Distortion = (0.0, 0.0, 0.0, 0.0, 0.0)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(3, 3), as OpenCV takes it."""
        return np.array(((self.fx, 0.0, self.cx), (0.0, self.fy, self.cy), (0.0, 0.0, 1.0)))


def ideal_intrinsics(width: int, height: int, field_of_view_rad: float) -> IntrinsicsConfig:
    """Of a camera without a lens that sees field_of_view_rad from top to bottom, as a renderer draws."""
    focal = 0.5 * height / math.tan(0.5 * field_of_view_rad)
    # pixel centres lie at whole numbers
    return IntrinsicsConfig(width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)


class DepthConfig(Config):
    """The depth stream of a RealSense. width, height: as its stereo module delivers it; what is published is aligned
    to the colour picture. emitter: the dots that it projects; they are in the colour picture too.
    """

    width: PictureSize = 640
    height: PictureSize = 480
    emitter: bool = True


class CameraConfig(Config):
    """source: where the pictures come from; it decides which of device, serial and file must be given.

    device: a video device's path or index. serial: of a RealSense. file: a video, or a recording of a RealSense (.db3),
    that is played in a loop, for tests.
    width, height: of the picture that the source delivers, pixels. rate_hz: nominal, in session time.
    exposure_us, white_balance_k: fixed values; None leaves them to the simulation. An image reward needs them fixed
    (insertion.md, pitfall 9), so a real camera must state both.
    intrinsics: of the lens, where the source does not know them itself (a RealSense does). depth: also publish depth.
    reconnect_s: from one try to the next to open a camera that was lost.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    source: CameraSource
    device: str | int | None = None
    serial: str | None = None
    file: Path | None = None
    width: PictureSize
    height: PictureSize
    rate_hz: Annotated[PositiveFloat, Field(le=240.0)]
    exposure_us: PositiveInt | None = None
    white_balance_k: Annotated[int | None, Field(ge=2000, le=10000)] = None
    intrinsics: IntrinsicsConfig | None = None
    depth: DepthConfig | None = None
    reconnect_s: PositiveFloat = 1.0

    @property
    def live(self) -> bool:
        """Whether a sensor makes the pictures, whose noise makes each another."""
        return self.source in ("device", "realsense")

    @model_validator(mode="after")
    def _fits_its_source(self) -> CameraConfig:
        needed = _NEEDS[self.source]
        for key in ("device", "serial", "file"):
            given = getattr(self, key) is not None
            if key in needed and not given:
                raise ValueError(f"source {self.source!r} needs {key}")
            if given and key not in needed:
                raise ValueError(f"{key} is given, but source {self.source!r} does not use it: remove it")
        if self.live and (self.exposure_us is None or self.white_balance_k is None):
            raise ValueError(
                "a real camera needs fixed exposure_us and white_balance_k: what adapts by itself changes image rewards"
            )
        if self.depth is not None and self.source not in REALSENSE:
            raise ValueError(f"depth is given, but source {self.source!r} has none: remove it")
        return self

    @model_validator(mode="after")
    def _lens_fits_the_picture(self) -> CameraConfig:
        lens = self.intrinsics
        if lens is None:
            return self
        if self.source in REALSENSE:
            raise ValueError(f"source {self.source!r} brings its own intrinsics: remove them")
        if (lens.width, lens.height) != (self.width, self.height):
            raise ValueError(
                f"intrinsics are for {lens.width} x {lens.height} pixels, the picture has {self.width} x {self.height}"
            )
        return self
