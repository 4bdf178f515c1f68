"""What of a connector is seen: meshes that follow its outlines, in the frames of plug and socket.

Nothing here collides. The hole has dark walls and a darker floor, as a hole has; the faces do not overlap, so that no
two of them fight for a pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenon.simulation.connector_mjcf import panel_bounds
from tenon.simulation.connectors import ConnectorConfig, bezel_outline
from tenon.simulation.looks import Colour, DistractorConfig, Texture
from tenon.simulation.meshes import Mesh
from tenon.simulation.mjcf import box, element
from tenon.simulation.profiles import Loop, bounds_of

BLOCK_HEIGHT_M = 0.04
HANDLE_LENGTH_M = 0.024
PAINT_M = 0.0001
"""How far what is painted stands off what it is painted on."""
TILE_M = 0.012
HOLE_SHADE, FLOOR_SHADE, PATTERN_SHADE = 0.35, 0.12, 0.6
PIN_RGB = (0.85, 0.75, 0.35)
TEXTURE_SIZE_PX = 64
SPECKLES = 0.12


@dataclass(frozen=True)
class ConnectorLook:
    """plug, socket: geoms in the frame of each. assets: what both need in <asset>."""

    plug: str
    socket: str
    assets: str


def connector_look(connector: ConnectorConfig) -> ConnectorLook:
    """The connector as it is drawn, of the default class ``visual``."""
    look, face = connector.appearance, _face_colour(connector)
    panel = surface("panel_look", look.socket, _shaded(look.socket, PATTERN_SHADE), look.texture)
    held = {"plug_look": (_plug(connector), _painted(look.plug))}
    if connector.shoulder_gap_m > 0:
        held["shank_look"] = (_shank(connector), _painted(look.shank or look.plug))
    drawn = {
        "panel_look": (_panel(connector), panel.attributes),
        "hole_look": (_hole(connector), _painted(_shaded(face, HOLE_SHADE))),
        "floor_look": (_floor(connector), _painted(_shaded(face, FLOOR_SHADE))),
    }
    if connector.housing is not None:
        drawn["housing_look"] = (_housing(connector), _painted(connector.housing.colour))
    if connector.bezel is not None:
        drawn["bezel_look"] = (_bezel(connector), _painted(connector.bezel.colour))
    return ConnectorLook(
        plug=_geoms(held) + _handle(connector),
        socket=_geoms(drawn) + _pins(connector) + _distractors(connector),
        assets="".join(mesh.asset(name, tile_m=TILE_M) for name, (mesh, _) in (held | drawn).items()) + panel.assets,
    )


@dataclass(frozen=True)
class Surface:
    """attributes: of a geom that has this surface. assets: what it needs in <asset>."""

    attributes: dict[str, object]
    assets: str


def surface(name: str, colour: Colour, pattern: Colour, texture: Texture, *, repeats: float = 1.0) -> Surface:
    """name: of texture and material. repeats: of the texture on a box, along each edge."""
    if texture == "plain":
        return Surface({"rgba": (*colour, 1)}, "")
    marks = {"speckle": "random", "grid": "edge"}
    drawn = element(
        "texture",
        name=name,
        type="2d",
        builtin="flat" if texture in marks else texture,
        mark=marks.get(texture),
        markrgb=pattern if texture in marks else None,
        random=SPECKLES if texture == "speckle" else None,
        rgb1=colour,
        rgb2=pattern,
        width=TEXTURE_SIZE_PX,
        height=TEXTURE_SIZE_PX,
    )
    material = element("material", name=name, texture=name, texrepeat=(repeats, repeats))
    return Surface({"material": name, "rgba": (1, 1, 1, 1)}, drawn + material)


def _shaded(colour: Colour, by: float) -> Colour:
    red, green, blue = colour
    return by * red, by * green, by * blue


def _face_colour(connector: ConnectorConfig) -> Colour:
    return connector.appearance.socket if connector.housing is None else connector.housing.colour


def _painted(colour: Colour) -> dict[str, object]:
    return {"rgba": (*colour, 1)}


def _geoms(meshes: Mapping[str, tuple[Mesh, dict[str, object]]]) -> str:
    return "".join(
        element("geom", class_="visual", type="mesh", mesh=name, **attributes)
        for name, (_, attributes) in meshes.items()
    )


def _mouth(connector: ConnectorConfig) -> list[Loop]:
    """The hole where it meets the face, its chamfer included."""
    return connector.opening.grown(connector.lead_in_m).outlines()


def _plug(connector: ConnectorConfig) -> Mesh:
    """The part that goes in."""
    mesh = Mesh().face(connector.plug.outlines(), connector.depth_m, seen_from_below=True)
    for loop in connector.plug.outlines():
        mesh.walls(loop, 0.0, connector.depth_m)
    return mesh


def _shank(connector: ConnectorConfig) -> Mesh:
    """The part that stays outside."""
    mesh = Mesh()
    for loop in connector.plug.outlines():
        mesh.walls(loop, -connector.shoulder_gap_m, 0.0)
    return mesh


def _panel(connector: ConnectorConfig) -> Mesh:
    edge, housing = panel_bounds(connector).corners(), connector.housing
    if housing is None:
        return Mesh().face((edge, *_mouth(connector)), 0.0).walls(edge, 0.0, BLOCK_HEIGHT_M)
    face = connector.face.corners()
    mesh = Mesh().face((edge, face), housing.proud_m).walls(edge, housing.proud_m, BLOCK_HEIGHT_M)
    return mesh.walls(face, housing.proud_m, 0.0, seen_from_inside=True) if housing.proud_m < 0 else mesh


def _housing(connector: ConnectorConfig) -> Mesh:
    assert connector.housing is not None
    face = connector.face.corners()
    mesh = Mesh().face((face, *_mouth(connector)), 0.0)
    return mesh.walls(face, 0.0, connector.housing.proud_m) if connector.housing.proud_m > 0 else mesh


def _hole(connector: ConnectorConfig) -> Mesh:
    """The inside, and the chamfer as one step."""
    mesh = Mesh()
    for loop, mouth in zip(connector.opening.outlines(), _mouth(connector), strict=True):
        mesh.walls(loop, connector.lead_in_m, connector.depth_m, seen_from_inside=True)
        if connector.lead_in_m > 0:
            mesh.walls(mouth, 0.0, connector.lead_in_m, seen_from_inside=True).face((mouth, loop), connector.lead_in_m)
    return mesh


def _floor(connector: ConnectorConfig) -> Mesh:
    return Mesh().face(connector.opening.outlines(), connector.depth_m)


def _bezel(connector: ConnectorConfig) -> Mesh:
    assert connector.bezel is not None
    mouth = _mouth(connector)
    return Mesh().face((bezel_outline(connector.bezel, bounds_of(*mouth)), *mouth), -PAINT_M)


def _handle(connector: ConnectorConfig) -> str:
    handle, collar, start_m = connector.grip, connector.collar, -connector.shoulder_gap_m
    geoms = ""
    if collar is not None:
        geoms = _block(collar.shape, (collar.width_m, collar.height_m, collar.thickness_m), start_m, collar.colour)
        start_m -= collar.thickness_m
    size_m = (handle.width_m, handle.height_m, HANDLE_LENGTH_M)
    return geoms + _block(handle.shape, size_m, start_m, connector.appearance.handle)


def _block(shape: str, size_m: tuple[float, float, float], end_m: float, colour: Colour) -> str:
    """Ends at end_m and reaches up (towards -z) from there."""
    half_x, half_y, half_z = (value / 2 for value in size_m)
    centre = (0.0, 0.0, end_m - half_z)
    if shape in ("round", "cylinder"):
        return element("geom", class_="visual", type="cylinder", pos=centre, size=(half_x, half_z), rgba=(*colour, 1))
    return box(centre, (half_x, half_y, half_z), class_="visual", rgba=(*colour, 1))


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


def _distractors(connector: ConnectorConfig) -> str:
    top_m = 0.0 if connector.housing is None else connector.housing.proud_m
    return "".join(_distractor(item, top_m) for item in connector.distractors)


def _distractor(item: DistractorConfig, top_m: float) -> str:
    centre, half = (item.x_m, item.y_m, top_m), (item.width_m / 2, item.height_m / 2, PAINT_M)
    rgba = (*item.colour, 1)
    if item.kind == "screw" or (item.kind == "hole" and item.width_m == item.height_m):
        return element("geom", class_="visual", type="cylinder", pos=centre, size=(half[0], PAINT_M), rgba=rgba)
    return box(centre, half, class_="visual", rgba=rgba)
