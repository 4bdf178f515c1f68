"""Meshes that are drawn, not felt: flat areas with holes, and walls along outlines."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tenon.simulation.mjcf import element, numbers
from tenon.simulation.profiles import Loop

Quad = NDArray[np.float64]
Crossing = tuple[float, float]
"""Where an edge crosses a strip: y at the strip's left, y at its right."""


class Mesh:
    """Quadrilaterals in the socket's frame (z into the table), each with the side from which it is seen."""

    def __init__(self) -> None:
        self._quads: list[Quad] = []

    def face(self, loops: Sequence[Loop], z_m: float, *, seen_from_below: bool = False) -> Mesh:
        """The area inside an odd number of loops, at a height; seen from above (-z) or, as a plug's tip, from below."""
        for quad in trapezoids(loops):
            corners = np.column_stack((quad, np.full(4, z_m)))
            self._quads.append(corners if seen_from_below else corners[::-1])
        return self

    def walls(self, loop: Loop, top_m: float, bottom_m: float, *, seen_from_inside: bool = False) -> Mesh:
        """Upright walls along a loop, between two heights (top_m < bottom_m)."""
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            quad = np.array(((x0, y0, top_m), (x1, y1, top_m), (x1, y1, bottom_m), (x0, y0, bottom_m)))
            self._quads.append(quad[::-1] if seen_from_inside else quad)
        return self

    def asset(self, name: str, *, tile_m: float | None = None) -> str:
        """<mesh>. tile_m: the size of a texture's tile, laid on along x and y."""
        vertices = np.concatenate(self._quads)
        faces = [index for k in range(0, len(vertices), 4) for index in (k, k + 1, k + 2, k, k + 2, k + 3)]
        tiles = None if tile_m is None else numbers((vertices[:, :2] / tile_m).ravel())
        return element(
            "mesh",
            name=name,
            vertex=numbers(vertices.ravel()),
            face=numbers(faces),
            texcoord=tiles,
            inertia="shell",
        )


def trapezoids(loops: Sequence[Loop]) -> list[Quad]:
    """The area inside an odd number of loops as quadrilaterals (4, 2), anticlockwise, side by side.

    Between two neighbouring corners' x no edge begins or ends, so what lies between two edges is a trapezoid.
    """
    columns = np.unique(np.concatenate([loop[:, 0] for loop in loops]).round(9))
    quads = []
    for left, right in itertools.pairwise(columns.tolist()):
        crossings = sorted(crossing for loop in loops for crossing in _crossings(loop, left, right))
        for (low_0, low_1), (high_0, high_1) in zip(crossings[::2], crossings[1::2], strict=True):
            quads.append(np.array(((left, low_0), (right, low_1), (right, high_1), (left, high_0))))
    return quads


def _crossings(loop: Loop, left: float, right: float) -> list[Crossing]:
    middle = (left + right) / 2
    found = []
    for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
        if min(x0, x1) < middle < max(x0, x1):
            slope = (y1 - y0) / (x1 - x0)
            found.append((float(y0 + slope * (left - x0)), float(y0 + slope * (right - x0))))
    return found
