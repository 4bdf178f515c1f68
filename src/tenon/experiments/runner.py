"""Runs an experiment's jobs side by side, keeps what is finished, and goes on where it was interrupted.

A folder holds ``experiment.json`` (what runs in it), ``jobs/*.json`` (one file per finished run) and ``work/*`` (the
folders of unfinished runs, where trainers keep their checkpoints).
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import ValidationError

from tenon.algorithms import DivergenceError, StateError
from tenon.configuration import ConfigurationError, differing_leaves
from tenon.data.checkpoint import CheckpointError
from tenon.data.episodes import EpisodeError
from tenon.data.mapped_array import StorageError, write_beside
from tenon.data.transitions import TransitionError
from tenon.environments.scripted import ScriptError
from tenon.experiments.experiment import Experiment, ExperimentError, Job, JobContext, JobResult
from tenon.experiments.report import Report, write_report
from tenon.experiments.results import Results
from tenon.simulation.rendering import RenderingError
from tenon.simulation.robotics_package import RoboticsPackageError
from tenon.training.trainer import TrainerError

_DESCRIPTION, _JOBS, _WORK, _LOCK, _CLOCK = "experiment.json", "jobs", "work", ".lock", "clock.json"

_EXPECTED = (
    CheckpointError,
    ConfigurationError,
    DivergenceError,
    EpisodeError,
    ExperimentError,
    RenderingError,
    RoboticsPackageError,
    ScriptError,
    StateError,
    StorageError,
    TrainerError,
    TransitionError,
)

AnyExperiment = Experiment[Any]


class RunObserver:
    """What a run tells. Override what is wanted."""

    def on_begin(self, jobs: Sequence[Job], finished: int) -> None:
        """jobs: those that are left to do. finished: how many were there already."""

    def on_start(self, job: Job) -> None:
        """A job has been given to a worker."""

    def on_progress(self, job: Job, fraction: float) -> None:
        """fraction: of the job that is done, in [0, 1]."""

    def on_record(self, job: Job, step: int, metrics: Mapping[str, float]) -> None:
        """A point of the learning curve is on disk."""

    def on_kept(self, job: Job, place: str) -> None:
        """A job's working folder stays on the machine that did it. place: ``machine:folder``."""

    def on_done(self, result: JobResult) -> None:
        """A job's file is on disk."""

    def on_failed(self, job: Job, reason: str) -> None:
        """A job has failed; the others go on."""


class Executor(Protocol):
    """Does jobs somewhere: in processes of this machine, or on a cluster."""

    def run(self, experiment: AnyExperiment, jobs: Sequence[Job], out: Path, observer: RunObserver) -> None:
        """Does all jobs and stores each result with ``store``. A failure of one is told; the others go on."""
        ...


def run_experiment(
    experiment: AnyExperiment, out: Path, seeds: int, executor: Executor, observer: RunObserver | None = None
) -> Report:
    """Runs what is not done yet and writes the report.

    Raises ExperimentError when ``out`` holds something else or is in use, and where something is left to do and what it
    is made from is missing. On KeyboardInterrupt finished runs stay.
    """
    observer = observer or RunObserver()
    with _locked(out):
        _claim(experiment, out)
        jobs = experiment.jobs(seeds)
        assert len({job.key for job in jobs}) == len(jobs), "two jobs share a file"
        open_jobs = sorted((job for job in jobs if not _path(out, job).exists()), key=lambda job: -job.minutes)
        if open_jobs:
            experiment.require()
        observer.on_begin(open_jobs, len(jobs) - len(open_jobs))
        with _clock(out):
            executor.run(experiment, open_jobs, out, observer)
        return _report(experiment, out, jobs, seeds)


def perform(
    experiment: AnyExperiment,
    job: Job,
    directory: Path,
    *,
    on_progress: Callable[[float], None] = lambda fraction: None,
    on_record: Callable[[int, dict[str, float]], None] = lambda step, metrics: None,
) -> JobResult:
    """Does one job in this process. directory: of this job alone, kept after an interruption."""
    # Runs stand side by side, and small networks are slower on more threads than one.
    torch.set_num_threads(1)
    directory.mkdir(parents=True, exist_ok=True)
    context = JobContext(job, directory, on_progress, on_record)
    return context.result(experiment.run(context))


def reason_of(error: Exception) -> str:
    """What an operator is told: the message of an error that names its remedy, else the whole traceback."""
    if isinstance(error, _EXPECTED):
        return str(error)
    return "".join(traceback.format_exception(error))


def store(experiment: AnyExperiment, out: Path, result: JobResult) -> None:
    """Puts a finished job on disk and, where it is not to be kept, throws its working folder away."""
    write_beside(_path(out, result.job), (json.dumps(result.to_json(), allow_nan=False) + "\n").encode())
    if not experiment.keeps_work:
        shutil.rmtree(work_directory(out, result.job), ignore_errors=True)


def work_directory(out: Path, job: Job) -> Path:
    return out / _WORK / job.key


def _path(out: Path, job: Job) -> Path:
    return out / _JOBS / f"{job.key}.json"


def _claim(experiment: AnyExperiment, out: Path) -> None:
    """Makes ``out`` the folder of this experiment at this size."""
    description = {"name": experiment.name, "size": experiment.size.model_dump(mode="json")}
    path = out / _DESCRIPTION
    if path.exists():
        seen = json.loads(path.read_bytes())
        if seen["name"] != experiment.name:
            raise ExperimentError(f"{out} holds {seen['name']}, asked for is {experiment.name}: name another --out")
        if differs := differing_leaves(_as_today(experiment, seen["size"]), description["size"]):
            raise ExperimentError(
                f"{out} holds {experiment.name} with {differs}: type the line that began it, or name another --out"
            )
    elif (out / _JOBS).exists():
        raise ExperimentError(f"{out} holds jobs, but no {_DESCRIPTION}: name another --out")
    (out / _JOBS).mkdir(exist_ok=True)
    write_beside(path, json.dumps(description, indent=1).encode())


def _as_today(experiment: AnyExperiment, size: Any) -> Any:
    """A stored size, with what settings came up since at their defaults; as it is where it is none of today's."""
    try:
        return type(experiment.size).model_validate(size).model_dump(mode="json")
    except ValidationError:
        return size


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """The kernel lets go of the lock when the process ends, however it ends."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / _LOCK).open("a")
    except OSError as error:
        raise ExperimentError(f"{out} cannot be written: {error}. Name another --out") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExperimentError(f"{out} is in use by another run: wait for it, or name another --out") from None
        yield


@contextmanager
def _clock(out: Path) -> Iterator[None]:
    """Adds the time within to what earlier starts took."""
    started_s = time.monotonic()
    try:
        yield
    finally:
        total_s = _wall_s(out) + time.monotonic() - started_s
        write_beside(out / _CLOCK, json.dumps({"wall_s": total_s}).encode())


def _wall_s(out: Path) -> float:
    path = out / _CLOCK
    return float(json.loads(path.read_bytes())["wall_s"]) if path.exists() else 0.0


def _report(experiment: AnyExperiment, out: Path, jobs: Sequence[Job], seeds: int) -> Report:
    finished = [_read(_path(out, job)) for job in jobs if _path(out, job).exists()]
    results = Results(
        (row for result in finished for row in result.rows), (point for result in finished for point in result.curve)
    )
    report = Report(
        name=experiment.name,
        bar=experiment.conditions(results, finished=_complete_seeds(jobs, finished), wanted=seeds),
        results=results,
        cpu_s=sum(result.cpu_s for result in finished),
        wall_s=_wall_s(out),
    )
    write_report(out, report, plotted=experiment.plotted, extra_table=experiment.table(results))
    return report


def _complete_seeds(jobs: Sequence[Job], finished: Sequence[JobResult]) -> int:
    """How many seeds have all of their jobs."""
    done = {result.job.key for result in finished}
    missing = {job.seed for job in jobs if job.key not in done}
    return len({job.seed for job in jobs} - missing)


def _read(path: Path) -> JobResult:
    try:
        return JobResult.from_json(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise ExperimentError(f"{path} is damaged: {error!r}. Delete it: that run is then done again") from error
