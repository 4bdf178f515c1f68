"""Servos as they come out of the box become those of a claw; nothing is written before a person has seen what."""

from __future__ import annotations

import pytest

from tenon.simulation.valve_task import ValveTaskConfig
from tenon_claw import commissioning
from tenon_claw import control_table as table
from tenon_claw.bus import NoAnswerError
from tenon_claw.driver import ClawDriver
from tenon_claw.emulator.stand import EmulatedClaw

from .conftest import HAND, IDS, VALVE_ID


@pytest.fixture
def boxed(settings):
    with EmulatedClaw(settings, HAND, ValveTaskConfig(), commissioned=False) as claw:
        yield claw


def test_servos_out_of_the_box_are_found_at_their_baud_rate_and_nothing_is_written(boxed, settings):
    before = {one: boxed.servo(one).value(table.OPERATING_MODE) for one in IDS}
    found = commissioning.survey(settings)
    assert (found.baud_rates, found.missing, found.unknown) == ((57_600,), (), ())
    items = {change.item.name for change in found.changes if change.servo_id == IDS[0]}
    assert {"return delay", "operating mode", "baud rate", "current limit"} <= items
    assert "servo 10 (finger_a_swing): baud rate 1 -> 3" in map(str, found.changes)
    assert {one: boxed.servo(one).value(table.OPERATING_MODE) for one in IDS} == before


def test_what_the_plan_says_is_written_and_the_claw_then_works(boxed, settings):
    commissioning.carry_out(settings, commissioning.survey(settings))
    assert commissioning.survey(settings).changes == ()
    driver = ClawDriver(settings, HAND)
    driver.configure()
    driver.activate()
    driver.read()
    driver.close()


def test_a_new_servo_is_found_and_set_up_beside_those_that_are_so_already(claw, settings):
    claw.servo(IDS[4]).factory_reset()
    found = commissioning.survey(settings)
    assert (found.baud_rates, found.missing) == ((settings.baud_rate, 57_600), ())
    assert {change.servo_id for change in found.changes} == {IDS[4]}
    commissioning.carry_out(settings, found)
    found = commissioning.survey(settings)
    assert (found.baud_rates, found.missing, found.changes) == ((settings.baud_rate,), (), ())


@pytest.mark.parametrize("mode", [1, 4, 8], ids=["reversed", "profiles by time", "torque by goal"])
def test_a_servo_that_another_project_left_in_another_drive_mode_is_set_right(claw, settings, mode):
    claw.servo(IDS[0]).put(table.DRIVE_MODE, mode)
    assert [str(change) for change in commissioning.survey(settings).changes] == [
        f"servo 10 (finger_a_swing): drive mode {mode} -> 0"
    ]


def test_a_servo_that_is_missing_and_one_that_nobody_knows_are_named(claw, settings):
    claw.servo(IDS[3]).write(table.SERVO_ID.address, bytes((77,)))
    found = commissioning.survey(settings)
    assert found.missing == (IDS[3],)
    assert found.unknown == (77,)


def test_a_new_servo_gets_its_id_while_it_is_alone_on_the_bus(boxed, settings):
    boxed.bus.absent.update({*IDS, VALVE_ID} - {IDS[0]})
    assert commissioning.assign_id(settings, 99) == IDS[0]
    assert boxed.bus.servos[0].servo_id == 99


def test_two_new_servos_are_refused(claw, settings):
    with pytest.raises(NoAnswerError, match=r"10 servos answer.*leave only the new one"):
        commissioning.assign_id(settings, 99)
