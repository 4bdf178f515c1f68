"""How fast the control loop is: camera to command, inner loop, supervisor, and the embedded ROS 2 below them.

    python benchmarks/loop.py [--quick] [--json FILE] [--markdown FILE]

Everything runs on a router and a domain of its own. Rounds take turns between a frozen policy without a trainer (idle)
and a trainer that updates without pause (training), so that a load from elsewhere falls on both.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import psutil
import tyro
from loop_chain import latencies, turn_periods_s
from loop_ends import Measurement, Samples, WireError, WirePair
from loop_graph import Bench, GraphBenchError, TrainerProcess, prepare, router_pid, running_graph
from loop_probe import LoopProbe, ProbeError, Unprovoked
from loop_statistics import CpuMeter, Results, State
from loop_table import add_ratios, to_markdown, write_tables
from loop_wires import WireName

from tenon_session.graph import GraphError, SessionGraph
from tenon_session.introspection import settle, spinning_node
from tenon_session.testing.stage import private_network

OVERRIDE_VARIABLE = "ZENOH_CONFIG_OVERRIDE"
NO_SHARED_MEMORY = "transport/shared_memory/enabled=false"
OVERRUN_S = 0.005
"""A turn of the inner loop that comes later than this after its time."""
POLL_S = 0.05
US_PER_S = 1e6
OUTSIDE_BOX_M = (0.45, 0.0, -0.5)
NOT_FINITE_M = (float("nan"), 0.0, 0.2)
ATTEMPTS = 5
PROVOKED_IN_VAIN = "provocations in vain (replaced by a newer reference)"
PROVOCATIONS = {"workspace": OUTSIDE_BOX_M, "not_finite": NOT_FINITE_M}


@dataclass(frozen=True, slots=True)
class Counts:
    """Per round and state. seconds: of a running session. provocations: of each kind."""

    rounds: int = 4
    trips: int = 1000
    images: int = 250
    flood: int = 10_000
    seconds: float = 60.0
    provocations: int = 250

    def but(self, **given: float | None) -> Counts:
        """These counts, with those that are given in their place."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def describe(self) -> str:
        return (
            f"{self.rounds} rounds of each state; in each {self.seconds:g} s of a session, {self.provocations} "
            f"provocations of each kind, {self.trips} round trips, {self.images} images, {self.flood} messages at once."
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it ran. load_before: the mean number of runnable processes over the last 1, 5 and 15 minutes."""

    cores: int
    python: str
    load_before: tuple[float, float, float]

    @classmethod
    def here(cls) -> Machine:
        one, five, fifteen = psutil.getloadavg()
        return cls(psutil.cpu_count() or 1, platform.python_version(), (one, five, fifteen))

    def describe(self) -> str:
        return f"{self.cores} cores, Python {self.python}, load of {self.load_before[0]:.1f} before the start."


QUICK = Counts(rounds=1, trips=300, images=30, flood=2000, seconds=6.0, provocations=15)


@dataclass(frozen=True, slots=True)
class WireCase:
    """One line of the comparison. shared_memory: both ends offer it to each other."""

    wire: WireName
    shared_memory: bool = True

    @property
    def name(self) -> str:
        return str(self.wire) if self.shared_memory else f"{self.wire}, no shared memory"

    @property
    def label(self) -> str:
        return f"loop_{self.wire.name.lower()}_{'shm' if self.shared_memory else 'tcp'}"

    @property
    def environment(self) -> dict[str, str]:
        override = os.environ[OVERRIDE_VARIABLE]
        return {} if self.shared_memory else {OVERRIDE_VARIABLE: f"{override};{NO_SHARED_MEMORY}"}


CASES = (
    WireCase(WireName.RCLPY),
    WireCase(WireName.RCLPY, shared_memory=False),
    WireCase(WireName.ZENOH),
    WireCase(WireName.ZENOH, shared_memory=False),
    WireCase(WireName.ZENOH_EMBEDDED),
    WireCase(WireName.ZENOH_ROSBAGS),
)


class Loop:
    """The measurements, into ``results``."""

    def __init__(self, counts: Counts, bench: Bench, probe: LoopProbe) -> None:
        self.results = Results()
        self._counts = counts
        self._bench = bench
        self._probe = probe

    def measure_wires(self) -> None:
        """The embedded ROS 2 and what it is compared with, without a graph."""
        with contextlib.ExitStack() as stack:
            pairs = {case: WirePair(case.wire, case.label, case.environment) for case in CASES}
            for pair in pairs.values():
                stack.callback(pair.close)
            for pair in pairs.values():
                pair.meet()
            for state, _ in self._turns():
                for measurement in Measurement:
                    for case, pair in pairs.items():
                        count = self._count(measurement)
                        self._keep(case, measurement, state, pair.measure(measurement, count), count)

    def measure_session(self) -> None:
        """Latency, inner loop and supervisor of a running graph."""
        with running_graph(self._bench, self._probe.nodes) as graph:
            self._probe.listen()
            self._probe.publish_weights(self._bench.policy)
            for state, trainer in self._turns():
                self._run_session(state, graph, trainer)
                self._provoke(state)

    def _turns(self) -> Iterator[tuple[State, TrainerProcess | None]]:
        """The states in turn, with the trainer where it trains."""
        for number in range(self._counts.rounds):
            note(f"round {number + 1} of {self._counts.rounds}: idle")
            yield State.IDLE, None
            self._probe.forget_trainer()
            with TrainerProcess(self._bench, self._probe.updates_per_s) as trainer:
                note(f"round {number + 1} of {self._counts.rounds}: training")
                yield State.TRAINING, trainer

    def _count(self, measurement: Measurement) -> int:
        if measurement is Measurement.FLOOD:
            return self._counts.flood
        is_image = measurement in (Measurement.IMAGE, Measurement.OWN_IMAGE)
        return self._counts.images if is_image else self._counts.trips

    def _keep(self, case: WireCase, measurement: Measurement, state: State, samples: Samples, count: int) -> None:
        titles = {
            Measurement.ROUND_TRIP: "JointState, there and back",
            Measurement.IMAGE: "Image 640x480x3, one way",
            Measurement.FLOOD: "JointState, one way",
            Measurement.OWN_JOINTS: "JointState, within a process",
            Measurement.OWN_IMAGE: "Image 640x480x3, within a process",
        }
        title = titles[measurement]
        self.results.add(title, case.name, state, samples.delivery_s)
        if measurement in (Measurement.ROUND_TRIP, Measurement.IMAGE):
            self.results.add(f"{title}: the call of publish", case.name, state, samples.publish_s)
        if measurement is Measurement.FLOOD:
            self.results.add_figure(title, case.name, state, samples.messages_per_s, "1/s")
        cpu_us = (samples.near_cpu_s + samples.far_cpu_s) / count * US_PER_S
        self.results.add_figure(f"{title}: CPU of both ends", case.name, state, cpu_us, "us")

    def _run_session(self, state: State, graph: SessionGraph, trainer: TrainerProcess | None) -> None:
        processes = {**graph.processes(), "this benchmark": os.getpid()}
        if trainer is not None:
            processes["trainer_node"] = trainer.pid
        own_router = router_pid()
        if own_router is not None:
            processes["router"] = own_router
        self._probe.start_session()
        meter, begin_s = CpuMeter(processes), time.monotonic()
        self._probe.begin()
        faults = self._let_run(graph, begin_s + self._counts.seconds)
        wall_s, cpu_s = time.monotonic() - begin_s, meter.seconds()
        self._keep_window(state)
        self.results.add_figure("session", "faults", state, faults, "")
        if trainer is not None:
            self.results.add_figure("session", "gradient steps", state, self._probe.updates_per_s(), "1/s")
        for name, seconds in cpu_s.items():
            self.results.add_figure("CPU seconds per second", name, state, seconds / wall_s, "s/s")
        self._probe.stop_session()

    def _let_run(self, graph: SessionGraph, until_s: float) -> int:
        """Returns how many faults there were; each ends the run, and the next one is begun."""
        faults = 0
        while time.monotonic() < until_s:
            graph.check()
            if self._probe.has_fault:
                faults += 1
                note(f"fault: {self._probe.fault_detail}")
                self._probe.stop_session()
                self._probe.clear_fault()
                self._probe.start_session()
            time.sleep(POLL_S)
        return faults

    def _keep_window(self, state: State) -> None:
        window = self._probe.end()
        found, periods_s = latencies(window), turn_periods_s(window)
        if not found.reading_to_command_s:
            raise ProbeError("no control tick came through whole: give it more --seconds, or a quieter machine")
        self.results.add("control loop", "picture -> command received", state, found.image_to_command_s)
        self.results.add("control loop", "reading of the arm -> command received", state, found.reading_to_command_s)
        for name, durations_s in found.hops.items():
            self.results.add("control loop, by hop", name, state, durations_s)
        due_s = 1.0 / self._bench.setup.config.state_rate_hz
        late_s = [max(period_s - due_s, 0.0) for period_s in periods_s]
        overruns = sum(duration_s > OVERRUN_S for duration_s in late_s)
        self.results.add("inner loop", "period of a turn", state, periods_s)
        self.results.add("inner loop", "lateness of a turn", state, late_s)
        share = overruns / len(late_s) if late_s else 0.0
        self.results.add_figure("inner loop", "turns more than 5 ms late", state, share, "of 1")

    def _provoke(self, state: State) -> None:
        in_vain = 0
        for _ in range(self._counts.provocations):
            for fault, position_m in PROVOCATIONS.items():
                for _ in range(ATTEMPTS):
                    try:
                        reaction = self._probe.provoke(position_m, fault)
                    except Unprovoked as reason:
                        note(str(reason))
                        in_vain += 1
                        continue
                    self.results.add("supervisor", f"{fault} sent -> HOLD received", state, [reaction.hold_s])
                    self.results.add("supervisor", f"{fault} sent -> FAULT received", state, [reaction.fault_s])
                    break
        self.results.add_figure("supervisor", PROVOKED_IN_VAIN, state, in_vain, "")


def note(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    markdown: Path | None = None,
    rounds: int | None = None,
    trips: int | None = None,
    images: int | None = None,
    flood: int | None = None,
    seconds: float | None = None,
    provocations: int | None = None,
) -> None:
    """Measures and prints tables.

    quick: small counts, about a minute on a quiet machine. json, markdown: also write the results to these files. The
    other options change single counts, which are per round and state: trips of a JointState, images one way, flood of
    JointStates, seconds of a running session, provocations of the supervisor of each kind.
    """
    counts = (QUICK if quick else Counts()).but(
        rounds=rounds, trips=trips, images=images, flood=flood, seconds=seconds, provocations=provocations
    )
    machine = Machine.here()
    with (
        tempfile.TemporaryDirectory() as directory,
        private_network(),
        spinning_node(LoopProbe) as probe,
    ):
        settle(probe)
        loop = Loop(counts, prepare(Path(directory)), probe)
        loop.measure_session()
        loop.measure_wires()
    add_ratios(loop.results)
    write_tables(loop.results, sys.stdout)
    if json_file is not None:
        report = {"machine": asdict(machine), "counts": asdict(counts), **loop.results.to_json()}
        json_file.write_text(json.dumps(report, indent=1) + "\n")
    if markdown is not None:
        conditions = f"{machine.describe()} {counts.describe()}"
        markdown.write_text(to_markdown(loop.results, conditions))


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except (GraphBenchError, GraphError, ProbeError, WireError) as error:
        sys.exit(f"error: {error}")
