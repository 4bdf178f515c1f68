"""How late the Sawyer's loop is: state from the emulated robot over TCPROS, driver, torque back; idle, and beside a
training.

The robot is a process of its own in real time, with ``patience_s`` 0: it waits for nobody, as a real one. The loop is
read, impedance, write, as the arm's node does it. Late: a turn more than 1.5 periods after the one before.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import RobotConfig
from tenon.control.loop import SetPoint
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon.simulation.tasks import InsertionTaskConfig
from tenon_mujoco.emulation import EmulatedTime
from tenon_mujoco.plant import Plant
from tenon_sawyer.config import DriverSettings
from tenon_sawyer.driver import SawyerDriver
from tenon_sawyer.emulator import EmulatorSettings, SawyerEmulator

ROBOT, TASK, CONNECTOR, ARM = "sawyer-emulated", "easy", "easy", "sawyer"
TURNS, QUICK_TURNS = 10_000, 1_000
LATE_PERIODS = 1.5
SWITCH_INTERVAL_S = 0.0005
READY_TIMEOUT_S = 120.0
PATIENCE_S = 30.0
"""A late turn shall be counted, not end the run."""


@dataclass(frozen=True, slots=True)
class Rates:
    """gap: from one turn to the next. loop: from the measurement's stamp until the torque is on the wire."""

    state: str
    asked_hz: float
    reached_hz: float
    turns: int
    late_share: float
    gap_p50_ms: float
    gap_p99_ms: float
    loop_p50_ms: float
    loop_p99_ms: float


def measure(rate_hz: float, turns: int, *, training: bool) -> Rates:
    """One run. Raises what the driver raises."""
    with _robot(rate_hz) as uri, _trainer(training):
        driver = _driver(uri, rate_hz)
        driver.configure()
        driver.activate()
        try:
            began_s, done_s, loop_s = _turn(driver, turns)
        finally:
            driver.close()
    gaps_s = np.diff(began_s)
    return Rates(
        state="training" if training else "idle",
        asked_hz=rate_hz,
        reached_hz=float(len(gaps_s) / (done_s - began_s[0])),
        turns=turns,
        late_share=float(np.mean(gaps_s > LATE_PERIODS / rate_hz)),
        gap_p50_ms=float(1e3 * np.percentile(gaps_s, 50)),
        gap_p99_ms=float(1e3 * np.percentile(gaps_s, 99)),
        loop_p50_ms=float(1e3 * np.percentile(loop_s, 50)),
        loop_p99_ms=float(1e3 * np.percentile(loop_s, 99)),
    )


def _turn(driver: SawyerDriver, turns: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Times at which turns began, the end, and how old each reading was when its answer was sent."""
    here = driver.read().tcp_in_base
    began_s, ages_s = np.empty(turns), np.empty(turns)
    for index in range(turns):
        state = driver.read()
        began_s[index] = time.perf_counter()
        driver.write(SetPoint(here, None, holding=True, reason="benchmark"))
        ages_s[index] = (time.time_ns() - state.stamp_ns) / 1e9
    return began_s, time.perf_counter(), ages_s


def _driver(uri: str, rate_hz: float) -> SawyerDriver:
    given = load_named(RobotConfig, ConfigKind.ROBOTS, ROBOT).driver.settings
    patient = {"silence_s": PATIENCE_S, "network_timeout_s": PATIENCE_S, "rate_share": 0.01}
    patient["missed_cycles"] = round(PATIENCE_S * rate_hz)
    settings = {**given, **patient, "master_uri": uri, "rate_hz": rate_hz}
    plug = tcp_in_flange(load_named(ConnectorConfig, ConfigKind.CONNECTORS, CONNECTOR))
    return SawyerDriver(load_named(ArmConfig, ConfigKind.ARMS, ARM), plug, DriverSettings.model_validate(settings))


@contextmanager
def _robot(rate_hz: float) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_robot, args=(rate_hz, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(READY_TIMEOUT_S):
            raise TimeoutError("the emulated robot did not come up")
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


def _run_robot(rate_hz: float, pipe: Connection) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    plant = Plant(
        load_named(ArmConfig, ConfigKind.ARMS, ARM),
        load_named(ConnectorConfig, ConfigKind.CONNECTORS, CONNECTOR),
        load_named(InsertionTaskConfig, ConfigKind.TASKS, TASK),
    )
    emulator = SawyerEmulator(EmulatorSettings(port=0, enabled=True, control_rate_hz=rate_hz), plant)
    with EmulatedTime(plant, emulator):
        pipe.send(emulator.uri)
        pipe.recv()


@contextmanager
def _trainer(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    process = multiprocessing.get_context("spawn").Process(target=_train, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _train() -> None:
    """A network of the size of the demo's critics, updated without pause on one thread."""
    import torch

    torch.set_num_threads(1)
    network = torch.nn.Sequential(torch.nn.Linear(7, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU())
    optimiser = torch.optim.Adam(network.parameters())
    while True:
        optimiser.zero_grad()
        network(torch.randn(256, 7)).square().mean().backward()
        optimiser.step()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[100.0, 250.0, 500.0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TURNS} turns instead of {TURNS}")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    turns = QUICK_TURNS if given.quick else TURNS
    results: list[dict[str, Any]] = []
    for rate_hz in given.rates:
        for training in (False, True):
            results.append(asdict(measure(rate_hz, turns, training=training)))
            print(json.dumps(results[-1]), flush=True)  # noqa: T201 - the benchmark's answer
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
