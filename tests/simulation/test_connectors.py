"""Connector files: what is refused and why, and that any sensible one becomes a scene."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError, load, parse
from tenon.configuration.resolve import ConfigKind, config_root, load_named, names
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.scene import SceneConfig, scene_mjcf

RECTANGLE = {"shape": "rectangle", "width_m": 0.01, "height_m": 0.005}
RIB = {"side": "+y", "offset_m": 0.001, "width_m": 0.003, "height_m": 0.002}
KEYSTONE = {"shape": "keystone", "width_m": 0.017, "height_m": 0.008, "side_angle_rad": 0.17}
ROUND = {"shape": "round", "diameter_m": 0.018, "key": {"width_m": 0.002, "height_m": 0.002}}
OVAL = {"shape": "oval", "width_m": 0.010, "height_m": 0.004}
PIN = {"shape": "round", "diameter_m": 0.004}
BLADE = {"shape": "rectangle", "width_m": 0.002, "height_m": 0.006}
PRONGS = {
    "shape": "prongs",
    "prongs": [
        {"x_m": -0.0065, "y_m": -0.006, "profile": BLADE},
        {"x_m": 0.0065, "y_m": -0.006, "profile": BLADE},
        {"x_m": 0.0, "y_m": 0.006, "profile": PIN},
    ],
}
HOUSING = {"margin_x_m": 0.004, "margin_y_m": 0.003, "proud_m": 0.003}
COLLAR = {"width_m": 0.016, "height_m": 0.010}
PINS = {"columns": 4, "pitch_m": 0.002, "diameter_m": 0.001, "length_m": 0.004}


def connector(**changes):
    data = {"name": "mine", "plug": RECTANGLE, "depth_m": 0.01, "clearance_m": 0.0005, **changes}
    return parse(ConnectorConfig, {key: value for key, value in data.items() if value is not None}, where="mine.yaml")


def compiled(config):
    arm = load_named(ArmConfig, ConfigKind.ARMS, "ur5")
    return mujoco.MjModel.from_xml_string(scene_mjcf(arm, config, SceneConfig()))


@pytest.mark.parametrize("name", [name for name in names(ConfigKind.CONNECTORS) if "/" not in name])
def test_shipped_connector_loads_under_its_own_name_and_compiles(name):
    config = load_named(ConnectorConfig, ConfigKind.CONNECTORS, name)
    assert config.name == name
    assert compiled(config).nu == 12


def test_the_connectors_of_the_papers_and_the_benchmark_sockets_are_shipped():
    expected = {"usb", "dsub", "model_e", "waterproof", "easy", "medium", "hard", "stall"}
    assert expected <= set(names(ConfigKind.CONNECTORS))


def test_a_file_of_a_user_works_like_a_shipped_one(tmp_path):
    text = (config_root() / "connectors" / "dsub.yaml").read_text().replace("name: dsub", "name: mine")
    (tmp_path / "mine.yaml").write_text(text)
    assert compiled(load(ConnectorConfig, tmp_path / "mine.yaml")).nbody > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"clearance_m": -0.0001}, "clearance_m: Input should be greater than or equal to 0.00001"),
        ({"depth_m": 0.0}, "depth_m: Input should be greater than 0"),
        ({"clearence_m": 0.1}, "did you mean 'clearance_m'"),
        ({"clearance_m": None}, "either clearance_m or a socket"),
        ({"socket": RECTANGLE}, "either clearance_m or a socket"),
        ({"clearance_m": None, "socket": {**RECTANGLE, "width_m": 0.0099}}, "width_m of the plug is 0.01, of"),
        ({"clearance_m": None, "socket": ROUND}, "the plug is a rectangle, the socket a round"),
        ({"plug": {**RECTANGLE, "ribs": [{**RIB, "offset_m": 0.004}]}}, "the side ends at 0.0050 m"),
        (
            {"plug": {**RECTANGLE, "ribs": [RIB]}, "clearance_m": None, "socket": {**RECTANGLE, "width_m": 0.011}},
            "1 ribs, the socket 0 grooves",
        ),
        ({"plug": {**KEYSTONE, "side_angle_rad": 1.0}}, "side_angle_rad"),
        ({"plug": {**KEYSTONE, "width_m": 0.002, "side_angle_rad": 0.5}}, "the sides meet"),
        ({"plug": {**ROUND, "key": {"width_m": 0.01, "height_m": 0.002}}}, "below half the diameter"),
        ({"lead_in_m": 0.01}, "must be below depth_m"),
        ({"retention": {"minimum_n": 2.0, "maximum_n": 1.0}}, "must not be above maximum_n"),
        ({"retention": {"begins_at": 1.5}}, "begins_at"),
        ({"plug": {"shape": "star"}}, "star"),
        ({"plug": PRONGS, "clearance_m": 0.004}, "the least wall between two holes"),
        ({"plug": PRONGS, "clearance_m": None, "socket": {**PRONGS, "prongs": PRONGS["prongs"][:2]}}, "3 prongs, the"),
        ({"plug": OVAL, "clearance_m": None, "socket": {**OVAL, "height_m": 0.0039}}, "height_m of the plug is 0.004"),
        ({"panel": {"width_m": 0.01}}, "panel.width_m"),
        ({"plug": {**RECTANGLE, "width_m": 0.058}, "panel": {"width_m": 0.06}}, "too small for the socket"),
        ({"housing": {**HOUSING, "margin_x_m": 0.001}}, "housing.margin_x_m"),
        ({"depth_m": 0.002, "housing": HOUSING}, "must be below depth_m"),
        ({"lead_in_m": 0.0025, "housing": HOUSING}, "leaves too little of the housing"),
        ({"housing": HOUSING, "bezel": {"margin_m": 0.0035}}, "the bezel reaches beyond the housing"),
        ({"housing": {**HOUSING, "proud_m": -0.003}, "collar": {**COLLAR, "width_m": 0.019}}, "goes into a recess of"),
        ({"collar": {**COLLAR, "shape": "round"}}, "a round collar is as wide as high"),
        ({"collar": {**COLLAR, "thickness_m": 0.5}}, "collar.thickness_m"),
        ({"shoulder_gap_m": -0.001}, "shoulder_gap_m"),
        (
            {"distractors": [{"kind": "screw", "x_m": 0.004, "y_m": 0.0, "width_m": 0.005, "height_m": 0.005}]},
            "lies over the socket",
        ),
        (
            {"distractors": [{"kind": "screw", "x_m": 20, "y_m": 12, "width_m": 0.005, "height_m": 0.005}]},
            "reaches beyond the panel of 100 mm by 100 mm",
        ),
        ({"pins": {**PINS, "pitch_m": 2.2}}, "pins take 6601 mm by 1 mm, the hole is 11 mm by 6 mm"),
        ({"pins": {**PINS, "length_m": 4}}, "pins.length_m 4.0 must not be above depth_m 0.01"),
        ({"pins": {**PINS, "columns": 30, "rows": 30, "pitch_m": 0.0001}}, "at most 200 pins are drawn"),
        ({"surroundings": {"camera_mount": "top"}}, "camera_mount"),
        ({"surroundings": {"light_brightnes": 0.5}}, "did you mean 'light_brightness'"),
        ({"friction": math.nan}, "friction"),
        ({"name": "a\nb"}, "name: a name has letters, digits"),
        ({"name": "a\0b"}, "name: a name has letters, digits"),
        ({"name": "../mine"}, "name: a name has letters, digits"),
        ({"retention": {"minimum_n": 5}}, "maximum_n is left out, which is 0: give it, at least the minimum_n of 5"),
        ({"plug": {**RECTANGLE, "width_m": 0.12}}, "takes 0.126 by 0.011 m with 2.5 mm of wall: set panel.width_m"),
        ({"clearance_m": 0.5}, "the gap per side (clearance_m, or half of what socket is larger than plug) is 500 mm"),
        (
            {"plug": {**RECTANGLE, "width_m": 12}},
            "plug, clearance_m, socket, lead_in_m and depth_m make a socket of 12 m",
        ),
        (
            {"plug": {**ROUND, "key": {"width_m": 0.008, "height_m": 0.002}}, "lead_in_m": 0.0009},
            "key.width_m 0.0108 must be below half the diameter 0.0208 (with lead_in_m, 0.0009 m, added",
        ),
        ({"appearance": {"plug": [255, 128, 0]}}, "appearance.plug: a colour is [red, green, blue], each from 0 to 1"),
        ({"appearance": {"plug": "black"}}, "appearance.plug: a colour is [red, green, blue], each from 0 to 1"),
        ({"friction": 5.0}, "friction: Input should be less than or equal to 1.5"),
        ({"clearance_m": 0.0}, "clearance_m: Input should be greater than or equal to 0.00001"),
        ({"clearance_m": 0.003}, "is 3 mm, at most half of the plug's smaller side of 5 mm is taken"),
        ({"clearance_m": None, "socket": {**RECTANGLE, "width_m": 0.016}}, "is 3 mm, at most half of the plug's"),
        ({"clearance_m": None, "socket": RECTANGLE}, "socket leaves 0 mm per side"),
        ({"plug": {**RECTANGLE, "height_m": 4.5e-6}}, "a side of the plug is 0.0045 mm, the least is 0.5 mm"),
    ],
)
def test_an_impossible_connector_is_refused_with_the_reason(changes, reason):
    with pytest.raises(ConfigurationError, match=r"mine\.yaml") as refused:
        connector(**changes)
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", ["RJ45", "My connector no. 5", "Stecker-ß-插头", "a<b>&c"])
def test_a_name_may_be_what_people_write(name):
    assert compiled(connector(name=name)).nbody > 0


def test_a_plug_with_a_rib_fits_the_groove_that_was_measured_for_it():
    socket = {"shape": "rectangle", "width_m": 0.0104, "height_m": 0.0054, "ribs": [{**RIB, "width_m": 0.0034}]}
    assert connector(plug={**RECTANGLE, "ribs": [RIB]}, clearance_m=None, socket=socket).opening.width_m == 0.0104


def test_a_groove_on_the_wrong_side_takes_no_rib():
    socket = {"shape": "rectangle", "width_m": 0.011, "height_m": 0.006, "ribs": [{**RIB, "side": "-y"}]}
    with pytest.raises(ConfigurationError, match="meets no groove"):
        connector(plug={**RECTANGLE, "ribs": [RIB]}, clearance_m=None, socket=socket)


@pytest.mark.parametrize("plug", [RECTANGLE, {**RECTANGLE, "ribs": [RIB]}, KEYSTONE, ROUND])
def test_the_opening_leaves_the_clearance_on_every_side(plug):
    config = connector(plug=plug, clearance_m=0.0005)
    assert not config.plug.misfits(config.opening)
    smaller = connector(plug=plug, clearance_m=1e-5)
    assert config.opening.misfits(smaller.opening), "a grown shape must not fit into the one it grew from"


@pytest.mark.parametrize("lead_in_m", [0.0, 0.0005])
@pytest.mark.parametrize(
    "plug",
    [
        RECTANGLE,
        {**RECTANGLE, "ribs": [RIB, {**RIB, "side": "-x", "offset_m": -0.0005, "width_m": 0.002}]},
        {**RECTANGLE, "ribs": [{**RIB, "side": "-y"}, {**RIB, "side": "+x", "offset_m": 0.0005, "width_m": 0.002}]},
        KEYSTONE,
        ROUND,
        {**ROUND, "key": None},
        {**ROUND, "key": {"width_m": 0.006, "height_m": 0.002}},
        {**ROUND, "key": {"width_m": 0.007, "height_m": 0.002}},
        OVAL,
        PRONGS,
    ],
)
def test_a_seated_plug_touches_nothing_but_the_floor(plug, lead_in_m):
    """Were a wall, groove or chamfer misplaced by more than the clearance, the seated plug would stand in it."""
    model = compiled(connector(plug=plug, lead_in_m=lead_in_m))
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    distance = np.zeros(6)
    plug_geoms, walls = (_colliding(model, body) for body in ("plug", "socket"))
    _seat(model, data, lift_m=0.0002)
    gaps = [mujoco.mj_geomDistance(model, data, p, w, 0.1, distance) for p in plug_geoms for w in walls]
    assert min(gaps) == pytest.approx(0.0002, abs=1e-5), "only the floor is nearer than the clearance"
    sideways = sorted(gap for gap in gaps if gap > 0.00025)
    assert sideways[0] == pytest.approx(0.0005, abs=5e-5), "the walls stand off by the clearance"


def _colliding(model, body):
    of_body = model.geom_bodyid == model.body(body).id
    return np.flatnonzero(of_body & (model.geom_contype > 0)).tolist()


def _seat(model, data, *, lift_m, beside_m=(0.0, 0.0)):
    """Places the plug's body, wherever the arm is, so that its tip is lift_m above the socket's floor."""
    plug, socket = model.body("plug").id, model.body("socket").id
    shift = np.array((*beside_m, lift_m))
    rotation, target = data.xmat[socket].reshape(3, 3), data.xpos[socket] + shift
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] == plug:
            local = np.zeros(9)
            mujoco.mju_quat2Mat(local, model.geom_quat[geom])
            data.geom_xpos[geom] = target + rotation @ model.geom_pos[geom]
            data.geom_xmat[geom] = (rotation @ local.reshape(3, 3)).ravel()


@pytest.mark.parametrize("share", [0.05, 0.15, 0.25, 0.32, 0.35, 0.38, 0.42, 0.46, 0.49])
def test_a_ring_with_a_slot_of_any_width_is_closed_all_around(share):
    diameter_m, clearance_m = 0.012, 0.0001
    key = {"width_m": share * diameter_m, "height_m": 0.0005}
    model = compiled(connector(plug={**ROUND, "diameter_m": diameter_m, "key": key}, clearance_m=clearance_m))
    data, distance = mujoco.MjData(model), np.zeros(6)
    plug_geoms, walls = (_colliding(model, body) for body in ("plug", "socket"))
    beyond_m = 2 * clearance_m + 0.02 * diameter_m
    for angle in np.linspace(0, 2 * math.pi, 48):
        mujoco.mj_kinematics(model, data)
        _seat(model, data, lift_m=0.001, beside_m=(beyond_m * math.cos(angle), beyond_m * math.sin(angle)))
        gaps = [mujoco.mj_geomDistance(model, data, p, w, 0.1, distance) for p in plug_geoms for w in walls]
        assert min(gaps) < 0, f"at {math.degrees(angle):.0f} degrees no wall is met"


@pytest.mark.parametrize("proud_m", [0.003, 0.0, -0.003])
@pytest.mark.parametrize("plug", [RECTANGLE, OVAL, PRONGS])
def test_a_housing_leaves_the_seated_plug_alone(plug, proud_m):
    model = compiled(connector(plug=plug, lead_in_m=0.0005, housing={**HOUSING, "proud_m": proud_m}))
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    distance = np.zeros(6)
    plug_geoms, walls = (_colliding(model, body) for body in ("plug", "socket"))
    _seat(model, data, lift_m=0.0002)
    gaps = sorted(mujoco.mj_geomDistance(model, data, p, w, 0.1, distance) for p in plug_geoms for w in walls)
    assert gaps[0] == pytest.approx(0.0002, abs=1e-5)
    assert next(gap for gap in gaps if gap > 0.00025) == pytest.approx(0.0005, abs=5e-5)


def test_a_shape_of_several_prongs_enters_only_where_all_of_them_fit():
    config = connector(plug=PRONGS)
    assert not config.plug.misfits(config.opening)
    assert len(config.opening.outlines()) == 3


def test_a_collar_that_stops_above_the_recess_needs_no_room_in_it():
    wide = {**COLLAR, "width_m": 0.019}
    assert connector(housing={**HOUSING, "proud_m": -0.003}, collar=wide, shoulder_gap_m=0.003).collar.width_m == 0.019


def test_pins_are_drawn_but_never_touched():
    models = [compiled(connector(pins=given)) for given in (None, PINS)]
    assert models[1].ngeom == models[0].ngeom + 4
    assert sum(models[1].geom_contype > 0) == sum(models[0].geom_contype > 0)
