"""What stands in for a device: how an emulator is made from a robot's file, and the thread in which its time passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from tenon.configuration.base import Config, ConfigurationError, parse
from tenon.configuration.robot import RobotConfig
from tenon_mujoco.pacing import REAL_TIME, Pacer
from tenon_mujoco.plant import Plant

NS_PER_S = 1_000_000_000


class EmulatorError(RuntimeError):
    """The emulated device cannot come up. The message says why and what to do."""


class Emulator(Protocol):
    """A device's controller on the device's own protocol, with a plant for its motors and sensors.

    Module ``<package>.emulator`` offers ``EmulatorSettings``, a Config, and ``create(settings, plant) -> Emulator``.
    """

    @property
    def plant(self) -> Plant: ...

    @property
    def period_s(self) -> float:
        """Of the device's control loop."""
        ...

    def start(self) -> None:
        """Opens its ports. Raises EmulatorError."""
        ...

    def turn(self) -> None:
        """One period of the device's control loop: commands to the plant, readings to whoever listens."""
        ...

    def close(self) -> None:
        """Closes its ports."""
        ...


def create_emulator(robot: RobotConfig, plant: Plant) -> Emulator:
    """The emulator that a robot's file names. Raises ConfigurationError."""
    device = robot.emulator
    if device is None:
        raise ConfigurationError(
            f"the robot of driver {robot.driver.package} is no emulated one: leave emulator:=true out, or choose a "
            "robot whose file in config/robots has an emulator"
        )
    module: Any = import_module(f"{device.package}.emulator")
    model: type[Config] = module.EmulatorSettings
    settings = parse(model, device.settings, where=f"emulator {device.package}: settings")
    emulator: Emulator = module.create(settings, plant)
    return emulator


class EmulatedTime:
    """Lets plant and emulator turn in real time on a thread of their own. Time that a stall took is not made up for:
    the physics never takes a longer step than the device's period."""

    def __init__(self, plant: Plant, emulator: Emulator) -> None:
        self._plant, self._emulator = plant, emulator
        self._stopped = threading.Event()
        self._between = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="emulated_time", daemon=True)
        self.failure = ""
        """Why time stands still; empty while it passes."""

    def __enter__(self) -> EmulatedTime:
        self._emulator.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._emulator.close()

    def between_turns(self, deed: Callable[[], Any]) -> Any:
        """Does something to the emulator while its time stands still, and returns what comes of it."""
        with self._between:
            return deed()

    def _run(self) -> None:
        period_s = self._emulator.period_s
        period_ns, pacer = round(period_s * NS_PER_S), Pacer(REAL_TIME)
        try:
            while not self._stopped.is_set():
                with self._between:
                    self._emulator.turn()
                    self._plant.advance(period_s)
                delay_s = pacer.delay_s(period_ns, time.monotonic())
                if delay_s > 0.0:
                    time.sleep(delay_s)
        except Exception as error:  # whatever it was: a stand whose time stands still must say so
            self.failure = f"{type(error).__name__}: {error}"
            raise
