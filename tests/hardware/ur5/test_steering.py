"""What the arm is told when set points change under a force, without a controller."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import RobotConfig
from tenon.control.kinematics import Kinematics
from tenon.control.loop import SetPoint
from tenon.control.types import Pose, RobotState, Vector
from tenon_ur5.config import DriverSettings
from tenon_ur5.steering import create_steering

ARM = load_named(ArmConfig, ConfigKind.ARMS, "ur5")
HOME_RAD = np.array(ARM.home_rad)
UP_16_N = np.array((0.0, 0.0, 16.0, 0.0, 0.0, 0.0))
STEP_MAX_M = 0.5e-3
"""A period's, of an arm that gives way to a newton or two more: 125 of these a second are 6 cm/s."""


class FollowingArm:
    """In the place of ur-rtde's control interface: it is at once where it is told to be."""

    def __init__(self, period_s: float) -> None:
        self.joints_rad, self._period_s = HOME_RAD, period_s

    def servoJ(self, joints_rad: list[float], *_: float) -> None:  # noqa: N802 - ur-rtde's name
        self.joints_rad = np.array(joints_rad)

    def speedJ(self, speed_rad_s: list[float], *_: float) -> None:  # noqa: N802 - ur-rtde's name
        self.joints_rad = self.joints_rad + np.array(speed_rad_s) * self._period_s


class Stand:
    """An arm under a constant push, with its steering."""

    def __init__(self, wrench: Vector = UP_16_N, **settings: Any) -> None:
        given = DriverSettings(**{"host": "127.0.0.1", "series": "cb3", **settings})
        self.wrench, self.period_s = wrench, given.period_s
        self.kinematics = Kinematics(ARM)
        self.arm = FollowingArm(given.period_s)
        self.steering = create_steering(given, self.kinematics, ARM)

    @property
    def tcp(self) -> Pose:
        return self.kinematics.forward(self.arm.joints_rad)

    def turn(self, target: Pose, *, holding: bool = False, joints_rad: Vector | None = None) -> Vector:
        """By how much the TCP goes in this period."""
        measured_rad, before_m = self.arm.joints_rad, self.tcp.position_m
        state = RobotState(0, measured_rad, np.zeros(6), np.zeros(6), self.tcp, wrench_in_base=self.wrench)
        set_point = SetPoint(target, joints_rad, holding=holding, reason="")
        self.steering.steer(self.arm, set_point, state, self.period_s)
        return self.tcp.position_m - before_m


def given_way(command: str) -> tuple[Stand, Pose]:
    """A stand whose arm has yielded to the push as far as it does, and where it was asked to stay."""
    stand = Stand(command=command)
    asked = stand.tcp
    for _ in range(400):
        stand.turn(asked)
    return stand, asked


@pytest.mark.parametrize("command", ["servo", "speed"])
def test_arm_that_has_given_way_does_not_leap_when_it_is_to_hold_where_it_is(command: str) -> None:
    """By the 10 mm that it has given way, the pose to hold is already away from the one before."""
    stand, asked = given_way(command)
    assert stand.tcp.position_m[2] - asked.position_m[2] == pytest.approx(0.0097, abs=5e-4)
    held = stand.tcp
    steps_m = [stand.turn(held, holding=True) for _ in range(20)]
    assert np.abs(steps_m).max() < STEP_MAX_M


@pytest.mark.parametrize("command", ["servo", "speed"])
def test_what_gave_way_before_a_motion_of_the_joints_is_forgotten_after_it(command: str) -> None:
    stand, asked = given_way(command)
    joints_rad = stand.arm.joints_rad
    for _ in range(20):
        stand.turn(asked, joints_rad=joints_rad)
    there = stand.tcp
    steps_m = [stand.turn(there) for _ in range(20)]
    assert np.abs(steps_m).max() < STEP_MAX_M


def test_arm_of_a_cb3_does_not_follow_what_its_estimate_may_be_wrong_by() -> None:
    """As shipped. It has no sensor: 10 N and 5 Nm are felt where nothing is."""
    shipped = load_named(RobotConfig, ConfigKind.ROBOTS, "ur5").driver.settings
    stand = Stand(np.array((9.9, -9.9, 9.9, 4.9, -4.9, 4.9)), **shipped)
    asked = stand.tcp
    for _ in range(100):
        stand.turn(asked)
    assert stand.tcp.position_m == pytest.approx(asked.position_m, abs=1e-5)
    assert stand.arm.joints_rad == pytest.approx(HOME_RAD, abs=1e-4)
