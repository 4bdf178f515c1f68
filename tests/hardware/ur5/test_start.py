"""What a controller may answer when the driver begins, in the place of ur-rtde's objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.drivers import ArmFaultError, ArmFaultKind, DriverState
from tenon.control.kinematics import Kinematics
from tenon.control.loop import SetPoint
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon_ur5.config import DriverSettings
from tenon_ur5.driver import Ur5Driver
from tenon_ur5.frames import pose_to_controller
from tenon_ur5.link import Controller, Reading, UrLink

SETTINGS = DriverSettings(host="127.0.0.1", series="e-series")
READING = Reading(1.0, *(np.zeros(6),) * 3, (0.0,) * 6, np.zeros(6), 7, 1, 3, 0)


def test_acceleration_that_ur_rtde_would_refuse_in_motion_is_refused_in_the_file() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 40"):
        DriverSettings(host="127.0.0.1", series="cb3", command="speed", speed_acceleration_rad_s2=50.0)


class Control:
    """Takes every command but one."""

    def __init__(self, refused: str) -> None:
        self.refused = refused

    def __getattr__(self, name: str) -> Any:
        return lambda *_: name != self.refused


class Listener(Control):
    """Takes every command, and remembers the joint speeds that it was told."""

    def __init__(self) -> None:
        super().__init__("")
        self.speeds_rad_s: list[list[float]] = []

    def speedJ(self, speed_rad_s: list[float], *_: float) -> bool:  # noqa: N802 - ur-rtde's name
        self.speeds_rad_s.append(speed_rad_s)
        return True


def driver_of(monkeypatch: pytest.MonkeyPatch, settings: DriverSettings, reading: Reading) -> Ur5Driver:
    """The driver of a controller that always sends the same reading."""
    for name, answer in {
        "wait_until_reachable": None,
        "open_receive": None,
        "open_control": None,
        "ask": Controller("UR5", "5.12.6", "RUNNING", "NORMAL", remote_control=True),
        "next_reading": reading,
    }.items():
        monkeypatch.setattr(UrLink, name, lambda *_, answer=answer: answer)
    connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, "easy")
    return Ur5Driver(settings, load_named(ArmConfig, ConfigKind.ARMS, "ur5"), tcp_in_flange(connector))


@pytest.mark.parametrize("refused", ["setPayload", "setTcp", "setWatchdog", "zeroFtSensor"])
def test_arm_is_not_driven_where_a_step_of_the_start_was_refused(refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the watchdog it would go on moving when this process has died."""
    monkeypatch.setattr(UrLink, "control", Control(refused))
    driver = driver_of(monkeypatch, SETTINGS, READING)
    driver.configure()
    with pytest.raises(ArmFaultError, match="did not take") as caught:
        driver.activate()
    assert caught.value.kind is ArmFaultKind.NOT_READY
    assert driver.state is DriverState.INACTIVE


def test_goal_that_has_gone_on_while_a_reading_was_lost_is_not_taken_for_a_faster_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """0.1 rad/s, by the controller's clock."""
    settings, listener, gone_s = SETTINGS.model_copy(update={"command": "speed"}), Listener(), 0.0
    monkeypatch.setattr(UrLink, "control", listener)
    driver = driver_of(monkeypatch, settings, READING)
    home_rad = np.array(load_named(ArmConfig, ConfigKind.ARMS, "ur5").home_rad)
    kinematics = Kinematics(
        load_named(ArmConfig, ConfigKind.ARMS, "ur5"),
        tcp_in_flange(load_named(ConnectorConfig, ConfigKind.CONNECTORS, "easy")),
    )
    there = replace(READING, position_rad=home_rad, tcp_pose=tuple(pose_to_controller(kinematics.forward(home_rad))))
    monkeypatch.setattr(UrLink, "next_reading", lambda _: replace(there, timestamp_s=1.0 + gone_s))
    driver.configure()
    driver.activate()
    for period_s in (0.002, 0.002, 0.006, 0.002):
        gone_s += period_s
        state = driver.read()
        goal_rad = home_rad + np.array((0.1 * gone_s, 0.0, 0.0, 0.0, 0.0, 0.0))
        driver.write(SetPoint(state.tcp_in_base, goal_rad, holding=False, reason=""))
    speeds_rad_s = np.array(listener.speeds_rad_s)[1:, 0]
    assert speeds_rad_s == pytest.approx(0.1, abs=0.1 * gone_s * settings.position_gain)


@pytest.mark.parametrize(("pin", "connected"), [(3, True), (2, False)])
def test_detector_is_the_bit_of_its_input(pin: int, connected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_of(
        monkeypatch, SETTINGS.model_copy(update={"detector_input": pin}), replace(READING, inputs=1 << 3)
    )
    driver.configure()
    driver.read()
    assert driver.detector() is connected


def test_registers_that_somebody_else_has_are_no_matter_of_the_cable(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(_host: str) -> None:
        raise RuntimeError("One of the RTDE input registers are already in use! Currently you must disable ...")

    monkeypatch.setattr("rtde_control.RTDEControlInterface", taken)
    with pytest.raises(ArmFaultError, match="end other programs") as caught:
        UrLink(SETTINGS).open_control()
    assert caught.value.kind is ArmFaultKind.NOT_READY
