"""What befalls a UR5, through the real ur-rtde: every fault has its name, the arm is held, and nothing moves by itself
once the device is back."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenon.control.drivers import START_ANEW_STATUS, ArmFaultError, ArmFaultKind, DriverState
from tenon_mujoco.emulator_process import EmulatorProcess

from .conftest import Hand, address, emulated, heal, joints
from .driver_process import DriverProcess, LibraryCrashError

PROGRAM = Path(__file__).parent / "moving_driver.py"
MOVING = (0.0, 0.0, 0.0003)
"""A step a turn: 4 cm/s upwards."""
FAULT_TURNS = 1500
AT_REST_RAD = 2e-3


def call(name: str, **named: Any) -> Callable[[EmulatorProcess], object]:
    return lambda device: device.call(name, **named)


def disturb(how: str) -> Callable[[EmulatorProcess], object]:
    return lambda device: device.put("disturbance", how)


ACCIDENTS: dict[str, tuple[Callable[[EmulatorProcess], object], set[ArmFaultKind], bool]] = {
    "protective stop": (call("safety.protective_stop"), {ArmFaultKind.PROTECTIVE_STOP}, True),
    "emergency stop": (call("safety.press_emergency_stop"), {ArmFaultKind.EMERGENCY_STOP}, True),
    "safeguard opened": (call("safety.safeguard", is_open=True), {ArmFaultKind.SAFEGUARD_STOP}, True),
    "power off": (call("safety.power_off"), {ArmFaultKind.NOT_READY}, True),
    "cable pulled": (call("pull_cable"), {ArmFaultKind.CONNECTION_LOST}, True),
    "packets late": (disturb("late"), {ArmFaultKind.BAD_DATA}, False),
    "controller rebooted": (
        call("reboot"),
        {ArmFaultKind.CONTROLLER_RESTARTED, ArmFaultKind.CONNECTION_LOST, ArmFaultKind.COMMAND_TIMEOUT},
        False,
    ),
    "program stopped at the pendant": (call("_stop_program"), {ArmFaultKind.COMMAND_TIMEOUT}, False),
}
"""How it is brought about, its names, and whether it lasts until a person has done something."""
ENDS_CONNECTIONS = {"cable pulled", "controller rebooted"}
"""Accidents over which the library may bring the driver's process down: then the supervisor alone tells of them."""


@pytest.mark.parametrize("name", ACCIDENTS)
def test_fault_is_named_the_arm_held_and_recovered_without_motion(
    name: str, driver: DriverProcess, device: EmulatorProcess
) -> None:
    accident, kinds, lasts = ACCIDENTS[name]
    hand = Hand(driver)
    hand.turns(20, step_m=MOVING)
    accident(device)
    crashed = not named(hand, kinds)
    assert not crashed or name in ENDS_CONNECTIONS
    held_rad = at_rest(device)
    if lasts and not crashed:
        with pytest.raises(ArmFaultError) as again:
            driver.recover()
        assert again.value.kind in kinds | {ArmFaultKind.CONNECTION_LOST}
    heal(device)
    assert joints(device) == pytest.approx(held_rad, abs=AT_REST_RAD), "healed is not moved"
    driver.recover()
    hand.target = driver.read().tcp_in_base
    hand.turns(40)
    assert joints(device) == pytest.approx(held_rad, abs=AT_REST_RAD), "nothing moves by itself"
    hand.turns(60, step_m=MOVING)
    hand.turns(40)
    assert hand.state.tcp_in_base.position_m == pytest.approx(hand.target.position_m, abs=1e-3), "it does as it is told"


def named(hand: Hand, kinds: set[ArmFaultKind]) -> bool:
    """Waits for the fault and looks at its name. False: the library has ended the driver's process instead."""
    try:
        with pytest.raises(ArmFaultError) as caught:
            hand.turns(FAULT_TURNS)
        assert caught.value.kind in kinds, caught.value
        assert hand.driver.state is DriverState.INACTIVE
    except LibraryCrashError:
        return False
    return True


def test_power_after_an_emergency_stop_is_a_persons_affair(driver: DriverProcess, device: EmulatorProcess) -> None:
    hand = Hand(driver)
    device.call("safety.press_emergency_stop")
    with pytest.raises(ArmFaultError):
        hand.turns(FAULT_TURNS)
    device.call("safety.release_emergency_stop")
    with pytest.raises(ArmFaultError, match="powered off: power on") as caught:
        driver.recover()
    assert caught.value.kind is ArmFaultKind.NOT_READY
    device.call("safety.power_on")
    with pytest.raises(ArmFaultError, match="brakes"):
        driver.recover()
    device.call("safety.release_brakes")
    driver.recover()
    assert driver.state is DriverState.ACTIVE


@pytest.mark.parametrize("command", ["servo", "speed"])
def test_stop_that_is_reset_by_itself_lets_nothing_go_on(
    command: str, device: EmulatorProcess, make: Callable[..., DriverProcess]
) -> None:
    """The controller only pauses its program: with an automatic reset it would go on with what it was last told."""
    heal(device)
    driver = make(command=command)
    driver.configure()
    driver.activate()
    hand = Hand(driver)
    hand.turns(30, step_m=MOVING)
    device.call("safety.safeguard", is_open=True)
    assert named(hand, {ArmFaultKind.SAFEGUARD_STOP})
    held_rad = at_rest(device)
    device.call("safety.safeguard", is_open=False)
    assert not device.get("plays"), "nobody has asked for it"
    time.sleep(0.3)
    assert joints(device) == pytest.approx(held_rad, abs=AT_REST_RAD)


def test_force_without_its_zero_is_not_followed_after_a_restart(make: Callable[..., DriverProcess]) -> None:
    """An e-Series' sensor is zeroed by the driver, and forgets it where the controller is started anew."""
    host = address(1)
    with EmulatorProcess(emulated(host, series="e-series"), "easy") as device:
        driver = make(host=host, series="e-series")
        driver.configure()
        driver.activate()
        hand = Hand(driver)
        hand.turns(20)
        device.call("safety.protective_stop")
        assert named(hand, {ArmFaultKind.PROTECTIVE_STOP})
        heal(device)
        driver.recover()
        hand.turns(20)
        device.call("safety.protective_stop")
        assert named(hand, {ArmFaultKind.PROTECTIVE_STOP})
        device.call("reboot")
        heal(device)
        for _ in range(2):
            with pytest.raises(ArmFaultError, match="start the session anew with --resume") as caught:
                driver.recover()
            assert caught.value.kind is ArmFaultKind.CONTROLLER_RESTARTED
        driver.close()
        driver.configure()
        driver.activate()
        assert np.abs(Hand(driver).turns(20)[-1].wrench_in_base[:3]).max() < 0.5
        driver.close()


def test_packets_that_come_twice_change_nothing(driver: DriverProcess, device: EmulatorProcess) -> None:
    hand = Hand(driver)
    device.put("disturbance", "duplicates")
    stamps_ns = [state.stamp_ns for state in hand.turns(100, step_m=MOVING)]
    device.put("disturbance", "")
    hand.turns(60)
    assert all(np.diff(stamps_ns) > 0), "no reading is read twice"
    assert hand.state.tcp_in_base.position_m == pytest.approx(hand.target.position_m, abs=1e-3)


def test_driver_that_falls_silent_is_stopped_by_the_controllers_watchdog(
    driver: DriverProcess, device: EmulatorProcess
) -> None:
    hand = Hand(driver)
    hand.turns(20, step_m=MOVING)
    wait_until_stopped(device)
    assert "watchdog" in device.get("why_stopped")
    at_rest(device)
    with pytest.raises(ArmFaultError) as caught:
        hand.turns(5)
    assert caught.value.kind is ArmFaultKind.COMMAND_TIMEOUT


@pytest.mark.parametrize("disturbance", ["garbage", "silence"])
def test_what_the_library_cannot_bear_ends_the_process_and_the_arm_is_held(
    disturbance: str, device: EmulatorProcess, make: Callable[..., DriverProcess]
) -> None:
    """ur-rtde brings its process down over a broken packet, and never lets a silent connection go.

    Another process begins anew, as tenon_session.arm_driver does.
    """
    heal(device)
    with subprocess.Popen([sys.executable, PROGRAM, address(0)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("moving" in line for line in process.stdout), "the driver did not come up"
        device.put("disturbance", disturbance)
        wait_until_stopped(device)
        assert process.wait(30.0) in (START_ANEW_STATUS, -signal.SIGABRT, -signal.SIGALRM)
        device.put("disturbance", "")
    held_rad = at_rest(device)
    driver = make()
    driver.configure()
    driver.activate()
    Hand(driver).turns(40)
    assert joints(device) == pytest.approx(held_rad, abs=AT_REST_RAD)


def test_link_that_was_dropped_does_not_come_back_by_itself(device: EmulatorProcess) -> None:
    heal(device)
    command = [sys.executable, PROGRAM, address(0), "stays"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("moving" in line for line in process.stdout), "the driver did not come up"
        device.call("pull_cable")
        try:
            assert any("dropped" in line for line in process.stdout), "the driver did not notice"
            wait_until_stopped(device)
        finally:
            device.call("plug_cable")
        time.sleep(1.0)
        assert not device.get("plays"), "nobody has asked for the control program"
        process.kill()


def wait_until_stopped(device: EmulatorProcess) -> None:
    """The controller's watchdog ends the program of a driver that says nothing."""
    deadline_s = time.monotonic() + 30.0
    while device.get("plays"):
        assert time.monotonic() < deadline_s, "the program runs on"
        time.sleep(0.05)


def at_rest(device: EmulatorProcess) -> np.ndarray:
    """Waits until the arm stands; returns where."""
    deadline_s = time.monotonic() + 10.0
    while np.abs(device.call("plant.reading").joint_velocity_rad_s).max() > 1e-3:
        assert time.monotonic() < deadline_s, "the arm goes on moving"
        time.sleep(0.05)
    return joints(device)


def test_second_emulator_on_the_same_address_says_what_to_do(device: EmulatorProcess) -> None:
    from tenon_mujoco.emulation import EmulatorError

    with pytest.raises(EmulatorError, match="another loopback address"), EmulatorProcess(emulated(address(0)), "easy"):
        pass
