"""The claw on its emulated bus, as it is after it was commissioned, and its driver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.simulation.valve_task import ValveTaskConfig
from tenon_claw.config import DriverSettings, ServoConfig
from tenon_claw.driver import ClawDriver
from tenon_claw.emulator.stand import EmulatedClaw

HAND = load_named(HandConfig, ConfigKind.HANDS, "claw")
IDS = (10, 11, 12, 20, 21, 22, 30, 31, 32)
VALVE_ID = 40
PATIENCE_S = 20.0


@pytest.fixture
def settings(tmp_path: Path) -> DriverSettings:
    """With a margin for a machine that is busy with other tests."""
    servos = zip(IDS, HAND.joint_names, strict=True)
    return DriverSettings(
        port=tmp_path / "bus",
        servos=tuple(ServoConfig(servo_id=servo_id, joint=joint) for servo_id, joint in servos),
        valve=ServoConfig(servo_id=VALVE_ID, joint="valve", zero_tick=1000, direction=-1),
        answer_margin_s=0.3,
        bus_watchdog_s=1.6,
    )


@pytest.fixture
def claw(settings: DriverSettings) -> Iterator[EmulatedClaw]:
    with EmulatedClaw(settings, HAND, ValveTaskConfig()) as claw:
        yield claw


@pytest.fixture
def driver(claw: EmulatedClaw, settings: DriverSettings) -> Iterator[ClawDriver]:
    """Active."""
    driver = ClawDriver(settings, HAND)
    driver.configure()
    driver.activate()
    yield driver
    driver.close()


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits for it, and fails with what it waited for."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain: {what}"
        time.sleep(0.005)
