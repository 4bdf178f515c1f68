"""The insertion stand as MJCF: an arm that holds a plug over a socket on a table, with two cameras.

Contact and rendering settings were measured: plug and socket jam and never pass through each other, and a frame costs
well under a millisecond on a CPU (no shadows, no reflections, no multisampling, the table drawn as a box).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import Config
from tenon.control.impedance import CartesianImpedanceConfig
from tenon.simulation.arms import arm_mjcf, joint_actuators_mjcf
from tenon.simulation.connector_mjcf import PANEL_MATERIAL, connector_mjcf
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.mjcf import element, numbers, quaternion

TOOL_DOWN_XYZW = (1.0, 0.0, 0.0, 0.0)
PLUG_IN_FLANGE_M = 0.13
TABLE_RGBA = (0.28, 0.25, 0.24, 1.0)
WRIST_CAMERA, OVERVIEW_CAMERA = "wrist", "overview"
# beside the gripper, looking at the plug's tip: right in the picture is the flange's x
WRIST_CAMERA_IN_FLANGE_M = (0.0, -0.07, 0.06)
WRIST_CAMERA_AXES = (1.0, 0.0, 0.0, 0.0, -0.772, 0.636)
OVERVIEW_CAMERA_FROM_MOUTH_M = (0.3, -0.38, 0.26)
CARTESIAN_GROUP, JOINT_GROUP = 0, 1
TCP_SITE, REFERENCE_SITE, REFERENCE_BODY = "tcp", "reference", "reference"
SOCKET_BODY, PLUG_BODY, RETENTION_TENDON, CONTACT_SENSOR = "socket", "plug", "retention", "plug_contact"
# far from the socket compared with any sideways motion, so the tendon's length measures motion along the axis alone
RETENTION_ANCHOR_M = 10.0


class JointImpedanceConfig(Config):
    """Joint stiffness and damping while a joint reference is followed (released Sawyer values, per joint)."""

    stiffness_nm_rad: PositiveFloat = 400.0
    damping_nm_s_rad: PositiveFloat = 40.0


class PhysicsConfig(Config):
    """Integration and contact. Tuned against tunnelling: change only with the contact tests beside you.

    contact_time_constant_s: of MuJoCo's contact spring, twice timestep_s at least. A timestep of 4 ms lets a plug
    through, a softer contact a tilted one.
    """

    timestep_s: Annotated[PositiveFloat, Field(le=0.002)] = 0.002
    contact_time_constant_s: PositiveFloat = 0.004
    contact_impedance: tuple[float, float, float] = (0.95, 0.99, 0.0002)
    solver_iterations: PositiveInt = 20
    impedance_ratio: PositiveFloat = 10.0


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
    parts = connector_mjcf(connector)
    world = (
        _light()
        + _overview_camera(scene)
        + _table()
        + _reference()
        + arm_mjcf(arm, _tool(parts.plug, connector))
        + _socket(parts.socket, connector, scene)
    )
    actuators = _impedance_actuators(scene.impedance) + joint_actuators_mjcf(
        arm,
        stiffness_nm_rad=scene.joint_impedance.stiffness_nm_rad,
        damping_nm_s_rad=scene.joint_impedance.damping_nm_s_rad,
        group=JOINT_GROUP,
    )
    return element(
        "mujoco",
        element("compiler", angle="radian", autolimits=True),
        physics_options(scene.physics),
        _visual(scene),
        connector_defaults(connector, scene.physics),
        element("asset", parts.assets),
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
        element("flag", multiccd="disable"),
        timestep=physics.timestep_s,
        integrator="implicitfast",
        cone="elliptic",
        solver="Newton",
        iterations=physics.solver_iterations,
        ls_iterations=20,
        tolerance=1e-8,
        impratio=physics.impedance_ratio,
    )


def _visual(scene: SceneConfig) -> str:
    return element(
        "visual",
        element("global", offwidth=scene.image_width_px, offheight=scene.image_height_px),
        element("quality", shadowsize=0, offsamples=0, numslices=10, numstacks=6, numquads=1),
        element("headlight", ambient=(0.4, 0.4, 0.4), diffuse=(0.5, 0.5, 0.5)),
        element("map", znear=0.005),
    )


def connector_defaults(connector: ConnectorConfig, physics: PhysicsConfig) -> str:
    """<default>: the classes "plug", "socket" (both collide) and "visual" (does not)."""
    contact: dict[str, object] = {
        "condim": 4,
        "friction": (connector.friction, 0.002, 0.0001),
        "solref": (physics.contact_time_constant_s, 1),
        "solimp": physics.contact_impedance,
        "group": 1,
    }
    plug = element("geom", contype=1, conaffinity=2, mass=0.02, rgba=(*connector.appearance.plug, 1), **contact)
    socket = element("geom", contype=2, conaffinity=1, material=PANEL_MATERIAL, **contact)
    visual = element("geom", contype=0, conaffinity=0, mass=0, group=2, rgba=(0.55, 0.57, 0.6, 1))
    return element(
        "default",
        element("default", visual, class_="visual"),
        element("default", plug, class_="plug"),
        element("default", socket, class_="socket"),
    )


def _light() -> str:
    return element("light", pos=(0.3, 0.3, 1.5), dir=(0, 0, -1), diffuse=(0.3, 0.3, 0.3), castshadow=False)


def _overview_camera(scene: SceneConfig) -> str:
    place = tuple(m + o for m, o in zip(scene.socket_mouth_in_base_m, OVERVIEW_CAMERA_FROM_MOUTH_M, strict=True))
    return element("camera", name=OVERVIEW_CAMERA, pos=place, mode="targetbody", target=SOCKET_BODY, fovy=45)


def _table() -> str:
    """Collides as a plane (cheap), is drawn as a box (a drawn plane costs more than all the rest)."""
    return element(
        "geom", name="table", type="plane", size=(1.2, 1.2, 0.02), contype=2, conaffinity=1, group=4
    ) + element("geom", class_="visual", type="box", size=(0.6, 0.6, 0.01), pos=(0.4, 0, -0.0101), rgba=TABLE_RGBA)


def _reference() -> str:
    return element("body", element("site", name=REFERENCE_SITE, group=5), name=REFERENCE_BODY, mocap=True)


def _tool(plug: str, connector: ConnectorConfig) -> str:
    """Gripper, wrist camera and the plug, in the flange's frame; the TCP is the middle of the plug's tip."""
    handle = element(
        "geom",
        class_="visual",
        type="box",
        size=(0.01, 0.006, 0.012),
        pos=(0, 0, -0.012),
        rgba=(*connector.appearance.handle, 1),
    )
    held = element(
        "body",
        handle,
        plug,
        element("site", name=TCP_SITE, pos=(0, 0, connector.depth_m), group=5),
        name=PLUG_BODY,
        pos=(0, 0, PLUG_IN_FLANGE_M),
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
            group=2,
            rgba=(0.4, 0.4, 0.42, 1),
        )
        + element("camera", name=WRIST_CAMERA, pos=WRIST_CAMERA_IN_FLANGE_M, xyaxes=WRIST_CAMERA_AXES, fovy=50)
        + held
    )


def _socket(socket: str, connector: ConnectorConfig, scene: SceneConfig) -> str:
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


def _impedance_actuators(impedance: CartesianImpedanceConfig) -> str:
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
