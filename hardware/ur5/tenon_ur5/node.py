"""The UR5 on the graph."""

from __future__ import annotations

import sys

from tenon.configuration.base import parse
from tenon.session.setup import SessionSetup
from tenon.simulation.insertion import tcp_in_flange
from tenon_control.real_arm import run_arm
from tenon_ur5.config import DriverSettings
from tenon_ur5.driver import Ur5Driver


def create_driver(setup: SessionSetup) -> Ur5Driver:
    """The driver that a session's robot asks for. Raises ConfigurationError."""
    where = f"robot {setup.config.robot!r}: driver.settings"
    settings = parse(DriverSettings, setup.robot.driver.settings, where=where)
    return Ur5Driver(settings, setup.arm, tcp_in_flange(setup.connector))


def main(args: list[str] | None = None) -> int:
    return run_arm(create_driver, args)


if __name__ == "__main__":
    sys.exit(main())
