"""The controller that Gazebo's arm gets, on MuJoCo's: the same readings in, the same torques out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import load
from tenon.configuration.resolve import config_root
from tenon.control.drivers import DriverError
from tenon.control.geometry import distance, pose
from tenon.control.loop import SetPoint
from tenon.control.types import Pose, RobotState
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import InsertionSimulation, tcp_in_flange
from tenon.simulation.tasks import InsertionTaskConfig, seated_pose
from tenon_gazebo.config import DriverSettings
from tenon_gazebo.driver import GazeboDriver, first_posture, is_seated

ROOT = config_root()
TASK = load(InsertionTaskConfig, ROOT / "tasks" / "usb.yaml")
CONNECTOR = load(ConnectorConfig, ROOT / "connectors" / "usb.yaml")
ARM = load(ArmConfig, ROOT / "arms" / "ur5.yaml")
TIMESTEP_S = TASK.scene.physics.timestep_s
SEATED = seated_pose(TASK, CONNECTOR)
START = Pose(SEATED.position_m + np.array((0.0, 0.0, TASK.start_height_m)), SEATED.quaternion_xyzw)


class Arm:
    """MuJoCo's arm as Gazebo shows its own: joints by name, torques in."""

    def __init__(self, driver: GazeboDriver) -> None:
        self.driver = driver
        self.simulation = InsertionSimulation(ARM, CONNECTOR, TASK)
        self.state = self.simulation.state()
        self.simulation.set_joint_torque(np.zeros(6))

    def turn(self, set_point: SetPoint, times: int) -> RobotState:
        for _ in range(times):
            state = self.simulation.state()
            named = (
                dict(zip(ARM.joint_names, values, strict=True))
                for values in (state.joint_position_rad, state.joint_velocity_rad_s)
            )
            self.state = self.driver.on_joints(state.stamp_ns, *named)
            self.simulation.set_joint_torque(self.driver.torques(set_point, TIMESTEP_S))
            self.simulation.advance(1)
        return self.state


def driver(first_rad: np.ndarray | None = None) -> GazeboDriver:
    tool = tcp_in_flange(CONNECTOR)
    first = first_posture(ARM, tool, START) if first_rad is None else first_rad
    return GazeboDriver(ARM, tool, TASK.scene.impedance, DriverSettings(), first)


def cartesian(tcp_in_base: Pose) -> SetPoint:
    return SetPoint(tcp_in_base, None, holding=False, reason="")


def test_it_goes_to_its_first_posture_before_it_listens() -> None:
    first = first_posture(ARM, tcp_in_flange(CONNECTOR), START) + np.array((0.2, 0.0, 0.0, 0.0, 0.0, -0.1))
    arm = Arm(driver(first))
    far = cartesian(pose((0.0, 0.5, 0.9)))
    turns = 0
    while not arm.driver.arrived and turns < 2000:
        speed = np.abs(arm.turn(far, 1).joint_velocity_rad_s).max()
        assert speed < 2.0 * DriverSettings().first_speed_rad_s
        turns += 1
    assert arm.driver.arrived
    np.testing.assert_allclose(arm.state.joint_position_rad, first, atol=DriverSettings().first_tolerance_rad)


def test_it_follows_a_pose_as_the_impedance_of_the_scene_does() -> None:
    arm = Arm(driver())
    arm.turn(cartesian(START), 50)
    assert arm.driver.arrived
    target = Pose(START.position_m + np.array((0.01, -0.005, 0.01)), START.quaternion_xyzw)
    reached = arm.turn(cartesian(target), 500)
    assert distance(reached.tcp_in_base, target)[0] < 5e-4
    np.testing.assert_allclose(arm.state.tcp_in_base.position_m, arm.simulation.tcp_in_base().position_m, atol=1e-3)


def test_joint_set_points_count_where_they_are_given() -> None:
    arm = Arm(driver())
    arm.turn(cartesian(START), 50)
    joints = arm.state.joint_position_rad - 0.05  # upwards: the other way the socket is
    reached = arm.turn(SetPoint(START, joints, holding=False, reason=""), 500)
    np.testing.assert_allclose(reached.joint_position_rad, joints, atol=1e-4)


def test_torques_stay_within_the_joints_limits() -> None:
    made = driver()
    made.on_joints(0, dict.fromkeys(ARM.joint_names, 2.5), dict.fromkeys(ARM.joint_names, -50.0))
    torques = made.torques(cartesian(START), TIMESTEP_S)
    assert (np.abs(torques) <= [joint.effort_limit_nm for joint in ARM.joints]).all()
    assert np.isclose(np.abs(torques), [joint.effort_limit_nm for joint in ARM.joints]).any()


def test_the_world_of_another_arm_is_named() -> None:
    joints = dict.fromkeys(("right_j0", "right_j1"), 0.0)
    with pytest.raises(DriverError, match=r"shoulder_pan_joint.*right_j0, right_j1: launch the world of"):
        driver().on_joints(0, joints, joints)
    named = dict.fromkeys(ARM.joint_names, 0.0)
    with pytest.raises(DriverError, match="no position and velocity of shoulder_pan_joint"):
        driver().on_joints(0, named, {})


def test_a_world_that_is_reset_ends_the_session() -> None:
    """The arm would be pulled from zero to where the session last wanted it, at once."""
    made, named = driver(), dict.fromkeys(ARM.joint_names, 0.0)
    made.on_joints(5_000_000_000, named, named)
    made.on_joints(4_990_000_000, named, named)
    with pytest.raises(DriverError, match="reset"):
        made.on_joints(2_000_000, named, named)


def test_the_wrench_is_told_at_the_tip_in_axes_of_the_base() -> None:
    """A push upwards on the tip of a tool that points down is felt at the flange as a push into it."""
    made = driver()
    first = first_posture(ARM, tcp_in_flange(CONNECTOR), START)
    reach_m = float(tcp_in_flange(CONNECTOR).position_m[2])
    made.on_wrench(np.array((0.0, 2.0, -5.0, -2.0 * reach_m, 0.0, 0.0)))
    named = dict(zip(ARM.joint_names, first, strict=True))
    state = made.on_joints(0, named, dict.fromkeys(ARM.joint_names, 0.0))
    assert state.wrench_in_base[2] == pytest.approx(5.0, abs=1e-3)
    np.testing.assert_allclose(state.wrench_in_base[3:], 0.0, atol=1e-3)


def test_seated_is_at_depth_and_over_the_hole() -> None:
    assert is_seated(SEATED, SEATED, TASK)
    assert not is_seated(START, SEATED, TASK)
    beside = Pose(SEATED.position_m + np.array((0.01, 0.0, 0.0)), SEATED.quaternion_xyzw)
    assert not is_seated(beside, SEATED, TASK)


def test_a_start_out_of_reach_is_refused() -> None:
    with pytest.raises(DriverError, match="ur5 cannot reach the start of the task"):
        first_posture(ARM, tcp_in_flange(CONNECTOR), pose((2.0, 0.0, 0.5)))


def test_the_bridge_carries_what_driver_and_world_speak_of() -> None:
    node = (ROOT.parent / "hardware" / "gazebo" / "tenon_gazebo" / "node.py").read_text()
    world = (ROOT.parent / "hardware" / "gazebo" / "worlds" / "ur5_usb.sdf").read_text()
    crossings = yaml.safe_load((ROOT.parent / "hardware" / "gazebo" / "bridge.yaml").read_text())
    by_ros = {crossing["ros_topic_name"]: crossing for crossing in crossings}
    for joint in ARM.joint_names:
        crossing = by_ros[f"gazebo/torque/{joint}"]
        assert crossing["gz_topic_name"] == f"/model/ur5/joint/{joint}/cmd_force"
        assert crossing["direction"] == "ROS_TO_GZ"
        assert f"<joint_name>{joint}</joint_name></plugin>" in world.replace("\n", "")
    for name in ("gazebo/joint_states", "gazebo/wrench"):
        assert f'"{name}"' in node
    for topic in ("joint_states", "tool/wrench", "camera/image_raw", "camera/camera_info"):
        assert topic in {crossing["gz_topic_name"] for crossing in crossings}
        assert f">{topic}<" in world


def test_worlds_are_named_after_robot_and_task() -> None:
    names = {path.stem for path in Path(ROOT.parent, "hardware", "gazebo", "worlds").glob("*.sdf")}
    assert names == {"ur5_usb", "sawyer_usb"}
