"""From a session's setup to its claw."""

from __future__ import annotations

from pathlib import Path

from tenon.configuration.base import parse
from tenon.control.drivers import DriverError
from tenon.session.claw_stand import ClawStand
from tenon.session.setup import SessionSetup
from tenon_claw.config import DriverSettings
from tenon_claw.driver import ClawDriver


def settings_of(setup: SessionSetup) -> DriverSettings:
    """As the robot's file says; a relative port lies in the run directory. Raises ConfigurationError."""
    settings = parse(DriverSettings, setup.robot.driver.settings, where="robot: driver: settings")
    return settings.model_copy(update={"port": Path(setup.run_directory, settings.port)})


def create_driver(setup: SessionSetup) -> ClawDriver:
    """The driver that the session's robot asks for. Raises ConfigurationError, DriverError."""
    if not isinstance(setup.stand, ClawStand):
        raise DriverError(f"task {setup.config.task!r} is not for a claw: choose one, such as --task valve")
    return ClawDriver(settings_of(setup), setup.stand.hand)
