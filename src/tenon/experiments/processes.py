"""Jobs as processes of this machine: one each, so that what kills one leaves the others alone."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from tenon.experiments.experiment import Job
from tenon.experiments.runner import AnyExperiment, RunObserver, perform, reason_of, store, work_directory

_TERMINATION_S = 10.0
_PROGRESS_EVERY_S = 0.2
_Message = tuple[str, object]


@dataclass(frozen=True, slots=True)
class _Worker:
    job: Job
    process: SpawnProcess
    receiver: Connection


class LocalProcesses:
    """At most ``count`` at a time; each is spawned afresh and has one torch thread."""

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"{count} processes: 1 or more are needed")
        self._count = count

    def run(self, experiment: AnyExperiment, jobs: Sequence[Job], out: Path, observer: RunObserver) -> None:
        """Ends the workers before it returns, however it returns."""
        waiting, workers = list(jobs), dict[Connection, _Worker]()
        try:
            while waiting or workers:
                while waiting and len(workers) < self._count:
                    job = waiting.pop(0)
                    observer.on_start(job)
                    worker = _start(experiment, job, out)
                    workers[worker.receiver] = worker
                for ready in wait(list(workers)):
                    assert isinstance(ready, Connection)
                    if _listen(workers[ready], observer):
                        del workers[ready]
        finally:
            _end(list(workers.values()))


def _start(experiment: AnyExperiment, job: Job, out: Path) -> _Worker:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(experiment, job, out, sender), name=job.name, daemon=True)
    process.start()
    sender.close()
    return _Worker(job, process, receiver)


def _listen(worker: _Worker, observer: RunObserver) -> bool:
    """Takes one message; whether the worker has come to its end."""
    try:
        kind, content = worker.receiver.recv()
    except EOFError:
        worker.process.join()
        kind, content = "failed", f"its process died with status {worker.process.exitcode}"
    if kind == "progress":
        observer.on_progress(worker.job, content)
        return False
    if kind == "record":
        observer.on_record(worker.job, *content)
        return False
    if kind == "done":
        observer.on_done(content)
    else:
        observer.on_failed(worker.job, content)
    worker.process.join()
    worker.receiver.close()
    return True


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    deadline_s = time.monotonic() + _TERMINATION_S
    for worker in workers:
        worker.process.join(max(0.0, deadline_s - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(experiment: AnyExperiment, job: Job, out: Path, sender: Connection) -> None:
    """The child's side. Ctrl-C is for the parent, which ends the children."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told_s = 0.0

    # Without a parent to tell, sending raises BrokenPipeError, which ends an orphan.
    def on_progress(fraction: float) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= _PROGRESS_EVERY_S:
            told_s = time.monotonic()
            sender.send(("progress", fraction))

    def on_record(step: int, metrics: dict[str, float]) -> None:
        sender.send(("record", (step, metrics)))

    try:
        directory = work_directory(out, job)
        result = perform(experiment, job, directory, on_progress=on_progress, on_record=on_record)
        store(experiment, out, result)
        message: _Message = ("done", result)
    except Exception as error:
        message = ("failed", reason_of(error))
    sender.send(message)
    sender.close()
