"""The emulated controller does what a Sawyer's does: modes, timeout, speed ratio, stop button, collisions."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.geometry import pose
from tenon.control.types import RobotState
from tenon_sawyer.emulated_arm import COLLISION_REST_S, EmulatedArm, EstopButton, JointRequest, Mode, ordered

PERIOD_S = 0.01
SIZE = 7


class Motors:
    """Joints that are where they were last sent."""

    def __init__(self):
        self.arm = load_named(ArmConfig, ConfigKind.ARMS, "sawyer")
        self.position_rad, self.force_n = np.zeros(SIZE), 0.0
        self.last = None

    def follow_position(self, position_rad, velocity_rad_s=None):
        self.position_rad, self.last = position_rad, "position"

    def follow_velocity(self, velocity_rad_s):
        self.last = ("velocity", velocity_rad_s)

    def follow_torque(self, torque_nm):
        self.last = ("torque", torque_nm)

    def hold(self):
        self.last = "hold"

    def reading(self):
        zeros, wrench = np.zeros(SIZE), np.array((0.0, 0.0, self.force_n, 0.0, 0.0, 0.0))
        return RobotState(0, self.position_rad, zeros, zeros, pose((0, 0, 0), (0, 0, 0, 1)), np.zeros(6), wrench)


class Stand:
    """The arm with its clock."""

    def __init__(self):
        self.motors, self.now_s = Motors(), 100.0
        self.arm = EmulatedArm(self.motors, collision_force_n=80.0)
        self.arm.enable(True)

    def command(self, mode, *, position=0.0, velocity=0.0, effort=0.0):
        values = [np.full(SIZE, value) for value in (position, velocity, effort)]
        self.arm.command(JointRequest(mode, *values), self.now_s)

    def turn(self, seconds=PERIOD_S):
        for _ in range(round(seconds / PERIOD_S)):
            self.now_s += PERIOD_S
            self.arm.turn(self.motors.reading(), PERIOD_S, self.now_s)


@pytest.fixture
def stand():
    return Stand()


@pytest.mark.parametrize("mode", [Mode.VELOCITY, Mode.TORQUE])
def test_mode_is_left_when_commands_stay_out(stand, mode):
    stand.command(mode, velocity=0.1, effort=1.0)
    stand.turn(0.1)
    assert stand.motors.last[0] == mode.name.lower()
    stand.turn(0.2)
    assert (stand.motors.last, stand.arm.mode, stand.arm.timeouts) == ("hold", None, 1)


def test_position_mode_moves_at_the_speed_ratio_and_has_no_timeout(stand):
    stand.arm.speed_ratio = 0.5
    limit_rad_s = stand.motors.arm.joints[0].velocity_limit_rad_s
    stand.command(Mode.POSITION, position=1.0)
    stand.turn(0.4)
    assert stand.motors.position_rad[0] == pytest.approx(0.5 * limit_rad_s * 0.4)
    stand.turn(5.0)
    assert stand.motors.position_rad == pytest.approx(np.ones(SIZE))


def test_arm_gives_way_while_its_cuff_is_squeezed_and_then_stays(stand):
    stand.command(Mode.POSITION, position=1.0)
    stand.arm.squeeze(True)
    stand.command(Mode.POSITION, position=1.0)
    stand.turn(0.5)
    assert stand.motors.last[0] == "torque" and not stand.motors.last[1].any()
    stand.arm.squeeze(False)
    stand.turn(0.5)
    assert (stand.motors.last, stand.arm.mode) == ("hold", None)
    stand.arm.squeeze(True)
    stand.arm.press_stop()
    stand.turn()
    assert stand.motors.last == "hold"


def test_torques_and_speeds_are_limited(stand):
    stand.command(Mode.TORQUE, effort=1e6)
    stand.turn()
    assert stand.motors.last[1][6] == stand.motors.arm.joints[6].effort_limit_nm
    stand.command(Mode.VELOCITY, velocity=-1e6)
    stand.turn()
    assert stand.motors.last[1][6] == -stand.motors.arm.joints[6].velocity_limit_rad_s


def test_pressed_button_stops_until_released_reset_and_enabled(stand):
    stand.command(Mode.TORQUE, effort=1.0)
    stand.turn()
    stand.arm.press_stop()
    assert (stand.motors.last, stand.arm.state.stopped, stand.arm.state.enabled) == ("hold", True, False)
    stand.arm.reset()
    stand.arm.enable(True)
    assert stand.arm.state.stopped
    stand.arm.release_stop()
    stand.arm.enable(True)
    assert (stand.arm.state.button, stand.arm.state.enabled) == (EstopButton.RELEASED, False)
    stand.arm.reset()
    stand.command(Mode.TORQUE, effort=1.0)
    assert (stand.arm.state.stopped, stand.arm.mode) == (False, None)
    stand.arm.enable(True)
    stand.command(Mode.TORQUE, effort=1.0)
    assert stand.arm.mode is Mode.TORQUE


def test_collision_holds_the_arm_and_passes(stand):
    stand.command(Mode.POSITION, position=1.0)
    stand.motors.force_n = 90.0
    stand.turn()
    assert (stand.arm.collided, stand.arm.mode, stand.motors.last) == (True, None, "hold")
    stand.motors.force_n = 0.0
    stand.command(Mode.POSITION, position=1.0)
    assert stand.arm.mode is None
    stand.turn(COLLISION_REST_S + 0.1)
    assert not stand.arm.collided
    stand.command(Mode.POSITION, position=1.0)
    assert stand.arm.mode is Mode.POSITION


def test_values_find_their_joints_by_name():
    base = np.array((1.0, 2.0, 3.0))
    assert ordered(("c", "x", "a"), (30.0, 0.0, 10.0), ("a", "b", "c"), base).tolist() == [10.0, 2.0, 30.0]
