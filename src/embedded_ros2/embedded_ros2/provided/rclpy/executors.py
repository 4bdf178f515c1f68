# ruff: noqa: N818 (the names are those of rclpy)
"""Executors, as in rclpy: they run the callbacks of nodes.

Nothing polls. Whatever brings work (a message, a trigger, a finished future) puts its entity into the executor's
queue, once, and wakes the spinning thread. An entity with more work goes to the back of the queue, so that a busy
topic cannot starve the others.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._callbacks import await_or_execute as await_or_execute
from ._entity import Entity
from .constants import S_TO_NS
from .task import Future, Task
from .timer import Timer
from .utilities import get_default_context

if TYPE_CHECKING:
    from .context import Context
    from .node import Node


class TimeoutException(Exception):
    """Waiting for work took longer than allowed."""


class ShutdownException(Exception):
    """The executor was shut down."""


class ExternalShutdownException(Exception):
    """The context was shut down, by a signal or another thread, while an executor was spinning."""

    def __init__(self) -> None:
        super().__init__("The context was shut down while spinning")


class ConditionReachedException(Exception):
    """What a spin was waiting for has happened."""


_Work = tuple[Entity | None, Any]
"""An entity and what was taken from it, or None and a Task."""


def _never() -> bool:
    return False


def _limit(timeout_sec: float | None) -> float | None:
    """Returns the time-out, None where rclpy waits without limit: for None and negative ones."""
    return None if timeout_sec is None or timeout_sec < 0 else timeout_sec


class Executor:
    """Base of the executors: keeps nodes, finds work. A node belongs to one executor at a time."""

    def __init__(self, *, context: Context | None = None) -> None:
        self._context = context or get_default_context()
        self._condition = threading.Condition()
        self._nodes: list[Node] = []
        self._timers: list[Timer] = []
        self._ready: deque[Entity | Task[Any]] = deque()
        self._in_progress = 0
        self._is_spinning = False
        self._is_shutdown = False
        self._context.on_shutdown(self.wake)

    @property
    def context(self) -> Context:
        return self._context

    # Nodes

    def add_node(self, node: Node) -> bool:
        """Adds a node, which leaves the executor that it was in; False when it is here already."""
        with self._condition:
            if self._is_shutdown:
                raise ShutdownException()
            if node in self._nodes:
                return False
            self._nodes.append(node)
        node.executor = self
        self._entities_changed()
        return True

    def remove_node(self, node: Node) -> None:
        """Removes a node; its callbacks no longer run here."""
        with self._condition:
            if node not in self._nodes:
                return
            self._nodes.remove(node)
            kept = [item for item in self._ready if not (isinstance(item, Entity) and item._node is node)]
            for item in set(self._ready).difference(kept):
                item._is_queued = False  # type: ignore[union-attr]
            self._ready = deque(kept)
        if node.executor is self:
            node.executor = None
        self._entities_changed()

    def get_nodes(self) -> list[Node]:
        return list(self._nodes)

    def _entities_changed(self) -> None:
        """A node or an entity came or went: looks for timers and for work that arrived before."""
        with self._condition:
            entities = [entity for node in self._nodes for entity in node._rcl_entities]
            self._timers = [entity for entity in entities if isinstance(entity, Timer)]
            for entity in entities:
                if not isinstance(entity, Timer) and entity._has_more():
                    self._enqueue(entity)
            self._condition.notify_all()

    # Work arrives

    def wake(self) -> None:
        """Has a spinning thread look at its conditions again."""
        with self._condition:
            self._condition.notify_all()

    def _enqueue(self, entity: Entity) -> None:
        with self._condition:
            if not entity._is_queued:
                entity._is_queued = True
                self._ready.append(entity)
                self._condition.notify()

    def _enqueue_task(self, task: Task[Any]) -> None:
        with self._condition:
            self._ready.append(task)
            self._condition.notify()

    def create_task(
        self, callback: Callable[..., Any] | Coroutine[Any, Any, Any], *args: Any, **kwargs: Any
    ) -> Task[Any]:
        """Has the executor run a function or coroutine; the task is the future of its result."""
        task: Task[Any] = Task(callback, args, kwargs, executor=self)
        self._enqueue_task(task)
        return task

    # Work is found

    def _next_work(self, timeout_sec: float | None, condition: Callable[[], bool]) -> _Work:
        """Waits for work.

        :raises TimeoutException, ShutdownException, ExternalShutdownException, ConditionReachedException: without it.
        """
        limit_sec = _limit(timeout_sec)
        deadline_ns = None if limit_sec is None else time.monotonic_ns() + int(limit_sec * S_TO_NS)
        with self._condition:
            while True:
                self._raise_failure()
                if self._is_shutdown:
                    raise ShutdownException()
                if not self._context.ok():
                    raise ExternalShutdownException()
                if condition():
                    raise ConditionReachedException()
                wait_ns = self._queue_due_timers()
                work = self._take_ready()
                if work is not None:
                    self._in_progress += 1
                    return work
                if deadline_ns is not None:
                    remaining_ns = deadline_ns - time.monotonic_ns()
                    if remaining_ns <= 0:
                        raise TimeoutException()
                    wait_ns = remaining_ns if wait_ns is None else min(wait_ns, remaining_ns)
                self._condition.wait(None if wait_ns is None else wait_ns / S_TO_NS)

    def _queue_due_timers(self) -> int | None:
        """Queues the timers that are due; returns the time until the next one, None when none will be by itself."""
        next_ns: int | None = None
        for timer in self._timers:
            if timer._is_queued:
                continue
            remaining_ns = timer.time_until_next_call()
            if remaining_ns is None:
                continue
            if remaining_ns <= 0:
                timer._is_queued = True
                self._ready.append(timer)
            elif timer.clock._runs_by_itself() and (next_ns is None or remaining_ns < next_ns):
                next_ns = remaining_ns
        return next_ns

    def _take_ready(self) -> _Work | None:
        """Takes work from the first in the queue whose callback group lets it run."""
        blocked: list[Entity | Task[Any]] = []
        work: _Work | None = None
        while self._ready and work is None:
            item = self._ready.popleft()
            if isinstance(item, Task):
                work = None, item
            elif item._is_destroyed:
                item._is_queued = False
            elif not item.callback_group.can_execute(item):
                blocked.append(item)
            else:
                work = self._take_from(item)
        self._ready.extendleft(reversed(blocked))
        return work

    def _take_from(self, entity: Entity) -> _Work | None:
        taken = entity._take()
        entity._is_queued = False
        if taken is None:
            return None
        entity.callback_group.beginning_execution(entity)
        if entity._has_more():
            entity._is_queued = True
            self._ready.append(entity)
        return entity, taken

    # Work is done

    def _run(self, work: _Work) -> None:
        entity, taken = work
        try:
            if entity is None:
                self._run_task(taken)
            else:
                self._run_entity(entity, taken)
        finally:
            self._work_done()

    def _work_done(self) -> None:
        with self._condition:
            self._in_progress -= 1
            if self._is_shutdown:
                self._condition.notify_all()

    def _run_entity(self, entity: Entity, taken: Any) -> None:
        coroutine: Coroutine[Any, Any, Any] | None = None
        try:
            coroutine = entity._execute(taken)
        finally:
            if coroutine is None:
                self._release_group(entity)
        if coroutine is not None:
            self._run_task(Task(coroutine, executor=self, on_finished=partial(self._release_group, entity)))

    def _release_group(self, entity: Entity) -> None:
        entity.callback_group.ending_execution(entity)
        with self._condition:
            if self._ready:
                self._condition.notify()

    def _run_task(self, task: Task[Any]) -> None:
        task()
        if not task.done():
            again = partial(self._enqueue_task, task)
            if task._awaits is None:
                again()
            else:
                task._awaits._call_when_done(again)
        elif (error := task.exception()) is not None:
            raise error

    def _raise_failure(self) -> None:
        """Raises what a callback raised on another thread."""

    # Spinning

    def spin(self) -> None:
        """Runs callbacks until shutdown.

        :raises ExternalShutdownException: when the context is shut down meanwhile.
        :raises RuntimeError: when another thread spins this executor.
        """
        with self._spinning():
            while self._context.ok() and not self._is_shutdown:
                self._spin_once_impl()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Runs one callback, or returns after the time-out (None or negative: waits without limit)."""
        with self._spinning():
            self._spin_once_impl(timeout_sec)

    def spin_once_until_future_complete(self, future: Future[Any], timeout_sec: float | None = None) -> None:
        """Runs one callback, or returns when the future is done or after the time-out."""
        future._call_when_done(self.wake)
        with self._spinning():
            self._spin_once_impl(timeout_sec, future.done)

    def spin_until_future_complete(self, future: Future[Any], timeout_sec: float | None = None) -> None:
        """Runs callbacks until the future is done, the time is over or the context is shut down."""
        future._call_when_done(self.wake)
        limit_sec = _limit(timeout_sec)
        deadline_s = None if limit_sec is None else time.monotonic() + limit_sec
        with self._spinning():
            while self._context.ok() and not future.done() and not self._is_shutdown:
                remaining_s = None if deadline_s is None else max(deadline_s - time.monotonic(), 0.0)
                self._spin_once_impl(remaining_s, future.done)
                if remaining_s == 0.0:
                    return

    @contextmanager
    def _spinning(self) -> Iterator[None]:
        with self._condition:
            if self._is_spinning:
                raise RuntimeError("Executor is already spinning")
            self._is_spinning = True
        try:
            yield
        finally:
            self._is_spinning = False

    def _spin_once_impl(self, timeout_sec: float | None = None, condition: Callable[[], bool] = _never) -> None:
        try:
            work = self._next_work(timeout_sec, condition)
        except (ShutdownException, TimeoutException, ConditionReachedException):
            return
        self._start(work)

    def _start(self, work: _Work) -> None:
        """Runs the work, or has a thread run it."""
        raise NotImplementedError

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Ends spinning and waits for running callbacks; False when they take longer than the time-out."""
        with self._condition:
            self._is_shutdown = True
            self._condition.notify_all()
            if not self._condition.wait_for(lambda: self._in_progress == 0, _limit(timeout_sec)):
                return False
        for node in self.get_nodes():
            self.remove_node(node)
        return True

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()


class SingleThreadedExecutor(Executor):
    """Runs callbacks on the thread that spins."""

    def _start(self, work: _Work) -> None:
        self._run(work)


class MultiThreadedExecutor(Executor):
    """Runs callbacks on a pool of threads (default: one per core), as their callback groups allow."""

    def __init__(self, num_threads: int | None = None, *, context: Context | None = None) -> None:
        super().__init__(context=context)
        if num_threads is None:
            num_threads = os.cpu_count() or 2
        if num_threads == 1:
            warnings.warn(
                "MultiThreadedExecutor is used with a single thread.\nUse the SingleThreadedExecutor instead.",
                stacklevel=2,
            )
        self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix="rclpy-executor")
        self._failures: deque[BaseException] = deque()

    def _start(self, work: _Work) -> None:
        self._pool.submit(self._run_in_pool, work)

    def _run_in_pool(self, work: _Work) -> None:
        try:
            self._run(work)
        except BaseException as error:
            self._failures.append(error)
            self.wake()

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures.popleft()

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        is_finished = super().shutdown(timeout_sec)
        self._pool.shutdown(wait=False)
        return is_finished
