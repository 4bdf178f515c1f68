"""`tenon reproduce`: a paper's experiment again, with a bar that it passes or misses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tenon.cli.console import ERR, OUT, note
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.experiments.report import Report
    from tenon.experiments.runner import AnyExperiment, Executor

RUNS = Path("runs", "reproduce")
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Reproduce:
    """Run an experiment of the papers again: runs side by side, a table, a plot, a report and a bar.

    Ctrl-C loses no finished run; starting again with the same --out goes on where it was. Exits 0 when the bar is
    passed, 1 when it is missed.
    """

    name: tyro.conf.Positional[str | None] = None
    """Which experiment; --list names them."""
    list_them: Annotated[Flag, tyro.conf.arg(name="list")] = False
    """Name all experiments, with their cost and what they show."""
    seeds: int = 3
    """Seeds 0, 1, ... of every run; the bars ask for 3."""
    full: Flag = False
    """The paper's size, for a GPU or many cores."""
    data: Path | None = None
    """Folder that `tenon collect` has filled, for experiments on recorded data. Default: runs/fifty."""
    out: Path | None = None
    """Where results go. Default: runs/reproduce/NAME."""
    jobs: int | None = None
    """Runs side by side. Default: as many as there are cores."""
    cluster: Flag = False
    """Send the runs to Ray: to the cluster at RAY_ADDRESS, else to this machine."""

    def run(self) -> int:
        if self.list_them:
            print_experiments()
            return SUCCESS
        if self.name is None:
            raise UsageError("which experiment? `tenon reproduce --list` names them")
        check_counts(self.seeds, self.jobs)
        return self._run(self.name)

    def _run(self, name: str) -> int:
        from tenon.experiments.experiment import ExperimentError
        from tenon.experiments.registry import experiment_named

        kind = experiment_named(name)
        try:
            experiment = kind.full() if self.full else kind.small()
            if self.data is not None:
                experiment = experiment.with_data(self.data)
            out = self.out or RUNS / (f"{name}-full" if self.full else name)
            report = run_with_progress(
                experiment, out, self.seeds, executor(self.jobs, cluster=self.cluster), draws=None
            )
        except ExperimentError as error:
            raise UsageError(str(error)) from error
        show(report, out)
        for condition in report.bar:
            if not condition.met:
                ERR.print("[bold red]missed:[/] ", end="")
                ERR.print(
                    f"{condition.condition}: {condition.measured}, needed {condition.relation} {condition.threshold:g}",
                    markup=False,
                )
        return SUCCESS if report.passed else FAILURE


def check_counts(seeds: int, jobs: int | None) -> None:
    """Raises UsageError."""
    if seeds < 1:
        raise UsageError(f"--seeds {seeds}: 1 or more are needed")
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: 1 or more are needed")


def executor(jobs: int | None, *, cluster: bool) -> Executor:
    """Where the runs happen. Raises ExperimentError where Ray is asked for and not installed."""
    if cluster:
        from tenon.experiments.cluster import RayCluster

        return RayCluster(jobs)
    from tenon.experiments.processes import LocalProcesses

    return LocalProcesses(jobs or len(os.sched_getaffinity(0)))


def run_with_progress(
    experiment: AnyExperiment, out: Path, seeds: int, where: Executor, *, draws: int | None
) -> Report:
    """Runs what is left, shown as it goes on. Raises ExperimentError, CommandError when the disk refuses."""
    from tenon.cli.jobs_progress import JobsProgress
    from tenon.data.mapped_array import StorageError
    from tenon.experiments.runner import run_experiment

    try:
        with JobsProgress(draws=draws) as progress:
            report = run_experiment(experiment, out, seeds, where, progress)
    except StorageError as error:
        raise CommandError(str(error)) from error
    if progress.failures:
        note(f"{len(progress.failures)} runs failed: {', '.join(progress.failures)}. Start again to do them again")
    return report


def show(report: Report, out: Path) -> None:
    """The summary as a table for the terminal, and where the files are."""
    from rich.table import Table

    from tenon.experiments.report import DETAIL
    from tenon.experiments.results import summarise

    table = Table(title=f"{report.name}: {out}", title_justify="left")
    for column in ("method", "setting", "metric", "mean", "95 % interval", "seeds"):
        table.add_column(column)
    for item in summarise(report.results.rows):
        if DETAIL in item.metric:
            continue
        known = item.low is not None and item.high is not None
        interval = f"{item.low:.3g} to {item.high:.3g}" if known else "-"
        table.add_row(item.method, item.setting, item.metric, f"{item.mean:.3g}", interval, str(item.seeds))
    OUT.print(table)


def print_experiments() -> None:
    """Names, cost and what is shown."""
    from rich.table import Table

    from tenon.experiments.registry import EXPERIMENTS

    table = Table(title="experiments, cost for 3 seeds", title_justify="left")
    for column in ("name", "CPU minutes", "shows", "specification"):
        table.add_column(column)
    for name, kind in EXPERIMENTS.items():
        table.add_row(name, f"{kind.small().minutes():.0f}", kind.shows, kind.source)
    OUT.print(table)
