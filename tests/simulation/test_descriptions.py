"""One arm, five descriptions: the joint chain in Pinocchio, its MJCF, URDF and SDF, and the published DH table."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin
import pytest
from numpy.typing import NDArray

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError, load
from tenon.configuration.camera import CameraConfig
from tenon.configuration.resolve import config_root
from tenon.control.frames import FrameTree, optical_frame
from tenon.control.geometry import (
    compose,
    matrix_from_quaternion,
    pose,
    quaternion_from_rotation_vector,
    roll_pitch_yaw,
)
from tenon.control.kinematics import Kinematics
from tenon.control.types import Pose
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon.simulation.looks import SurroundingsConfig
from tenon.simulation.scene import TCP_SITE, WRIST_CAMERA, WRIST_MOUNTS, scene_mjcf, wrist_camera_in_flange
from tenon.simulation.sdf import SdfStand, sdf_world
from tenon.simulation.tasks import InsertionTaskConfig
from tenon.simulation.urdf import urdf

Matrix = NDArray[np.float64]
TipOf = Callable[[Matrix], Matrix]

POSTURES = 100
TOLERANCE = 1e-6
"""Metres, and entries of a rotation matrix."""
ARMS = ("ur5", "sawyer")
HARDWARE = config_root().parent / "hardware"
WORLDS = HARDWARE / "gazebo" / "worlds"
SDF_LIBRARY = "libsdformat12.so.12"

# (a, d, alpha) per joint: metres and degrees
UR5_DH = (
    (0.0, 0.089159, 90),
    (-0.425, 0.0, 0),
    (-0.39225, 0.0, 0),
    (0.0, 0.10915, 90),
    (0.0, 0.09465, -90),
    (0.0, 0.0823, 0),
)


def stand(arm: str, task: str = "usb") -> SdfStand:
    root = config_root()
    loaded = load(InsertionTaskConfig, root / "tasks" / f"{task}.yaml")
    return SdfStand(
        arm=load(ArmConfig, root / "arms" / f"{arm}.yaml"),
        connector=load(ConnectorConfig, root / "connectors" / f"{loaded.connector}.yaml"),
        task=loaded,
        camera=load(CameraConfig, root / "cameras" / "wrist.yaml"),
    )


def homogeneous(place: Pose) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, :3] = matrix_from_quaternion(place.quaternion_xyzw)
    matrix[:3, 3] = place.position_m
    return matrix


def in_pinocchio(of: SdfStand) -> TipOf:
    kinematics = Kinematics(of.arm, tcp_in_flange(of.connector))
    return lambda joints: homogeneous(kinematics.forward(joints))


def in_mjcf(of: SdfStand) -> TipOf:
    model = mujoco.MjModel.from_xml_string(scene_mjcf(of.arm, of.connector, of.task.scene))
    data = mujoco.MjData(model)

    def tip(joints: Matrix) -> Matrix:
        data.qpos[: len(joints)] = joints
        mujoco.mj_kinematics(model, data)
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = data.site(TCP_SITE).xmat.reshape(3, 3), data.site(TCP_SITE).xpos
        return matrix

    return tip


def in_urdf(of: SdfStand) -> TipOf:
    """As Pinocchio's reader of URDF files understands it."""
    model = pin.buildModelFromXML(urdf(of.arm, tcp_in_flange(of.connector)))
    data = model.createData()

    def tip(joints: Matrix) -> Matrix:
        pin.framesForwardKinematics(model, data, joints)
        return np.array(data.oMf[model.getFrameId("tcp")].homogeneous)

    return tip


def in_sdf(of: SdfStand) -> TipOf:
    """By the rules of SDF: a link's pose is that at zero angles, its joint turns it about an axis of its own frame."""
    model = ET.fromstring(sdf_world(of)).find(f"world/model[@name='{of.arm.name}']")
    assert model is not None
    links = {str(link.get("name")): link for link in model.findall("link")}

    def place(element: ET.Element | None) -> Matrix:
        if element is None:
            return np.eye(4)
        values = [float(text) for text in str(element.text).split()]
        return homogeneous(pose(values[:3], values[3:]))

    def tip(joints: Matrix) -> Matrix:
        angles = dict(zip(of.arm.joint_names, joints, strict=True))
        transform = np.eye(4)
        assert model is not None
        for joint in model.findall("joint"):
            child = links[str(joint.findtext("child"))]
            if joint.findtext("parent") != "world":
                stated = child.find("pose")
                assert stated is not None
                assert stated.get("relative_to") == joint.findtext("parent")
                transform = transform @ place(stated)
            if joint.get("type") == "revolute":
                axis = np.array([float(text) for text in str(joint.findtext("axis/xyz")).split()])
                turn = quaternion_from_rotation_vector(angles[str(joint.get("name"))] * axis)
                transform = transform @ homogeneous(Pose(np.zeros(3), turn))
        frame = model.find("frame[@name='tcp']")
        assert frame is not None
        return transform @ place(frame.find("pose"))

    return tip


def ur5_by_dh(of: SdfStand) -> TipOf:
    """The controller's base is the description's turned by half a turn about z; its flange looks along z as ours."""

    def tip(joints: Matrix) -> Matrix:
        transform = np.diag((-1.0, -1.0, 1.0, 1.0))
        for (a, d, alpha_deg), theta in zip(UR5_DH, joints, strict=True):
            alpha = math.radians(alpha_deg)
            ct, st, ca, sa = math.cos(theta), math.sin(theta), math.cos(alpha), math.sin(alpha)
            transform = transform @ np.array(
                ((ct, -st * ca, st * sa, a * ct), (st, ct * ca, -ct * sa, a * st), (0, sa, ca, d), (0, 0, 0, 1))
            )
        return transform @ homogeneous(tcp_in_flange(of.connector))

    return tip


def postures(arm: ArmConfig) -> Matrix:
    lower = [joint.lower_rad for joint in arm.joints]
    upper = [joint.upper_rad for joint in arm.joints]
    return np.random.default_rng(3).uniform(lower, upper, (POSTURES, len(lower)))


@pytest.mark.parametrize("described", [in_mjcf, in_urdf, in_sdf])
@pytest.mark.parametrize("arm", ARMS)
def test_every_description_of_an_arm_puts_its_tip_in_the_same_place(
    arm: str, described: Callable[[SdfStand], TipOf]
) -> None:
    of = stand(arm)
    ours, theirs = in_pinocchio(of), described(of)
    for joints in postures(of.arm):
        np.testing.assert_allclose(theirs(joints), ours(joints), atol=TOLERANCE)


def test_the_ur5_stands_where_its_published_table_says() -> None:
    of = stand("ur5")
    ours, theirs = in_pinocchio(of), ur5_by_dh(of)
    for joints in postures(of.arm):
        np.testing.assert_allclose(theirs(joints)[:3, 2:], ours(joints)[:3, 2:], atol=TOLERANCE)


@pytest.mark.parametrize("arm", ARMS)
def test_frames_lead_from_base_to_tip_and_camera(arm: str) -> None:
    of = stand(arm)
    mount = wrist_camera_in_flange(WRIST_MOUNTS[(of.connector.surroundings or SurroundingsConfig()).camera_mount])
    tree = FrameTree(of.arm, tcp_in_flange(of.connector), mounted={optical_frame("wrist"): mount})
    model = mujoco.MjModel.from_xml_string(scene_mjcf(of.arm, of.connector, of.task.scene))
    data = mujoco.MjData(model)
    for joints in postures(of.arm)[:10]:
        edges = {frame.child: frame for frame in (*tree.moving(joints), *tree.fixed)}

        def in_base(name: str, edges=edges) -> Matrix:
            if name == "base":
                return np.eye(4)
            return in_base(edges[name].parent) @ homogeneous(edges[name].pose)

        data.qpos[: len(joints)] = joints
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        np.testing.assert_allclose(in_base("tcp")[:3, 3], data.site(TCP_SITE).xpos, atol=TOLERANCE)
        camera = in_base(optical_frame("wrist"))
        np.testing.assert_allclose(camera[:3, 3], data.cam(WRIST_CAMERA).xpos, atol=TOLERANCE)
        looking = data.cam(WRIST_CAMERA).xmat.reshape(3, 3) @ np.diag((1.0, -1.0, -1.0))
        np.testing.assert_allclose(camera[:3, :3], looking, atol=TOLERANCE)


def test_masses_and_limits_are_the_arms_in_every_description() -> None:
    of = stand("ur5")
    model = pin.buildModelFromXML(urdf(of.arm))
    joints = of.arm.joints
    np.testing.assert_allclose([i.mass for i in list(model.inertias)[1:]], [j.mass_kg for j in joints])
    np.testing.assert_allclose(model.lowerPositionLimit, [j.lower_rad for j in joints])
    np.testing.assert_allclose(model.upperPositionLimit, [j.upper_rad for j in joints])
    np.testing.assert_allclose(model.velocityLimit, [j.velocity_limit_rad_s for j in joints])
    world = ET.fromstring(sdf_world(of))
    links = world.findall(f"world/model[@name='{of.arm.name}']/link")
    masses = {str(link.get("name")): float(str(link.findtext("inertial/mass"))) for link in links}
    assert all(masses[joint.link_name] == pytest.approx(joint.mass_kg) for joint in joints)


@pytest.mark.parametrize("arm", ARMS)
def test_the_urdf_in_the_repository_is_the_arms(arm: str) -> None:
    path = HARDWARE / arm / "urdf" / f"{arm}.urdf"
    assert path.read_text() == urdf(stand(arm).arm), f"write it anew: tenon robot urdf {arm} --out {path}"


@pytest.mark.parametrize("arm", ARMS)
def test_the_world_in_the_repository_is_the_stands(arm: str) -> None:
    path = WORLDS / f"{arm}_usb.sdf"
    assert path.read_text() == sdf_world(stand(arm)), f"write it anew: tenon robot sdf {arm} --task usb --out {path}"


@pytest.mark.skipif(ctypes.util.find_library("sdformat12") is None, reason="needs Debian's libsdformat12-12")
@pytest.mark.parametrize("path", sorted(WORLDS.glob("*.sdf")), ids=lambda path: path.stem)
def test_gazebos_own_library_takes_the_world(path: Path) -> None:
    assert ctypes.CDLL(SDF_LIBRARY).cmdCheck(str(path).encode()) == 0


@pytest.mark.skipif(shutil.which("check_urdf") is None, reason="needs Debian's liburdfdom-tools")
@pytest.mark.parametrize("arm", ARMS)
def test_ros_own_library_takes_the_urdf(arm: str) -> None:
    path = HARDWARE / arm / "urdf" / f"{arm}.urdf"
    checked = subprocess.run(["check_urdf", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "child(1):  tcp" in checked.stdout


def test_a_plug_that_sdf_cannot_say_is_refused_with_a_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"'dsub' has a piece of type mesh.*such as usb"):
        sdf_world(stand("ur5", "dsub"))


@pytest.mark.parametrize("pitch", [0.3, math.pi / 2, -math.pi / 2])
def test_roll_pitch_yaw_turns_as_the_quaternion_does(pitch: float) -> None:
    def about(axis: tuple[float, float, float], angle: float) -> Pose:
        return Pose(np.zeros(3), quaternion_from_rotation_vector(angle * np.array(axis)))

    def turned(roll: float, pitch: float, yaw: float) -> Pose:
        return compose(about((0, 0, 1), yaw), compose(about((0, 1, 0), pitch), about((1, 0, 0), roll)))

    wanted = turned(0.7, pitch, -1.1)
    again = turned(*roll_pitch_yaw(wanted.quaternion_xyzw))
    np.testing.assert_allclose(homogeneous(again), homogeneous(wanted), atol=1e-9)
