"""A driver that moves the arm of the controller at the given address until something ends it. Run as a program.

With "stays" it does nothing any more after a fault, and lives on until it is killed.
"""

from __future__ import annotations

import os
import signal
import sys

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.drivers import START_ANEW_STATUS, ArmFaultError, ArmProcessError
from tenon.control.loop import SetPoint
from tenon.control.types import Pose
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon_ur5.config import DriverSettings
from tenon_ur5.driver import Ur5Driver

TURNS, STEP_M = 3000, 0.00001
HANG_S = 5.0


def main(host: str, after: str = "") -> int:
    arm = load_named(ArmConfig, ConfigKind.ARMS, "ur5")
    connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, "easy")
    settings = DriverSettings(host=host, series="cb3", watchdog_hz=0.5, silence_timeout_s=0.6)
    driver = Ur5Driver(settings, arm, tcp_in_flange(connector))
    driver.configure()
    driver.activate()
    target = driver.read().tcp_in_base
    try:
        for turn in range(TURNS):
            signal.setitimer(signal.ITIMER_REAL, HANG_S)  # as the node does
            driver.read()
            target = Pose(target.position_m + np.array((0.0, 0.0, STEP_M)), target.quaternion_xyzw)
            driver.write(SetPoint(target, None, holding=False, reason=""))
            if turn == 20:
                print("moving", flush=True)  # noqa: T201 - what the test waits for
    except ArmFaultError:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        driver.let_go()
        if after == "stays":
            print("dropped", flush=True)  # noqa: T201 - what the test waits for
            signal.pause()
        try:
            driver.recover()
        except ArmProcessError:
            os._exit(START_ANEW_STATUS)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
