"""``RcutilsLogger``, as in rclpy: levels, and filters by call site (once, throttle, skip the first)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..clock import Clock
from ..clock_type import ClockType
from ..constants import S_TO_NS
from .logging_severity import LoggingSeverity

_FILTERS = ("throttle_duration_sec", "throttle_time_source_type", "skip_first", "once")


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where a message is logged."""

    file: str
    function: str
    line: int


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A message that passed level and filters."""

    severity: LoggingSeverity
    stamp_ns: int
    name: str
    message: str
    site: CallSite


class _SiteState:
    """What the filters remember of one call site."""

    def __init__(self, severity: LoggingSeverity, filters: dict[str, Any]) -> None:
        self.severity = severity
        self.once = bool(filters.get("once", False))
        self.skip_first = bool(filters.get("skip_first", False))
        self.period_ns: int | None = None
        self.clock = _throttle_clock(filters.get("throttle_time_source_type"))
        if filters.get("throttle_duration_sec") is not None:
            self.period_ns = int(filters["throttle_duration_sec"] * S_TO_NS)
        elif filters.get("throttle_time_source_type") is not None:
            raise TypeError("required parameter 'throttle_duration_sec' not specified but is required for throttling")
        self.calls = 0
        self.logged = 0
        self.last_ns = 0

    def passes(self) -> bool:
        """Whether the message of this call is to be logged; each call counts."""
        self.calls += 1
        if self.skip_first and self.calls == 1:
            return False
        if self.once and self.logged:
            return False
        if self.period_ns is not None:
            now_ns = self.clock._now_ns()
            if self.logged and 0 <= now_ns - self.last_ns < self.period_ns:
                return False
            self.last_ns = now_ns
        self.logged += 1
        return True


def _throttle_clock(source: Any) -> Clock:
    if source is None:
        return Clock(clock_type=ClockType.STEADY_TIME)
    if isinstance(source, Clock):
        return source
    if source == "RCUTILS_STEADY_TIME":
        return Clock(clock_type=ClockType.STEADY_TIME)
    raise ValueError(f"throttle_time_source_type {source!r} is not a valid clock instance: pass a rclpy.clock.Clock")


class RcutilsLogger:
    """A named logger. ``sink`` takes what passes; levels come from ``rclpy.logging``."""

    def __init__(
        self,
        name: str = "",
        *,
        sink: Callable[[LogRecord], None],
        effective_level: Callable[[str], LoggingSeverity],
        set_level: Callable[[str, LoggingSeverity], None],
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._sink = sink
        self._effective_level = effective_level
        self._set_level = set_level
        self._clock = clock or Clock(clock_type=ClockType.SYSTEM_TIME)
        self._sites: dict[tuple[Any, int], _SiteState] = {}
        self._lock = threading.Lock()

    def get_child(self, name: str) -> RcutilsLogger:
        """Returns the logger ``<this name>.<name>``.

        :raises ValueError: when the name is empty.
        """
        if not name:
            raise ValueError("Child logger name must not be empty.")
        full_name = f"{self.name}.{name}" if self.name else name
        return RcutilsLogger(
            full_name,
            sink=self._sink,
            effective_level=self._effective_level,
            set_level=self._set_level,
            clock=self._clock,
        )

    def set_level(self, level: LoggingSeverity | int) -> None:
        """Logs nothing below ``level``, here and in children without a level of their own."""
        self._set_level(self.name, LoggingSeverity(level))

    def get_effective_level(self) -> LoggingSeverity:
        """Returns the level of this logger, its nearest ancestor that has one, or the default."""
        return self._effective_level(self.name)

    def is_enabled_for(self, severity: LoggingSeverity | int) -> bool:
        return severity >= self._effective_level(self.name)

    def log(self, message: str, severity: LoggingSeverity | int, **filters: Any) -> bool:
        """Logs a message unless level or filters hold it back; says whether it was logged.

        :param filters: ``once``, ``skip_first``, ``throttle_duration_sec``, ``throttle_time_source_type`` (a clock);
            they are per call site and must not change there.
        :raises TypeError, ValueError: on filters that are unknown or differ from the call site's earlier ones.
        """
        return self._log(str(message), LoggingSeverity(severity), filters)

    def _log(self, message: str, severity: LoggingSeverity, filters: dict[str, Any]) -> bool:
        if unknown := filters.keys() - set(_FILTERS):
            raise TypeError(f"unexpected logging arguments {sorted(unknown)}, allowed are {', '.join(_FILTERS)}")
        if severity < self._effective_level(self.name):
            return False
        frame = sys._getframe(2)
        code, line = frame.f_code, frame.f_lineno
        if filters and not self._site(code, line, severity, filters).passes():
            return False
        site = CallSite(code.co_filename, code.co_name, line)
        self._sink(LogRecord(severity, self._clock._now_ns(), self.name, message, site))
        return True

    def _site(self, code: Any, line: int, severity: LoggingSeverity, filters: dict[str, Any]) -> _SiteState:
        with self._lock:
            state = self._sites.get((code, line))
            if state is None:
                state = self._sites[code, line] = _SiteState(severity, filters)
        if state.severity is not severity:
            raise ValueError("Logger severity cannot be changed between calls.")
        return state

    def debug(self, message: str, **filters: Any) -> bool:
        return self._log(str(message), LoggingSeverity.DEBUG, filters)

    def info(self, message: str, **filters: Any) -> bool:
        return self._log(str(message), LoggingSeverity.INFO, filters)

    def warning(self, message: str, **filters: Any) -> bool:
        return self._log(str(message), LoggingSeverity.WARN, filters)

    def warn(self, message: str, **filters: Any) -> bool:
        return self._log(str(message), LoggingSeverity.WARN, filters)

    def error(self, message: str, **filters: Any) -> bool:
        return self._log(str(message), LoggingSeverity.ERROR, filters)

    def fatal(self, message: str, **filters: Any) -> bool:
        return self._log(str(message), LoggingSeverity.FATAL, filters)
