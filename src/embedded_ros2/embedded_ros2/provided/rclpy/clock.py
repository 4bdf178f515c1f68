"""Clocks, as in rclpy: system, steady and ROS time, jump callbacks, sleeping."""

from __future__ import annotations

import threading
import time as _time
import weakref
from collections.abc import Callable
from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING

from .clock_type import ClockType as ClockType
from .constants import S_TO_NS
from .duration import Duration
from .exceptions import NotInitializedException
from .time import Time
from .utilities import get_default_context

if TYPE_CHECKING:
    from .context import Context
    from .timer import Timer


class ClockChange(IntEnum):
    """What a time jump did to the source of ROS time."""

    ROS_TIME_NO_CHANGE = 1
    ROS_TIME_ACTIVATED = 2
    ROS_TIME_DEACTIVATED = 3
    SYSTEM_TIME_NO_CHANGE = 4


class JumpThreshold:
    """Which jumps of the time a callback wants to hear of.

    :raises ValueError: when ``min_forward`` is not positive, ``min_backward`` is not negative, or all are unset.
    """

    def __init__(
        self, *, min_forward: Duration | None, min_backward: Duration | None, on_clock_change: bool = True
    ) -> None:
        if min_forward is not None and min_forward.nanoseconds <= 0:
            raise ValueError("min_forward must be a positive non-zero duration")
        if min_backward is not None and min_backward.nanoseconds >= 0:
            raise ValueError("min_backward must be a negative non-zero duration")
        if min_forward is None and min_backward is None and not on_clock_change:
            raise ValueError("At least one threshold must be set")
        self.min_forward = min_forward
        self.min_backward = min_backward
        self.on_clock_change = on_clock_change

    def is_exceeded(self, jump: TimeJump) -> bool:
        """Whether the jump is one that the callback wants to hear of."""
        if jump.clock_change in (ClockChange.ROS_TIME_ACTIVATED, ClockChange.ROS_TIME_DEACTIVATED):
            return self.on_clock_change
        forward, backward = self.min_forward, self.min_backward
        return (forward is not None and jump.delta >= forward) or (backward is not None and jump.delta <= backward)


class TimeJump:
    """A jump: what changed, and by how much the time moved."""

    def __init__(self, clock_change: ClockChange, delta: Duration) -> None:
        self._clock_change = clock_change
        self._delta = delta

    @property
    def clock_change(self) -> ClockChange:
        return self._clock_change

    @property
    def delta(self) -> Duration:
        return self._delta


class JumpHandle:
    """A registered jump callback; ends with ``unregister`` or the ``with`` block."""

    def __init__(
        self,
        *,
        clock: Clock,
        threshold: JumpThreshold,
        pre_callback: Callable[[], None] | None,
        post_callback: Callable[[TimeJump], None] | None,
    ) -> None:
        if pre_callback is None and post_callback is None:
            raise ValueError("One of pre_callback or post_callback must be callable")
        for callback in (pre_callback, post_callback):
            if callback is not None and not callable(callback):
                raise ValueError("pre_callback and post_callback must be callable if given")
        self.clock = clock
        self.threshold = threshold
        self.pre_callback = pre_callback
        self.post_callback = post_callback
        clock._jump_handles.append(self)

    def unregister(self) -> None:
        if self in self.clock._jump_handles:
            self.clock._jump_handles.remove(self)

    def __enter__(self) -> JumpHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.unregister()


class Clock:
    """Tells one kind of time. ``Clock(clock_type=ClockType.ROS_TIME)`` is a ``ROSClock``.

    :raises TypeError: when ``clock_type`` is not a ``ClockType``.
    :raises NotImplementedError: when it is ``UNINITIALIZED``.
    """

    def __new__(cls, *, clock_type: ClockType = ClockType.SYSTEM_TIME) -> Clock:
        if not isinstance(clock_type, ClockType):
            raise TypeError("Clock type must be a ClockType enum")
        if clock_type is ClockType.UNINITIALIZED:
            raise NotImplementedError("a clock of type UNINITIALIZED tells no time")
        return super().__new__(ROSClock if clock_type is ClockType.ROS_TIME else cls)

    def __init__(self, *, clock_type: ClockType = ClockType.SYSTEM_TIME) -> None:
        self._clock_type = clock_type
        self._jump_handles: list[JumpHandle] = []
        self._timers: weakref.WeakSet[Timer] = weakref.WeakSet()
        self._moved = threading.Condition()
        self._changes = 0
        """How often the source of the time changed; a sleep across a change is cut short."""

    @property
    def clock_type(self) -> ClockType:
        return self._clock_type

    def __repr__(self) -> str:
        return f"Clock(clock_type={self._clock_type.name})"

    def now(self) -> Time:
        return Time(nanoseconds=self._now_ns(), clock_type=self._clock_type)

    def _now_ns(self) -> int:
        return _time.monotonic_ns() if self._clock_type is ClockType.STEADY_TIME else _time.time_ns()

    def _runs_by_itself(self) -> bool:
        """Whether waiting makes this clock advance; a simulated one advances with ``/clock`` only."""
        return True

    def create_jump_callback(
        self,
        threshold: JumpThreshold,
        *,
        pre_callback: Callable[[], None] | None = None,
        post_callback: Callable[[TimeJump], None] | None = None,
    ) -> JumpHandle:
        """Calls back before and after jumps of the time that exceed the threshold."""
        return JumpHandle(clock=self, threshold=threshold, pre_callback=pre_callback, post_callback=post_callback)

    def sleep_until(self, until: Time, context: Context | None = None) -> bool:
        """Sleeps until the clock shows ``until``.

        :return: True when the time was reached; False on shutdown, or when the time source changed meanwhile.
        :raises ValueError: when ``until`` belongs to another type of clock.
        :raises NotInitializedException: when the context is not valid.
        """
        context = context or get_default_context()
        if not context.ok():
            raise NotInitializedException()
        if until.clock_type != self._clock_type:
            raise ValueError("until's clock type does not match this clock's type")
        changes = self._changes
        waker = _Waker(self._moved)
        context.on_shutdown(waker.wake)
        with self._moved:
            while context.ok() and changes == self._changes:
                remaining_ns = until.nanoseconds - self._now_ns()
                if remaining_ns <= 0:
                    return True
                self._moved.wait(remaining_ns / S_TO_NS if self._runs_by_itself() else None)
        return False

    def sleep_for(self, rel_time: Duration, context: Context | None = None) -> bool:
        """Sleeps for a duration of this clock; see ``sleep_until``."""
        return self.sleep_until(self.now() + rel_time, context)


class _Waker:
    """Wakes a sleeper at shutdown; lives as long as the sleep."""

    def __init__(self, condition: threading.Condition) -> None:
        self._condition = condition

    def wake(self) -> None:
        with self._condition:
            self._condition.notify_all()


class ROSClock(Clock):
    """System time, or the time of ``/clock`` while simulated time is active."""

    def __new__(cls) -> ROSClock:
        return super().__new__(cls, clock_type=ClockType.ROS_TIME)  # type: ignore[return-value]

    def __init__(self, *, clock_type: ClockType = ClockType.ROS_TIME) -> None:
        super().__init__(clock_type=clock_type)
        self._is_active = False
        self._override_ns = 0

    def _now_ns(self) -> int:
        return self._override_ns if self._is_active else _time.time_ns()

    def _runs_by_itself(self) -> bool:
        return not self._is_active

    @property
    def ros_time_is_active(self) -> bool:
        """Whether the clock shows the override (simulated time)."""
        return self._is_active

    def _set_ros_time_is_active(self, enabled: bool) -> None:
        if enabled == self._is_active:
            return
        change = ClockChange.ROS_TIME_ACTIVATED if enabled else ClockChange.ROS_TIME_DEACTIVATED
        target_ns = self._override_ns if enabled else _time.time_ns()
        self._jump(change, target_ns, is_active=enabled)

    def set_ros_time_override(self, time: Time) -> None:
        """Sets the simulated time, which shows while it is active.

        :raises TypeError: when ``time`` is not a ``Time`` of a ROS clock.
        """
        if not isinstance(time, Time):
            raise TypeError("Time must be specified as rclpy.time.Time. Received type: " + type(time).__name__)
        if self._is_active:
            self._jump(ClockChange.ROS_TIME_NO_CHANGE, time.nanoseconds, is_active=True)
        else:
            self._override_ns = time.nanoseconds

    def _jump(self, change: ClockChange, target_ns: int, *, is_active: bool) -> None:
        before_ns = self._now_ns()
        jump = TimeJump(change, Duration(nanoseconds=target_ns - before_ns))
        handles = [handle for handle in tuple(self._jump_handles) if handle.threshold.is_exceeded(jump)]
        for handle in handles:
            if handle.pre_callback is not None:
                handle.pre_callback()
        with self._moved:
            self._is_active = is_active
            if is_active:
                self._override_ns = target_ns
            self._changes += change is not ClockChange.ROS_TIME_NO_CHANGE
            self._moved.notify_all()
        for timer in tuple(self._timers):
            timer._on_clock_jump(change, before_ns, target_ns)
        for handle in handles:
            if handle.post_callback is not None:
                handle.post_callback(jump)
