"""The arms of benchmarks/hardware.py: each with its real driver, against its emulated device in another process."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event
from typing import Any, Protocol

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import parse
from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import DeviceConfig, RobotConfig
from tenon.control.drivers import ArmDriver
from tenon.control.loop import SetPoint
from tenon.control.types import RobotState
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon.simulation.valve_task import ValveTaskConfig
from tenon_claw.config import DriverSettings as ClawSettings
from tenon_claw.driver import ClawDriver
from tenon_claw.emulator.stand import EmulatedClaw, scratch_port
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime
from tenon_mujoco.emulator_process import EmulatorProcess
from tenon_sawyer.config import DriverSettings as SawyerSettings
from tenon_sawyer.driver import SawyerDriver
from tenon_ur5.config import DriverSettings as Ur5Settings
from tenon_ur5.driver import Ur5Driver

TASK = CONNECTOR = "easy"
UR5_HOST, SAWYER_PORT = "127.0.0.60", 11361
PATIENT_WATCHDOG_HZ, SILENCE_S = 2.0, 1.0
SAWYER_PATIENCE_S = 30.0
"""A late turn shall be counted, not end the run."""
CLAW_START_S = 30.0
SWING_RAD = 0.05


class Loop(Protocol):
    """What is measured of a driver."""

    @property
    def period_s(self) -> float: ...

    def read(self) -> Any: ...

    def write(self, set_point: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm that is active. answer: what it is told after a reading, on turn number so and so."""

    driver: Loop
    answer: Callable[[Any, int], Any]


class Nobody:
    """A loop without an arm: it only sleeps until its turn."""

    def __init__(self, rate_hz: float) -> None:
        self.period_s = 1.0 / rate_hz
        self._due_s = time.monotonic()

    def read(self) -> None:
        self._due_s = max(self._due_s + self.period_s, time.monotonic())
        time.sleep(max(0.0, self._due_s - time.monotonic()))

    def write(self, _set_point: None) -> None:
        """There is nobody to tell."""


@contextmanager
def machine(rate_hz: float) -> Iterator[Arm]:
    """What is late here is late by this machine's doing."""
    yield Arm(Nobody(rate_hz), lambda _state, _turn: None)


@contextmanager
def ur5(series: str) -> Iterator[Arm]:
    """Reading, admittance and servoj through ur-rtde. series: as the driver's setting."""
    device = DeviceConfig(package="tenon_ur5", settings={"host": UR5_HOST, "series": series})
    robot = RobotConfig(arm="ur5", safety="ur5", time="real", driver=device, emulator=device)
    patient = {"watchdog_hz": PATIENT_WATCHDOG_HZ, "silence_timeout_s": SILENCE_S, "late_max_s": SILENCE_S}
    settings = parse(Ur5Settings, {**device.settings, **patient}, where="ur5")
    with EmulatorProcess(robot, TASK), _active(Ur5Driver(settings, _arm("ur5"), _tool())) as driver:
        yield Arm(driver, _hold(driver.read()))


@contextmanager
def sawyer(rate_hz: float) -> Iterator[Arm]:
    """Joint state over TCPROS, impedance, torque back. The robot waits for nobody, as a real one."""
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, "sawyer-emulated")
    device = {"host": "127.0.0.1", "port": SAWYER_PORT, "control_rate_hz": rate_hz, "enabled": True}
    emulator = DeviceConfig(package="tenon_sawyer", settings=device)
    given = {
        **robot.driver.settings,
        "master_uri": f"http://127.0.0.1:{SAWYER_PORT}/",
        "rate_hz": rate_hz,
        "rate_share": 0.01,
        "silence_s": SAWYER_PATIENCE_S,
        "network_timeout_s": SAWYER_PATIENCE_S,
        "missed_cycles": round(SAWYER_PATIENCE_S * rate_hz),
    }
    settings = parse(SawyerSettings, given, where="sawyer")
    with (
        EmulatorProcess(robot.model_copy(update={"emulator": emulator}), TASK),
        _active(SawyerDriver(_arm("sawyer"), _tool(), settings)) as driver,
    ):
        yield Arm(driver, _hold(driver.read()))


@contextmanager
def claw(rate_hz: float) -> Iterator[Arm]:
    """One fast sync read and one sync write a turn, ten servos, with the wire's time at 1 Mbaud; the fingers swing."""
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, "claw-emulated")
    with ExitStack() as stack:
        patient = {"port": stack.enter_context(scratch_port()), "period_s": 1.0 / rate_hz, "on_loss": "hold"}
        settings = parse(ClawSettings, {**robot.driver.settings, **patient}, where="claw")
        hand = load_named(HandConfig, ConfigKind.HANDS, settings.hand)
        stack.enter_context(_emulated_claw(settings))
        driver = stack.enter_context(_active(ClawDriver(settings, hand)))
        rest_rad = driver.read().joint_position_rad

        def answer(state: RobotState, turn: int) -> SetPoint:
            swing_rad = SWING_RAD * np.sin(2 * np.pi * turn / rate_hz)
            return SetPoint(state.tcp_in_base, rest_rad + swing_rad, holding=False, reason="")

        yield Arm(driver, answer)


CASES: dict[str, Callable[[], AbstractContextManager[Arm]]] = {
    "machine-125": partial(machine, 125.0),
    "machine-500": partial(machine, 500.0),
    "ur5-cb3": partial(ur5, "cb3"),
    "ur5-e-series": partial(ur5, "e-series"),
    "sawyer-100": partial(sawyer, 100.0),
    "sawyer-250": partial(sawyer, 250.0),
    "sawyer-500": partial(sawyer, 500.0),
    "claw-100": partial(claw, 100.0),
    "claw-200": partial(claw, 200.0),
}
"""Name -> what makes it. A UR5's rate is its series'; for the others the name tells it, in Hz."""


def _arm(name: str) -> ArmConfig:
    return load_named(ArmConfig, ConfigKind.ARMS, name)


def _tool() -> Any:
    return tcp_in_flange(load_named(ConnectorConfig, ConfigKind.CONNECTORS, CONNECTOR))


def _hold(state: RobotState) -> Callable[[RobotState, int], SetPoint]:
    here = SetPoint(state.tcp_in_base, None, holding=True, reason="benchmark")
    return lambda _state, _turn: here


@contextmanager
def _active(driver: ArmDriver) -> Iterator[ArmDriver]:
    try:
        driver.configure()
        driver.activate()
        yield driver
    finally:
        driver.close()


@contextmanager
def _emulated_claw(settings: ClawSettings) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    up, done = context.Event(), context.Event()
    process = context.Process(target=_emulate_claw, args=(settings, up, done), daemon=True)
    process.start()
    try:
        if not up.wait(CLAW_START_S):
            sys.exit("the emulated claw did not come up")
        yield
    finally:
        done.set()
        process.join()


def _emulate_claw(settings: ClawSettings, up: Event, done: Event) -> None:
    """The claw, until it is done with. A device is never late because the machine is busy."""
    prefer_realtime(ARM_PRIORITY)
    with EmulatedClaw(settings, load_named(HandConfig, ConfigKind.HANDS, settings.hand), ValveTaskConfig()):
        up.set()
        done.wait()
