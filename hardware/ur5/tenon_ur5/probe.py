"""A first look at a controller's RTDE port, before ur-rtde is let at it.

ur-rtde waits for its first packet without end, and holds the interpreter meanwhile: a controller that answers but sends
nothing would hang the driver.
"""

from __future__ import annotations

import socket
import struct

RTDE_PORT = 30004
HEADER = struct.Struct(">HB")
VERSION_2 = struct.pack(">H", 2)
OUTPUTS = struct.pack(">d", 125.0) + b"timestamp"
DATA = ord("U")
PACKETS_MAX = 20
"""Messages to the user may come between the answers."""


def reachable(host: str, port: int, timeout_s: float) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def sends_readings(host: str, timeout_s: float) -> bool:
    """Whether a controller opens a stream of readings and one comes, each step within timeout_s."""
    try:
        with socket.create_connection((host, RTDE_PORT), timeout=timeout_s) as connection:
            for kind, payload in ((b"V", VERSION_2), (b"O", OUTPUTS), (b"S", b"")):
                connection.sendall(HEADER.pack(HEADER.size + len(payload), kind[0]) + payload)
                if not _comes(connection, kind[0]):
                    return False
            return _comes(connection, DATA)
    except (OSError, EOFError, struct.error):
        return False


def _comes(connection: socket.socket, wanted: int) -> bool:
    for _ in range(PACKETS_MAX):
        size, kind = HEADER.unpack(_read(connection, HEADER.size))
        _read(connection, max(0, size - HEADER.size))
        if kind == wanted:
            return True
    return False


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data
