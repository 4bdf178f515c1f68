"""Fault injection into recordings: what is lost when a recorder is killed, a disk is full, a camera or a clock fails?

    python benchmarks/recording_faults.py [--kills 1000] [--others 50] [--json FILE] [--markdown FILE]

Kills come at random moments of a recording in real time. The cases of a full disk need a file system of a few MiB: as
root one is mounted for each case, else they are left out and said to be. Exit status 1 if any case failed: a finished
episode lost, more than a second of the open one, a message that was never sent, or verify and repair that do not say
what happened.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import tyro
from recording_injector import CaseResult, Stream, fill, kill, step_clock, unplug
from rich.console import Console
from rich.progress import Progress

DISK_BYTES = 8 << 20
RESERVE_BYTES = 2 << 20
console = Console(stderr=True)

Case = Callable[[Path, Stream, int, int], CaseResult]


@dataclass(frozen=True)
class Options:
    """kills: with SIGKILL. others: of every other kind. seed: of the moments and of what is varied. jobs: cases side by
    side; a case mostly waits.

    allowed_loss_s: of the open episode; what waits for a recorder that gets no CPU time is lost with it, so that a busy
    machine needs more.
    """

    kills: int = 1000
    others: int = 50
    seed: int = 0
    jobs: int = 1
    allowed_loss_s: float = 1.0
    json: Path | None = None
    markdown: Path | None = None


def disk_full(directory: Path, stream: Stream, number: int, seed: int) -> CaseResult:
    with small_disk(directory) as disk:
        return fill(disk, stream, number, seed, 0)


def disk_nearly_full(directory: Path, stream: Stream, number: int, seed: int) -> CaseResult:
    with small_disk(directory) as disk:
        return fill(disk, stream, number, seed, RESERVE_BYTES)


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def run(options: Options) -> list[CaseResult]:
    kinds: list[tuple[str, Case, int]] = [
        ("kill -9", kill, options.kills),
        ("camera unplugged", unplug, options.others),
        ("clock set", step_clock, options.others),
    ]
    if os.geteuid() == 0:
        kinds += [("disk full", disk_full, options.others), ("disk nearly full", disk_nearly_full, options.others)]
    else:
        console.print("not root, so that no small disk can be mounted: the cases of a full disk are left out")
    results = []
    # Not forked: a case forks the recorder that it kills, which must not come with another case's threads.
    pool = ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn"))
    with pool, Progress(console=console, transient=True) as bar:
        for name, case, count in kinds:
            task = bar.add_task(name, total=count)
            for result in pool.map(partial(one_case, case, options.seed), range(count)):
                results.append(result)
                bar.advance(task)
    return results


def one_case(case: Case, seed: int, number: int) -> CaseResult:
    """In a folder of its own, in a process of the pool."""
    logging.getLogger("tenon.data").setLevel(logging.CRITICAL)  # Each full disk would be told of twice.
    with tempfile.TemporaryDirectory(prefix="tenon_recording_faults_") as directory:
        return case(Path(directory), Stream(), number, seed)


@dataclass(frozen=True, slots=True)
class Summary:
    """One kind of fault."""

    kind: str
    cases: int
    finished: int
    lost_finished: int
    lost_s_median: float
    lost_s_most: float
    failed: int


def summaries(results: list[CaseResult], allowed_loss_s: float) -> list[Summary]:
    found = []
    for kind in dict.fromkeys(result.kind for result in results):
        own = [result for result in results if result.kind == kind]
        losses = sorted(result.lost_s for result in own)
        found.append(
            Summary(
                kind=kind,
                cases=len(own),
                finished=sum(result.finished for result in own),
                lost_finished=sum(result.lost_finished for result in own),
                lost_s_median=losses[len(losses) // 2],
                lost_s_most=losses[-1],
                failed=sum(1 for result in own if failures(result, allowed_loss_s)),
            )
        )
    return found


def failures(result: CaseResult, allowed_loss_s: float) -> list[str]:
    too_much = [f"{result.lost_s:.2f} s of the open episode are lost"] if result.lost_s > allowed_loss_s else []
    return [*result.problems, *too_much]


def to_markdown(options: Options, results: list[CaseResult]) -> str:
    lines = [
        "# Faults while recording",
        "",
        f"Written by `python benchmarks/recording_faults.py --kills {options.kills} --others {options.others} "
        f"--jobs {options.jobs} --markdown docs/results/recording_faults.md`; {os.cpu_count()} cores that did other "
        f"work as well, Python {platform.python_version()}. Bars: no finished episode lost, at most "
        f"{options.allowed_loss_s:g} s of the open one; `verify` and `repair` say what happened; no "
        "message that was never sent.",
        "",
        "| fault | cases | finished episodes | of these lost | lost of the open one: median | most | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in summaries(results, options.allowed_loss_s):
        lines.append(
            f"| {row.kind} | {row.cases} | {row.finished} | {row.lost_finished} | {row.lost_s_median:.3f} s | "
            f"{row.lost_s_most:.3f} s | {row.failed} |"
        )
    lines += ["", "What is said of the first case of each kind:", ""]
    for kind in dict.fromkeys(result.kind for result in results):
        first = next((r for r in results if r.kind == kind and r.said), None)
        lines += [f"- {kind}: {'; '.join(first.said)}" if first else f"- {kind}: nothing was left to say"]
    return "\n".join(lines) + "\n"


def main(options: Options) -> int:
    results = run(options)
    page = to_markdown(options, results)
    sys.stdout.write(page)
    for result in results:
        for problem in failures(result, options.allowed_loss_s):
            console.print(f"{result.kind}, case {result.number}: {problem}", markup=False)
    if options.markdown is not None:
        options.markdown.write_text(page)
    if options.json is not None:
        figures = {
            "summary": [asdict(row) for row in summaries(results, options.allowed_loss_s)],
            "cases": [asdict(result) for result in results],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(any(failures(result, options.allowed_loss_s) for result in results))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
