"""A finding of `tenon doctor`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class Severity(enum.Enum):
    """OK: as it should be. INFO: a figure. WARNING: works, with a drawback. ERROR: a session cannot run."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was seen, and, unless all is well, what to do."""

    check: str
    severity: Severity
    seen: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"check": self.check, "severity": self.severity.value, "seen": self.seen, "remedy": self.remedy}


def ok(check: str, seen: str) -> Finding:
    return Finding(check, Severity.OK, seen)


def info(check: str, seen: str) -> Finding:
    return Finding(check, Severity.INFO, seen)


def warning(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Severity.WARNING, seen, remedy)


def error(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Severity.ERROR, seen, remedy)
