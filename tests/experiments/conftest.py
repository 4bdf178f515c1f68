"""Executors and observers for tests of experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tenon.experiments.experiment import Job, JobResult
from tenon.experiments.runner import AnyExperiment, RunObserver, perform, reason_of, store, work_directory


class InThisProcess:
    """One job after the other."""

    def run(self, experiment: AnyExperiment, jobs: Sequence[Job], out: Path, observer: RunObserver) -> None:
        for job in jobs:
            observer.on_start(job)
            try:
                result = perform(experiment, job, work_directory(out, job))
            except Exception as error:
                observer.on_failed(job, reason_of(error))
                continue
            store(experiment, out, result)
            observer.on_done(result)


class Watcher(RunObserver):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.already = 0
        self.done: list[str] = []
        self.failed: dict[str, str] = {}
        self.recorded: list[tuple[str, int, dict[str, float]]] = []

    def on_begin(self, jobs: Sequence[Job], finished: int) -> None:
        self.begun, self.already = [job.name for job in jobs], finished

    def on_record(self, job: Job, step: int, metrics: Mapping[str, float]) -> None:
        self.recorded.append((job.name, step, dict(metrics)))

    def on_done(self, result: JobResult) -> None:
        self.done.append(result.job.name)

    def on_failed(self, job: Job, reason: str) -> None:
        self.failed[job.name] = reason


@pytest.fixture
def in_this_process() -> InThisProcess:
    return InThisProcess()


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture(autouse=True)
def importable_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spawned workers get this process's path, and so find ``toy_experiment``."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
