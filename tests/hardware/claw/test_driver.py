"""The driver through the vendor's library, on the emulated bus with the simulated claw behind it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tenon.control.drivers import DriverError, DriverState
from tenon.control.loop import SetPoint
from tenon.simulation.valve_task import ValveTaskConfig
from tenon_claw import control_table as table
from tenon_claw.driver import PALM_IN_BASE, ClawDriver
from tenon_claw.emulator.stand import EmulatedClaw

from .conftest import HAND, IDS, VALVE_ID, eventually

HOLD = SetPoint(PALM_IN_BASE, None, holding=True, reason="a test")
CLEAR_RAD = np.tile((0.0, 0.95, -1.3), 3)
AT_REST_RAD_S = 0.05


def to(position_rad):
    return SetPoint(PALM_IN_BASE, position_rad, holding=False, reason="")


def turn(driver, set_point, turns):
    for _ in range(turns):
        state = driver.read()
        driver.write(set_point)
    return state


def drive(driver, target_rad, turns=60):
    start_rad = driver.read().joint_position_rad
    for number in range(1, turns + 1):
        driver.read()
        driver.write(to(start_rad + number / turns * (target_rad - start_rad)))
    return turn(driver, to(target_rad), 30)


def test_before_activation_it_has_no_torque_and_after_it_holds_where_it_is(claw, settings):
    driver = ClawDriver(settings, HAND)
    driver.configure()
    assert driver.state is DriverState.INACTIVE
    assert not any(servo.has_torque for servo in claw.bus.servos)
    driver.activate()
    before_rad = claw.joint_position_rad
    turn(driver, HOLD, 30)
    np.testing.assert_allclose(claw.joint_position_rad, before_rad, atol=0.06)
    driver.close()
    eventually(lambda: not any(servo.has_torque for servo in claw.bus.servos), "no torque once it is closed")


def test_it_goes_where_it_is_told_and_tells_where_it_is(claw, driver):
    state = drive(driver, CLEAR_RAD)
    np.testing.assert_allclose(state.joint_position_rad, CLEAR_RAD, atol=0.05)
    np.testing.assert_allclose(state.joint_position_rad, claw.joint_position_rad, atol=0.02)
    assert state.joint_velocity_rad_s.shape == state.joint_effort_nm.shape == (9,)


def test_effort_is_that_of_the_joints(claw, driver):
    state = drive(driver, CLEAR_RAD)
    np.testing.assert_allclose(state.joint_effort_nm, claw.joint_effort_nm, atol=0.02)
    assert np.abs(state.joint_effort_nm).max() > 0.03, "the weight of the links"


def test_a_servo_never_pushes_harder_than_its_current(claw, driver, settings):
    drive(driver, CLEAR_RAD)
    limit_nm = settings.current_limit_a * settings.torque_constant_nm_a
    for _ in range(20):
        driver.read()
        driver.write(to(CLEAR_RAD + 0.8))
        assert np.abs(claw.joint_effort_nm).max() <= limit_nm * 1.02


def test_the_valves_own_servo_tells_its_angle_and_turns_it_back(claw, driver):
    drive(driver, CLEAR_RAD)
    driver.read()
    assert driver.valve_rad == pytest.approx(claw.valve_rad, abs=2e-3)
    driver.turn_valve(1.2)
    while driver.valve_turns_back:
        turn(driver, HOLD, 1)
    assert claw.valve_rad == pytest.approx(1.2, abs=0.1)
    eventually(lambda: not claw.servo(VALVE_ID).has_torque, "the fingers must feel a free valve")


def test_it_turns_back_the_short_way(claw, driver):
    drive(driver, CLEAR_RAD)
    here_rad = claw.valve_rad
    driver.turn_valve(here_rad + 2 * math.pi + 0.3)
    while driver.valve_turns_back:
        turn(driver, HOLD, 1)
    assert claw.valve_rad == pytest.approx(here_rad + 0.3, abs=0.1)


def test_fingers_are_guided_by_hand_without_torque_and_hold_where_they_are_left(claw, driver):
    drive(driver, CLEAR_RAD)
    driver.guide(by_hand=True)
    claw.push(np.tile((0.15, 0.0, 0.0), 3))
    eventually(lambda: np.all(driver.read().joint_position_rad[::3] > 0.1), "a hand moves fingers without torque")
    driver.write(to(CLEAR_RAD))  # as the inner loop does at each turn
    assert not any(claw.servo(servo_id).has_torque for servo_id in IDS)
    claw.push(np.zeros(9))
    eventually(lambda: np.abs(driver.read().joint_velocity_rad_s).max() < AT_REST_RAD_S, "the hand is off")
    driver.guide(by_hand=False)
    left_rad = claw.joint_position_rad
    turn(driver, HOLD, 30)
    np.testing.assert_allclose(claw.joint_position_rad, left_rad, atol=0.06)


def test_it_says_what_it_is_not_ready_for(claw, settings):
    driver = ClawDriver(settings, HAND)
    for call in (driver.activate, driver.deactivate, lambda: driver.write(HOLD), lambda: driver.turn_valve(0.0)):
        with pytest.raises(DriverError, match="unconfigured"):
            call()
    driver.configure()
    with pytest.raises(DriverError, match="configure"):
        driver.configure()
    driver.close()


def test_servos_of_another_hand_are_refused(settings):
    swapped = (settings.servos[1], settings.servos[0], *settings.servos[2:])
    with pytest.raises(DriverError, match="finger_a_bend, finger_a_swing"):
        ClawDriver(settings.model_copy(update={"servos": swapped}), HAND)


def test_a_joint_that_goes_beyond_one_turn_of_its_servo_is_refused(settings):
    late = settings.servos[0].model_copy(update={"zero_tick": 3900})
    with pytest.raises(DriverError, match=r"finger_a_swing goes from -0.45 to 1.35 rad, .* 3607 to 4780 of servo 10"):
        ClawDriver(settings.model_copy(update={"servos": (late, *settings.servos[1:])}), HAND)
    with pytest.raises(ValueError, match="zero_tick"):
        type(late)(servo_id=10, joint="finger_a_swing", zero_tick=4096)


def test_servos_that_were_never_set_up_are_refused_with_what_to_type(settings):
    slow = settings.model_copy(update={"baud_rate": 57_600})
    wrong = pytest.raises(DriverError, match=r"return delay of servo 10 is 250, 0 is needed.*tenon claw setup")
    with EmulatedClaw(slow, HAND, ValveTaskConfig(), commissioned=False), wrong:
        ClawDriver(slow, HAND).configure()


def test_the_ids_of_two_servos_must_differ(settings):
    servos = [servo.model_dump() for servo in settings.servos]
    servos[1]["servo_id"] = IDS[0]
    with pytest.raises(ValueError, match="servo_id must differ"):
        type(settings)(**{**settings.model_dump(), "servos": servos})


def test_the_watchdog_of_the_servos_is_on_only_while_the_claw_is_active(claw, driver, settings):
    wanted = round(settings.bus_watchdog_s / table.S_PER_WATCHDOG_UNIT)
    driver.read()
    assert all(claw.servo(servo_id).value(table.BUS_WATCHDOG) == wanted for servo_id in IDS)
    driver.deactivate()
    driver.read()
    eventually(lambda: all(claw.servo(one).value(table.BUS_WATCHDOG) == 0 for one in IDS), "no watchdog")
