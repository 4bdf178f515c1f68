"""The driver against the emulated robot: it moves compliantly, and for each fault it stops, names it, and comes back
without moving once a person has cleared it."""

from __future__ import annotations

import time
from contextlib import contextmanager

import numpy as np
import pytest

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import RobotConfig
from tenon.control.drivers import ArmFaultError, ArmFaultKind, DriverError, DriverState
from tenon.control.geometry import distance
from tenon.control.loop import SetPoint
from tenon.control.types import Pose
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon_sawyer.config import DriverSettings
from tenon_sawyer.driver import SawyerDriver
from tenon_sawyer.emulated_arm import Mode
from tenon_sawyer.emulator import EmulatorSettings
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.time import Time
from tenon_sawyer.ros1.xmlrpc import call

PATIENT = {"rate_share": 0.01, "missed_cycles": 1000, "silence_s": 60.0}
"""A test machine may be busy, or stand still for seconds."""
STILL_M = 1e-3
"""What an arm under an impedance may sink in while it is taken over."""


@pytest.fixture
def settings():
    return EmulatorSettings(port=0, enabled=True, control_rate_hz=250.0, patience_s=0.02)


def driver_settings(lab, **changes):
    given = load_named(RobotConfig, ConfigKind.ROBOTS, "sawyer-emulated").driver.settings
    return DriverSettings.model_validate({**given, "master_uri": lab.emulator.uri, **PATIENT, **changes})


@contextmanager
def driven(lab, **changes):
    plug = tcp_in_flange(load_named(ConnectorConfig, ConfigKind.CONNECTORS, "easy"))
    driver = SawyerDriver(lab.plant.arm, plug, driver_settings(lab, **changes))
    driver.configure()
    driver.activate()
    try:
        yield driver
    finally:
        driver.close()


@pytest.fixture
def driver(lab):
    with driven(lab) as made:
        yield made


def hold(pose):
    return SetPoint(pose, None, holding=True, reason="test")


def shifted(pose, offset_m):
    return Pose(pose.position_m + np.array(offset_m), pose.quaternion_xyzw)


def keep(driver, pose, seconds=0.3):
    """Lets the loop turn for a while with one set point; returns the last reading."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        state = driver.read()
        driver.write(hold(pose))
    return state


def fault_of(driver, seconds=20.0):
    """Turns until the driver tells of a fault."""
    pose = None
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        try:
            state = driver.read()
        except ArmFaultError as fault:
            return fault
        pose = pose or state.tcp_in_base
        driver.write(hold(pose))
    pytest.fail("no fault was told")


def rests_at(lab, pose):
    state = lab.plant.reading()
    return distance(state.tcp_in_base, pose)[0] < 2e-3 and np.abs(state.joint_velocity_rad_s).max() < 0.01


def recover(driver, wait_for):
    """As the node does it: again and again until it succeeds. Returns what was told meanwhile."""
    told = []

    def attempt():
        try:
            driver.recover()
        except ArmFaultError as fault:
            told.append(fault)
            return False
        return True

    wait_for(attempt, "recovery")
    return told


def refusal(driver):
    """What ``recover`` says; it must not succeed."""
    with pytest.raises(ArmFaultError) as fault:
        driver.recover()
    return fault.value


def assert_is_known_as_restarted(driver, wait_for):
    """It is named at last, and what a person has to do with it."""
    told = []

    def is_named():
        told.append(refusal(driver))
        return told[-1].kind is ArmFaultKind.CONTROLLER_RESTARTED

    wait_for(is_named, "the restart to be named")
    assert "robot enable" in str(told[-1])


def assert_comes_back_without_moving(lab, driver, wait_for, moved_m=STILL_M):
    """It recovers where it is; nothing moves before somebody says so, and then it moves as before."""
    wait_for(lambda: lab.emulator.arm.mode is None, "the robot's own hold")
    before = lab.plant.reading().tcp_in_base
    with pytest.raises(DriverError, match="recover"):
        driver.write(hold(before))
    recover(driver, wait_for)
    assert distance(before, lab.plant.reading().tcp_in_base)[0] < moved_m
    here = driver.read().tcp_in_base
    after = keep(driver, here, 0.5).tcp_in_base
    assert distance(before, after)[0] < moved_m
    up = shifted(here, (0.0, 0.0, 0.01))
    wait_for(lambda: keep(driver, up, 0.1).tcp_in_base.position_m[2] > here.position_m[2] + 0.007, "motion")


def test_reading_is_that_of_the_arm(lab, driver):
    state, true = driver.read(), lab.plant.reading()
    assert distance(state.tcp_in_base, true.tcp_in_base)[0] < 1e-3
    assert np.abs(state.joint_position_rad - true.joint_position_rad).max() < 1e-2
    assert abs(state.stamp_ns - time.time_ns()) < 1e9
    assert driver.description.endswith("software 5.3.0-emulated")


def test_impedance_reaches_a_pose_and_gives_way_to_a_push(lab, driver, wait_for):
    target = shifted(driver.read().tcp_in_base, (0.005, 0.0, 0.01))
    wait_for(lambda: distance(keep(driver, target, 0.1).tcp_in_base, target)[0] < 1e-3, "the pose")
    wait_for(lambda: keep(driver, target, 0.05) and lab.emulator.arm.mode is Mode.TORQUE, "torque mode")
    lab.plant.push(np.array((0.0, 12.0, 0.0)), 1.0)
    wait_for(lambda: keep(driver, target, 0.05).tcp_in_base.position_m[1] > target.position_m[1] + 0.003, "giving way")
    wait_for(lambda: distance(keep(driver, target, 0.1).tcp_in_base, target)[0] < 2e-3, "coming back")


def test_guided_arm_is_sent_nothing_and_is_held_where_the_hand_leaves_it(lab, driver, wait_for):
    above = shifted(keep(driver, driver.read().tcp_in_base).tcp_in_base, (0.0, 0.0, 0.05))
    driver.guide(by_hand=True)
    wait_for(lambda: lab.emulator.arm.mode in (None, Mode.POSITION), "the robot's own hold")
    here = driver.read().tcp_in_base
    assert distance(keep(driver, above, 0.5).tcp_in_base, here)[0] < STILL_M
    lab.squeeze_cuff(True)
    keep(driver, above)
    lab.squeeze_cuff(False)
    wait_for(lambda: driver.link.hand_at_cuff() is None, "the cuff's word that it was let go")
    driver.guide(by_hand=False)
    here = driver.read().tcp_in_base
    assert distance(keep(driver, here, 0.5).tcp_in_base, here)[0] < STILL_M
    wait_for(lambda: keep(driver, here, 0.05) and lab.emulator.arm.mode is Mode.TORQUE, "torque mode")


def test_force_at_the_tool_is_told(lab, driver, wait_for):
    here = driver.read().tcp_in_base
    lab.plant.push(np.array((0.0, 0.0, 10.0)), 1.5)
    wait_for(lambda: 7.0 < keep(driver, here, 0.02).wrench_in_base[2] < 13.0, "10 N upwards")


def test_position_mode_goes_to_joints_by_the_robots_servos(lab, wait_for):
    with driven(lab, control="position") as driver:
        target = driver.read().joint_position_rad + 0.02

        def arrived():
            state = driver.read()
            driver.write(SetPoint(state.tcp_in_base, target, holding=False, reason=""))
            return np.abs(state.joint_position_rad - target).max() < 2e-3

        wait_for(arrived, "the joint angles")
        assert lab.emulator.arm.mode.name == "POSITION"


def test_pose_out_of_reach_leaves_the_arm_where_it_is(lab, driver):
    here = driver.read().tcp_in_base
    keep(driver, here)
    state = keep(driver, shifted(here, (5.0, 0.0, 0.0)))
    assert distance(state.tcp_in_base, here)[0] < STILL_M
    assert driver.unreachable > 0


def test_words_of_its_life_are_checked(lab, driver):
    with pytest.raises(DriverError, match=r"active: activate\(\) is for one that is inactive"):
        driver.activate()
    driver.deactivate()
    assert driver.state is DriverState.INACTIVE
    with pytest.raises(DriverError, match=r"inactive: write\(\)"):
        driver.write(hold(driver.read().tcp_in_base))


@pytest.mark.parametrize("settings", [EmulatorSettings(port=0, control_rate_hz=250.0)])
def test_disabled_robot_is_not_taken_over(lab):
    with pytest.raises(ArmFaultError, match=r"disabled.*robot enable") as told, driven(lab):
        pass
    assert told.value.kind is ArmFaultKind.NOT_READY


def test_other_robot_is_refused(lab):
    lab.node().set_parameter("/manifest/robot_class", "baxter")
    with pytest.raises(DriverError, match="is a baxter, not a Sawyer"), driven(lab):
        pass


def test_states_that_come_too_slowly_are_refused(lab, monkeypatch):
    monkeypatch.setattr("tenon_sawyer.robot_link.SETTLE_S", 0.5)
    with (
        pytest.raises(DriverError, match="Hz, the driver is set up for 1000 Hz"),
        driven(lab, rate_hz=1000.0, rate_share=1.0),
    ):
        pass


def test_silent_driver_is_left_by_the_robot_itself(lab, driver, wait_for):
    keep(driver, driver.read().tcp_in_base)
    wait_for(lambda: lab.emulator.arm.timeouts >= 1 and lab.emulator.arm.mode is None, "the robot's command timeout")
    before = lab.plant.reading().tcp_in_base
    time.sleep(0.3)
    assert distance(before, lab.plant.reading().tcp_in_base)[0] < STILL_M


def test_emergency_stop(lab, driver, wait_for):
    keep(driver, driver.read().tcp_in_base)
    lab.emulator.arm.press_stop()
    fault = fault_of(driver)
    assert (fault.kind, "release it" in str(fault)) == (ArmFaultKind.EMERGENCY_STOP, True)
    with pytest.raises(ArmFaultError, match="pressed"):
        driver.recover()
    lab.emulator.arm.release_stop()
    lab.emulator.arm.reset()
    lab.emulator.arm.enable(True)
    assert_comes_back_without_moving(lab, driver, wait_for)


def test_collision(lab, driver, wait_for):
    keep(driver, driver.read().tcp_in_base)
    lab.emulator.arm.obstruct(True)
    assert fault_of(driver).kind is ArmFaultKind.PROTECTIVE_STOP
    with pytest.raises(ArmFaultError, match="collision detection"):
        driver.recover()
    lab.emulator.arm.obstruct(False)
    assert_comes_back_without_moving(lab, driver, wait_for)


def test_hand_at_the_cuff_is_a_fault_and_the_arm_stays_where_the_hand_leaves_it(lab, driver, wait_for):
    here = driver.read().tcp_in_base
    keep(driver, here)
    there = shifted(here, (0.0, 0.03, 0.03))
    lab.plant.guide(there)
    fault = fault_of(driver)
    assert (fault.kind, "let go, then clear" in str(fault)) == (ArmFaultKind.SAFEGUARD_STOP, True)
    wait_for(lambda: rests_at(lab, there), "the arm to give way to the hand")
    assert refusal(driver).kind is ArmFaultKind.SAFEGUARD_STOP
    lab.plant.guide(None)
    assert_comes_back_without_moving(lab, driver, wait_for)


def test_arm_is_not_taken_over_from_a_hand(lab):
    lab.squeeze_cuff(True)
    with pytest.raises(ArmFaultError, match="by its cuff"), driven(lab):
        pass


def test_cable_pulled(lab, driver, wait_for):
    keep(driver, driver.read().tcp_in_base)
    lab.emulator.robot.unplugged = True
    fault = fault_of(driver)
    assert fault.kind is ArmFaultKind.CONNECTION_LOST
    wait_for(lambda: lab.emulator.arm.mode is None, "the robot's own hold")
    lab.emulator.robot.unplugged = False
    assert_comes_back_without_moving(lab, driver, wait_for)


def tell_everything_twice(lab, monkeypatch):
    joint_states = lab.emulator.robot.publisher("/robot/joint_states")
    original = joint_states.publish

    def twice(msg):
        original(msg)
        original(msg)

    monkeypatch.setattr(joint_states, "publish", twice)


def test_cable_pulled_is_told_as_such_long_after_a_reading_came_twice(lab, driver, wait_for, monkeypatch):
    """Else what is under way would not be discarded, and arrive with the cable."""
    keep(driver, driver.read().tcp_in_base)
    tell_everything_twice(lab, monkeypatch)
    wait_for(lambda: driver.link.readings.counters.old, "a duplicate")
    monkeypatch.undo()
    keep(driver, driver.read().tcp_in_base)
    lab.emulator.robot.unplugged = True
    assert fault_of(driver).kind is ArmFaultKind.CONNECTION_LOST


def test_master_gone(lab, driver):
    keep(driver, driver.read().tcp_in_base)
    lab.emulator.robot.master.close()
    fault = fault_of(driver)
    assert (fault.kind, "ROS master" in str(fault)) == (ArmFaultKind.CONNECTION_LOST, True)


def test_force_that_is_told_no_more(lab, wait_for, monkeypatch):
    with driven(lab, silence_s=1.0) as driver:
        keep(driver, driver.read().tcp_in_base)
        endpoint = lab.emulator.robot.publisher("/robot/limb/right/endpoint_state")
        monkeypatch.setattr(endpoint, "publish", lambda msg: None)
        fault = fault_of(driver)
        assert (fault.kind, "the force at the hand" in str(fault)) == (ArmFaultKind.CONNECTION_LOST, True)
        monkeypatch.undo()
        assert_comes_back_without_moving(lab, driver, wait_for)


def test_second_driver_takes_the_robot_from_the_first(lab, driver):
    """A ROS master lets one node of a name live, and ends the other."""
    keep(driver, driver.read().tcp_in_base)
    uri = driver.link.node.call_master("lookupNode", "/tenon_driver")
    call(uri, "shutdown", "/master", "new node registered with same name", timeout_s=5.0)
    fault = fault_of(driver)
    assert fault.kind is ArmFaultKind.CONNECTION_LOST
    with pytest.raises(ArmFaultError, match=r"same name.*no other driver"):
        driver.recover()


def test_robot_rebooted(lab, driver, wait_for):
    keep(driver, driver.read().tcp_in_base)
    lab.emulator.reboot()
    # Which of them is seen first is a matter of milliseconds.
    restarts = (ArmFaultKind.CONNECTION_LOST, ArmFaultKind.NOT_READY, ArmFaultKind.CONTROLLER_RESTARTED)
    assert fault_of(driver).kind in restarts
    assert not lab.emulator.arm.state.enabled
    assert_is_known_as_restarted(driver, wait_for)
    lab.emulator.arm.enable(True)
    assert_comes_back_without_moving(lab, driver, wait_for)


def test_robot_that_is_back_is_not_believed_before_it_tells_its_state(lab, driver, wait_for, monkeypatch):
    """Before its reboot the robot was enabled, and that it is not any more comes after its joints' first states."""
    keep(driver, driver.read().tcp_in_base)
    monkeypatch.setattr(type(lab.emulator.robot), "_publish_slow", lambda robot, stamp: None)
    lab.emulator.reboot()
    fault_of(driver)
    waiting = "joint states come, but not /robot/state"
    wait_for(lambda: waiting in str(refusal(driver)), "joint states without the robot's state")
    monkeypatch.undo()
    assert_is_known_as_restarted(driver, wait_for)


def test_garbage_on_the_wire(lab, driver, wait_for):
    keep(driver, driver.read().tcp_in_base)
    joint_states = lab.emulator.robot.publisher("/robot/joint_states")
    for link in list(joint_states._links):
        link.send(b"\xff" * 64)
    assert fault_of(driver).kind is ArmFaultKind.BAD_DATA
    assert_comes_back_without_moving(lab, driver, wait_for)


def test_old_readings_again_and_again(lab, driver, wait_for, monkeypatch):
    keep(driver, driver.read().tcp_in_base)
    joint_states = lab.emulator.robot.publisher("/robot/joint_states")
    original, kept = joint_states.publish, []

    def stuck(msg):
        kept.append(msg)
        original(kept[0])

    monkeypatch.setattr(joint_states, "publish", stuck)
    fault = fault_of(driver)
    assert (fault.kind, "came twice or out of order" in str(fault)) == (ArmFaultKind.BAD_DATA, True)
    monkeypatch.undo()
    assert_comes_back_without_moving(lab, driver, wait_for)


def test_bag_that_is_played_at_the_robots_master_is_not_taken_for_the_robot(lab, driver, wait_for):
    here = driver.read().tcp_in_base
    keep(driver, here)
    joints = lab.plant.reading().joint_position_rad
    player = lab.node("/play")
    bag = player.advertise("/robot/joint_states", message("sensor_msgs/JointState"))
    wait_for(lambda: bag.connections, "the driver at the bag")
    told = []

    def play():
        state = message("sensor_msgs/JointState")(
            name=list(lab.plant.arm.joint_names), position=(joints + 0.3).tolist(), velocity=[0.0] * 7, effort=[0.0] * 7
        )
        state.header.stamp = Time.from_nsec(time.time_ns())
        bag.publish(state)

    def is_seen_through():
        play()
        try:
            keep(driver, here, 0.02)
        except ArmFaultError as fault:
            told.append(fault.kind)
            recover(driver, wait_for)
        return ArmFaultKind.BAD_DATA in told

    wait_for(is_seen_through, "the mixture to be told")
    player.close()


def test_duplicates_among_good_readings_do_no_harm(lab, driver, wait_for, monkeypatch):
    tell_everything_twice(lab, monkeypatch)
    here = driver.read().tcp_in_base
    wait_for(lambda: keep(driver, here, 0.1) and driver.link.readings.counters.old > 10, "duplicates")
    assert distance(here, driver.read().tcp_in_base)[0] < STILL_M


def test_values_that_are_no_numbers(lab, driver, wait_for, monkeypatch):
    keep(driver, driver.read().tcp_in_base)
    joint_states = lab.emulator.robot.publisher("/robot/joint_states")
    original = joint_states.publish

    def broken(msg):
        msg.position = [float("nan")] * len(msg.position)
        original(msg)

    monkeypatch.setattr(joint_states, "publish", broken)
    assert fault_of(driver).kind is ArmFaultKind.BAD_DATA
    monkeypatch.undo()
    assert_comes_back_without_moving(lab, driver, wait_for)
