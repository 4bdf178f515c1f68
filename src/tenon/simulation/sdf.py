"""The insertion stand as an SDF world for Gazebo, from the parameters that the MuJoCo scene is made from.

SDF 1.9, the dialect that Gazebo Fortress reads and all later ones. Plug and socket are the convex pieces of the MuJoCo
model; the arm's bodies carry no weight, as the real arms' controllers see to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np
from pydantic import PositiveFloat

from tenon.configuration.arm import ArmConfig, JointConfig
from tenon.configuration.base import Config, ConfigurationError
from tenon.configuration.camera import CameraConfig
from tenon.control.frames import BASE_FRAME, optical_frame
from tenon.control.geometry import compose, pose, quaternion_from_matrix, unit
from tenon.control.kinematics import FLANGE_FRAME, TCP_FRAME, frame_pose
from tenon.control.types import Pose
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon.simulation.looks import SurroundingsConfig
from tenon.simulation.mjcf import element, numbers
from tenon.simulation.scene import (
    PLUG_BODY,
    SOCKET_BODY,
    WRIST_MOUNTS,
    WristMount,
    scene_mjcf,
    wrist_camera_in_flange,
)
from tenon.simulation.tasks import InsertionTaskConfig, seated_pose
from tenon.simulation.urdf import capsule_pose

SDF_VERSION = "1.9"
DECIMALS = 10
"""Of a length (m) and of a quaternion: the same text on every machine."""
TOOL_LINK = "tool"
TOOL_MASS_KG = 0.9
TOOL_INERTIA_KG_M2 = 0.002
TABLE_SIZE_M = (1.2, 1.2, 0.02)
OPTICAL_TO_LOOKING = quaternion_from_matrix(np.array(((0.0, -1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0))))
"""SDF cameras look along x with z up; optical frames along z with y down."""


class GazeboConfig(Config):
    """step_s: of the physics. state_rate_hz: of joint states and wrench."""

    step_s: PositiveFloat = 0.001
    state_rate_hz: PositiveFloat = 500.0


@dataclass(frozen=True, slots=True)
class SdfStand:
    """What stands in the world."""

    arm: ArmConfig
    connector: ConnectorConfig
    task: InsertionTaskConfig
    camera: CameraConfig


def sdf_world(stand: SdfStand, config: GazeboConfig | None = None) -> str:
    """The world as text, all joints at zero. Raises ConfigurationError for a plug that SDF cannot say.

    Topics of Gazebo, for the bridge: joint_states, tool/wrench, camera/image_raw, camera/camera_info, and per joint
    model/ARM/joint/JOINT/cmd_force.
    """
    config = config or GazeboConfig()
    parts = (
        element("physics", _tag("max_step_size", config.step_s), name="default", type="ignored"),
        *(_plugin(name) for name in ("Physics", "UserCommands", "SceneBroadcaster", "ForceTorque")),
        _plugin("Sensors", _tag("render_engine", "ogre2")),
        _light(stand.connector.surroundings or SurroundingsConfig()),
        _table(),
        _socket(stand),
        _arm(stand, config),
    )
    world = element(
        "world", *(f"\n    {part}" for part in parts), "\n  ", name=f"{stand.arm.name}_{stand.connector.name}"
    )
    return '<?xml version="1.0"?>\n' + element("sdf", "\n  ", world, "\n", version=SDF_VERSION) + "\n"


# --- the arm ----------------------------------------------------------------------------------------------------------


def _arm(stand: SdfStand, config: GazeboConfig) -> str:
    arm = stand.arm
    parts = [_fixed("stands", "world", BASE_FRAME), _base(arm)]
    parent = BASE_FRAME
    for joint in arm.joints:
        parts += [_link(joint, parent), _joint(joint, parent)]
        parent = joint.link_name
    parts += [_tool_link(stand, parent), _fixed("tool_joint", parent, TOOL_LINK, _wrench_sensor(config))]
    parts += [
        element("frame", name=FLANGE_FRAME, attached_to=TOOL_LINK),
        element("frame", _pose(tcp_in_flange(stand.connector)), name=TCP_FRAME, attached_to=TOOL_LINK),
        _plugin(
            "JointStatePublisher",
            _tag("topic", "joint_states"),
            _tag("update_rate", config.state_rate_hz),
            *(_tag("joint_name", joint.name) for joint in arm.joints),
        ),
        *(_plugin("ApplyJointForce", _tag("joint_name", joint.name)) for joint in arm.joints),
    ]
    return element("model", *(f"\n      {part}" for part in parts), "\n    ", name=arm.name)


def _base(arm: ArmConfig) -> str:
    inertial = element("inertial", _tag("mass", arm.base_mass_kg))
    return element("link", inertial, name=BASE_FRAME)


def _link(joint: JointConfig, parent: str) -> str:
    xx, yy, zz = joint.inertia_kg_m2
    inertia = "".join(_tag(name, value) for name, value in (("ixx", xx), ("iyy", yy), ("izz", zz)))
    middle, length = capsule_pose(joint.capsule)
    shape = element("geometry", element("capsule", _tag("radius", joint.capsule.radius_m), _tag("length", length)))
    return element(
        "link",
        _pose(frame_pose(joint.frame), relative_to=parent),
        _tag("gravity", "false"),
        element(
            "inertial",
            _pose(pose(joint.centre_of_mass_m)),
            _tag("mass", joint.mass_kg),
            element("inertia", inertia),
        ),
        element("visual", _pose(middle), shape, name="capsule"),
        name=joint.link_name,
    )


def _joint(joint: JointConfig, parent: str) -> str:
    limits = (
        ("lower", joint.lower_rad),
        ("upper", joint.upper_rad),
        ("effort", joint.effort_limit_nm),
        ("velocity", joint.velocity_limit_rad_s),
    )
    return element(
        "joint",
        _tag("parent", parent),
        _tag("child", joint.link_name),
        element(
            "axis",
            _tag("xyz", numbers(joint.axis)),
            element("limit", *(_tag(name, value) for name, value in limits)),
            element("dynamics", _tag("damping", joint.damping_nm_s)),
        ),
        name=joint.name,
        type="revolute",
    )


def _tool_link(stand: SdfStand, parent: str) -> str:
    surroundings = stand.connector.surroundings or SurroundingsConfig()
    inertia = "".join(_tag(name, TOOL_INERTIA_KG_M2) for name in ("ixx", "iyy", "izz"))
    return element(
        "link",
        _pose(frame_pose(stand.arm.flange), relative_to=parent),
        _tag("gravity", "false"),
        element("inertial", _pose(pose((0, 0, 0.095))), _tag("mass", TOOL_MASS_KG), element("inertia", inertia)),
        *_pieces(stand, PLUG_BODY, FLANGE_FRAME),
        _camera_sensor(stand.camera, WRIST_MOUNTS[surroundings.camera_mount]),
        name=TOOL_LINK,
    )


def _wrench_sensor(config: GazeboConfig) -> str:
    """Of what the tool does to the arm; the driver turns it round and into the base."""
    measured = element("force_torque", _tag("frame", "child"), _tag("measure_direction", "child_to_parent"))
    rate = _tag("update_rate", config.state_rate_hz)
    return element(
        "sensor", _tag("always_on", "true"), rate, _tag("topic", "tool/wrench"), measured, name="wrench",
        type="force_torque",
    )  # fmt: skip


def _camera_sensor(camera: CameraConfig, mount: WristMount) -> str:
    place = compose(wrist_camera_in_flange(mount), pose((0.0, 0.0, 0.0), OPTICAL_TO_LOOKING))
    upright = math.radians(mount.field_of_view_deg)
    across = 2.0 * math.atan(math.tan(upright / 2) * camera.width / camera.height)
    image = element("image", _tag("width", camera.width), _tag("height", camera.height), _tag("format", "R8G8B8"))
    clip = element("clip", _tag("near", 0.005), _tag("far", 5.0))
    return element(
        "sensor",
        _pose(place),
        _tag("always_on", "true"),
        _tag("update_rate", camera.rate_hz),
        _tag("topic", "camera/image_raw"),
        element(
            "camera",
            _tag("camera_info_topic", "camera/camera_info"),
            _tag("optical_frame_id", optical_frame(camera.name)),
            _tag("horizontal_fov", across),
            image,
            clip,
        ),
        name=camera.name,
        type="camera",
    )


def _fixed(name: str, parent: str, child: str, *inside: str) -> str:
    return element("joint", _tag("parent", parent), _tag("child", child), *inside, name=name, type="fixed")


# --- what stands around -----------------------------------------------------------------------------------------------


def _socket(stand: SdfStand) -> str:
    link = element("link", *_pieces(stand, SOCKET_BODY, SOCKET_BODY), name=SOCKET_BODY)
    place = pose(stand.task.scene.socket_mouth_in_base_m, seated_pose(stand.task, stand.connector).quaternion_xyzw)
    return element("model", _tag("static", "true"), _pose(place), link, name=SOCKET_BODY)


def _pieces(stand: SdfStand, body: str, frame: str) -> list[str]:
    """What of a body collides in the MuJoCo model, as collisions and visuals in the frame of another body of it."""
    model = mujoco.MjModel.from_xml_string(scene_mjcf(stand.arm, stand.connector, stand.task.scene))
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    origin = data.body(frame)
    axes = origin.xmat.reshape(3, 3)
    written: list[str] = []
    for index in range(model.ngeom):
        if model.geom_bodyid[index] != model.body(body).id or not model.geom_contype[index]:
            continue
        position = axes.T @ (data.geom_xpos[index] - origin.xpos)
        turn = quaternion_from_matrix(axes.T @ data.geom_xmat[index].reshape(3, 3))
        place, shape = _pose(pose(position, turn)), _shape(model, index, stand.connector)
        friction = element("friction", element("ode", *(_tag(f"mu{n}", stand.connector.friction) for n in ("", 2))))
        name = f"{body}_{len(written)}"
        piece = element("collision", place, shape, element("surface", friction), name=name)
        written.append(piece + element("visual", place, shape, name=f"{name}_visual"))
    return written


def _shape(model: mujoco.MjModel, index: int, connector: ConnectorConfig) -> str:
    kind, size = mujoco.mjtGeom(model.geom_type[index]), model.geom_size[index]
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return element("geometry", element("box", _tag("size", numbers(2 * size))))
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        return element("geometry", element("cylinder", _tag("radius", size[0]), _tag("length", 2 * size[1])))
    raise ConfigurationError(
        f"connector {connector.name!r} has a piece of type {kind.name.removeprefix('mjGEOM_').lower()}, which the "
        "world for Gazebo does not write: use one of boxes and cylinders, such as usb or waterproof"
    )


def _table() -> str:
    shape = element("geometry", element("box", _tag("size", numbers(TABLE_SIZE_M))))
    solid = element("collision", shape, name="table") + element("visual", shape, name="table_visual")
    place = _pose(pose((0.4, 0.0, -TABLE_SIZE_M[2] / 2 - 1e-4)))
    return element("model", _tag("static", "true"), place, element("link", solid, name="table"), name="table")


def _light(surroundings: SurroundingsConfig) -> str:
    azimuth, elevation = surroundings.light_azimuth_rad, surroundings.light_elevation_rad
    level = math.cos(elevation)
    towards = (-level * math.cos(azimuth), -level * math.sin(azimuth), -math.sin(elevation))
    diffuse = numbers((*[surroundings.light_brightness] * 3, 1.0))
    return element(
        "light", _tag("diffuse", diffuse), _tag("direction", numbers(towards)), name="lamp", type="directional"
    )


# --- text -------------------------------------------------------------------------------------------------------------

_FILES = {
    "Physics": "physics",
    "UserCommands": "user-commands",
    "SceneBroadcaster": "scene-broadcaster",
    "ForceTorque": "forcetorque",
    "Sensors": "sensors",
    "JointStatePublisher": "joint-state-publisher",
    "ApplyJointForce": "apply-joint-force",
}


def _plugin(name: str, *inside: str) -> str:
    return element("plugin", *inside, filename=f"gz-sim-{_FILES[name]}-system", name=f"gz::sim::systems::{name}")


def _tag(name: str, value: object) -> str:
    text = f"{value:.9g}" if isinstance(value, float) else str(value)
    return element(name, text)


def _pose(place: Pose, relative_to: str | None = None) -> str:
    values = numbers(round(value, DECIMALS) + 0.0 for value in (*place.position_m, *unit(place.quaternion_xyzw)))
    return element("pose", values, relative_to=relative_to, rotation_format="quat_xyzw")
