"""How late the UR5's loop is: reading, admittance, servoj through the real ur-rtde; idle, and beside a training.

The controller is emulated, in a process of its own in real time. The loop is the one of the arm's node, under the
real-time scheduling that the node asks for. Late: a turn more than 1.5 periods after the one before. The other arms:
benchmarks/hardware_sawyer.py, benchmarks/hardware_claw.py.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import DeviceConfig, RobotConfig
from tenon.control.loop import SetPoint
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime
from tenon_mujoco.emulator_process import EmulatorProcess
from tenon_ur5.config import DriverSettings
from tenon_ur5.driver import Ur5Driver

CASES = {"ur5-cb3": "cb3", "ur5-e-series": "e-series"}
HOST, TASK, CONNECTOR = "127.0.0.60", "easy", "easy"
TURNS, QUICK_TURNS = 10_000, 1_000
LATE_PERIODS = 1.5
PATIENT_WATCHDOG_HZ, SILENCE_S = 2.0, 1.0
"""A late turn shall be counted, not end the run."""


@dataclass(frozen=True, slots=True)
class Rates:
    """gap: from one turn to the next. jitter: how far it is from the period. answer: from reading to command."""

    case: str
    state: str
    realtime: bool
    asked_hz: float
    reached_hz: float
    turns: int
    late: int
    gap_max_ms: float
    jitter_p99_ms: float
    answer_p99_ms: float


def measure(case: str, turns: int, *, training: bool) -> Rates:
    """One run. Raises what the driver raises."""
    device = DeviceConfig(package="tenon_ur5", settings={"host": HOST, "series": CASES[case]})
    robot = RobotConfig(arm="ur5", safety="ur5", time="real", driver=device, emulator=device)
    settings = DriverSettings(
        host=HOST,
        series=CASES[case],
        watchdog_hz=PATIENT_WATCHDOG_HZ,
        silence_timeout_s=SILENCE_S,
        late_max_s=SILENCE_S,
    )
    tool = tcp_in_flange(load_named(ConnectorConfig, ConfigKind.CONNECTORS, CONNECTOR))
    driver = Ur5Driver(settings, load_named(ArmConfig, ConfigKind.ARMS, robot.arm), tool)
    with EmulatorProcess(robot, TASK), _training(training):
        realtime = prefer_realtime(ARM_PRIORITY)
        driver.configure()
        driver.activate()
        try:
            began_s, answers_s = _turn(driver, turns)
        finally:
            driver.close()
    gaps_s = np.diff(began_s)
    return Rates(
        case=case,
        state="training" if training else "idle",
        realtime=realtime,
        asked_hz=1.0 / settings.period_s,
        reached_hz=float(len(gaps_s) / (began_s[-1] - began_s[0])),
        turns=turns,
        late=int(np.sum(gaps_s > LATE_PERIODS * settings.period_s)),
        gap_max_ms=float(1e3 * gaps_s.max()),
        jitter_p99_ms=float(1e3 * np.percentile(np.abs(gaps_s - settings.period_s), 99)),
        answer_p99_ms=float(1e3 * np.percentile(answers_s, 99)),
    )


def _turn(driver: Ur5Driver, turns: int) -> tuple[np.ndarray, np.ndarray]:
    """Times at which readings came, and how long their answers took."""
    here = driver.read().tcp_in_base
    began_s, answers_s = np.empty(turns), np.empty(turns)
    for index in range(turns):
        driver.read()
        began_s[index] = time.perf_counter()
        driver.write(SetPoint(here, None, holding=True, reason="benchmark"))
        answers_s[index] = time.perf_counter() - began_s[index]
    return began_s, answers_s


@contextmanager
def _training(wanted: bool) -> Iterator[None]:
    """As many processes as there are cores, each busy with matrices as a trainer is."""
    count = len(os.sched_getaffinity(0)) if wanted else 0
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_train, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _train() -> None:
    import torch

    torch.set_num_threads(1)
    network = torch.nn.Sequential(torch.nn.Linear(17, 256), torch.nn.ReLU(), torch.nn.Linear(256, 6))
    optimiser = torch.optim.Adam(network.parameters())
    while True:
        loss = network(torch.randn(256, 17)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="default: all")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TURNS} turns instead of {TURNS}")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    rates = []
    for case in options.cases or CASES:
        for training in (False, True):
            found = measure(case, QUICK_TURNS if options.quick else TURNS, training=training)
            rates.append(found)
            print(  # noqa: T201 - the benchmark's answer
                f"{found.case:<14} {found.state:<9} {found.reached_hz:6.1f} of {found.asked_hz:.0f} Hz, late "
                f"{found.late} of {found.turns}, longest gap {found.gap_max_ms:.1f} ms, jitter p99 "
                f"{found.jitter_p99_ms:.2f} ms, answer p99 {found.answer_p99_ms:.2f} ms"
                f"{'' if found.realtime else ' (without real-time scheduling)'}",
                flush=True,
            )
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(found) for found in rates], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
