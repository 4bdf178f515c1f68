"""How the recorder fares, as a message that diagnostics' viewers and `tenon record` read."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from tenon_graph.conversions import to_stamp

_RECORDER = "recorder"


def recorder_health_to_msg(error: str, stamp_ns: int) -> DiagnosticArray:
    """error: why the last episode that failed could not be kept; empty while all are."""
    level = DiagnosticStatus.ERROR if error else DiagnosticStatus.OK
    msg = DiagnosticArray(status=[DiagnosticStatus(level=level, name=_RECORDER, message=error or "records")])
    msg.header.stamp = to_stamp(stamp_ns)
    return msg


def recorder_error_of(msg: DiagnosticArray) -> str:
    """The error that ``recorder_health_to_msg`` told; empty where there is none, and in what others tell."""
    errors = (s.message for s in msg.status if s.name == _RECORDER and s.level == DiagnosticStatus.ERROR)
    return next((str(message) for message in errors), "")
