"""The insertion stand as MJCF: an arm that holds a plug over a socket on a table, with two cameras.

What is felt and what is seen are geoms of their own. Contact and rendering settings were measured: plug and socket jam
and never pass through each other, and a frame costs about a millisecond on a CPU (no shadows, no reflections, the table
drawn as a box).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import Config
from tenon.control.geometry import matrix_from_quaternion, pose, quaternion_from_matrix
from tenon.control.impedance import CartesianImpedanceConfig
from tenon.control.types import Pose
from tenon.simulation.arms import arm_mjcf, joint_actuators_mjcf
from tenon.simulation.connector_look import HANDLE_LENGTH_M, connector_look, surface
from tenon.simulation.connector_mjcf import connector_mjcf
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.looks import CameraMount, Colour, SurroundingsConfig
from tenon.simulation.mjcf import box, element, numbers, quaternion

TOOL_DOWN_XYZW = (1.0, 0.0, 0.0, 0.0)
PLUG_IN_FLANGE_M = 0.13
HEADLIGHT = 0.25
FINGER_HALF_M = (0.003, 0.005)
TABLE_MATERIAL, TABLE_HALF_M = "table_look", 0.6
WRIST_CAMERA, OVERVIEW_CAMERA = "wrist", "overview"
OVERVIEW_CAMERA_FROM_MOUTH_M = (0.3, -0.38, 0.26)
CARTESIAN_GROUP, JOINT_GROUP = 0, 1
FELT_GROUP, DRAWN_GROUP, HIDDEN_GROUP = 1, 2, 4
TCP_SITE, REFERENCE_SITE, REFERENCE_BODY = "tcp", "reference", "reference"
SOCKET_BODY, PLUG_BODY, RETENTION_TENDON, CONTACT_SENSOR = "socket", "plug", "retention", "plug_contact"
# far from the socket compared with any sideways motion, so the tendon's length measures motion along the axis alone
RETENTION_ANCHOR_M = 10.0


@dataclass(frozen=True, slots=True)
class WristMount:
    """A camera on the flange that looks at the plug's tip from above, a robot's own.

    azimuth_rad: of the camera about the tool's axis, from -y of the flange. elevation_rad: above the plane of the
    socket's mouth. distance_m: from what it looks at, target_m below the mouth of a seated plug, so that plug and
    socket are in the picture when the plug is still above. fingers: colour of that robot's gripper.
    """

    azimuth_rad: float
    elevation_rad: float
    distance_m: float
    target_m: float
    field_of_view_deg: float
    fingers: Colour


WRIST_MOUNTS: Mapping[CameraMount, WristMount] = {
    "front": WristMount(0.0, math.radians(31), 0.100, 0.011, 26.5, (0.45, 0.45, 0.47)),
    "side": WristMount(math.radians(50), math.radians(36), 0.115, 0.010, 23.0, (0.16, 0.17, 0.2)),
}


class JointImpedanceConfig(Config):
    """Joint stiffness and damping while a joint reference is followed (released Sawyer values, per joint)."""

    stiffness_nm_rad: PositiveFloat = 400.0
    damping_nm_s_rad: PositiveFloat = 40.0


class PhysicsConfig(Config):
    """Integration and contact. Tuned against tunnelling: change only with the contact tests beside you.

    contact_time_constant_s: of MuJoCo's contact spring, twice timestep_s at least. A timestep of 4 ms lets a plug
    through, a softer contact a tilted one. native_collision: MuJoCo's own convex collision, the faster one. Now and
    then it takes a thin pin that stands on an edge for one deep inside (measured: 2 mm and 150 N, in 1 of 1000 steps of
    a random search with pins below 7 mm); the older one never did.
    """

    timestep_s: Annotated[PositiveFloat, Field(le=0.002)] = 0.002
    contact_time_constant_s: PositiveFloat = 0.004
    contact_impedance: tuple[float, float, float] = (0.95, 0.99, 0.0002)
    solver_iterations: PositiveInt = 20
    impedance_ratio: PositiveFloat = 10.0
    native_collision: bool = True


class SceneConfig(Config):
    """Where the socket's mouth is in the base (plugging direction straight down), and how the arm is held."""

    socket_mouth_in_base_m: tuple[float, float, float] = (0.45, 0.0, 0.08)
    physics: PhysicsConfig = PhysicsConfig()
    impedance: CartesianImpedanceConfig = CartesianImpedanceConfig()
    joint_impedance: JointImpedanceConfig = JointImpedanceConfig()
    image_width_px: PositiveInt = 640
    image_height_px: PositiveInt = 480


def scene_mjcf(arm: ArmConfig, connector: ConnectorConfig, scene: SceneConfig) -> str:
    """The whole model as MJCF text."""
    felt, seen = connector_mjcf(connector), connector_look(connector)
    surroundings = connector.surroundings or SurroundingsConfig()
    table = surface(
        TABLE_MATERIAL,
        surroundings.table,
        surroundings.table_pattern,
        surroundings.table_texture,
        repeats=2 * TABLE_HALF_M / surroundings.table_tile_m,
    )
    world = (
        _light(surroundings)
        + _overview_camera(scene)
        + _table(table.attributes)
        + reference_mjcf()
        + arm_mjcf(arm, _tool(felt.plug + seen.plug, connector, WRIST_MOUNTS[surroundings.camera_mount]))
        + _socket(felt.socket + felt.panel + seen.socket, scene)
    )
    actuators = impedance_mjcf(scene.impedance) + joint_actuators_mjcf(
        arm,
        stiffness_nm_rad=scene.joint_impedance.stiffness_nm_rad,
        damping_nm_s_rad=scene.joint_impedance.damping_nm_s_rad,
        group=JOINT_GROUP,
    )
    return element(
        "mujoco",
        element("compiler", angle="radian", autolimits=True),
        physics_options(scene.physics),
        _visual(scene, surroundings),
        connector_defaults(connector, scene.physics, group=HIDDEN_GROUP),
        element("asset", felt.assets + seen.assets + table.assets),
        element("worldbody", world),
        _retention(scene.physics),
        element("actuator", actuators),
        element(
            "sensor",
            element("contact", name=CONTACT_SENSOR, body1=PLUG_BODY, reduce="netforce", data="force torque pos"),
        ),
        model=f"{arm.name} inserts {connector.name}",
    )


def physics_options(physics: PhysicsConfig) -> str:
    """<option>: the integrator and the contact solver."""
    return element(
        "option",
        element("flag", multiccd="disable", nativeccd="enable" if physics.native_collision else "disable"),
        timestep=physics.timestep_s,
        integrator="implicitfast",
        cone="elliptic",
        solver="Newton",
        iterations=physics.solver_iterations,
        ls_iterations=20,
        tolerance=1e-8,
        impratio=physics.impedance_ratio,
    )


def _visual(scene: SceneConfig, surroundings: SurroundingsConfig) -> str:
    return element(
        "visual",
        element("global", offwidth=scene.image_width_px, offheight=scene.image_height_px),
        element("quality", shadowsize=0, offsamples=4, numslices=16, numstacks=6, numquads=1),
        element(
            "headlight", ambient=_grey(surroundings.ambient_brightness), diffuse=_grey(HEADLIGHT), specular=_grey(0)
        ),
        element("map", znear=0.005),
    )


def _grey(value: float) -> tuple[float, float, float]:
    return value, value, value


def connector_defaults(connector: ConnectorConfig, physics: PhysicsConfig, *, group: int = FELT_GROUP) -> str:
    """<default>: the classes "plug", "socket" (both collide, in that group) and "visual" (does not)."""
    contact: dict[str, object] = {
        "condim": 4,
        "friction": (connector.friction, 0.002, 0.0001),
        "solref": (physics.contact_time_constant_s, 1),
        "solimp": physics.contact_impedance,
        "group": group,
    }
    plug = element("geom", contype=1, conaffinity=2, mass=0.02, rgba=(*connector.appearance.plug, 1), **contact)
    socket = element("geom", contype=2, conaffinity=1, rgba=(*connector.appearance.socket, 1), **contact)
    visual = element("geom", contype=0, conaffinity=0, mass=0, group=DRAWN_GROUP, rgba=(0.55, 0.57, 0.6, 1))
    return element(
        "default",
        element("default", visual, class_="visual"),
        element("default", plug, class_="plug"),
        element("default", socket, class_="socket"),
    )


def _light(surroundings: SurroundingsConfig) -> str:
    """A lamp far away: it shines in one direction."""
    azimuth, elevation = surroundings.light_azimuth_rad, surroundings.light_elevation_rad
    level = math.cos(elevation)
    towards = (-level * math.cos(azimuth), -level * math.sin(azimuth), -math.sin(elevation))
    return element(
        "light",
        type="directional",
        dir=towards,
        diffuse=_grey(surroundings.light_brightness),
        specular=_grey(0),
        castshadow=False,
    )


def _overview_camera(scene: SceneConfig) -> str:
    place = tuple(m + o for m, o in zip(scene.socket_mouth_in_base_m, OVERVIEW_CAMERA_FROM_MOUTH_M, strict=True))
    return element("camera", name=OVERVIEW_CAMERA, pos=place, mode="targetbody", target=SOCKET_BODY, fovy=45)


def _table(attributes: Mapping[str, object]) -> str:
    """Collides as a plane (cheap), is drawn as a box (a drawn plane costs more than all the rest)."""
    return element(
        "geom", name="table", type="plane", size=(1.2, 1.2, 0.02), contype=2, conaffinity=1, group=HIDDEN_GROUP
    ) + box((0.4, 0, -0.0101), (TABLE_HALF_M, TABLE_HALF_M, 0.01), turn_rad=0.0, class_="visual", **attributes)


def reference_mjcf() -> str:
    return element("body", element("site", name=REFERENCE_SITE, group=5), name=REFERENCE_BODY, mocap=True)


def _tool(plug: str, connector: ConnectorConfig, mount: WristMount) -> str:
    """Gripper, wrist camera and the plug, in the flange's frame; the TCP is the middle of the plug's tip."""
    held = element(
        "body",
        plug,
        element("site", name=TCP_SITE, pos=(0, 0, connector.depth_m), group=5),
        name=PLUG_BODY,
        pos=(0, 0, PLUG_IN_FLANGE_M + connector.grasp_m),
        gravcomp=1,
    )
    return (
        element("geom", class_="visual", type="cylinder", size=(0.03, 0.04), pos=(0, 0, 0.04))
        + element(
            "geom",
            type="box",
            size=(0.02, 0.02, 0.015),
            pos=(0, 0, 0.095),
            mass=0.9,
            contype=0,
            conaffinity=0,
            group=HIDDEN_GROUP,
        )
        + _gripper(connector, mount)
        + _wrist_camera(mount)
        + held
    )


def _gripper(connector: ConnectorConfig, mount: WristMount) -> str:
    """A palm and two fingers that hold the handle by its upper half, so that they hide nothing below it."""
    thickness = connector.collar.thickness_m if connector.collar is not None else 0.0
    held_m = PLUG_IN_FLANGE_M + connector.grasp_m - connector.shoulder_gap_m - thickness
    top_m, tip_m = 0.07, held_m - HANDLE_LENGTH_M / 2
    half_z, across_m = (tip_m - top_m) / 2, connector.grip.width_m / 2 + FINGER_HALF_M[0]
    rgba = (*mount.fingers, 1)
    fingers = (
        box((side * across_m, 0, top_m + half_z), (*FINGER_HALF_M, half_z), class_="visual", rgba=rgba)
        for side in (-1, 1)
    )
    return box((0, 0, top_m - 0.005), (0.03, 0.012, 0.005), class_="visual", rgba=rgba) + "".join(fingers)


def wrist_camera_in_flange(mount: WristMount) -> Pose:
    """The wrist camera's optical frame (x right, y down, z into the picture) in the flange. Up in the picture is up in
    the world.
    """
    level, rise = math.cos(mount.elevation_rad), math.sin(mount.elevation_rad)
    # from the target to the camera, in the flange's frame, whose z points down
    c, s = math.cos(mount.azimuth_rad), math.sin(mount.azimuth_rad)
    outwards = np.array((s * level, -c * level, -rise))
    target = np.array((0.0, 0.0, PLUG_IN_FLANGE_M + mount.target_m))
    right, up = np.array((-c, -s, 0.0)), np.array((-s * rise, c * rise, -level))
    axes = np.column_stack((right, -up, -outwards))
    return pose(target + mount.distance_m * outwards, quaternion_from_matrix(axes))


def _wrist_camera(mount: WristMount) -> str:
    place = wrist_camera_in_flange(mount)
    axes = matrix_from_quaternion(place.quaternion_xyzw)
    right, up = axes[:, 0], -axes[:, 1]
    return element(
        "camera",
        name=WRIST_CAMERA,
        pos=tuple(place.position_m),
        xyaxes=(*right, *up),
        fovy=mount.field_of_view_deg,
    )


def _socket(socket: str, scene: SceneConfig) -> str:
    anchor = element("site", name="retention_anchor", pos=(0, 0, RETENTION_ANCHOR_M), group=5)
    return element(
        "body", socket, anchor, name=SOCKET_BODY, pos=scene.socket_mouth_in_base_m, quat=quaternion(TOOL_DOWN_XYZW)
    )


def _retention(physics: PhysicsConfig) -> str:
    """Dry friction along the axis of insertion; its size is set while the simulation runs.

    Measured: with MuJoCo's default impedance (0.9) friction creeps and a steady push seats any plug; at 0.9999 the
    solver no longer finds the sticking force and chatters between both signs; at 0.999 it sticks (0.5 um/s).
    """
    tendon = element(
        "spatial",
        element("site", site="retention_anchor"),
        element("site", site=TCP_SITE),
        name=RETENTION_TENDON,
        frictionloss=0,
        solreffriction=(2 * physics.timestep_s, 1),
        solimpfriction=(0.999, 0.999, 0.001),
        group=5,
    )
    return element("tendon", tendon)


def impedance_mjcf(impedance: CartesianImpedanceConfig) -> str:
    """Six site actuators between TCP and reference: Cartesian impedance inside mj_step, no Python per substep."""
    stiffness = (*impedance.stiffness_n_m, *impedance.rotational_stiffness_nm_rad)
    damping = (*impedance.damping_n_s_m, *impedance.rotational_damping_nm_s_rad)
    limits = (*impedance.force_limit_n, *impedance.torque_limit_nm)
    written = []
    for axis, (k, d, limit) in enumerate(zip(stiffness, damping, limits, strict=True)):
        gear = numbers(1.0 if index == axis else 0.0 for index in range(6))
        written.append(
            element(
                "general",
                name=f"cartesian_impedance/{axis}",
                site=TCP_SITE,
                refsite=REFERENCE_SITE,
                group=CARTESIAN_GROUP,
                gear=gear,
                gaintype="fixed",
                gainprm=k,
                biastype="affine",
                biasprm=(0, -k, -d),
                forcerange=(-limit, limit),
            )
        )
    return "".join(written)
