"""Services over TCPROS: a server's side of one connection, and a client."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlparse

from tenon_sawyer.ros1.messages import Message, SerializationError, ServiceType, decode, encode
from tenon_sawyer.ros1.wire import (
    WireError,
    encode_header,
    frame,
    hang_up,
    prepare,
    read_exactly,
    read_frame,
    read_header,
)
from tenon_sawyer.ros1.xmlrpc import CallError, call

LOG = logging.getLogger(__name__)
OK, FAILED = b"\x01", b"\x00"
PROBE = {"probe": "1", "md5sum": "*"}


class ServiceError(RuntimeError):
    """A service that is not there, does not answer, or answered that it failed. The message names it."""


class ServiceServer:
    """Answers requests of one service. handler: request -> response; what it raises is told to the client."""

    def __init__(self, name: str, kind: ServiceType, caller: str, handler: Callable[[Any], Message]) -> None:
        self.name, self.kind = name, kind
        self._caller = caller
        self._handler = handler

    def serve(self, connection: socket.socket, header: dict[str, str]) -> None:
        """One client: a single request, or many where it asked for a persistent connection. Raises WireError."""
        if header.get("md5sum") not in ("*", self.kind._md5sum):
            raise WireError(
                f"service {self.name} is {self.kind._type} with md5 {self.kind._md5sum}, "
                f"{header.get('callerid')} wants md5 {header.get('md5sum')}"
            )
        answer = {
            "callerid": self._caller,
            "type": self.kind._type,
            "md5sum": self.kind._md5sum,
            "request_type": self.kind._request_class._type,
            "response_type": self.kind._response_class._type,
        }
        connection.sendall(encode_header(answer))
        if header.get("probe") == "1":
            return
        connection.settimeout(None)
        while True:
            status, body = self._answer(read_frame(connection))
            connection.sendall(status + frame(body))
            if header.get("persistent") != "1":
                return

    def _answer(self, request: bytes) -> tuple[bytes, bytes]:
        try:
            response = self._handler(decode(self.kind._request_class, request))
            return OK, encode(response)
        except Exception as error:
            LOG.exception("the service %s failed", self.name)
            return FAILED, f"{type(error).__name__}: {error}".encode()


class ServiceClient:
    """Calls one service; looks it up anew each time, so that a rebooted server is found. timeout_s: of each step."""

    def __init__(self, name: str, kind: ServiceType, caller: str, master_uri: str, timeout_s: float) -> None:
        self.name, self.kind = name, kind
        self._caller, self._master_uri, self._timeout_s = caller, master_uri, timeout_s

    def call(self, request: Message) -> Any:
        """The response. Raises ServiceError, SerializationError."""
        body = encode(request)
        connection = self._connect({"md5sum": self.kind._md5sum, "type": self.kind._type})
        try:
            connection.sendall(frame(body))
            status = read_exactly(connection, 1)
            answer = read_frame(connection)
        except OSError as error:
            raise ServiceError(f"{self.name} does not answer: {error}") from error
        finally:
            hang_up(connection)
        if status != OK:
            raise ServiceError(f"{self.name} failed: {answer.decode(errors='replace')}")
        try:
            return decode(self.kind._response_class, answer)
        except SerializationError as error:
            raise ServiceError(f"{self.name}: {error}") from error

    def probe(self) -> None:
        """Whether somebody answers there. Raises ServiceError."""
        hang_up(self._connect(PROBE))

    def _connect(self, fields: dict[str, str]) -> socket.socket:
        try:
            uri = urlparse(call(self._master_uri, "lookupService", self._caller, self.name, timeout_s=self._timeout_s))
            if uri.hostname is None or uri.port is None:
                raise ServiceError(f"the master says that {self.name} is at {uri.geturl()!r}, which is no address")
            connection = socket.create_connection((uri.hostname, uri.port), self._timeout_s)
        except (CallError, OSError) as error:
            raise ServiceError(f"{self.name} cannot be reached: {error}") from error
        try:
            prepare(connection, silence_s=self._timeout_s)
            connection.sendall(encode_header({"callerid": self._caller, "service": self.name, **fields}))
            answer = read_header(connection)
            if "error" in answer:
                raise WireError(answer["error"])
        except OSError as error:
            hang_up(connection)
            raise ServiceError(f"{self.name} refuses the connection: {error}") from error
        return connection
