"""The claw over its valve as physics: it holds, it turns, it lets go, and the valve's motor turns it back."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.simulation.claw import Claw, ValveConfig

HAND = load_named(HandConfig, ConfigKind.HANDS, "claw")
CLEAR_RAD = np.tile((0.0, 0.95, -1.3), 3)
INSIDE_RAD = np.tile((0.0, 0.54, -1.22), 3)


@pytest.fixture
def claw():
    claw = Claw(HAND, ValveConfig())
    claw.place(CLEAR_RAD, 0.2)
    return claw


def test_at_rest_it_stays_where_it_is_within_what_its_weight_bends(claw):
    claw.step(400)
    np.testing.assert_allclose(claw.joint_position_rad, CLEAR_RAD, atol=0.03)
    assert claw.valve_rad == pytest.approx(0.2, abs=1e-3)
    assert claw.time_ns == 1_000_000_000


def test_fingers_inside_that_swing_turn_the_valve_with_them(claw):
    claw.place(INSIDE_RAD, 0.8)
    claw.set_targets(INSIDE_RAD + np.tile((0.35, 0.0, 0.0), 3))
    claw.step(400)
    assert claw.valve_rad > 1.2


def test_fingers_outside_pass_the_valve_by(claw):
    claw.set_targets(CLEAR_RAD + np.tile((0.3, 0.0, 0.0), 3))
    claw.step(400)
    assert claw.valve_rad == pytest.approx(0.2, abs=1e-3)


def test_a_torque_limit_bounds_what_a_servo_exerts(claw):
    limits_nm = np.full(9, 0.1)
    claw.set_torque_limits(limits_nm)
    claw.set_targets(CLEAR_RAD + 0.5)
    for _ in range(40):
        claw.step(1)
        assert np.all(np.abs(claw.joint_effort_nm) <= limits_nm + 1e-9)


def test_without_torque_a_hand_moves_the_fingers_and_they_do_not_come_back(claw):
    claw.set_torque_limits(np.zeros(9))
    claw.push(np.tile((0.15, 0.0, 0.0), 3))
    claw.step(100)
    claw.push(np.zeros(9))
    claw.step(100)
    assert np.all(claw.joint_position_rad[::3] > 0.2)


def test_the_valves_motor_turns_it_back_and_lets_go(claw):
    claw.place(CLEAR_RAD, 3.0)
    claw.drive_valve(0.1)
    claw.step(1200)
    assert claw.valve_rad == pytest.approx(0.1, abs=0.03)
    claw.drive_valve(None)
    before_rad = claw.valve_rad
    claw.step(200)
    assert claw.valve_rad == pytest.approx(before_rad, abs=1e-3)
