"""How late the loop of each arm is, idle and beside a training.

    python benchmarks/hardware.py [CASE ...] [--quick] [--json FILE] [--markdown FILE]

The device is emulated, in a process of its own in real time; driver and library are those of the lab. A turn is what
the arm's node does in one: reading, answer, command. All ask for real-time scheduling, as they do in a session; the
training does not. Late: a turn more than 1.5 periods after the one before.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from hardware_arms import CASES, Arm

from tenon_graph.node import SWITCH_INTERVAL_S
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime, share_the_rest

TURNS, QUICK_TURNS = 10_000, 1_000
LATE_PERIODS = 1.5
HEAD = """# The loops of the arms

Written by `python benchmarks/hardware.py --markdown docs/results/hardware.md`. Vendors' libraries and our drivers,
against emulated devices in processes of their own, in real time. *training*: beside it one process per core that
updates a network without pause. late: turns more than 1.5 periods after the one before. jitter: how far a period is
from the one asked for. answer: from the reading at hand until its command is on the wire. *machine*: a loop without an
arm that only sleeps until its turn, in a process as the others: what is late there is late by the machine's doing.
"""
COLUMNS = ("arm", "state", "asked, Hz", "reached, Hz", "turns", "late", "late, %", "longest gap, ms")
COLUMNS += ("jitter p99, ms", "answer p50, ms", "answer p99, ms")


@dataclass(frozen=True, slots=True)
class Rates:
    """gap: from one turn to the next. jitter: how far it is from the period. answer: from reading to command.

    realtime: real-time scheduling was granted.
    """

    case: str
    state: str
    realtime: bool
    asked_hz: float
    reached_hz: float
    turns: int
    late: int
    gap_max_ms: float
    jitter_p99_ms: float
    answer_p50_ms: float
    answer_p99_ms: float

    def cells(self) -> tuple[str, ...]:
        numbers = (f"{self.asked_hz:.0f}", f"{self.reached_hz:.1f}", f"{self.turns}", f"{self.late}")
        times_ms = (self.gap_max_ms, self.jitter_p99_ms, self.answer_p50_ms, self.answer_p99_ms)
        share = f"{100 * self.late / self.turns:.2f}"
        return (self.case, self.state, *numbers, share, *(f"{value:.2f}" for value in times_ms))


def measure(case: str, turns: int, *, training: bool) -> Rates:
    """One run in a process of its own, so that no library sees what another one left. Raises what the driver raises."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(theirs, case, turns, training))
    process.start()
    theirs.close()
    try:
        rates: Rates = ours.recv()
    except EOFError:
        process.join()
        raise SystemExit(f"{case}: the driver's process ended with {process.exitcode}") from None
    process.join()
    return rates


def _measure(pipe, case: str, turns: int, training: bool) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with _training(wanted=training):
        realtime = prefer_realtime(ARM_PRIORITY)
        with CASES[case]() as arm:
            began_s, answers_s = _turn(arm, turns)
            period_s = arm.driver.period_s
        gaps_s = np.diff(began_s)
        pipe.send(
            Rates(
                case=case,
                state="training" if training else "idle",
                realtime=realtime,
                asked_hz=1.0 / period_s,
                reached_hz=float(len(gaps_s) / (began_s[-1] - began_s[0])),
                turns=turns,
                late=int(np.sum(gaps_s > LATE_PERIODS * period_s)),
                gap_max_ms=float(1e3 * gaps_s.max()),
                jitter_p99_ms=float(1e3 * np.percentile(np.abs(gaps_s - period_s), 99)),
                answer_p50_ms=float(1e3 * np.percentile(answers_s, 50)),
                answer_p99_ms=float(1e3 * np.percentile(answers_s, 99)),
            )
        )


def _turn(arm: Arm, turns: int) -> tuple[np.ndarray, np.ndarray]:
    """Times at which readings came, and how long their answers took."""
    began_s, answers_s = np.empty(turns), np.empty(turns)
    for turn in range(turns):
        state = arm.driver.read()
        began_s[turn] = time.perf_counter()
        arm.driver.write(arm.answer(state, turn))
        answers_s[turn] = time.perf_counter() - began_s[turn]
    return began_s, answers_s


@contextmanager
def _training(*, wanted: bool) -> Iterator[None]:
    """As many processes as there are cores, each busy with matrices as a trainer is."""
    count = len(os.sched_getaffinity(0)) if wanted else 0
    processes = [subprocess.Popen([sys.executable, __file__, "--train"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def train() -> None:
    """A network of the size of the demo's critics, updated without pause on one thread, until it is killed."""
    import torch

    share_the_rest()
    torch.set_num_threads(1)
    network = torch.nn.Sequential(torch.nn.Linear(17, 256), torch.nn.ReLU(), torch.nn.Linear(256, 6))
    optimiser = torch.optim.Adam(network.parameters())
    while True:
        loss = network(torch.randn(256, 17)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def to_markdown(found: Sequence[Rates]) -> str:
    """The page of docs/results."""
    lines = [
        f"| {' | '.join(cells)} |" for cells in (COLUMNS, ("---",) * len(COLUMNS), *(one.cells() for one in found))
    ]
    granted = "granted" if all(one.realtime for one in found) else "not granted"
    machine = f"{len(os.sched_getaffinity(0))} cores ({platform.machine()}), real-time scheduling {granted}."
    return "\n".join([HEAD, machine, "", *lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all of {', '.join(CASES)}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TURNS} turns instead of {TURNS}")
    parser.add_argument("--json", type=Path, help="also write the figures here; those of other cases in it are kept")
    parser.add_argument("--markdown", type=Path, help="also write the page here")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    kept: list[Rates] = []
    if options.json is not None and options.json.exists():
        kept = [Rates(**row) for row in json.loads(options.json.read_text(encoding="utf-8"))]
    for case in options.cases or CASES:
        for training in (False, True):
            found = measure(case, QUICK_TURNS if options.quick else TURNS, training=training)
            kept = [one for one in kept if (one.case, one.state) != (found.case, found.state)] + [found]
            print(" | ".join(f"{name} {cell}" for name, cell in zip(COLUMNS, found.cells(), strict=True)), flush=True)  # noqa: T201
            _write(options, kept)
    return 0


def _write(options: argparse.Namespace, found: Sequence[Rates]) -> None:
    order = list(CASES)
    ordered = sorted(found, key=lambda one: (order.index(one.case), one.state))
    if options.json is not None:
        text = json.dumps([asdict(one) for one in ordered], indent=2) + "\n"
        options.json.write_text(text, encoding="utf-8")
    if options.markdown is not None:
        options.markdown.write_text(to_markdown(ordered), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
