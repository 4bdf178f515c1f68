"""An emulated Sawyer with the simulated stand behind it, on a port of its own, for the tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.tasks import InsertionTaskConfig
from tenon_mujoco.emulation import EmulatedTime
from tenon_mujoco.plant import Plant
from tenon_sawyer.emulated_io import CUFF_SWITCH
from tenon_sawyer.emulator import EmulatorSettings, SawyerEmulator
from tenon_sawyer.ros1.node import Node

WAIT_S = 30.0
SCRIPT_TIMEOUT_S = 120.0
SWITCH_INTERVAL_S = 0.0005
"""Robot and driver share one interpreter here; a message must not wait 5 ms for each of their turns."""
SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object], str], None]:
    """wait_for(test, what): fails the test when ``what`` has not happened in time."""
    return _wait_for


def _wait_for(test: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not test():
        if time.monotonic() > deadline_s:
            pytest.fail(f"{what} did not happen within {timeout_s:g} s")
        time.sleep(0.005)


@dataclass
class Lab:
    """The robot and what is behind it."""

    emulator: SawyerEmulator
    plant: Plant
    scripts: Path = SCRIPTS

    def node(self, name: str = "/tester") -> Node:
        return Node(name, self.emulator.uri, host="127.0.0.1", probe_period_s=0.1)

    def squeeze_cuff(self, squeezed: bool) -> None:
        """A person grasps the arm by its cuff, or lets go."""
        self.emulator.robot.io.cuff.signals[CUFF_SWITCH].value = squeezed

    def run_script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A script of a user, in a process of its own, as the manual says to run it."""
        environment = {**os.environ, "ROS_MASTER_URI": self.emulator.uri, "ROS_IP": "127.0.0.1"}
        return subprocess.run(
            [sys.executable, "-m", "tenon_sawyer.shim", str(SCRIPTS / name), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SCRIPT_TIMEOUT_S,
            check=False,
        )


@pytest.fixture
def settings() -> EmulatorSettings:
    """A test may have its own."""
    return EmulatorSettings(port=0, enabled=True, control_rate_hz=250.0)


@pytest.fixture
def lab(settings: EmulatorSettings) -> Iterator[Lab]:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    task = load_named(InsertionTaskConfig, ConfigKind.TASKS, "easy")
    plant = Plant(
        load_named(ArmConfig, ConfigKind.ARMS, "sawyer"),
        load_named(ConnectorConfig, ConfigKind.CONNECTORS, task.connector),
        task,
    )
    emulator = SawyerEmulator(settings, plant)
    with EmulatedTime(plant, emulator):
        yield Lab(emulator, plant)
    sys.setswitchinterval(before_s)
