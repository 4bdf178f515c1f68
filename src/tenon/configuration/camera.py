"""A camera of the stand, one file each in ``config/cameras``. Real and simulated ones deliver the same topic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tenon.configuration.base import Config

CameraSource = Literal["simulation", "device", "realsense", "file"]

_NEEDS: dict[CameraSource, tuple[str, ...]] = {
    "simulation": (),
    "device": ("device",),
    "realsense": ("serial",),
    "file": ("file",),
}


class CameraConfig(Config):
    """source: where the pictures come from; it decides which of device, serial and file must be given.

    device: a video device's path or index. serial: of a RealSense. file: a video that is played in a loop, for tests.
    width, height: of the picture that the source delivers, pixels. rate_hz: nominal, in session time.
    exposure_us, white_balance_k: fixed values; None leaves them to the simulation. An image reward needs them fixed
    (insertion.md, pitfall 9), so a real camera must state both.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    source: CameraSource
    device: str | int | None = None
    serial: str | None = None
    file: Path | None = None
    width: Annotated[PositiveInt, Field(le=4096)]
    height: Annotated[PositiveInt, Field(le=4096)]
    rate_hz: Annotated[PositiveFloat, Field(le=240.0)]
    exposure_us: PositiveInt | None = None
    white_balance_k: Annotated[int | None, Field(ge=2000, le=10000)] = None

    @model_validator(mode="after")
    def _fits_its_source(self) -> CameraConfig:
        needed = _NEEDS[self.source]
        for key in ("device", "serial", "file"):
            given = getattr(self, key) is not None
            if key in needed and not given:
                raise ValueError(f"source {self.source!r} needs {key}")
            if given and key not in needed:
                raise ValueError(f"{key} is given, but source {self.source!r} does not use it: remove it")
        if self.source in ("device", "realsense") and (self.exposure_us is None or self.white_balance_k is None):
            raise ValueError(
                "a real camera needs fixed exposure_us and white_balance_k: what adapts by itself changes image rewards"
            )
        return self
