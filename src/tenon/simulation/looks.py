"""How a connector and its surroundings look: colours, collar, housing, what lies around, light, camera.

Only the housing and the panel are also felt (they are what stands around the hole); all else is drawn, not touched.
Positions are in the plug's xy plane, from the axis of insertion; +y is away from the camera of mount "front".
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, model_validator

from tenon.configuration.base import Config

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]

COLOURS = 3


def _is_colour(value: object) -> object:
    numbers = list(value) if isinstance(value, list | tuple) else []
    if len(numbers) != COLOURS or not all(isinstance(n, int | float) and 0 <= n <= 1 for n in numbers):
        raise ValueError("a colour is [red, green, blue], each from 0 to 1: 128 of 255 is 0.502")
    return value


Colour = Annotated[tuple[Fraction, Fraction, Fraction], BeforeValidator(_is_colour)]
Texture = Literal["plain", "checker", "gradient", "speckle", "grid"]
CameraMount = Literal["front", "side"]

WIDEST_HANDLE_M, HIGHEST_HANDLE_M = 0.04, 0.03
WIDEST_PANEL_M = 0.3
HOUSING_MARGIN_M = 0.0025
"""The least wall around a hole: thinner ones could be passed through."""


class AppearanceConfig(Config):
    """Colours (red, green, blue in [0, 1]) and the pattern of the socket's face.

    shank: of the part of the plug that stays outside (shoulder_gap_m long), left out, as the plug. So what must go in
    can be told from what must not.
    """

    plug: Colour = (0.2, 0.2, 0.8)
    shank: Colour | None = None
    handle: Colour = (0.15, 0.15, 0.15)
    socket: Colour = (0.7, 0.5, 0.2)
    texture: Texture = "plain"


class HandleConfig(Config):
    """What the gripper holds: a block of width (x) by height (y), or a cylinder of diameter width."""

    shape: Literal["box", "cylinder"] = "box"
    width_m: Annotated[PositiveFloat, Field(le=WIDEST_HANDLE_M)] = 0.020
    height_m: Annotated[PositiveFloat, Field(le=HIGHEST_HANDLE_M)] = 0.012


class CollarConfig(Config):
    """A visible rim between plug and handle, thickness_m along the axis."""

    shape: Literal["rectangle", "round"] = "rectangle"
    width_m: Annotated[PositiveFloat, Field(le=0.05)]
    height_m: Annotated[PositiveFloat, Field(le=0.05)]
    thickness_m: Annotated[PositiveFloat, Field(le=0.01)] = 0.002
    colour: Colour = (0.8, 0.8, 0.8)

    @model_validator(mode="after")
    def _is_round(self) -> CollarConfig:
        if self.shape == "round" and self.width_m != self.height_m:
            raise ValueError(f"a round collar is as wide as high, not {self.width_m} by {self.height_m} m")
        return self


class HousingConfig(Config):
    """The block around the hole: margin_m beyond the hole's bounding box on x and y.

    proud_m: how far its face, where the hole begins, stands above the panel; negative where it lies in a recess.
    """

    margin_x_m: Annotated[float, Field(ge=HOUSING_MARGIN_M, le=0.02)]
    margin_y_m: Annotated[float, Field(ge=HOUSING_MARGIN_M, le=0.02)]
    proud_m: Annotated[float, Field(ge=-0.004, le=0.008)] = 0.0
    colour: Colour = (0.3, 0.3, 0.3)


class BezelConfig(Config):
    """A flat rim painted around the hole, margin_m beyond its bounding box."""

    shape: Literal["rectangle", "round"] = "rectangle"
    margin_m: Annotated[PositiveFloat, Field(le=0.012)] = 0.0015
    colour: Colour = (0.8, 0.8, 0.8)


class DistractorConfig(Config):
    """Something painted on the panel, of width_m by height_m: a screw's head, a label, a hole that is none."""

    kind: Literal["screw", "label", "hole"]
    x_m: float
    y_m: float
    width_m: Annotated[PositiveFloat, Field(le=0.04)]
    height_m: Annotated[PositiveFloat, Field(le=0.04)]
    colour: Colour = (0.6, 0.6, 0.6)


class PanelConfig(Config):
    """The plate that the socket sits in, centred on the hole. A plug that misses stands on it."""

    width_m: Annotated[PositiveFloat, Field(ge=0.06, le=WIDEST_PANEL_M)] = 0.1
    height_m: Annotated[PositiveFloat, Field(ge=0.06, le=WIDEST_PANEL_M)] = 0.1


class SurroundingsConfig(Config):
    """Where the socket stands.

    light_azimuth_rad: where the light comes from, anticlockwise from the base's x; light_elevation_rad: above the
    table. light_brightness: of that lamp; ambient_brightness: of light from everywhere. table_tile_m: of its texture.
    camera_mount: "front" and "side" stand for two robots; the fingers differ as well.
    """

    table: Colour = (0.28, 0.25, 0.24)
    table_pattern: Colour = (0.2, 0.18, 0.17)
    table_texture: Texture = "plain"
    table_tile_m: PositiveFloat = 0.04
    light_azimuth_rad: Annotated[float, Field(ge=-math.pi, le=math.pi)] = 0.8
    light_elevation_rad: Annotated[float, Field(ge=0.3, le=math.pi / 2)] = 1.2
    light_brightness: Annotated[NonNegativeFloat, Field(le=1.0)] = 0.5
    ambient_brightness: Annotated[NonNegativeFloat, Field(le=1.0)] = 0.4
    camera_mount: CameraMount = "front"
