"""Timers and rates, as in rclpy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ._callbacks import as_coroutine
from ._entity import Entity
from .clock import Clock, ClockChange
from .exceptions import ROSInterruptException
from .utilities import get_default_context

if TYPE_CHECKING:
    from .callback_groups import CallbackGroup
    from .context import Context


class Timer(Entity):
    """Calls back every period of its clock. Calls that were missed are skipped, the phase is kept."""

    def __init__(
        self,
        callback: Callable[[], Any] | None,
        callback_group: CallbackGroup,
        timer_period_ns: int,
        clock: Clock,
        *,
        context: Context | None = None,
        autostart: bool = True,
    ) -> None:
        super().__init__(callback_group)
        if timer_period_ns < 0:
            raise ValueError("timer period must be non-negative")
        self.callback = callback
        self._clock = clock
        self._period_ns = timer_period_ns
        self._is_canceled = not autostart
        self._last_call_ns = clock._now_ns()
        self._next_call_ns = self._last_call_ns + timer_period_ns
        clock._timers.add(self)

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def timer_period_ns(self) -> int:
        return self._period_ns

    @timer_period_ns.setter
    def timer_period_ns(self, value: int) -> None:
        """The new period counts from the next call on; ``reset`` makes it count from now."""
        if int(value) < 0:
            raise ValueError("timer period must be non-negative")
        self._period_ns = int(value)

    def is_ready(self) -> bool:
        """Whether the callback is due."""
        remaining_ns = self.time_until_next_call()
        return remaining_ns is not None and remaining_ns <= 0

    def is_canceled(self) -> bool:
        return self._is_canceled

    def cancel(self) -> None:
        """Stops the calls until ``reset``."""
        self._is_canceled = True

    def reset(self) -> None:
        """Starts again: the next call is one period from now."""
        self._check_alive()
        self._is_canceled = False
        self._next_call_ns = self._clock._now_ns() + self._period_ns
        self._wake_executor()

    def time_since_last_call(self) -> int:
        """Returns nanoseconds since the last call, or since creation."""
        return self._clock._now_ns() - self._last_call_ns

    def time_until_next_call(self) -> int | None:
        """Returns nanoseconds until the next call (negative when it is overdue), None when cancelled."""
        if self._is_canceled or self._is_destroyed:
            return None
        return self._next_call_ns - self._clock._now_ns()

    def _wake_executor(self) -> None:
        executor = self._node.executor if self._node is not None else None
        if executor is not None:
            executor.wake()

    def _on_clock_jump(self, change: ClockChange, before_ns: int, now_ns: int) -> None:
        """Follows a simulated clock; a change of the source and a jump back keep the period."""
        if change is not ClockChange.ROS_TIME_NO_CHANGE:
            self._next_call_ns += now_ns - before_ns
            self._last_call_ns += now_ns - before_ns
            self._wake_executor()
        elif now_ns < before_ns and self._next_call_ns - now_ns > self._period_ns:
            self._next_call_ns = now_ns + self._period_ns
            self._last_call_ns = now_ns
        if self.is_ready():
            self._notify()

    def _has_more(self) -> bool:
        return False  # the executor looks at the time itself

    def _take(self) -> Any | None:
        now_ns = self._clock._now_ns()
        if self._is_canceled or self._next_call_ns > now_ns:
            return None
        self._last_call_ns = now_ns
        self._next_call_ns += self._period_ns
        if self._next_call_ns < now_ns:
            missed = 1 + (now_ns - self._next_call_ns) // self._period_ns if self._period_ns else 0
            self._next_call_ns = self._next_call_ns + missed * self._period_ns if self._period_ns else now_ns
        return self

    def _execute(self, taken: Any) -> Coroutine[Any, Any, Any] | None:
        return as_coroutine(self.callback()) if self.callback is not None else None


class Rate:
    """Sleeps until the next period of a timer; the node must be spun by another thread."""

    def __init__(self, timer: Timer, *, context: Context | None = None) -> None:
        self._timer = timer
        self._context = context or get_default_context()
        self._event = threading.Event()
        self._is_destroyed = False
        timer.callback = self._event.set
        self._context.on_shutdown(self._on_shutdown)

    def _on_shutdown(self) -> None:
        self._event.set()

    def destroy(self) -> None:
        """Ends the rate and the sleep that is in progress."""
        self._is_destroyed = True
        self._timer.destroy()
        self._event.set()

    def sleep(self) -> None:
        """Sleeps until the timer's next call.

        :raises ROSInterruptException: when rclpy is shut down.
        :raises RuntimeError: when the rate is destroyed.
        """
        self._event.clear()
        self._check()
        self._event.wait()
        self._check()

    def _check(self) -> None:
        if not self._context.ok():
            raise ROSInterruptException()
        if self._is_destroyed:
            raise RuntimeError("Rate cannot sleep because it has been destroyed")
