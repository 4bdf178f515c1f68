"""A family of connectors, drawn from a seed: many series, each with its own shape, some of them held out.

Every connector has a generator of its own (seed, series, number), so that another series, or more of one, changes none
of the others. What is drawn is rounded, so that a file holds exactly what was drawn.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from tenon.configuration.base import Config, ConfigurationError, parse
from tenon.simulation.connectors import ConnectorConfig, PinsConfig
from tenon.simulation.family_looks import LookRanges
from tenon.simulation.family_shapes import Range, SeriesShape, drawn
from tenon.simulation.profiles import bounds_of

RECESS_ROOM_M, RECESS_SIGHT = 0.0015, 1.7
"""Between a recess's wall and the hole: room for the collar, and so many times its depth that the camera looks in."""
COLLAR_THICKNESS_M, BEGINS_AT = (0.0015, 0.005), (0.2, 0.4)
HANDLE_SHARE, HANDLE_LEAST_M, HANDLE_MOST_M = (0.6, 1.0), (0.007, 0.006), (0.03, 0.02)
"""A handle's width and height: of the collar's, and at least and at most."""
ATTEMPTS = 20
"""Draws of one connector, after which its series' ranges are called impossible."""
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class SeriesConfig(Config):
    """Connectors of one kind: numbers of ConnectorConfig, as ranges.

    held_out: never trained on. retention_n: of the largest force of an episode. collar_margin_m: the collar beyond the
    plug's bounding box, on x collar_margin_x_m where it is given; a wide one hides from the camera how far the plug is
    in. housing_margin_m: left out for a hole in the bare panel; proud_m: negative for a recess.
    bezel, metal: the shares of connectors with a painted rim, and with a plug of metal; others are of plastic.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    count: PositiveInt = 5
    held_out: bool = False
    shape: SeriesShape
    depth_m: Range
    clearance_m: Range = (0.0003, 0.0006)
    lead_in_m: Range = (0.0003, 0.0008)
    friction: Range = (0.1, 0.35)
    retention_n: Range = (0.0, 3.0)
    shoulder_gap_m: Range = (0.0, 0.0)
    collar_margin_m: Range = (0.0002, 0.0007)
    collar_margin_x_m: Range | None = None
    collar_shape: Literal["rectangle", "round"] = "rectangle"
    housing_margin_m: Range | None = None
    proud_m: Range = (0.0, 0.0)
    bezel: Share = 0.3
    bezel_margin_m: Range = (0.001, 0.0022)
    pins: PinsConfig | None = None
    metal: Share = 1.0


class FamilyConfig(Config):
    """All series and what surrounds them. grasp_m: how far the plug stands out of the gripper, about the usual."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    seed: NonNegativeInt
    series: Annotated[tuple[SeriesConfig, ...], Field(min_length=1)]
    grasp_m: Range = (-0.004, 0.004)
    looks: LookRanges = LookRanges()

    @model_validator(mode="after")
    def _names_differ(self) -> FamilyConfig:
        names = [series.name for series in self.series]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"a series' name stands for one series: {', '.join(twice)} occurs more than once")
        return self

    @property
    def held_out_series(self) -> frozenset[str]:
        return frozenset(series.name for series in self.series if series.held_out)


def generate(config: FamilyConfig) -> list[ConnectorConfig]:
    """All connectors of the family, in the order of its series. Raises ConfigurationError for ranges that cannot be."""
    return [_connector(config, series, index) for series in config.series for index in range(series.count)]


def connector_text(connector: ConnectorConfig) -> str:
    """The YAML that loads as an equal connector; only what was given is written."""
    data = connector.model_dump(mode="json", exclude_unset=True)
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=120)


def _connector(config: FamilyConfig, series: SeriesConfig, index: int) -> ConnectorConfig:
    """The first of its generator's draws that can be: ranges may meet in a shape that cannot, two prongs too near."""
    generator = np.random.default_rng((config.seed, zlib.crc32(series.name.encode()), index))
    name = f"{series.name}_{index + 1:02d}"
    for _ in range(ATTEMPTS - 1):
        try:
            return _drawn_connector(config, series, name, generator)
        except ConfigurationError:
            continue
    return _drawn_connector(config, series, name, generator)


def _drawn_connector(
    config: FamilyConfig, series: SeriesConfig, name: str, generator: np.random.Generator
) -> ConnectorConfig:
    data = _felt(series, generator) | {"grasp_m": drawn(generator, config.grasp_m)}
    parts = _parts(series, data, name, generator)
    data = {"name": name, "series": series.name, **data, **parts}
    return parse(
        ConnectorConfig, config.looks.dress(data, generator, metal=series.metal), where=f"family {config.name}: {name}"
    )


def _felt(series: SeriesConfig, generator: np.random.Generator) -> dict[str, Any]:
    shape = series.shape.draw(generator)
    numbers = {key: drawn(generator, getattr(series, key)) for key in ("depth_m", "clearance_m", "lead_in_m")}
    maximum_n = drawn(generator, series.retention_n, 1)
    data = {
        "plug": shape,
        **numbers,
        "friction": drawn(generator, series.friction, 2),
        "retention": {"minimum_n": 0.0, "maximum_n": maximum_n, "begins_at": drawn(generator, BEGINS_AT, 2)},
        "shoulder_gap_m": drawn(generator, series.shoulder_gap_m),
    }
    return data if series.pins is None else data | {"pins": series.pins.model_dump(mode="json")}


def _parts(series: SeriesConfig, felt: Mapping[str, Any], name: str, generator: np.random.Generator) -> dict[str, Any]:
    """Collar, handle, housing and bezel: sizes, no colours."""
    bare = parse(ConnectorConfig, {"name": name, **felt}, where=f"series {series.name}")
    plug = bounds_of(*bare.plug.outlines())
    width, height = 2 * max(plug.right, -plug.left), 2 * max(plug.upper, -plug.lower)
    margin = drawn(generator, series.collar_margin_m)
    margin_x = margin if series.collar_margin_x_m is None else drawn(generator, series.collar_margin_x_m)
    collar = {"shape": series.collar_shape, "width_m": width + 2 * margin_x, "height_m": height + 2 * margin}
    if series.collar_shape == "round":
        collar["width_m"] = collar["height_m"] = max(width, height) + 2 * margin
    collar = {key: round(value, 5) if isinstance(value, float) else value for key, value in collar.items()}
    collar["thickness_m"] = drawn(generator, COLLAR_THICKNESS_M)
    share = float(generator.uniform(*HANDLE_SHARE))
    handle = {
        "shape": "cylinder" if series.collar_shape == "round" else "box",
        "width_m": round(min(HANDLE_MOST_M[0], max(HANDLE_LEAST_M[0], share * float(collar["width_m"]))), 5),
        "height_m": round(min(HANDLE_MOST_M[1], max(HANDLE_LEAST_M[1], share * float(collar["height_m"]))), 5),
    }
    parts: dict[str, Any] = {"collar": collar, "handle": handle}
    room = math.inf
    if series.housing_margin_m is not None:
        proud = drawn(generator, series.proud_m)
        least = max(max(margin, margin_x) + RECESS_ROOM_M, -proud * RECESS_SIGHT) if proud < 0 else 0.0
        margins = [max(round(least, 5), drawn(generator, series.housing_margin_m)) for _ in range(2)]
        parts["housing"] = {"margin_x_m": margins[0], "margin_y_m": margins[1], "proud_m": proud}
        room = round(min(margins) - float(felt["lead_in_m"]), 5)
    if generator.uniform() < series.bezel:
        parts["bezel"] = {"margin_m": min(room, drawn(generator, series.bezel_margin_m))}
    return parts
