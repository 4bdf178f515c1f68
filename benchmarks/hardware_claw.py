"""How steadily the claw's driver turns: ten servos, one fast sync read and one sync write per turn, 100 Hz and more.

    python benchmarks/hardware_claw.py --turns 3000

The bus is the emulated one, in a process of its own, with the wire's time at 1 Mbaud; the library is the vendor's. Both
processes ask for real-time scheduling, as the arm's node does.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from tenon.configuration.base import parse
from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import RobotConfig
from tenon.control.loop import SetPoint
from tenon.simulation.valve_task import ValveTaskConfig
from tenon_claw.config import DriverSettings
from tenon_claw.driver import PALM_IN_BASE, ClawDriver
from tenon_claw.emulator.stand import EmulatedClaw, scratch_port
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime

LATE_PERIODS = 1.5
START_S = 30.0


@dataclass(frozen=True)
class Steadiness:
    """rate_hz: turns per second. late_share: turns that began later than 1.5 periods after the last. jitter_p99_ms: of
    the time between two turns. round_trip_ms: median of read and write together, without the wait. misses: answers that
    had to be asked for again."""

    rate_hz: float
    late_share: float
    jitter_p99_ms: float
    round_trip_ms: float
    misses: int


def settings(period_s: float, port: Path) -> DriverSettings:
    """As ``config/robots/claw-emulated.yaml``, at another rate. A late turn shall be counted, not end the run."""
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, "claw-emulated")
    given = {**robot.driver.settings, "port": port, "period_s": period_s, "on_loss": "hold"}
    return parse(DriverSettings, given, where="claw-emulated")


def emulate(chosen: DriverSettings, up: Event, done: Event) -> None:
    """The claw, until it is done with. A device is never late because the machine is busy."""
    prefer_realtime(ARM_PRIORITY)
    with EmulatedClaw(chosen, load_named(HandConfig, ConfigKind.HANDS, chosen.hand), ValveTaskConfig()):
        up.set()
        done.wait()


def measure(driver: ClawDriver, turns: int) -> Steadiness:
    """The fingers swing a little all the while."""
    began_s, took_s = np.zeros(turns), np.zeros(turns)
    rest_rad = driver.read().joint_position_rad
    for turn in range(turns):
        swing_rad = 0.05 * np.sin(2 * np.pi * turn * driver.period_s)
        driver.read()
        began_s[turn] = time.perf_counter()
        driver.write(SetPoint(PALM_IN_BASE, rest_rad + swing_rad, holding=False, reason=""))
        took_s[turn] = time.perf_counter() - began_s[turn]
    gaps_s = np.diff(began_s)
    return Steadiness(
        rate_hz=float((turns - 1) / (began_s[-1] - began_s[0])),
        late_share=float(np.mean(gaps_s > LATE_PERIODS * driver.period_s)),
        jitter_p99_ms=float(1e3 * np.percentile(np.abs(gaps_s - driver.period_s), 99)),
        round_trip_ms=float(1e3 * np.median(took_s)) + read_ms(driver),
        misses=driver.misses,
    )


def read_ms(driver: ClawDriver, times: int = 200) -> float:
    """Median of one read, asked for without waiting for the turn."""
    took_s = []
    for _ in range(times):
        begin_s = time.perf_counter()
        driver.ask()
        took_s.append(time.perf_counter() - begin_s)
    return float(1e3 * np.median(took_s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3000)
    parser.add_argument("--rates-hz", type=float, nargs="+", default=[100.0, 200.0])
    arguments = parser.parse_args()
    print("| rate asked | rate | late (1.5 periods) | jitter p99 | read + write, median | asked again |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    for rate_hz in arguments.rates_hz:
        found = run(settings(1.0 / rate_hz, scratch_port()), arguments.turns)
        late = f"{100 * found.late_share:.2f} % | {found.jitter_p99_ms:.2f} ms"
        print(f"| {rate_hz:g} Hz | {found.rate_hz:.1f} Hz | {late} | {found.round_trip_ms:.2f} ms | {found.misses} |")  # noqa: T201


def run(chosen: DriverSettings, turns: int) -> Steadiness:
    context = multiprocessing.get_context("spawn")
    up, done = context.Event(), context.Event()
    emulator = context.Process(target=emulate, args=(chosen, up, done), daemon=True)
    emulator.start()
    if not up.wait(START_S):
        raise SystemExit("the emulated claw did not come up")
    prefer_realtime(ARM_PRIORITY)
    driver = ClawDriver(chosen, load_named(HandConfig, ConfigKind.HANDS, chosen.hand))
    try:
        driver.configure()
        driver.activate()
        return measure(driver, turns)
    finally:
        driver.close()
        done.set()
        emulator.join()


if __name__ == "__main__":
    main()
