"""A real ur-rtde against an emulated controller in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import RobotConfig
from tenon.control.loop import SetPoint
from tenon.control.types import Pose, RobotState
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime
from tenon_mujoco.emulator_process import EmulatorProcess
from tenon_ur5.config import DriverSettings

from .driver_process import DriverProcess

# Where ur-rtde has no wheels it may be missing (hardware/ur5/manual.md).
collect_ignore_glob = [] if importlib.util.find_spec("rtde_receive") else ["test_*.py"]

PATIENT = {"watchdog_hz": 0.5, "silence_timeout_s": 5.0, "connect_timeout_s": 10.0, "detector_input": 0}
"""A test machine may be busy or stand still for seconds, and may not be allowed real-time scheduling."""
WAIT_S = 15.0


def address(number: int) -> str:
    """A loopback address that no other test run has."""
    pid = os.getpid()
    return f"127.{16 + number}.{pid // 250 % 250}.{1 + pid % 250}"


def emulated(host: str, **settings: Any) -> RobotConfig:
    given = {"host": host, **settings}
    return RobotConfig(
        arm="ur5",
        safety="ur5",
        time="real",
        driver={"package": "tenon_ur5", "settings": {"host": host, "series": given.get("series", "cb3")}},
        emulator={"package": "tenon_ur5", "settings": given},
    )


class Hand:
    """Drives a driver as a node does: a reading, then a set point, at the device's pace."""

    def __init__(self, driver: DriverProcess) -> None:
        self.driver = driver
        self.state: RobotState = driver.read()
        self.target: Pose = self.state.tcp_in_base

    def turns(self, count: int, *, step_m: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> list[RobotState]:
        """step_m: by which the target goes on each turn."""
        seen = []
        for _ in range(count):
            self.state = self.driver.read()
            self.target = Pose(self.target.position_m + np.array(step_m), self.target.quaternion_xyzw)
            self.driver.write(SetPoint(self.target, None, holding=not any(step_m), reason=""))
            seen.append(self.state)
        return seen

    def until(self, condition: Callable[[], Any], what: str, **motion: Any) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline_s, f"waited in vain for {what}"
            self.turns(1, **motion)


@pytest.fixture(autouse=True)
def realtime() -> Iterator[None]:
    """As the driver's process asks for, which is driven from here; a test must not be late because other tests run."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    prefer_realtime(ARM_PRIORITY)
    yield
    os.sched_setscheduler(0, policy, parameters)


@pytest.fixture(scope="module")
def device() -> Iterator[EmulatorProcess]:
    """A CB3 controller with an arm over the easy socket."""
    with EmulatorProcess(emulated(address(0)), "easy") as process:
        yield process


@pytest.fixture
def make() -> Iterator[Callable[..., DriverProcess]]:
    """Makes drivers; each ends with the test. arm: a file in config/arms."""
    connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, "easy")
    with ExitStack() as stack:

        def create(arm: str = "ur5", **settings: Any) -> DriverProcess:
            values = {"host": address(0), "series": "cb3", **PATIENT, **settings}
            links = load_named(ArmConfig, ConfigKind.ARMS, arm)
            made = DriverProcess(DriverSettings(**values), links, tcp_in_flange(connector))
            return stack.enter_context(made)

        yield create


@pytest.fixture
def driver(device: EmulatorProcess, make: Callable[..., DriverProcess]) -> DriverProcess:
    """Active, over a device that is well."""
    heal(device)
    made = make()
    made.configure()
    made.activate()
    return made


def heal(device: EmulatorProcess) -> None:
    """Whatever a test did to the device, a person has put it right."""
    device.put("disturbance", "")
    device.put("remote_control", True)
    if not device.get("_ports.is_open"):
        device.call("plug_cable")
    device.call("safety.safeguard", is_open=False)
    device.call("safety.unlock_protective_stop")
    device.call("safety.release_emergency_stop")
    device.call("safety.power_on")
    device.call("safety.release_brakes")


def joints(device: EmulatorProcess) -> np.ndarray:
    """Where the arm really is."""
    found: np.ndarray = device.call("plant.reading").joint_position_rad
    return found
