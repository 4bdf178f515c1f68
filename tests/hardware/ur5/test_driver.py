"""The UR5's driver through the real ur-rtde: what each step of its life does, how it moves, how it gives way."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from tenon.control.drivers import ArmDriver, ArmFaultError, ArmFaultKind, DriverError, DriverState, GuidedArm
from tenon.control.loop import SetPoint
from tenon.control.types import Pose
from tenon_mujoco.emulator_process import EmulatorProcess
from tenon_ur5.gripper import CLOSED, OPEN, RobotiqClient

from .conftest import WAIT_S, Hand, address, emulated, heal, joints
from .driver_process import DriverProcess

UP = (0.0, 0.0, 0.0002)


def test_life_of_a_driver(device: EmulatorProcess, make: Callable[..., DriverProcess]) -> None:
    heal(device)
    driver: ArmDriver = make()
    assert driver.state is DriverState.UNCONFIGURED and isinstance(driver, GuidedArm)
    with pytest.raises(DriverError, match="unconfigured"):
        driver.activate()
    driver.configure()
    assert driver.state is DriverState.INACTIVE
    assert driver.description == f"UR5 at {address(0)}, software 3.15.8.106339"
    reading = driver.read()
    assert abs(reading.stamp_ns - time.time_ns()) < 1_000_000_000
    assert reading.joint_position_rad == pytest.approx(joints(device), abs=1e-3)
    with pytest.raises(DriverError, match="inactive"):
        driver.write(SetPoint(reading.tcp_in_base, None, holding=True, reason=""))
    driver.activate()
    assert driver.state is DriverState.ACTIVE and device.get("plays")
    driver.deactivate()
    assert driver.state is DriverState.INACTIVE
    deadline_s = time.monotonic() + WAIT_S
    while device.call("_clients.__len__") > 1:
        assert time.monotonic() < deadline_s, "the program's connection, whose registers nobody else can have, stays"
        driver.read()
    assert device.get("why_stopped") == "it was told to stop"
    driver.activate()
    assert Hand(driver).turns(5)
    driver.close()
    assert driver.state is DriverState.UNCONFIGURED


def test_tool_and_payload_are_what_the_files_say(driver: DriverProcess, device: EmulatorProcess) -> None:
    state = Hand(driver).turns(3)[-1]
    assert device.get("registers.values")["payload"] == 1.0
    assert device.get("robot.tool")[2] > 0.13, "the TCP is the plug's tip"
    assert state.tcp_in_base.position_m[:2] == pytest.approx((0.45, 0.0), abs=0.01), (
        "in Tenon's base, not the pendant's"
    )


def test_hold_stands_still_and_motion_arrives(driver: DriverProcess) -> None:
    hand = Hand(driver)
    held = hand.turns(60)
    assert np.ptp([state.tcp_in_base.position_m for state in held], axis=0).max() < 2e-4
    hand.turns(100, step_m=UP)
    hand.turns(60)
    assert hand.state.tcp_in_base.position_m == pytest.approx(hand.target.position_m, abs=3e-4)
    assert hand.target.position_m[2] == pytest.approx(held[0].tcp_in_base.position_m[2] + 0.02, abs=1e-3)


@pytest.mark.parametrize(
    "settings",
    [{}, {"command": "speed"}, {"compliance": "force_mode"}, {"compliance": "force_mode", "force_mode_damping": 0.0}],
    ids=["servo", "speed", "force_mode", "force_mode that keeps its speed"],
)
def test_it_gives_way_as_a_spring_and_comes_back(
    device: EmulatorProcess, make: Callable[..., DriverProcess], settings: dict[str, object]
) -> None:
    """16 N against 1600 N/m: 10 mm."""
    heal(device)
    driver = make(**settings)
    driver.configure()
    driver.activate()
    try:
        hand = Hand(driver)
        before_m = hand.turns(20)[-1].tcp_in_base.position_m[2]
        device.call("plant.push", np.array((0.0, 0.0, 16.0)), 30.0)
        hand.until(lambda: hand.state.tcp_in_base.position_m[2] - before_m > 0.008, "the tool to give way")
        given_m = np.array([state.tcp_in_base.position_m[2] for state in hand.turns(190)[-40:]]) - before_m
        assert given_m == pytest.approx(0.010, abs=0.002), "and is at rest there"
        assert hand.state.wrench_in_base[2] == pytest.approx(16.0, abs=0.5)
        device.call("plant.push", np.zeros(3), 0.0)
        hand.until(lambda: abs(hand.state.tcp_in_base.position_m[2] - before_m) < 0.001, "the tool to come back")
    finally:
        device.call("plant.push", np.zeros(3), 0.0)
        driver.close()


def test_without_compliance_it_is_as_stiff_as_it_is(
    device: EmulatorProcess, make: Callable[..., DriverProcess]
) -> None:
    heal(device)
    driver = make(compliance="none")
    driver.configure()
    driver.activate()
    try:
        hand = Hand(driver)
        before_m = hand.turns(20)[-1].tcp_in_base.position_m[2]
        device.call("plant.push", np.array((0.0, 0.0, 16.0)), 30.0)
        hand.until(lambda: hand.state.wrench_in_base[2] > 15.0, "the force to be felt")
        hand.turns(50)
        assert abs(hand.state.tcp_in_base.position_m[2] - before_m) < 0.004
        device.call("plant.push", np.zeros(3), 0.0)
    finally:
        driver.close()


def test_speed_that_was_not_reached_yet_gives_way_to_a_newer_one(
    device: EmulatorProcess, make: Callable[..., DriverProcess]
) -> None:
    """10 cm away wants 1.5 m/s, which takes seconds; the goal is taken back long before."""
    heal(device)
    driver = make(command="speed", speed_acceleration_rad_s2=0.5)
    driver.configure()
    driver.activate()
    try:
        hand = Hand(driver)
        here = hand.turns(5)[-1].tcp_in_base
        hand.target = Pose(here.position_m + np.array((0.0, 0.0, 0.1)), here.quaternion_xyzw)
        hand.turns(20)
        hand.target = here
        heights_m = [state.tcp_in_base.position_m[2] - here.position_m[2] for state in hand.turns(125)]
        assert max(heights_m) < 0.03
    finally:
        driver.close()


def test_joint_set_points_are_followed(driver: DriverProcess) -> None:
    hand = Hand(driver)
    start_rad = hand.turns(5)[-1].joint_position_rad
    for step in range(1, 151):
        target_rad = start_rad + min(1.0, step / 100) * np.array((0.05, 0.0, 0.0, 0.0, 0.0, 0.1))
        hand.state = driver.read()
        driver.write(SetPoint(hand.state.tcp_in_base, target_rad, holding=False, reason=""))
    assert hand.state.joint_position_rad == pytest.approx(target_rad, abs=2e-3)


def test_a_hand_moves_the_arm_and_leaves_it_there(driver: DriverProcess, device: EmulatorProcess) -> None:
    hand = Hand(driver)
    before_rad = hand.turns(5)[-1].joint_position_rad
    driver.guide(by_hand=True)
    device.call("plant.push", np.array((0.0, 25.0, 0.0)), 30.0)
    hand.until(lambda: np.abs(hand.state.joint_position_rad - before_rad).max() > 0.02, "the hand to move the arm")
    device.call("plant.push", np.zeros(3), 0.0)
    driver.guide(by_hand=False)
    hand.target = driver.read().tcp_in_base
    left_m = hand.target.position_m
    hand.turns(60)
    assert hand.state.tcp_in_base.position_m == pytest.approx(left_m, abs=0.01)


def test_hand_guides_an_e_series_whose_software_has_no_freedrive_for_programs(
    make: Callable[..., DriverProcess],
) -> None:
    """Below 5.10 ur-rtde's freedrive does nothing, and says that it was done."""
    host = address(1)
    with EmulatorProcess(emulated(host, series="e-series", software="5.9.4"), "easy") as device:
        driver = make(host=host, series="e-series")
        driver.configure()
        driver.activate()
        hand = Hand(driver)
        before_rad = hand.turns(5)[-1].joint_position_rad
        driver.guide(by_hand=True)
        device.call("plant.push", np.array((0.0, 25.0, 0.0)), 30.0)
        hand.until(lambda: np.abs(hand.state.joint_position_rad - before_rad).max() > 0.02, "the hand to move the arm")
        driver.guide(by_hand=False)
        driver.close()


def test_detector_is_a_digital_input(driver: DriverProcess, device: EmulatorProcess) -> None:
    hand = Hand(driver)
    assert driver.detector() is False
    hand.turns(2)
    assert device.get("registers.values")["actual_digital_input_bits"] == 0


def test_gripper_that_has_a_fault_is_activated_anew(device: EmulatorProcess) -> None:
    gripper = RobotiqClient(address(0))
    gripper.connect()
    gripper.close()
    device.put("gripper.fault", 8)
    gripper.connect()
    assert device.get("gripper.fault") == 0
    assert not gripper.move(CLOSED)
    gripper.close()


def test_suction_is_a_digital_output(device: EmulatorProcess, make: Callable[..., DriverProcess]) -> None:
    """Under a watchdog as shipped: the first time may not take longer than the others."""
    heal(device)
    driver = make(suction_output=3, watchdog_hz=10.0)
    driver.configure()
    driver.activate()
    try:
        hand = Hand(driver)
        assert driver.grasp(closed=True)
        hand.until(lambda: device.get("registers.values")["actual_digital_output_bits"] == 1 << 3, "the cup to hold")
        assert not driver.grasp(closed=False)
        hand.until(lambda: device.get("registers.values")["actual_digital_output_bits"] == 0, "the cup to let go")
    finally:
        driver.close()


def test_gripper_opens_closes_and_tells_what_it_holds(device: EmulatorProcess) -> None:
    gripper = RobotiqClient(address(0))
    gripper.connect()
    assert not gripper.move(OPEN) and not gripper.move(CLOSED)
    gripper.move(OPEN)
    device.put("gripper.object_at", 120)
    assert gripper.move(CLOSED), "something is between the fingers"
    assert device.get("gripper.position") == pytest.approx(120, abs=1)
    device.put("gripper.object_at", None)
    gripper.close()


@pytest.mark.parametrize("command", ["servo", "speed"])
def test_arm_stands_while_its_fingers_move(
    command: str, device: EmulatorProcess, make: Callable[..., DriverProcess]
) -> None:
    """They take longer than the watchdog waits; a speed that was commanded before must not go on meanwhile."""
    heal(device)
    driver = make(robotiq=True, command=command, watchdog_hz=4.0)
    driver.configure()
    driver.activate()
    try:
        hand = Hand(driver)
        driver.grasp(closed=False)
        hand.target = driver.read().tcp_in_base
        hand.turns(30, step_m=UP)
        before_m = hand.state.tcp_in_base.position_m
        assert not driver.grasp(closed=True)
        hand.target = driver.read().tcp_in_base
        assert hand.target.position_m == pytest.approx(before_m, abs=2e-3)
        hand.turns(5)
        assert driver.state is DriverState.ACTIVE
    finally:
        driver.close()


def test_arm_without_a_hand_says_so(driver: DriverProcess) -> None:
    with pytest.raises(DriverError, match="suction_output or robotiq"):
        driver.grasp(closed=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"series": "e-series"}, "set series to cb3"),
        ({"host": "127.0.0.0", "connect_timeout_s": 0.1}, "no UR controller"),
    ],
)
def test_wrong_device_is_refused_with_the_remedy(
    device: EmulatorProcess, make: Callable[..., DriverProcess], settings: dict[str, object], words: str
) -> None:
    heal(device)
    driver = make(**settings)
    with pytest.raises((DriverError, ArmFaultError), match=words):
        driver.configure()
    driver.close()


def test_arm_with_other_links_than_its_file_says_is_refused(make: Callable[..., DriverProcess]) -> None:
    """A UR5e has its shoulder 7 cm higher than a UR5; both call themselves UR5."""
    host = address(2)
    robot = emulated(host).model_copy(update={"arm": "ur5e", "safety": "ur5e"})
    with EmulatorProcess(robot, "easy"):
        driver = make(host=host)
        driver.configure()
        with pytest.raises(DriverError, match="`arm: ur5e`"):
            driver.activate()
        driver.close()
        driver = make(arm="ur5e", host=host)
        driver.configure()
        driver.activate()
        assert driver.state is DriverState.ACTIVE
        driver.close()


def test_e_series_at_500_hz_must_be_in_remote_control(make: Callable[..., DriverProcess]) -> None:
    host = address(1)
    with EmulatorProcess(emulated(host, series="e-series"), "easy") as device:
        device.put("remote_control", False)
        driver = make(host=host, series="e-series")
        with pytest.raises(ArmFaultError, match="switch it to remote control") as caught:
            driver.configure()
        assert caught.value.kind is ArmFaultKind.NOT_READY
        device.put("remote_control", True)
        driver.configure()
        driver.activate()
        hand = Hand(driver)
        stamps_s = [state.stamp_ns * 1e-9 for state in hand.turns(200)]
        assert np.median(np.diff(stamps_s)) == pytest.approx(driver.period_s, rel=0.5)
        driver.close()
