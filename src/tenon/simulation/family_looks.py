"""How the connectors of a family are coloured, lit and surrounded."""

from __future__ import annotations

import colorsys
import math
from typing import Any, get_args

import numpy as np
from pydantic import NonNegativeInt

from tenon.configuration.base import Config
from tenon.simulation.family_shapes import Range, drawn
from tenon.simulation.looks import CameraMount, Texture

CONTRAST = 0.35
"""Two colours that must be told apart differ by so much in one channel at least."""
ATTEMPTS = 50
COLOUR_DIGITS = 2

Drawn = list[float]


class LookRanges(Config):
    """light_*, ambient_brightness: of SurroundingsConfig. distractors: how many lie around, at most.

    distractor_distance_m: from the axis. panel_m: the panel's width and height.
    """

    light_elevation_rad: Range = (0.6, 1.5)
    light_brightness: Range = (0.25, 0.75)
    ambient_brightness: Range = (0.25, 0.6)
    panel_m: Range = (0.07, 0.13)
    table_tile_m: Range = (0.015, 0.06)
    distractors: NonNegativeInt = 4
    distractor_distance_m: Range = (0.014, 0.034)

    def dress(self, data: dict[str, Any], generator: np.random.Generator, *, metal: float) -> dict[str, Any]:
        """``data`` of a connector, with colours, panel, things that lie around and surroundings.

        metal: how often the plug is of metal, else it is of plastic. The shank has the collar's colour and the plug
        another one: what of the plug still shows is what is not yet in, whatever the connector. With colours at will
        nobody could tell a shank from a plug that is short of home.
        """
        plug = _metal(generator) if generator.uniform() < metal else _paint(generator)
        collar, socket = _differing(generator, plug), _differing(generator, plug)
        face = _differing(generator, socket, plug) if "housing" in data else socket
        dressed = dict(data)
        dressed["appearance"] = {
            "plug": plug,
            "shank": collar,
            "handle": _paint(generator),
            "socket": socket,
            "texture": _any(generator, get_args(Texture)),
        }
        dressed["collar"] = {**data["collar"], "colour": collar}
        if "housing" in data:
            dressed["housing"] = {**data["housing"], "colour": face}
        if "bezel" in data:
            dressed["bezel"] = {**data["bezel"], "colour": _differing(generator, face, plug)}
        size = [drawn(generator, self.panel_m, 3) for _ in range(2)]
        dressed["panel"] = {"width_m": size[0], "height_m": size[1]}
        dressed["distractors"] = self._distractors(dressed, generator)
        dressed["surroundings"] = self._surroundings(generator)
        return dressed

    def _surroundings(self, generator: np.random.Generator) -> dict[str, Any]:
        return {
            "table": _paint(generator),
            "table_pattern": _paint(generator),
            "table_texture": _any(generator, get_args(Texture)),
            "table_tile_m": drawn(generator, self.table_tile_m, 3),
            "light_azimuth_rad": drawn(generator, (-math.pi, math.pi), 2),
            "light_elevation_rad": drawn(generator, self.light_elevation_rad, 2),
            "light_brightness": drawn(generator, self.light_brightness, 2),
            "ambient_brightness": drawn(generator, self.ambient_brightness, 2),
            "camera_mount": _any(generator, get_args(CameraMount)),
        }

    def _distractors(self, data: dict[str, Any], generator: np.random.Generator) -> list[dict[str, Any]]:
        """Anywhere around; those that would lie over the socket or over the panel's edge are left out."""
        items = []
        for _ in range(int(generator.integers(self.distractors + 1))):
            angle, distance = generator.uniform(-math.pi, math.pi), generator.uniform(*self.distractor_distance_m)
            item = _item(generator) | {
                "x_m": round(distance * math.cos(angle), 4),
                "y_m": round(distance * math.sin(angle), 4),
            }
            if _fits(item, data):
                items.append(item)
        return items


def _item(generator: np.random.Generator) -> dict[str, Any]:
    kind = _any(generator, ("screw", "label", "hole"))
    if kind == "label":
        size = [drawn(generator, (0.005, 0.014)), drawn(generator, (0.003, 0.008))]
        return {"kind": kind, "width_m": size[0], "height_m": size[1], "colour": _paint(generator)}
    if kind == "screw":
        diameter = drawn(generator, (0.003, 0.006))
        return {"kind": kind, "width_m": diameter, "height_m": diameter, "colour": _metal(generator)}
    width, height = drawn(generator, (0.003, 0.012)), drawn(generator, (0.003, 0.006))
    if generator.uniform() < 1 / 2:
        width = height
    shade = drawn(generator, (0.02, 0.1), COLOUR_DIGITS)
    return {"kind": kind, "width_m": width, "height_m": height, "colour": [shade] * 3}


def _fits(item: dict[str, Any], data: dict[str, Any]) -> bool:
    """By a circle around the socket, which is more than is needed."""
    housing, collar = data.get("housing", {}), data["collar"]
    reach = math.hypot(collar["width_m"], collar["height_m"]) / 2
    reach += math.hypot(housing.get("margin_x_m", 0.0), housing.get("margin_y_m", 0.0))
    away = math.hypot(item["x_m"], item["y_m"]) - math.hypot(item["width_m"], item["height_m"]) / 2
    inside = abs(item["x_m"]) + item["width_m"] / 2 < data["panel"]["width_m"] / 2
    return inside and away > reach and abs(item["y_m"]) + item["height_m"] / 2 < data["panel"]["height_m"] / 2


def _any(generator: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(generator.integers(len(choices)))]


def _paint(generator: np.random.Generator) -> Drawn:
    """Plastic or lacquer: never as grey as metal."""
    hue, saturation, value = generator.uniform(), generator.uniform(0.35, 0.9), generator.uniform(0.25, 0.95)
    return [round(channel, COLOUR_DIGITS) for channel in colorsys.hsv_to_rgb(hue, saturation, value)]


def _metal(generator: np.random.Generator) -> Drawn:
    """Steel, tin, nickel."""
    hue, saturation, value = generator.uniform(0.08, 0.15), generator.uniform(0.0, 0.2), generator.uniform(0.65, 0.95)
    return [round(channel, COLOUR_DIGITS) for channel in colorsys.hsv_to_rgb(hue, saturation, value)]


def _differing(generator: np.random.Generator, *others: Drawn) -> Drawn:
    """A colour that can be told from all ``others``."""
    for _ in range(ATTEMPTS):
        colour = _paint(generator)
        if min(max(abs(a - b) for a, b in zip(colour, other, strict=True)) for other in others) >= CONTRAST:
            break
    return colour
