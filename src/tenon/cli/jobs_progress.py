"""Runs of an experiment or a training as they go on: a bar each, and one for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tenon.cli.console import ERR, note
from tenon.experiments.runner import RunObserver
from tenon.session.report import wilson_interval

if TYPE_CHECKING:
    from tenon.experiments.experiment import Job, JobResult

RATES = frozenset({"success"})
"""Metrics that are shares of evaluation episodes, and so have an interval of their own."""


class JobsProgress(RunObserver):
    """A context manager: bars are drawn within it, where stderr is a terminal; failures are told at once.

    draws: evaluation episodes behind each point of a learning curve; points are told where it is given.
    """

    def __init__(self, *, draws: int | None = None) -> None:
        self.failures: list[str] = []
        self._draws = draws
        self._bars: dict[str, TaskID] = {}
        self._all: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=ERR,
            disable=not ERR.is_terminal,
        )

    def __enter__(self) -> JobsProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def on_begin(self, jobs: Sequence[Job], finished: int) -> None:
        if finished:
            note(f"{finished} runs are there already, {len(jobs)} are left")
        self._all = self._progress.add_task("all runs", total=finished + len(jobs), completed=finished)

    def on_start(self, job: Job) -> None:
        self._bars[job.key] = self._progress.add_task(job.name, total=1.0)

    def on_progress(self, job: Job, fraction: float) -> None:
        self._progress.update(self._bars[job.key], completed=fraction)

    def on_record(self, job: Job, step: int, metrics: Mapping[str, float]) -> None:
        if self._draws is not None:
            values = ", ".join(_told(name, value, self._draws) for name, value in metrics.items())
            note(f"{job.name}, {step} updates and steps: {values}")

    def on_kept(self, job: Job, place: str) -> None:
        note(f"{job.name}: its folder, with the checkpoints, is {place}")

    def on_done(self, result: JobResult) -> None:
        self._end(result.job)
        note(f"done: {result.job.name} ({result.cpu_s:.0f} s of CPU)")

    def on_failed(self, job: Job, reason: str) -> None:
        self._end(job)
        self.failures.append(job.name)
        ERR.print("[bold red]failed:[/] ", end="")
        ERR.print(f"{job.name}: {reason}", markup=False, soft_wrap=True)

    def _end(self, job: Job) -> None:
        self._progress.remove_task(self._bars.pop(job.key))
        if self._all is not None:
            self._progress.advance(self._all)


def _told(name: str, value: float, draws: int) -> str:
    if name not in RATES:
        return f"{name} {value:.3g}"
    interval = wilson_interval(round(value * draws), draws)
    return f"{name} {value:.2f} (95 % interval {interval.low:.2f} to {interval.high:.2f})"
