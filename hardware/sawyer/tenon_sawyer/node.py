"""The Sawyer on the graph."""

from __future__ import annotations

import sys

from tenon.configuration.base import parse
from tenon.session.setup import SessionSetup
from tenon.simulation.insertion import tcp_in_flange
from tenon_control.real_arm import run_arm
from tenon_sawyer.config import DriverSettings
from tenon_sawyer.driver import SawyerDriver


def create_driver(setup: SessionSetup) -> SawyerDriver:
    """The driver that the session's robot asks for. Raises ConfigurationError."""
    settings = parse(DriverSettings, setup.robot.driver.settings, where="robot: driver: settings")
    return SawyerDriver(setup.arm, tcp_in_flange(setup.connector), settings)


def main(args: list[str] | None = None) -> int:
    return run_arm(create_driver, args)


if __name__ == "__main__":
    sys.exit(main())
