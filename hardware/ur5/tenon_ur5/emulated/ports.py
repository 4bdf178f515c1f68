"""TCP ports that are served between two periods of a control loop: no thread, nothing ever waits."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable
from typing import Protocol

from tenon_mujoco.emulation import EmulatorError

BACKLOG = 8
CHUNK_BYTES = 65536
UNSENT_MAX_BYTES = 262144
"""A reader that is this far behind is not written to any more until it has caught up."""


class Session(Protocol):
    """One client's side of a protocol."""

    def on_bytes(self, data: bytes) -> None: ...


class Connection:
    """A client's socket. What cannot be sent at once waits in order."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self._unsent = b""
        self.is_open = True

    def send(self, data: bytes) -> None:
        """Sends, or keeps for later; drops it for a reader that is far behind."""
        if self.is_open and len(self._unsent) < UNSENT_MAX_BYTES:
            self._unsent += data
            self.flush()

    def flush(self) -> None:
        """Sends what waits, as far as the socket takes it."""
        if not self._unsent:
            return
        try:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def receive(self) -> bytes:
        """What has come; empty when nothing did. Closes at the end of the stream."""
        try:
            data = self.socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.close()
        return data

    def close(self) -> None:
        self.is_open = False
        with contextlib.suppress(OSError):
            self.socket.close()


class Ports:
    """Listening sockets on one address, each with the protocol that is spoken there."""

    def __init__(self, host: str, protocols: dict[int, Callable[[Connection], Session]]) -> None:
        self._host, self._protocols = host, protocols
        self._selector = selectors.DefaultSelector()
        self._listeners: list[socket.socket] = []
        self._sessions: dict[Connection, Session] = {}

    @property
    def is_open(self) -> bool:
        return bool(self._listeners)

    def open(self) -> None:
        """Raises EmulatorError where a port cannot be had."""
        for port, protocol in self._protocols.items():
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self._host, port))
            except OSError as error:
                listener.close()
                self.close()
                raise EmulatorError(
                    f"{self._host}:{port} cannot be listened on: {error.strerror}. Another emulator runs there: stop "
                    "it, or give this one another loopback address (host in the robot's file)"
                ) from error
            listener.setblocking(False)
            listener.listen(BACKLOG)
            self._selector.register(listener, selectors.EVENT_READ, protocol)
            self._listeners.append(listener)

    def serve(self) -> None:
        """Takes what has come since the last time."""
        self._forget_closed()
        for key, _ in self._selector.select(timeout=0):
            if isinstance(key.data, Connection):
                self._read(key.data)
            else:
                self._accept(key.fileobj, key.data)  # type: ignore[arg-type]
            self._forget_closed()  # at once: the next client may get the number of a closed socket

    def close_connections(self) -> None:
        """Clients find their sockets closed."""
        for connection in list(self._sessions):
            self._forget(connection)

    def close(self) -> None:
        """Clients find their sockets closed and nobody listening."""
        self.close_connections()
        for listener in self._listeners:
            self._selector.unregister(listener)
            listener.close()
        self._listeners.clear()

    def _accept(self, listener: socket.socket, protocol: Callable[[Connection], Session]) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        connection = Connection(sock)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self._sessions[connection] = protocol(connection)

    def _read(self, connection: Connection) -> None:
        connection.flush()
        data = connection.receive()
        session = self._sessions.get(connection)
        if data and session is not None:
            session.on_bytes(data)

    def _forget_closed(self) -> None:
        for connection in [c for c in self._sessions if not c.is_open]:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(connection.socket)
        connection.close()
        self._sessions.pop(connection, None)
