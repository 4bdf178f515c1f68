"""How fast the learners are, beside Stable-Baselines3, SBX and d3rlpy on the same data.

    python benchmarks/learners.py [--peers-python PATH] [--quick] [--json FILE] [--markdown FILE]

Each learner lives in a process of its own; rounds take turns between them, so that a load from elsewhere falls on all.
A long run can be cut into several: each with ``--only`` some of the cases, all with the same ``--json`` file.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from learners_data import COMPILED, OWN, Case, write
from learners_table import Measured, bars, to_markdown, write_tables

WORKER = Path(__file__).with_name("learners_worker.py")
LIBRARIES = (OWN, COMPILED, "sb3", "sbx", "d3rlpy")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
CASES = (
    Case("sac", "state", batch_size=256, episodes=50, steps=1000),
    Case("td3", "state", batch_size=256, episodes=50, steps=1000),
    Case("iql", "state", batch_size=256, episodes=50, steps=1000),
    Case("sac", "image", batch_size=128, episodes=40, steps=100),
    Case("iql", "image", batch_size=128, episodes=40, steps=100),
)
QUICK_EPISODES = 5
STOP_S = 30.0
REMARKS = "## Remarks"


class WorkerError(RuntimeError):
    """A learner's process ended before its time."""


@dataclass(frozen=True, slots=True)
class Counts:
    """rounds: of each learner. seconds: of each measurement in a round."""

    rounds: int
    seconds: float


class Worker:
    """A learner in its own process."""

    def __init__(self, process: subprocess.Popen[str], library: str):
        self.library = library
        self._process = process
        self.standing = self._answer()

    def measure(self, what: str, seconds: float) -> dict[str, float]:
        """count, wall_s and cpu_s of what was done in about ``seconds``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"what": what, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"the process of {self.library} ended with {self._process.wait()}: see its output above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def workers(
    case: Case, pythons: dict[str, str], directory: Path, device: str, cores: set[int]
) -> Iterator[list[Worker]]:
    """One for each library in ``pythons``, started one after the other and ended together.

    cores: all of a process's threads stay on these. XLA keeps a pool of threads whatever it is told.
    """
    with contextlib.ExitStack() as stack:
        started = []
        for library, python in pythons.items():
            scratch = directory / library
            scratch.mkdir()
            request = {
                "library": library,
                "case": asdict(case),
                "data": str(directory),
                "scratch": str(scratch),
                "device": device,
            }
            process = subprocess.Popen(
                [python, str(WORKER), json.dumps(request)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **ONE_THREAD},
            )
            stack.callback(_stop, process)
            os.sched_setaffinity(process.pid, cores)  # before it has threads, which take it over
            started.append(Worker(process, library))
        yield started


def measure(case: Case, pythons: dict[str, str], counts: Counts, device: str, cores: set[int]) -> list[Measured]:
    """All libraries on ``case``, in rounds that take turns."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(directory, case)
        with workers(case, pythons, directory, device, cores) as started:
            results = {worker.library: Measured.of(case, worker.library, worker.standing) for worker in started}
            present = [worker for worker in started if results[worker.library].missing is None]
            for _ in range(counts.rounds):
                for what in ("update", "sample"):
                    for worker in present:
                        results[worker.library].add(what, worker.measure(what, counts.seconds))
    return list(results.values())


def main(
    peers_python: Path | None = None,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    markdown: Path | None = None,
    *,
    only: tuple[str, ...] = (),
    libraries: tuple[str, ...] = LIBRARIES,
    quick: bool = False,
    rounds: int | None = None,
    seconds: float | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
) -> None:
    """peers_python: the interpreter of an environment with stable-baselines3, sbx-rl, d3rlpy and psutil; what is not
    installed there, or all of them without it, is reported as missing. quick: little data and short rounds. device:
    where torch's learners run; SBX runs where its JAX does. json, markdown: also write the results to these files; what
    stands below "## Remarks" in the latter stays. only: the names of the cases to run, such as "sac from states"; what
    the json file holds of the others is taken from there. libraries: which ones; "tenon" must be among them.
    """
    counts = Counts(rounds=2, seconds=1.0) if quick else Counts(rounds=5, seconds=6.0)
    counts = Counts(rounds or counts.rounds, seconds or counts.seconds)
    cases = [replace(case, episodes=QUICK_EPISODES) for case in CASES] if quick else list(CASES)
    theirs = str(peers_python or sys.executable)
    pythons = {library: sys.executable if library in (OWN, COMPILED) else theirs for library in libraries}
    cores = {max(os.sched_getaffinity(0))}
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "device": device,
        "load_before": os.getloadavg(),
    }
    results = []
    for case in cases:
        if only and case.name not in only:
            results += _measured_before(case, counts, json_file)
            continue
        results += measure(case, pythons, counts, device, cores)
        write_tables(results[-len(pythons) :], sys.stdout)
    report: dict[str, Any] = {
        "machine": machine,
        "counts": asdict(counts),
        "results": [result.to_json() for result in results],
        "bars": [asdict(bar) for bar in bars(results)],
    }
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=1) + "\n")
    if markdown is not None:
        page = to_markdown(results, machine, counts.rounds, counts.seconds)
        markdown.write_text(page + _remarks(markdown))
    for bar in bars(results):
        sys.stdout.write(f"{bar}\n")


def _measured_before(case: Case, counts: Counts, json_file: Path | None) -> list[Measured]:
    """What ``json_file`` holds of ``case``, nothing where it does not exist. Other rounds than ``counts``: refused."""
    if json_file is None or not json_file.exists():
        return []
    report = json.loads(json_file.read_text())
    if report["counts"] != asdict(counts):
        raise SystemExit(
            f"{json_file}: holds rounds of {report['counts']}, this run has {asdict(counts)}: give the same, or "
            f"another file"
        )
    return [Measured.from_json(case, entry) for entry in report["results"] if entry["case"] == case.name]


def _remarks(page: Path) -> str:
    """What a person has written below the tables of an earlier ``page``."""
    before = page.read_text() if page.exists() else ""
    start = before.find(REMARKS)
    return "" if start < 0 else f"\n{before[start:]}"


def _stop(process: subprocess.Popen[str]) -> None:
    """Ends at the end of its input; where it does not, it is killed."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    tyro.cli(main)
