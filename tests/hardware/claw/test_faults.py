"""What befalls a claw: each has a name, the fingers hold or let go as configured, and nothing moves when it is back."""

from __future__ import annotations

import contextlib
import time

import numpy as np
import pytest

from tenon.control.drivers import ArmFaultError, ArmFaultKind
from tenon.control.loop import SetPoint
from tenon_claw import commissioning
from tenon_claw import control_table as table
from tenon_claw.bus import BusLostError
from tenon_claw.control_table import HardwareError
from tenon_claw.driver import PALM_IN_BASE, ClawDriver

from .conftest import HAND, IDS, VALVE_ID, eventually

STILL_RAD = 0.03
CLEAR_RAD = np.tile((0.0, 0.95, -1.3), 3)


def to(position_rad):
    return SetPoint(PALM_IN_BASE, position_rad, holding=False, reason="")


HOLD = SetPoint(PALM_IN_BASE, None, holding=True, reason="a test")


def has_torque(claw):
    return all(claw.servo(servo_id).has_torque for servo_id in IDS)


def is_limp(claw):
    return not any(claw.servo(servo_id).has_torque for servo_id in IDS)


def has_stopped(claw, *servo_ids):
    """By the servos' own watchdog."""
    return all(claw.servo(one).value(table.BUS_WATCHDOG) == table.WATCHDOG_TRIPPED for one in servo_ids or IDS)


def assert_it_stands_still_with_its_torque(claw):
    assert has_torque(claw)
    time.sleep(0.2)  # for what was in motion
    before_rad = claw.joint_position_rad
    time.sleep(0.3)
    np.testing.assert_allclose(claw.joint_position_rad, before_rad, atol=STILL_RAD)


def work(driver, turns=10):
    """Some turns of a claw that is asked to move."""
    for _ in range(turns):
        state = driver.read()
        driver.write(to(np.clip(CLEAR_RAD, state.joint_position_rad - 0.1, state.joint_position_rad + 0.1)))


def fault_of(driver):
    """The fault that comes, while the claw is asked to move on."""
    deadline_s = time.monotonic() + 20.0
    with pytest.raises(ArmFaultError) as caught:
        while time.monotonic() < deadline_s:
            work(driver, 1)
    return caught.value


def recover(driver):
    """As the arm's node does: again and again, until the cause is gone."""
    deadline_s = time.monotonic() + 20.0
    while True:
        try:
            driver.recover()
        except ArmFaultError:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        else:
            return


def assert_it_does_not_move_by_itself(claw, driver):
    before_rad = claw.joint_position_rad
    for _ in range(20):
        driver.read()
        driver.write(HOLD)
    np.testing.assert_allclose(claw.joint_position_rad, before_rad, atol=STILL_RAD)


def assert_it_works_again(claw, driver):
    before_rad = claw.joint_position_rad
    for _ in range(10):
        driver.read()
        driver.write(to(before_rad + 0.15))
    eventually(lambda: np.abs(claw.joint_position_rad - before_rad).max() > 0.08, "the claw moves as asked")


def test_the_cable_is_pulled_the_servos_stop_by_themselves_and_hold_once_it_is_back(claw, driver):
    work(driver)
    claw.bus.unplug()
    fault = fault_of(driver)
    assert fault.kind is ArmFaultKind.CONNECTION_LOST
    assert "cable" in str(fault)
    eventually(lambda: has_stopped(claw), "each servo's own watchdog")
    assert_it_stands_still_with_its_torque(claw)
    with pytest.raises(ArmFaultError, match="cannot be opened"):
        driver.recover()
    claw.bus.plug_in()
    before_rad = claw.joint_position_rad
    recover(driver)
    assert has_torque(claw)
    np.testing.assert_allclose(claw.joint_position_rad, before_rad, atol=STILL_RAD)
    assert_it_does_not_move_by_itself(claw, driver)
    assert_it_works_again(claw, driver)


def test_servos_that_can_be_reached_again_let_go_though_one_still_cannot(claw, driver):
    work(driver)
    claw.bus.unplug()
    assert fault_of(driver).kind is ArmFaultKind.CONNECTION_LOST
    eventually(lambda: has_stopped(claw), "each servo's own watchdog")
    claw.bus.absent.add(IDS[7])
    claw.bus.plug_in()
    with pytest.raises(ArmFaultError, match=r"servo 31 \(finger_c_bend\)"):
        driver.recover()
    assert [one for one in IDS if claw.servo(one).has_torque] == [IDS[7]]


def test_a_claw_that_is_to_hold_holds_when_the_cable_is_pulled(claw, settings):
    driver = ClawDriver(settings.model_copy(update={"on_loss": "hold"}), HAND)
    driver.configure()
    driver.activate()
    work(driver)
    claw.bus.unplug()
    assert fault_of(driver).kind is ArmFaultKind.CONNECTION_LOST
    time.sleep(2 * settings.bus_watchdog_s)
    assert has_torque(claw)
    driver.close()


def test_a_second_program_does_not_get_at_the_bus_of_a_running_claw(claw, driver, settings):
    work(driver)
    with pytest.raises(BusLostError, match="whether a session has it open"):
        commissioning.survey(settings.model_copy(update={"baud_rate": 57_600}))
    work(driver)
    assert driver.misses == 0


def test_the_valve_too_stops_when_the_cable_is_pulled_while_it_turns_back(claw, driver):
    work(driver, 30)
    driver.turn_valve(claw.valve_rad + 3.0)
    work(driver, 2)
    claw.bus.unplug()
    assert fault_of(driver).kind is ArmFaultKind.CONNECTION_LOST
    eventually(lambda: has_stopped(claw, VALVE_ID), "its own watchdog")
    claw.bus.plug_in()
    recover(driver)
    assert not claw.servo(VALVE_ID).has_torque
    driver.turn_valve(claw.valve_rad + 0.5)
    eventually(lambda: claw.servo(VALVE_ID).has_torque, "it takes goals again")


def test_a_claw_that_is_to_hold_does_not_go_on_turning_the_valve_after_a_fault(claw, settings):
    driver = ClawDriver(settings.model_copy(update={"on_loss": "hold"}), HAND)
    driver.configure()
    driver.activate()
    work(driver, 30)
    driver.turn_valve(claw.valve_rad + 3.0)
    claw.fail(IDS[0], HardwareError.ENCODER)
    assert fault_of(driver).kind is ArmFaultKind.PROTECTIVE_STOP
    eventually(lambda: not claw.servo(VALVE_ID).has_torque, "the valve is let go")
    assert all(claw.servo(one).has_torque for one in IDS[1:])
    driver.close()


def test_a_valve_whose_watchdog_stopped_it_is_told_as_that(claw, settings):
    driver = ClawDriver(settings.model_copy(update={"on_loss": "hold"}), HAND)  # the fingers have none
    driver.configure()
    driver.activate()
    work(driver, 30)
    driver.turn_valve(claw.valve_rad + 3.0)
    eventually(lambda: claw.servo(VALVE_ID).has_torque, "it is told to turn")
    eventually(lambda: has_stopped(claw, VALVE_ID), "it hears nothing for too long")
    fault = fault_of(driver)
    assert fault.kind is ArmFaultKind.COMMAND_TIMEOUT and "valve" in str(fault)
    eventually(lambda: not claw.servo(VALVE_ID).has_torque, "the valve is let go")
    driver.close()


def test_the_claw_lets_go_though_the_driver_asks_again_and_again_for_a_silent_servo(claw, driver, settings):
    work(driver)
    claw.bus.absent.add(IDS[7])
    assert fault_of(driver).kind is ArmFaultKind.CONNECTION_LOST
    ends_s = time.monotonic() + 2 * settings.bus_watchdog_s
    while time.monotonic() < ends_s:
        with contextlib.suppress(ArmFaultError):
            driver.recover()
        time.sleep(0.1)
    assert [one for one in IDS if claw.servo(one).has_torque] == [IDS[7]], "it cannot be reached"
    assert has_stopped(claw, IDS[7])


def test_a_claw_that_was_guided_when_its_cable_was_pulled_holds_and_follows_again(claw, driver):
    driver.guide(by_hand=True)
    claw.bus.unplug()
    assert fault_of(driver).kind is ArmFaultKind.CONNECTION_LOST
    claw.bus.plug_in()
    recover(driver)
    assert_it_does_not_move_by_itself(claw, driver)
    assert_it_works_again(claw, driver)


def test_a_servo_that_had_failed_before_is_named_at_the_start(claw, settings):
    claw.fail(IDS[5], HardwareError.OVERLOAD)
    driver = ClawDriver(settings, HAND)
    with pytest.raises(ArmFaultError, match=r"servo 22 \(finger_b_tip\) reports overload") as caught:
        driver.configure()
    assert caught.value.kind is ArmFaultKind.OVERLOADED


def test_where_one_servo_refuses_its_torque_none_keeps_it(claw, settings):
    driver = ClawDriver(settings, HAND)
    driver.configure()
    claw.fail(IDS[5], HardwareError.OVERLOAD)
    with pytest.raises(ArmFaultError, match="refuses torque enable"):
        driver.activate()
    eventually(lambda: is_limp(claw), "those that had torque already let go")
    driver.close()


def test_watchdog_current_and_goal_are_set_before_the_torque_is(claw, settings, monkeypatch):
    driver = ClawDriver(settings, HAND)
    driver.configure()
    older_tick = 3000
    for servo_id in IDS:
        claw.servo(servo_id).put(table.GOAL_POSITION, older_tick)
    write = driver._bus.write

    def pulled_at_the_fifth(servo_id, item, value):
        if (servo_id, item) == (IDS[5], table.TORQUE_ENABLE):
            claw.bus.unplug()
        write(servo_id, item, value)

    monkeypatch.setattr(driver._bus, "write", pulled_at_the_fifth)
    with pytest.raises(ArmFaultError):
        driver.activate()
    with_torque = [one for one in IDS if claw.servo(one).has_torque]
    assert with_torque
    for servo in map(claw.servo, with_torque):
        assert servo.torque_current_a == pytest.approx(settings.current_limit_a, abs=table.A_PER_UNIT)
        assert abs(servo.value(table.GOAL_POSITION) - older_tick) > 100
    eventually(lambda: has_stopped(claw, *with_torque), "the watchdog of those that had torque already")


def test_a_driver_that_dies_leaves_a_claw_that_stands_still(claw, driver):
    work(driver)
    eventually(lambda: has_stopped(claw), "the watchdog of the servos")
    assert_it_stands_still_with_its_torque(claw)


def test_a_driver_that_stalled_is_told_so_lets_go_and_the_claw_does_not_jump_afterwards(claw, driver, settings):
    work(driver)
    eventually(lambda: has_stopped(claw), "the watchdog of the servos")
    fault = fault_of(driver)
    assert fault.kind is ArmFaultKind.COMMAND_TIMEOUT
    assert f"{settings.bus_watchdog_s:g} s" in str(fault)
    eventually(lambda: is_limp(claw), "it lets go now that it can")
    recover(driver)
    assert_it_does_not_move_by_itself(claw, driver)


def test_a_hot_servo_is_named_let_go_and_awaited_until_it_is_cool(claw, driver, settings):
    work(driver)
    claw.heat(IDS[4], settings.temperature_max_c + 1)
    fault = fault_of(driver)
    assert fault.kind is ArmFaultKind.OVERHEATED
    assert "servo 21 (finger_b_bend) is 66 degrees C warm, allowed are 65" in str(fault)
    eventually(lambda: is_limp(claw), "it cools down without torque")
    claw.heat(IDS[4], settings.temperature_max_c - 1)
    with pytest.raises(ArmFaultError, match="let it cool down"):
        driver.recover()
    claw.heat(IDS[4], settings.temperature_max_c - 20)
    recover(driver)
    assert_it_does_not_move_by_itself(claw, driver)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (HardwareError.OVERLOAD, ArmFaultKind.OVERLOADED),
        (HardwareError.OVERHEATING, ArmFaultKind.OVERHEATED),
        (HardwareError.ENCODER, ArmFaultKind.PROTECTIVE_STOP),
        (HardwareError.ELECTRICAL_SHOCK, ArmFaultKind.PROTECTIVE_STOP),
        (HardwareError.INPUT_VOLTAGE, ArmFaultKind.NOT_READY),
    ],
)
def test_a_servo_that_has_shut_down_needs_a_person_at_the_supply(claw, driver, error, kind):
    work(driver)
    claw.fail(IDS[0], error)
    fault = fault_of(driver)
    assert fault.kind is kind
    assert "servo 10 (finger_a_swing)" in str(fault)
    with pytest.raises(ArmFaultError) as again:
        driver.recover()
    assert again.value.kind is kind, "it does not go away by itself"
    claw.restart_servos()
    recover(driver)
    assert_it_does_not_move_by_itself(claw, driver)
    assert_it_works_again(claw, driver)


def test_a_finger_that_pushes_for_too_long_is_an_overload(claw, settings):
    driver = ClawDriver(settings.model_copy(update={"effort_time_s": 0.3}), HAND)
    driver.configure()
    driver.activate()
    blocked_rad = claw.joint_position_rad
    claw.push(np.eye(9)[0] * -5.0)
    with pytest.raises(ArmFaultError, match=r"servo 10 \(finger_a_swing\) has pushed with") as caught:
        for _ in range(500):
            driver.read()
            driver.write(to(blocked_rad + np.eye(9)[0] * 0.3))
    assert caught.value.kind is ArmFaultKind.OVERLOADED
    eventually(lambda: is_limp(claw), "it lets go")
    driver.close()


def test_an_overload_that_the_current_does_not_allow_is_refused(settings):
    with pytest.raises(ValueError, match=r"effort_max_nm is 0.6, but .* harder than 0.60 Nm"):
        type(settings)(**{**settings.model_dump(), "effort_max_nm": 0.6})


def test_a_servo_that_falls_silent_is_named(claw, driver):
    work(driver)
    claw.bus.absent.add(IDS[7])
    fault = fault_of(driver)
    assert fault.kind is ArmFaultKind.CONNECTION_LOST
    assert "servo 31 (finger_c_bend)" in str(fault)
    claw.bus.absent.clear()
    recover(driver)
    assert_it_does_not_move_by_itself(claw, driver)


def test_servos_that_were_off_and_on_are_not_driven_as_if_nothing_had_been(claw, driver):
    work(driver)
    claw.restart_servos()
    fault = fault_of(driver)
    assert fault.kind in (ArmFaultKind.CONTROLLER_RESTARTED, ArmFaultKind.BAD_DATA)
    assert is_limp(claw)
    recover(driver)
    assert_it_does_not_move_by_itself(claw, driver)
    assert_it_works_again(claw, driver)


def test_single_damaged_answers_are_asked_for_again(claw, driver, settings):
    work(driver)
    before = driver.misses
    claw.bus.accidents.corrupt = settings.misses_max
    work(driver, 3)
    assert driver.misses >= before + settings.misses_max


def test_a_line_that_damages_all_answers_is_a_fault_and_is_over_when_it_is_clean(claw, settings):
    driver = ClawDriver(settings.model_copy(update={"answer_margin_s": 0.1, "bus_watchdog_s": 2.0}), HAND)
    driver.configure()
    driver.activate()
    claw.bus.accidents.corrupt = 10_000
    fault = fault_of(driver)
    assert fault.kind in (ArmFaultKind.BAD_DATA, ArmFaultKind.CONNECTION_LOST)
    claw.bus.accidents.corrupt = 0
    recover(driver)
    assert_it_does_not_move_by_itself(claw, driver)
    driver.close()


@pytest.mark.parametrize("garbage", [b"\x00\x17\xff\xff", b"\xff\xff\xfd\x00\xfe"], ids=["noise", "a header"])
def test_garbage_before_answers_changes_no_reading(claw, driver, garbage):
    work(driver)
    claw.bus.accidents.garbage = garbage
    try:
        for _ in range(5):
            state = driver.read()
            driver.write(HOLD)
            np.testing.assert_allclose(state.joint_position_rad, claw.joint_position_rad, atol=0.2)
    except ArmFaultError as fault:
        assert fault.kind in (ArmFaultKind.BAD_DATA, ArmFaultKind.CONNECTION_LOST)
    claw.bus.accidents.garbage = b""


def test_duplicated_and_late_answers_are_not_taken_for_new_ones(claw, driver):
    """A finger moves on while answers come twice and late: each reading is of its own turn."""
    work(driver, 30)
    claw.bus.accidents.duplicate = 20
    claw.bus.accidents.delay_s = 0.02
    goal_rad = claw.joint_position_rad + np.tile((0.3, 0.0, 0.0), 3)
    for _ in range(20):
        state = driver.read()
        now_rad = claw.joint_position_rad
        driver.write(to(np.clip(goal_rad, state.joint_position_rad - 0.05, state.joint_position_rad + 0.05)))
        np.testing.assert_allclose(state.joint_position_rad, now_rad, atol=0.15)
    assert abs(state.stamp_ns - time.time_ns()) < 2_000_000_000
