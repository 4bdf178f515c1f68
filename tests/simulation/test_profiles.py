"""Cross-sections: outlines against the areas that they must have, and shapes that cannot be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from tenon.simulation.connector_mjcf import free_areas
from tenon.simulation.meshes import trapezoids
from tenon.simulation.profiles import CIRCLE_CORNERS, Bounds, Profile, bounds_of

SHAPES = TypeAdapter(Profile)
POLYGON = CIRCLE_CORNERS / (2 * math.pi) * math.sin(2 * math.pi / CIRCLE_CORNERS)
"""Area of the polygon that stands for a circle, as a share of the circle's."""

RECTANGLE = {"shape": "rectangle", "width_m": 0.010, "height_m": 0.006}
RIB = {"side": "+y", "offset_m": 0.001, "width_m": 0.003, "height_m": 0.002}
ROUND = {"shape": "round", "diameter_m": 0.004}
PAIR = {"shape": "prongs", "prongs": [{"x_m": -0.0095, "profile": ROUND}, {"x_m": 0.0095, "profile": ROUND}]}


def area(loop):
    x, y = loop[:, 0], loop[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


@pytest.mark.parametrize(
    ("shape", "square_mm"),
    [
        (RECTANGLE, 60.0),
        ({**RECTANGLE, "ribs": [RIB, {**RIB, "side": "-x", "offset_m": 0.0}]}, 60.0 + 2 * 6.0),
        ({"shape": "keystone", "width_m": 0.01, "height_m": 0.004, "side_angle_rad": 0.25}, 40 - 16 * math.tan(0.25)),
        ({"shape": "round", "diameter_m": 0.01}, POLYGON * math.pi * 25),
        ({"shape": "oval", "width_m": 0.01, "height_m": 0.004}, 24 + POLYGON * math.pi * 4),
        (PAIR, 2 * POLYGON * math.pi * 4),
    ],
)
def test_an_outline_runs_anticlockwise_around_the_area_of_its_shape(shape, square_mm):
    loops = SHAPES.validate_python(shape).outlines()
    assert sum(map(area, loops)) * 1e6 == pytest.approx(square_mm, rel=1e-6)
    assert min(map(area, loops)) > 0
    assert sum(area(quad) for quad in trapezoids(loops)) * 1e6 == pytest.approx(square_mm, rel=1e-6)


def test_a_round_with_a_key_is_larger_by_the_key():
    keyed = SHAPES.validate_python({"shape": "round", "diameter_m": 0.01, "key": {"width_m": 0.002, "height_m": 0.001}})
    (loop,) = keyed.outlines()
    assert loop[:, 0].max() == pytest.approx(0.006)
    assert area(loop) * 1e6 == pytest.approx(POLYGON * math.pi * 25 + 2.0, abs=0.2)


@pytest.mark.parametrize("shape", [{**RECTANGLE, "ribs": [RIB]}, {**ROUND, "diameter_m": 0.02}, PAIR])
def test_an_area_with_holes_is_filled_up_to_the_holes(shape):
    holes = SHAPES.validate_python(shape).outlines()
    around = Bounds(-0.03, -0.03, 0.03, 0.03).corners()
    filled = sum(area(quad) for quad in trapezoids([around, *holes]))
    assert filled == pytest.approx(0.0036 - sum(map(area, holes)), rel=1e-6)


def test_what_is_free_around_holes_neither_overlaps_nor_leaves_a_gap():
    outer = Bounds(-0.05, -0.04, 0.05, 0.04)
    holes = [Bounds(-0.02, -0.01, -0.01, 0.01), Bounds(-0.015, 0.005, 0.02, 0.02), Bounds(0.0, -0.02, 0.01, -0.01)]
    areas = free_areas(outer, holes)
    rng = np.random.default_rng(0)
    for x, y in rng.uniform((-0.05, -0.04), (0.05, 0.04), (2000, 2)):
        in_hole = any(h.left < x < h.right and h.lower < y < h.upper for h in holes)
        assert sum(a.left < x < a.right and a.lower < y < a.upper for a in areas) == (0 if in_hole else 1)


def test_grown_by_the_clearance_every_edge_moves_out_by_it():
    for shape in (PAIR, {"shape": "oval", "width_m": 0.01, "height_m": 0.004}):
        profile = SHAPES.validate_python(shape)
        small, large = (bounds_of(*one.outlines()) for one in (profile, profile.grown(0.0005)))
        assert (small.left - large.left, large.upper - small.upper) == pytest.approx((0.0005, 0.0005))
        assert not profile.misfits(profile.grown(0.0005))
        assert profile.grown(0.0005).misfits(profile)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"shape": "oval", "width_m": 0.004, "height_m": 0.004}, "a circle is shape: round"),
        ({**RECTANGLE, "ribs": [RIB, {**RIB, "offset_m": 0.002}]}, "two ribs on side"),
        ({"shape": "prongs", "prongs": PAIR["prongs"][:1]}, "at least 2"),
        (
            {"shape": "prongs", "prongs": [{"x_m": x, "profile": ROUND} for x in (-0.003, 0.003)]},
            "nearer to each other",
        ),
        (
            {"shape": "prongs", "prongs": [{"x_m": 0.0, "profile": {**RECTANGLE, "ribs": [RIB]}}, PAIR["prongs"][1]]},
            "neither ribs nor a key",
        ),
    ],
)
def test_a_shape_that_cannot_be_is_refused_with_the_reason(shape, reason):
    with pytest.raises(ValidationError, match=reason):
        SHAPES.validate_python(shape)
