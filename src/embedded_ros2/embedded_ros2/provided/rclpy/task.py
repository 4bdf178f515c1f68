"""Futures and tasks, as in rclpy: results that come later, and coroutines that an executor drives."""

from __future__ import annotations

import inspect
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from .executors import Executor

T = TypeVar("T")


class Future(Generic[T]):
    """A result that is set later. Awaiting it in a callback suspends that callback until it is set."""

    def __init__(self, *, executor: Executor | None = None) -> None:
        self._done = False
        self._cancelled = False
        self._result: T | None = None
        self._exception: BaseException | None = None
        self._exception_fetched = False
        self._callbacks: list[Callable[[Future[T]], None]] = []
        self._waiters: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._executor: weakref.ref[Executor] | None = None
        self._set_executor(executor)

    def __del__(self) -> None:
        if getattr(self, "_exception", None) is not None and not self._exception_fetched:
            print(  # noqa: T201 (as rclpy does: nobody else will ever hear of this exception)
                f"The following exception was never retrieved: {self._exception}", file=sys.stderr
            )

    def __await__(self) -> Generator[Any, None, T]:
        while not self._done:
            yield self
        return self.result()  # type: ignore[return-value]

    def cancel(self) -> None:
        """Makes the future done without a result, unless it is done."""
        self._finish(cancelled=True)

    def cancelled(self) -> bool:
        return self._cancelled

    def done(self) -> bool:
        """Whether there is a result or an exception, or the future was cancelled."""
        return self._done

    def result(self) -> T | None:
        """Returns the result (None when not done or cancelled) or raises the exception."""
        if self._exception is not None:
            self._exception_fetched = True
            raise self._exception
        return self._result

    def exception(self) -> BaseException | None:
        """Returns the exception, None when there is none."""
        self._exception_fetched = True
        return self._exception

    def set_result(self, result: T) -> None:
        """Makes the future done; callbacks run as tasks of its executor, or at once without one."""
        self._finish(result=result)

    def set_exception(self, exception: BaseException) -> None:
        """Makes the future done with an exception."""
        self._finish(exception=exception)

    def _finish(
        self, *, result: T | None = None, exception: BaseException | None = None, cancelled: bool = False
    ) -> None:
        with self._lock:
            if cancelled and self._done:
                return
            self._result, self._exception, self._cancelled = result, exception, cancelled
            self._exception_fetched = False
            self._done = True
            waiters, self._waiters = self._waiters, []
            callbacks, self._callbacks = self._callbacks, []
        for wake in waiters:
            wake()
        for callback in callbacks:
            self._schedule(callback)

    def _schedule(self, callback: Callable[[Future[T]], None]) -> None:
        executor = self._executor() if self._executor is not None else None
        if executor is not None:
            executor.create_task(callback, self)
            return
        try:
            callback(self)
        except Exception:
            print(f"Unhandled exception in done callback: {traceback.format_exc()}", file=sys.stderr)  # noqa: T201

    def _set_executor(self, executor: Executor | None) -> None:
        self._executor = weakref.ref(executor) if executor is not None else None

    def add_done_callback(self, callback: Callable[[Future[T]], None]) -> None:
        """Calls ``callback(self)`` when the future is done; at once (or as a task) when it is."""
        with self._lock:
            if not self._done:
                self._callbacks.append(callback)
                return
        self._schedule(callback)

    def _call_when_done(self, wake: Callable[[], None]) -> None:
        """Calls ``wake`` on the thread that completes the future; at once when it is done."""
        with self._lock:
            if not self._done:
                self._waiters.append(wake)
                return
        wake()


class Task(Future[T]):
    """A function or coroutine that an executor runs, and the future of its result."""

    def __init__(
        self,
        handler: Callable[..., Any] | Coroutine[Any, Any, T],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        executor: Executor | None = None,
        *,
        on_finished: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(executor=executor)
        self._args = args or ()
        self._kwargs = kwargs or {}
        self._handler: Callable[..., Any] | Coroutine[Any, Any, T] | None = handler
        self._on_finished = on_finished
        self._executing = False
        self._awaits: Future[Any] | None = None
        self._task_lock = threading.Lock()

    def executing(self) -> bool:
        """Whether a thread is in the handler now."""
        return self._executing

    def __call__(self) -> None:
        """Runs the handler until it is done or waits for a future."""
        if self._done or self._executing or not self._task_lock.acquire(blocking=False):
            return
        try:
            if self._done:
                return
            self._executing = True
            self._awaits = None
            self._run()
        finally:
            self._executing = False
            self._task_lock.release()

    def _run(self) -> None:
        try:
            if inspect.iscoroutinefunction(self._handler):
                self._handler = self._handler(*self._args, **self._kwargs)
            if not inspect.iscoroutine(self._handler):
                result = self._handler(*self._args, **self._kwargs)  # type: ignore[operator, misc]
                self._complete(result=result)
                return
            self._awaits = self._checked(self._handler.send(None))
        except StopIteration as stop:
            self._complete(result=stop.value)
        except Exception as error:
            self._complete(exception=error)

    @staticmethod
    def _checked(awaited: Any) -> Future[Any] | None:
        if awaited is None or isinstance(awaited, Future):
            return awaited
        raise RuntimeError(f"an rclpy callback can only await rclpy futures and coroutines of them, not {awaited!r}")

    def _complete(self, **outcome: Any) -> None:
        self._finish(**outcome)
        self._release()

    def _release(self) -> None:
        self._handler, self._args, self._kwargs = None, (), {}
        on_finished, self._on_finished = self._on_finished, None
        if on_finished is not None:
            on_finished()

    def cancel(self) -> None:
        """Ends the task without a result; a suspended coroutine is closed."""
        super().cancel()
        with self._task_lock:
            if inspect.iscoroutine(self._handler):
                self._handler.close()
            self._release()
