"""``LoggingSeverity``, as in rclpy."""

from __future__ import annotations

from enum import IntEnum


class LoggingSeverity(IntEnum):
    """Severities of ``RCUTILS_LOG_SEVERITY`` and ``rcl_interfaces/msg/Log``."""

    UNSET = 0
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    FATAL = 50
