"""Ranges from which the shapes of a series are drawn."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from tenon.configuration.base import Config

MILLIMETRE_DIGITS = 5
"""Lengths are rounded to 0.01 mm, so that what stands in a file is what was drawn."""


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"a range is (lowest, highest), not {value}")
    return value


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]


def drawn(generator: np.random.Generator, between: tuple[float, float], digits: int = MILLIMETRE_DIGITS) -> float:
    """Uniform in the range, rounded."""
    return round(float(generator.uniform(*between)), digits)


class RibRanges(Config):
    """A rib on one side, offset_share of half the side's length from its middle, width_share of that length wide."""

    side: Literal["+x", "-x", "+y", "-y"]
    offset_share: Range = (0.0, 0.0)
    width_share: Range = (0.25, 0.35)
    height_m: Range = (0.0012, 0.0024)

    def draw(self, generator: np.random.Generator, length_m: float) -> dict[str, Any]:
        width = drawn(generator, (self.width_share[0] * length_m, self.width_share[1] * length_m))
        offset = drawn(generator, (self.offset_share[0] * length_m / 2, self.offset_share[1] * length_m / 2))
        return {"side": self.side, "offset_m": offset, "width_m": width, "height_m": drawn(generator, self.height_m)}


class RectangleRanges(Config):
    """aspect: height over width. turned: how often the long side lies along y instead."""

    shape: Literal["rectangle"] = "rectangle"
    width_m: Range
    aspect: Range
    ribs: tuple[RibRanges, ...] = ()
    turned: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        width = drawn(generator, self.width_m)
        height = round(width * float(generator.uniform(*self.aspect)), MILLIMETRE_DIGITS)
        if generator.uniform() < self.turned:
            width, height = height, width
        ribs = [rib.draw(generator, height if rib.side in ("+x", "-x") else width) for rib in self.ribs]
        return {"shape": self.shape, "width_m": width, "height_m": height, **({"ribs": ribs} if ribs else {})}


class KeystoneRanges(Config):
    shape: Literal["keystone"] = "keystone"
    width_m: Range
    aspect: Range
    side_angle_rad: Range

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        width = drawn(generator, self.width_m)
        return {
            "shape": self.shape,
            "width_m": width,
            "height_m": round(width * float(generator.uniform(*self.aspect)), MILLIMETRE_DIGITS),
            "side_angle_rad": drawn(generator, self.side_angle_rad, 3),
        }


class RoundRanges(Config):
    """key_width_m, key_height_m: left out for a round without a key."""

    shape: Literal["round"] = "round"
    diameter_m: Range
    key_width_m: Range | None = None
    key_height_m: Range = (0.001, 0.002)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        shape: dict[str, Any] = {"shape": self.shape, "diameter_m": drawn(generator, self.diameter_m)}
        if self.key_width_m is not None:
            width, height = drawn(generator, self.key_width_m), drawn(generator, self.key_height_m)
            shape["key"] = {"width_m": width, "height_m": height}
        return shape


class OvalRanges(Config):
    shape: Literal["oval"] = "oval"
    width_m: Range
    aspect: Range

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        width = drawn(generator, self.width_m)
        height = round(width * float(generator.uniform(*self.aspect)), MILLIMETRE_DIGITS)
        return {"shape": self.shape, "width_m": width, "height_m": height}


class ProngsRanges(Config):
    """Two equal prongs spacing_m apart along x; ground: and a round one, ground_offset_m towards +y.

    blade_width_m: a prong's x; blade_aspect: its y over x, so that more than 1 are blades; left out for round ones.
    turned: how often all of it is turned by 90 degrees.
    """

    shape: Literal["prongs"] = "prongs"
    spacing_m: Range
    blade_width_m: Range
    blade_aspect: Range | None = None
    ground_diameter_m: Range | None = None
    ground_offset_m: Range = (0.008, 0.011)
    turned: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        half, width = drawn(generator, self.spacing_m, 4) / 2, drawn(generator, self.blade_width_m)
        sides: tuple[float, float] | None = None
        if self.blade_aspect is not None:
            sides = width, round(width * float(generator.uniform(*self.blade_aspect)), MILLIMETRE_DIGITS)
        places = [(-half, 0.0), (half, 0.0)]
        ground = None
        if self.ground_diameter_m is not None:
            down = drawn(generator, self.ground_offset_m) / 2
            places = [(x, -down) for x, _ in places]
            ground = {"shape": "round", "diameter_m": drawn(generator, self.ground_diameter_m)}
        if generator.uniform() < self.turned:
            places, sides = [(-y, x) for x, y in places], sides and (sides[1], sides[0])
        profile: dict[str, Any] = {"shape": "round", "diameter_m": width}
        if sides is not None:
            profile = {"shape": "rectangle", "width_m": sides[0], "height_m": sides[1]}
        prongs = [{"x_m": x, "y_m": y, "profile": profile} for x, y in places]
        if ground is not None:
            x, y = places[0][0] + places[1][0], places[0][1] + places[1][1]
            prongs.append({"x_m": -x / 2, "y_m": -y / 2, "profile": ground})
        return {"shape": self.shape, "prongs": prongs}


SeriesShape = Annotated[
    RectangleRanges | KeystoneRanges | RoundRanges | OvalRanges | ProngsRanges, Field(discriminator="shape")
]
