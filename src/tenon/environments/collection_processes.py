"""A collection side by side in processes: each takes one connector after another and opens its own environments."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from tenon.data.domains import add_domain
from tenon.environments.collection import CollectionSetup, DomainPlan, collect_domain

_TERMINATION_S = 10.0
_Message = tuple[str, Any]
"""Kind (episode, done, failed) and content (its number, seconds of CPU, the reason)."""


class CollectionObserver:
    """What a collection tells. Override what is wanted."""

    def on_start(self, plan: DomainPlan) -> None:
        """A process has taken this connector."""

    def on_episode(self, plan: DomainPlan, episode: int) -> None:
        """This episode is there, made now or before."""

    def on_done(self, plan: DomainPlan, cpu_s: float) -> None:
        """All episodes of this connector are there; it is in the index now."""

    def on_failed(self, plan: DomainPlan, reason: str) -> None:
        """This connector is not complete."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What every process must know."""

    out: Path
    setup: CollectionSetup


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    plan: DomainPlan | None = None


def collect(collection: Collection, plans: Sequence[DomainPlan], jobs: int, observer: CollectionObserver) -> None:
    """Collects all ``plans``, ``jobs`` at a time. Ends its processes before it returns, however it returns.

    A killed collection loses no finished episode; called again it goes on.
    """
    waiting, workers = list(plans), dict[Connection, _Worker]()
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                worker = _start(collection)
                workers[worker.connection] = worker
                _give(worker, waiting.pop(0), observer)
            for ready in wait(list(workers)):
                assert isinstance(ready, Connection)
                worker = workers[ready]
                if not _listen(worker, collection, observer):
                    continue
                if waiting and worker.process.is_alive():
                    _give(worker, waiting.pop(0), observer)
                else:
                    del workers[ready]
                    _dismiss(worker)
    finally:
        _end(list(workers.values()))


def _start(collection: Collection) -> _Worker:
    context = multiprocessing.get_context("spawn")
    connection, theirs = context.Pipe()
    process = context.Process(target=_work, args=(collection, theirs), name="collector", daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, connection)


def _give(worker: _Worker, plan: DomainPlan, observer: CollectionObserver) -> None:
    worker.plan = plan
    worker.connection.send(plan)
    observer.on_start(plan)


def _listen(worker: _Worker, collection: Collection, observer: CollectionObserver) -> bool:
    """Takes one message; whether the worker is done with its connector."""
    plan = worker.plan
    assert plan is not None
    try:
        message: _Message = worker.connection.recv()
    except EOFError:
        worker.process.join()
        message = "failed", f"its process died with status {worker.process.exitcode}"
    kind, content = message
    if kind == "episode":
        observer.on_episode(plan, content)
        return False
    if kind == "done":
        add_domain(collection.out, plan.name, plan.domain)
        observer.on_done(plan, content)
    else:
        observer.on_failed(plan, content)
    return True


def _dismiss(worker: _Worker) -> None:
    worker.connection.close()
    worker.process.join()


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    deadline_s = time.monotonic() + _TERMINATION_S
    for worker in workers:
        worker.process.join(max(0.0, deadline_s - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(collection: Collection, connection: Connection) -> None:
    """The child's side. Ctrl-C is for the parent, which ends the children; an orphan ends at its next message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            plan: DomainPlan = connection.recv()
        except EOFError:
            return
        connection.send(_collected(collection, plan, connection))


def _collected(collection: Collection, plan: DomainPlan, connection: Connection) -> _Message:
    """The last message about one connector."""
    began_s = time.process_time()
    try:
        collect_domain(collection.out, plan, collection.setup, lambda episode: connection.send(("episode", episode)))
    except BrokenPipeError:
        raise
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"
    return "done", time.process_time() - began_s
