"""What of a connector is felt: plug, socket and the panel around it as convex MJCF geoms.

Both are written in one frame: z is the direction of insertion, the socket's mouth lies at z = 0 and its floor at
z = depth; the plug reaches from z = 0 to its tip at z = depth. Walls are thick, so that a contact always prefers to
push the plug back the way it came; this and the stiff contact of the scene keep it from tunnelling.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.mjcf import box, element, numbers
from tenon.simulation.profiles import (
    SIDE_ANGLES_RAD,
    AnyProfile,
    Bounds,
    KeystoneConfig,
    OvalConfig,
    RectangleConfig,
    RoundConfig,
    bounds_of,
    turned,
)

WALL_THICKNESS_M = 0.024
FLOOR_HEIGHT_M = 0.02
FRAME_GAP_M = 0.001
RING_WALLS = 16
RING_OVERLAP = 1.02
KEY_ROOT_M = 3e-4
WIDE_SLOT = 0.35
"""Half of a slot's width, in radii, from which the two walls beside it leave it no flank that would hold the key."""
KEYSTONE_MESH = "keystone_plug"


@dataclass(frozen=True)
class ConnectorMjcf:
    """plug: geoms of the plug. socket: walls and floor. panel: what surrounds them. assets: for <asset>."""

    plug: str
    socket: str
    panel: str
    assets: str


def connector_mjcf(connector: ConnectorConfig) -> ConnectorMjcf:
    """The connector's geoms, of the default classes ``plug`` and ``socket``."""
    plug = _plug(connector.plug, connector.depth_m)
    socket = "".join(_wall_geoms(wall, connector) for wall in _walls(connector.opening, _thickness(connector)))
    return ConnectorMjcf(plug, socket + _floor(connector), _panel(connector), _assets(connector))


def _plug(plug: AnyProfile, depth_m: float) -> str:
    if isinstance(plug, RectangleConfig):
        return _rectangle_plug(plug, depth_m)
    if isinstance(plug, KeystoneConfig):
        return element("geom", class_="plug", type="mesh", mesh=KEYSTONE_MESH)
    if isinstance(plug, RoundConfig):
        return _round_plug(plug, depth_m)
    if isinstance(plug, OvalConfig):
        return _oval_plug(plug, depth_m)
    return "".join(
        element("frame", _plug(prong.profile, depth_m), pos=(prong.x_m, prong.y_m, 0)) for prong in plug.prongs
    )


@dataclass(frozen=True)
class _Wall:
    """One straight piece of the socket's inside: a face whose outward normal has ``angle_rad`` in the xy plane.

    distance_m: of the face from the axis. centre_m, half_width_m: along the tangent, anticlockwise of the normal.
    """

    angle_rad: float
    distance_m: float
    centre_m: float
    half_width_m: float
    thickness_m: float = WALL_THICKNESS_M

    def moved(self, x_m: float, y_m: float) -> _Wall:
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return replace(
            self,
            distance_m=self.distance_m + c * x_m + s * y_m,
            centre_m=self.centre_m - s * x_m + c * y_m,
        )


def _thickness(connector: ConnectorConfig) -> float:
    """Of the walls: as much as the housing and the holes beside it leave."""
    limits = [WALL_THICKNESS_M]
    if connector.housing is not None:
        limits += [connector.housing.margin_x_m, connector.housing.margin_y_m]
    holes = [bounds_of(loop) for loop in connector.opening.outlines()]
    limits += [one.gap(other) / 2 for one, other in itertools.combinations(holes, 2)]
    return min(limits)


def _walls(opening: AnyProfile, thickness_m: float) -> list[_Wall]:
    if isinstance(opening, RectangleConfig):
        walls = _rectangle_walls(opening, thickness_m)
    elif isinstance(opening, KeystoneConfig):
        walls = _keystone_walls(opening, thickness_m)
    elif isinstance(opening, RoundConfig):
        walls = _round_walls(opening)
    elif isinstance(opening, OvalConfig):
        walls = _oval_walls(opening)
    else:
        prongs = opening.prongs
        walls = [wall.moved(p.x_m, p.y_m) for p in prongs for wall in _walls(p.profile, thickness_m)]
    return [replace(wall, thickness_m=thickness_m) for wall in walls]


def _wall_geoms(wall: _Wall, connector: ConnectorConfig) -> str:
    depth, chamfer = connector.depth_m, connector.lead_in_m
    if chamfer == 0:
        return _upright(wall, wall.distance_m, 0.0, depth)
    return (
        _upright(wall, wall.distance_m, chamfer, depth)
        + _upright(wall, wall.distance_m + chamfer, 0.0, depth)
        + _slope(wall, chamfer)
    )


def _upright(wall: _Wall, distance_m: float, top_m: float, bottom_m: float) -> str:
    half = (wall.thickness_m / 2, wall.half_width_m, (bottom_m - top_m) / 2)
    x, y = turned(wall.angle_rad, distance_m + half[0], wall.centre_m)
    return box((x, y, (top_m + bottom_m) / 2), half, turn_rad=wall.angle_rad, class_="socket")


def _slope(wall: _Wall, chamfer_m: float) -> str:
    """A box whose face is the 45 degree chamfer from (distance, z = chamfer) out to (distance + chamfer, z = 0)."""
    half_thickness = wall.thickness_m / 4
    inset = half_thickness / math.sqrt(2)
    x, y = turned(wall.angle_rad, wall.distance_m + chamfer_m / 2 + inset, wall.centre_m)
    turn, tilt = wall.angle_rad / 2, -math.pi / 8  # half angles: about z by the wall's, then about y by -45 degrees
    quat = (
        math.cos(turn) * math.cos(tilt),
        -math.sin(turn) * math.sin(tilt),
        math.cos(turn) * math.sin(tilt),
        math.sin(turn) * math.cos(tilt),
    )
    size = (half_thickness, wall.half_width_m, chamfer_m / math.sqrt(2))
    return element(
        "geom", class_="socket", type="box", pos=(x, y, chamfer_m / 2 + inset), size=size, quat=numbers(quat)
    )


def _rectangle_plug(plug: RectangleConfig, depth_m: float) -> str:
    geoms = [box((0, 0, depth_m / 2), (plug.width_m / 2, plug.height_m / 2, depth_m / 2), class_="plug")]
    for rib in plug.ribs:
        sideways = rib.side in ("+x", "-x")
        sign = 1 if rib.side.startswith("+") else -1
        across = sign * ((plug.width_m if sideways else plug.height_m) / 2 + rib.height_m / 2)
        centre = (across, rib.offset_m, depth_m / 2) if sideways else (rib.offset_m, across, depth_m / 2)
        half = (rib.height_m / 2, rib.width_m / 2) if sideways else (rib.width_m / 2, rib.height_m / 2)
        geoms.append(box(centre, (*half, depth_m / 2), class_="plug"))
    return "".join(geoms)


def _rectangle_walls(opening: RectangleConfig, thickness_m: float) -> list[_Wall]:
    walls: list[_Wall] = []
    for side, angle in SIDE_ANGLES_RAD.items():
        sideways = side in ("+x", "-x")
        distance = (opening.width_m if sideways else opening.height_m) / 2
        reach = opening.height_m / 2 + thickness_m if sideways else opening.width_m / 2
        start = -reach
        for centre, half_width, height in opening.ribs_along(side):
            walls.append(_between(angle, distance, start, centre - half_width))
            walls.append(_Wall(angle, distance + height, centre, half_width))
            start = centre + half_width
        walls.append(_between(angle, distance, start, reach))
    return [wall for wall in walls if wall.half_width_m > 0]


def _between(angle_rad: float, distance_m: float, start_m: float, end_m: float) -> _Wall:
    return _Wall(angle_rad, distance_m, (start_m + end_m) / 2, (end_m - start_m) / 2)


def _keystone_walls(opening: KeystoneConfig, thickness_m: float) -> list[_Wall]:
    half_height = opening.height_m / 2
    slanted = opening.height_m / math.cos(opening.side_angle_rad) / 2 + thickness_m / 4
    middle = (opening.width_m + opening.lower_width_m) / 4
    distance = middle * math.cos(opening.side_angle_rad)
    along = middle * math.sin(opening.side_angle_rad)
    # the upper and lower walls reach far enough to close the corners behind the slanted ones
    reach = opening.width_m / 2 + thickness_m / 2
    return [
        _Wall(math.pi / 2, half_height, 0.0, reach),
        _Wall(-math.pi / 2, half_height, 0.0, reach),
        _Wall(-opening.side_angle_rad, distance, along, slanted),
        _Wall(math.pi + opening.side_angle_rad, distance, -along, slanted),
    ]


def _round_plug(plug: RoundConfig, depth_m: float) -> str:
    radius = plug.diameter_m / 2
    body = element("geom", class_="plug", type="cylinder", pos=(0, 0, depth_m / 2), size=(radius, depth_m / 2))
    if plug.key is None:
        return body
    half_height = (plug.key.height_m + KEY_ROOT_M) / 2  # rooted in the body: a box on a circle would leave a gap
    centre = (radius + plug.key.height_m - half_height, 0, depth_m / 2)
    return body + box(centre, (half_height, plug.key.width_m / 2, depth_m / 2), class_="plug")


def _round_walls(opening: RoundConfig) -> list[_Wall]:
    radius = opening.diameter_m / 2
    half_width = radius * math.tan(math.pi / RING_WALLS) * RING_OVERLAP
    ring = [_Wall(2 * math.pi * k / RING_WALLS, radius, 0.0, half_width) for k in range(RING_WALLS)]
    if opening.key is None:
        return ring
    slot = opening.key.width_m / 2
    # the slot may be wider than one wall: what it covers of the neighbours has to give way, too
    kept = [
        wall
        for wall in ring[1:]
        if abs(turned(wall.angle_rad, radius, 0.0)[1]) - half_width > slot or turned(wall.angle_rad, radius, 0.0)[0] < 0
    ]
    face, edge = radius, max(half_width, radius * math.sin(2 * math.pi / RING_WALLS))
    if slot > WIDE_SLOT * radius:  # the flanks begin on the circle, and reach behind the next walls that are kept
        face, edge = math.sqrt(radius**2 - slot**2), radius * math.sin(4 * math.pi / RING_WALLS)
    flanks = [_between(0.0, face, -edge, -slot), _between(0.0, face, slot, edge)]
    return [*kept, *flanks, _Wall(0.0, radius + opening.key.height_m, 0.0, slot)]


def _oval_plug(plug: OvalConfig, depth_m: float) -> str:
    radius = plug.height_m / 2
    ends = (
        element("geom", class_="plug", type="cylinder", pos=(x, 0, depth_m / 2), size=(radius, depth_m / 2))
        for x in (-plug.end_m, plug.end_m)
    )
    return box((0, 0, depth_m / 2), (plug.end_m, radius, depth_m / 2), class_="plug") + "".join(ends)


def _oval_walls(opening: OvalConfig) -> list[_Wall]:
    radius = opening.height_m / 2
    half_width = radius * math.tan(math.pi / RING_WALLS) * RING_OVERLAP
    walls = [_Wall(angle, radius, 0.0, opening.end_m + half_width) for angle in (math.pi / 2, -math.pi / 2)]
    for k in range(1, RING_WALLS // 2):
        angle = 2 * math.pi * k / RING_WALLS - math.pi / 2
        walls.append(_Wall(angle, radius, 0.0, half_width).moved(opening.end_m, 0.0))
        walls.append(_Wall(math.pi + angle, radius, 0.0, half_width).moved(-opening.end_m, 0.0))
    return walls


def panel_bounds(connector: ConnectorConfig) -> Bounds:
    """The panel's edges, about the axis of insertion."""
    half_x, half_y = connector.panel.width_m / 2, connector.panel.height_m / 2
    return Bounds(-half_x, -half_y, half_x, half_y)


def _floor(connector: ConnectorConfig) -> str:
    half = (connector.panel.width_m / 2, connector.panel.height_m / 2, FLOOR_HEIGHT_M / 2)
    return box((0, 0, connector.depth_m + FLOOR_HEIGHT_M / 2), half, class_="socket")


def _panel(connector: ConnectorConfig) -> str:
    """What a plug that misses the hole stands on: the housing's face and the panel around it.

    It begins FRAME_GAP_M outside the holes, so that in a hole the walls alone are felt.
    """
    room_m = FRAME_GAP_M + connector.lead_in_m
    holes = [bounds_of(loop).expanded(room_m) for loop in connector.opening.outlines()]
    edge, housing = panel_bounds(connector), connector.housing
    if housing is None:
        return _slabs(free_areas(edge, holes), 0.0, connector.depth_m)
    face = _slabs(free_areas(connector.face, holes), 0.0, connector.depth_m)
    return face + _slabs(free_areas(edge, [connector.face]), housing.proud_m, connector.depth_m)


def _slabs(areas: Sequence[Bounds], top_m: float, bottom_m: float) -> str:
    middle, half_z = (top_m + bottom_m) / 2, (bottom_m - top_m) / 2
    return "".join(
        box(
            ((a.left + a.right) / 2, (a.lower + a.upper) / 2, middle),
            ((a.right - a.left) / 2, (a.upper - a.lower) / 2, half_z),
            class_="socket",
        )
        for a in areas
    )


def free_areas(outer: Bounds, holes: Sequence[Bounds]) -> list[Bounds]:
    """``outer`` without ``holes``, as rectangles side by side."""
    edges = {outer.left, outer.right, *(x for hole in holes for x in (hole.left, hole.right))}
    areas = []
    for left, right in itertools.pairwise(sorted(x for x in edges if outer.left <= x <= outer.right)):
        middle, start = (left + right) / 2, outer.lower
        for hole in sorted((h for h in holes if h.left < middle < h.right), key=lambda hole: hole.lower):
            if hole.lower > start:
                areas.append(Bounds(left, start, right, hole.lower))
            start = max(start, hole.upper)
        if start < outer.upper:
            areas.append(Bounds(left, start, right, outer.upper))
    return areas


def _assets(connector: ConnectorConfig) -> str:
    """The keystone alone needs one: MuJoCo has no such primitive."""
    if not isinstance(connector.plug, KeystoneConfig):
        return ""
    (corners,) = connector.plug.outlines()
    vertices = [value for z in (0.0, connector.depth_m) for x, y in corners for value in (x, y, z)]
    return element("mesh", name=KEYSTONE_MESH, vertex=numbers(vertices))
