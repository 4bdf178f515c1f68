"""``rclpy.logging``: loggers by name, their levels, the console in ROS's format, and ``/rosout``."""

from __future__ import annotations

import os
import re
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from .constants import S_TO_NS
from .impl.logging_severity import LoggingSeverity as LoggingSeverity
from .impl.rcutils_logger import LogRecord, RcutilsLogger

if TYPE_CHECKING:
    from ._ros_arguments import RosArguments
    from .clock import Clock

DEFAULT_FORMAT = "[{severity}] [{time}] [{name}]: {message}"
_COLOURS = {
    LoggingSeverity.DEBUG: "\033[32m",
    LoggingSeverity.INFO: "\033[0m",
    LoggingSeverity.WARN: "\033[33m",
    LoggingSeverity.ERROR: "\033[31m",
    LoggingSeverity.FATAL: "\033[31m",
}
_COLOUR_END = "\033[0m"
_TOKEN = re.compile(r"\{(\w+)\}")


class _Logging:
    """Levels and destinations, shared by all loggers of the process."""

    def __init__(self) -> None:
        self.levels: dict[str, LoggingSeverity] = {"": LoggingSeverity.INFO}
        self.is_console_on = True
        self.rosout: dict[str, Callable[[LogRecord], None]] = {}
        self.lock = threading.Lock()
        self.loggers: weakref.WeakValueDictionary[str, RcutilsLogger] = weakref.WeakValueDictionary()

    def effective_level(self, name: str) -> LoggingSeverity:
        levels = self.levels
        while name:
            level = levels.get(name)
            if level:
                return level
            name = name.rpartition(".")[0]
        return levels[""]

    def set_level(self, name: str, level: LoggingSeverity) -> None:
        if not name and level is LoggingSeverity.UNSET:
            level = LoggingSeverity.INFO
        self.levels = {**self.levels, name: level}

    def emit(self, record: LogRecord) -> None:
        if self.is_console_on:
            _write_console(record)
        name = record.name
        while name:
            publish = self.rosout.get(name)
            if publish is not None:
                publish(record)
                return
            name = name.rpartition(".")[0]


_logging = _Logging()


def configure_logging(arguments: RosArguments) -> None:
    """Applies ``--log-level`` and the switches of the console."""
    for name, level in arguments.log_levels.items():
        _logging.set_level(name, level)
    _logging.is_console_on = arguments.console_logs


def register_rosout(name: str, publish: Callable[[LogRecord], None]) -> None:
    """Has what the logger ``name`` and its children log published."""
    with _logging.lock:
        _logging.rosout = {**_logging.rosout, name: publish}


def unregister_rosout(name: str) -> None:
    with _logging.lock:
        _logging.rosout = {key: value for key, value in _logging.rosout.items() if key != name}


def get_logger(name: str, *, clock: Clock | None = None) -> RcutilsLogger:
    """Returns the logger of that name.

    :param clock: stamps the messages; default is system time.
    :raises ValueError: when the name is empty.
    """
    if not name:
        raise ValueError("Logger name must not be empty.")
    if clock is not None:
        return _make_logger(name, clock)
    with _logging.lock:
        logger = _logging.loggers.get(name)
        if logger is None:
            logger = _logging.loggers[name] = _make_logger(name, None)
        return logger


def _make_logger(name: str, clock: Clock | None) -> RcutilsLogger:
    return RcutilsLogger(
        name,
        sink=_logging.emit,
        effective_level=_logging.effective_level,
        set_level=_logging.set_level,
        clock=clock,
    )


def set_logger_level(name: str, level: LoggingSeverity | int, detailed_error: bool = False) -> None:
    """Sets a logger's level; UNSET makes it follow its parent again."""
    _logging.set_level(name, LoggingSeverity(level))


def get_logger_level(name: str) -> LoggingSeverity:
    """Returns the level that was set for this very logger, UNSET when none was."""
    return _logging.levels.get(name, LoggingSeverity.UNSET)


def get_logger_effective_level(name: str) -> LoggingSeverity:
    """Returns the level that counts for the logger."""
    return _logging.effective_level(name)


def get_logging_severity_from_string(log_severity: str) -> LoggingSeverity:
    """:raises RuntimeError: when there is no such severity."""
    try:
        return LoggingSeverity[log_severity.upper()]
    except KeyError:
        raise RuntimeError(f"Failed to get severity from '{log_severity}'") from None


def get_logging_directory() -> Path:
    """Returns where ROS keeps log files (the embedded one writes none): ROS_LOG_DIR, ROS_HOME/log or ~/.ros/log."""
    if directory := os.environ.get("ROS_LOG_DIR"):
        return Path(directory).expanduser()
    return Path(os.environ.get("ROS_HOME") or "~/.ros").expanduser() / "log"


def _write_console(record: LogRecord) -> None:
    stream = sys.stdout if os.environ.get("RCUTILS_LOGGING_USE_STDOUT") == "1" else sys.stderr
    line = format_record(record, os.environ.get("RCUTILS_CONSOLE_OUTPUT_FORMAT") or DEFAULT_FORMAT)
    if _is_coloured(stream):
        line = f"{_COLOURS[record.severity]}{line}{_COLOUR_END}"
    stream.write(line + "\n")
    stream.flush()


def _is_coloured(stream: TextIO) -> bool:
    forced = os.environ.get("RCUTILS_COLORIZED_OUTPUT")
    return stream.isatty() if forced not in ("0", "1") else forced == "1"


def format_record(record: LogRecord, pattern: str) -> str:
    """Fills the tokens of ``RCUTILS_CONSOLE_OUTPUT_FORMAT``; unknown ones stay as they are."""
    seconds, nanoseconds = divmod(record.stamp_ns, S_TO_NS)
    values = {
        "severity": record.severity.name,
        "name": record.name,
        "message": record.message,
        "function_name": record.site.function,
        "file_name": record.site.file,
        "line_number": str(record.site.line),
        "time": f"{seconds:010}.{nanoseconds:09}",
        "time_as_nanoseconds": str(record.stamp_ns),
    }
    return _TOKEN.sub(lambda match: values.get(match[1], match[0]), pattern)
