"""Plug and socket of a connector as convex MJCF geoms.

Both are written in one frame: z is the direction of insertion, the socket's mouth lies at z = 0 and its floor at
z = depth; the plug reaches from z = 0 to its tip at z = depth. Walls are thick, so that a contact always prefers to
push the plug back the way it came; this and the stiff contact of the scene keep it from tunnelling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tenon.simulation.connectors import ConnectorConfig, KeystoneConfig, RectangleConfig, RoundConfig
from tenon.simulation.mjcf import box, element, numbers

WALL_THICKNESS_M = 0.024
FLOOR_SIZE_M = (0.1, 0.1, 0.02)
RING_WALLS = 16
RING_OVERLAP = 1.02
KEY_ROOT_M = 3e-4
KEYSTONE_MESH = "keystone_plug"
PIN_RGB = (0.85, 0.75, 0.35)
PANEL_MATERIAL = "socket_face"
SIDE_ANGLES_RAD = {"+x": 0.0, "+y": math.pi / 2, "-x": math.pi, "-y": -math.pi / 2}


@dataclass(frozen=True)
class ConnectorMjcf:
    """plug: geoms of the plug. socket: geoms of the socket. assets: what both need in <asset>."""

    plug: str
    socket: str
    assets: str


def connector_mjcf(connector: ConnectorConfig) -> ConnectorMjcf:
    """The connector's geoms, of the default classes ``plug`` and ``socket``."""
    opening = connector.opening
    if isinstance(connector.plug, RectangleConfig):
        assert isinstance(opening, RectangleConfig)
        plug, walls = _rectangle_plug(connector.plug, connector.depth_m), _rectangle_walls(opening)
    elif isinstance(connector.plug, KeystoneConfig):
        assert isinstance(opening, KeystoneConfig)
        plug, walls = element("geom", class_="plug", type="mesh", mesh=KEYSTONE_MESH), _keystone_walls(opening)
    else:
        assert isinstance(opening, RoundConfig)
        plug, walls = _round_plug(connector.plug, connector.depth_m), _round_walls(opening)
    socket = "".join(_wall_geoms(wall, connector) for wall in walls)
    return ConnectorMjcf(plug, socket + _floor(connector) + _pins(connector), _assets(connector))


@dataclass(frozen=True)
class _Wall:
    """One straight piece of the socket's inside: a face whose outward normal has ``angle_rad`` in the xy plane.

    distance_m: of the face from the axis. centre_m, half_width_m: along the tangent, anticlockwise of the normal.
    """

    angle_rad: float
    distance_m: float
    centre_m: float
    half_width_m: float


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
    half = (WALL_THICKNESS_M / 2, wall.half_width_m, (bottom_m - top_m) / 2)
    x, y = _turned(wall.angle_rad, distance_m + half[0], wall.centre_m)
    return box((x, y, (top_m + bottom_m) / 2), half, turn_rad=wall.angle_rad, class_="socket")


def _slope(wall: _Wall, chamfer_m: float) -> str:
    """A box whose face is the 45 degree chamfer from (distance, z = chamfer) out to (distance + chamfer, z = 0)."""
    half_thickness = WALL_THICKNESS_M / 4
    inset = half_thickness / math.sqrt(2)
    x, y = _turned(wall.angle_rad, wall.distance_m + chamfer_m / 2 + inset, wall.centre_m)
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


def _turned(angle_rad: float, along_normal_m: float, along_tangent_m: float) -> tuple[float, float]:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return c * along_normal_m - s * along_tangent_m, s * along_normal_m + c * along_tangent_m


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


def _rectangle_walls(opening: RectangleConfig) -> list[_Wall]:
    walls: list[_Wall] = []
    for side, angle in SIDE_ANGLES_RAD.items():
        sideways = side in ("+x", "-x")
        distance = (opening.width_m if sideways else opening.height_m) / 2
        reach = opening.height_m / 2 + WALL_THICKNESS_M if sideways else opening.width_m / 2
        # the tangent of +x is +y, of +y is -x: an offset counts along +y or +x, so its sign depends on the side
        sign = 1 if side in ("+x", "-y") else -1
        grooves = sorted(
            ((sign * rib.offset_m, rib.width_m / 2, rib.height_m) for rib in opening.ribs if rib.side == side),
            key=lambda groove: groove[0],
        )
        start = -reach
        for centre, half_width, height in grooves:
            walls.append(_between(angle, distance, start, centre - half_width))
            walls.append(_Wall(angle, distance + height, centre, half_width))
            start = centre + half_width
        walls.append(_between(angle, distance, start, reach))
    return [wall for wall in walls if wall.half_width_m > 0]


def _between(angle_rad: float, distance_m: float, start_m: float, end_m: float) -> _Wall:
    return _Wall(angle_rad, distance_m, (start_m + end_m) / 2, (end_m - start_m) / 2)


def _keystone_walls(opening: KeystoneConfig) -> list[_Wall]:
    half_height = opening.height_m / 2
    slanted = opening.height_m / math.cos(opening.side_angle_rad) / 2 + WALL_THICKNESS_M / 4
    middle = (opening.width_m + opening.lower_width_m) / 4
    distance = middle * math.cos(opening.side_angle_rad)
    along = middle * math.sin(opening.side_angle_rad)
    # the upper and lower walls reach far enough to close the corners behind the slanted ones
    reach = opening.width_m / 2 + WALL_THICKNESS_M / 2
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
        if abs(_turned(wall.angle_rad, radius, 0.0)[1]) - half_width > slot
        or _turned(wall.angle_rad, radius, 0.0)[0] < 0
    ]
    edge = max(half_width, radius * math.sin(2 * math.pi / RING_WALLS))
    flanks = [_between(0.0, radius, -edge, -slot), _between(0.0, radius, slot, edge)]
    return [*kept, *flanks, _Wall(0.0, radius + opening.key.height_m, 0.0, slot)]


def _floor(connector: ConnectorConfig) -> str:
    width, length, height = FLOOR_SIZE_M
    return box((0, 0, connector.depth_m + height / 2), (width / 2, length / 2, height / 2), class_="socket")


def _pins(connector: ConnectorConfig) -> str:
    pins = connector.pins
    if pins is None:
        return ""
    geoms = []
    for row in range(pins.rows):
        for column in range(pins.columns):
            x = (column - (pins.columns - 1) / 2) * pins.pitch_m
            y = (row - (pins.rows - 1) / 2) * pins.pitch_m
            geoms.append(
                element(
                    "geom",
                    class_="visual",
                    type="cylinder",
                    pos=(x, y, connector.depth_m - pins.length_m / 2),
                    size=(pins.diameter_m / 2, pins.length_m / 2),
                    rgba=(*PIN_RGB, 1),
                )
            )
    return "".join(geoms)


def _assets(connector: ConnectorConfig) -> str:
    look = connector.appearance
    dark = tuple(0.6 * value for value in look.socket)
    texture = ""
    if look.texture != "plain":
        texture = element(
            "texture",
            name=PANEL_MATERIAL,
            type="2d",
            builtin=look.texture,
            rgb1=look.socket,
            rgb2=dark,
            width=64,
            height=64,
        )
    material = element(
        "material",
        name=PANEL_MATERIAL,
        texture=PANEL_MATERIAL if texture else None,
        texrepeat=(4, 4) if texture else None,
        rgba=(*look.socket, 1) if not texture else None,
    )
    if not isinstance(connector.plug, KeystoneConfig):
        return texture + material
    half_height = connector.plug.height_m / 2
    upper, lower = connector.plug.width_m / 2, connector.plug.lower_width_m / 2
    corners = ((upper, half_height), (-upper, half_height), (-lower, -half_height), (lower, -half_height))
    vertices = [value for z in (0.0, connector.depth_m) for x, y in corners for value in (x, y, z)]
    return texture + material + element("mesh", name=KEYSTONE_MESH, vertex=numbers(vertices))
