"""A Robotiq gripper on a UR, by the text protocol that its URCap offers on port 63352."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from tenon.control.drivers import DriverError

GRIPPER_PORT = 63352
TIMEOUT_S = 2.0
ACTIVATION_TIMEOUT_S = 10.0
MOVE_TIMEOUT_S = 5.0
POLL_S = 0.02
OPEN, CLOSED = 0, 255
RESET, ACTIVE = 0, 3
HOLDS_WHILE_OPENING, HOLDS = 1, 2


class RobotiqClient:
    """One gripper. Positions are counts from 0, open, to 255, closed; speed and force likewise.

    Every method raises DriverError where the gripper does not answer, with what to do.
    """

    def __init__(self, host: str, port: int = GRIPPER_PORT) -> None:
        self._place = (host, port)
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Reaches the gripper and activates it if it is not: it then opens and closes once."""
        try:
            self._socket = socket.create_connection(self._place, timeout=TIMEOUT_S)
        except OSError as error:
            raise self._error(f"{error}: see that the Robotiq URCap is installed and running") from error
        if self._get("STA") != ACTIVE:
            self._set({"ACT": 0})  # only a rise activates, and a fault ends by the fall before it
            self._wait(lambda: self._get("STA") == RESET, TIMEOUT_S, "it does not reset")
            self._set({"ACT": 1})
            self._wait(lambda: self._get("STA") == ACTIVE, ACTIVATION_TIMEOUT_S, "it does not activate")

    def move(
        self, position: int, *, speed: int = CLOSED, force: int = 100, meanwhile: Callable[[], object] = lambda: None
    ) -> bool:
        """Moves, waits for the end, and returns whether it holds something. meanwhile: called while it waits."""
        self._set({"POS": position, "SPE": speed, "FOR": force, "GTO": 1})
        self._wait(lambda: self._get("PRE") == position, TIMEOUT_S, "it does not take the position", meanwhile)
        self._wait(lambda: self._get("OBJ") >= HOLDS_WHILE_OPENING, MOVE_TIMEOUT_S, "it does not arrive", meanwhile)
        return self._get("OBJ") in (HOLDS_WHILE_OPENING, HOLDS)

    def close(self) -> None:
        """Lets the connection go; the gripper stays as it is."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _set(self, values: dict[str, int]) -> None:
        words = " ".join(f"{name} {value}" for name, value in values.items())
        answer = self._say(f"SET {words}")
        if answer != "ack":
            raise self._error(f"it answers {answer!r} to SET {words}")

    def _get(self, name: str) -> int:
        answer = self._say(f"GET {name}")
        words = answer.split()
        if len(words) != 2 or words[0] != name or not words[1].isdigit():
            raise self._error(f"it answers {answer!r} to GET {name}")
        return int(words[1])

    def _say(self, line: str) -> str:
        if self._socket is None:
            raise self._error("it is not connected: call connect() first")
        try:
            self._socket.sendall(f"{line}\n".encode())
            return self._socket.recv(1024).decode(errors="replace").strip()
        except OSError as error:
            self.close()
            raise self._error(str(error)) from error

    def _wait(
        self,
        is_so: Callable[[], bool],
        timeout_s: float,
        otherwise: str,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not is_so():
            if time.monotonic() > deadline_s:
                raise self._error(f"{otherwise} within {timeout_s:g} s: see its light and cable")
            meanwhile()
            time.sleep(POLL_S)

    def _error(self, what: str) -> DriverError:
        return DriverError(f"Robotiq gripper at {self._place[0]}:{self._place[1]}: {what}")
