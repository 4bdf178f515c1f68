"""The dashboard on port 29999: a greeting, then a line for a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tenon_ur5.emulated.ports import Connection

DASHBOARD_PORT = 29999
GREETING = "Connected: Universal Robots Dashboard Server"
FAREWELL = "Disconnected"


class DashboardSession:
    """One client. answers: by the command's words, in lower case; the longest that the line begins with counts."""

    def __init__(self, connection: Connection, answers: Mapping[str, Callable[[], str]]) -> None:
        self._connection, self._answers = connection, answers
        self._buffer = b""
        self._say(GREETING)

    def on_bytes(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._on_line(line.decode(errors="replace").strip())

    def _on_line(self, line: str) -> None:
        if line == "quit":
            self._say(FAREWELL)
            self._connection.close()
            return
        known = [command for command in self._answers if line.lower().startswith(command)]
        if known:
            self._say(self._answers[max(known, key=len)]())
        else:
            self._say(f"could not understand: '{line}'")

    def _say(self, text: str) -> None:
        self._connection.send(f"{text}\n".encode())
