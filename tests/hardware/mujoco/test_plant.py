"""The stand behind an emulated device: joints go where they are sent, stop when they are told, and feel contact."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import RobotConfig
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.tasks import InsertionTaskConfig
from tenon_mujoco.emulation import EmulatedTime, create_emulator
from tenon_mujoco.plant import Plant

PERIOD_S = 0.008


@pytest.fixture
def plant() -> Plant:
    task = load_named(InsertionTaskConfig, ConfigKind.TASKS, "usb")
    return Plant(
        load_named(ArmConfig, ConfigKind.ARMS, "ur5"),
        load_named(ConnectorConfig, ConfigKind.CONNECTORS, task.connector),
        task,
    )


def turn(plant: Plant, periods: int) -> None:
    for _ in range(periods):
        plant.advance(PERIOD_S)


def test_joints_go_where_they_are_sent_and_no_further(plant: Plant) -> None:
    target_rad = plant.reading().joint_position_rad + np.array((0.02, 0.0, 0.0, -0.02, 0.01, 0.03))
    plant.follow_position(target_rad)
    turn(plant, 50)
    assert plant.reading().joint_position_rad == pytest.approx(target_rad, abs=1e-4)
    assert plant.time_ns == round(50 * PERIOD_S * 1e9)


def test_speed_is_kept_without_lag_and_ends_with_hold(plant: Plant) -> None:
    start_rad, speed_rad_s = plant.reading().joint_position_rad, np.full(6, 0.05)
    plant.follow_velocity(speed_rad_s)
    turn(plant, 50)
    assert plant.reading().joint_position_rad == pytest.approx(start_rad + 50 * PERIOD_S * speed_rad_s, abs=3e-4)
    plant.hold()
    held_rad = plant.reading().joint_position_rad
    turn(plant, 50)
    assert plant.reading().joint_position_rad == pytest.approx(held_rad, abs=3e-3)
    assert plant.reading().joint_velocity_rad_s == pytest.approx(np.zeros(6), abs=1e-3)


def test_torque_moves_a_weightless_arm(plant: Plant) -> None:
    start_rad = plant.reading().joint_position_rad
    plant.follow_torque(np.zeros(6))
    turn(plant, 25)
    assert plant.reading().joint_position_rad == pytest.approx(start_rad, abs=1e-3), "its weight is carried"
    plant.follow_torque(np.array((5.0, 0.0, 0.0, 0.0, 0.0, 0.0)))
    turn(plant, 25)
    assert plant.reading().joint_position_rad[0] - start_rad[0] > 0.005
    plant.follow_velocity(np.zeros(6))
    turn(plant, 50)
    assert plant.reading().joint_velocity_rad_s == pytest.approx(np.zeros(6), abs=1e-3)


def test_hard_joints_feel_what_pushes_the_tool(plant: Plant) -> None:
    before = plant.reading()
    plant.push(np.array((0.0, 0.0, 10.0)), 0.4)
    turn(plant, 40)
    after = plant.reading()
    assert after.wrench_in_base[2] == pytest.approx(10.0, abs=0.2)
    assert np.linalg.norm(after.tcp_in_base.position_m - before.tcp_in_base.position_m) < 3e-3


class Counter:
    """A device that listens to nobody."""

    period_s = PERIOD_S

    def __init__(self, plant: Plant) -> None:
        self.plant, self.turns, self.is_open = plant, 0, False

    def start(self) -> None:
        self.is_open = True

    def turn(self) -> None:
        self.turns += 1

    def close(self) -> None:
        self.is_open = False


def test_time_passes_as_on_a_device_and_a_stall_is_not_made_up_for(plant: Plant) -> None:
    device, began_s = Counter(plant), time.monotonic()
    with EmulatedTime(plant, device) as emulated:
        while device.turns < 20:
            time.sleep(PERIOD_S)
        lived_s = time.monotonic() - began_s
        assert device.is_open and not emulated.failure
    assert not device.is_open
    assert 20 * PERIOD_S * 0.9 <= plant.time_ns * 1e-9 <= lived_s + 2 * PERIOD_S


def test_robot_without_an_emulator_says_so(plant: Plant) -> None:
    with pytest.raises(ConfigurationError, match="no emulated one"):
        create_emulator(load_named(RobotConfig, ConfigKind.ROBOTS, "sim"), plant)
