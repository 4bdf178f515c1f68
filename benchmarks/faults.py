"""Fault injection into a simulated session: is the arm held in time, is the fault named, latched and cleared by hand?

    python benchmarks/faults.py [--cases 20] [--json FILE] [--real-time-factor 2] [--lockstep-timeout-s S]

One graph of real processes, one endless run of episodes; each case breaks something at a random moment of an episode.
"Held" is the session time from the fault until the inner loop commands no motion any more; the bar is two control
periods (200 ms) and the turn of the inner loop (10 ms) in which it shows. Exit status 1 if any case failed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tenon_session.testing.faults import FAULTS, CaseResult, FaultBench, summary
from tenon_session.testing.sessions import fault_session
from tenon_session.testing.stage import Stage

console = Console()


@dataclass(frozen=True)
class Options:
    """cases: of each kind. json: file for the figures and every case. seed: of the moments and of what is varied.

    lockstep_timeout_s: left out, simulated time waits for nobody, as a real arm's.
    """

    cases: int = 20
    json: Path | None = None
    seed: int = 0
    real_time_factor: float = 2.0
    lockstep_timeout_s: float | None = None


def run_cases(options: Options, directory: Path) -> list[CaseResult]:
    session = fault_session(
        directory, real_time_factor=options.real_time_factor, lockstep_timeout_s=options.lockstep_timeout_s
    )
    results = []
    with Progress(console=console, transient=True) as bar, Stage(session, directory).open() as stage:
        bench = FaultBench(stage)
        bench.begin()
        for kind in FAULTS:
            task = bar.add_task(kind.kind, total=options.cases)
            for number in range(options.cases):
                results.append(bench.run(kind, number, options.seed))
                bar.advance(task)
    return results


def show(results: list[CaseResult]) -> None:
    table = Table("fault", "cases", "passed", "held after, median", "longest", "named")
    for kind, row in summary(results).items():
        held = [f"{row[name]:.0f} ms" for name in ("held_ms_median", "held_ms_max")]
        table.add_row(kind, str(row["cases"]), str(row["passed"]), *held, ", ".join(row["faults"]))
    console.print(table)
    for result in results:
        for problem in result.problems:
            console.print(f"{result.kind}, case {result.number}: {problem}")


def main(options: Options) -> int:
    with tempfile.TemporaryDirectory(prefix="tenon_faults_") as directory:
        results = run_cases(options, Path(directory))
    show(results)
    if options.json is not None:
        figures = {"summary": summary(results), "cases": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(any(result.problems for result in results))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
