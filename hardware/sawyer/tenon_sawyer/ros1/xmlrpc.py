"""XML-RPC with timeouts: calls to a master or a node, and a server for those who call us."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import xmlrpc.client
from collections.abc import Callable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

SUCCESS, FAILURE = 1, -1
REQUEST_TIMEOUT_S = 10.0


class CallError(RuntimeError):
    """A call that was not answered, or answered with a failure. The message names peer, method and reason."""


class UnreachableError(CallError):
    """Nobody answered at all: as far as we can tell the peer is gone."""


class _Transport(xmlrpc.client.Transport):
    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = self._timeout_s
        return connection


def call(uri: str, method: str, *arguments: Any, timeout_s: float) -> Any:
    """The value of a call of the ROS API. Raises UnreachableError, or CallError where the peer refuses."""
    try:
        with xmlrpc.client.ServerProxy(uri, transport=_Transport(timeout_s), allow_none=True) as proxy:
            answer = getattr(proxy, method)(*arguments)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{uri} does not answer {method}: {error}") from error
    except Exception as error:  # what a peer that sends garbage makes of the XML parser is not documented
        raise CallError(f"{uri} answers {method} with {type(error).__name__}: {error}") from error
    if not (isinstance(answer, list | tuple) and len(answer) == 3):
        raise CallError(f"{uri} answers {method} with {answer!r}, a triple (code, message, value) was expected")
    code, message, value = answer
    if code != SUCCESS:
        raise CallError(f"{uri} refuses {method}: {message}")
    return value


class _Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/", "/RPC2")
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_TIMEOUT_S

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the caller hung up, or never spoke
            super().handle()


class _Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that misbehaves is its own affair."""


class Server:
    """Answers calls on a thread of its own until ``close``. host: also the address it is found under."""

    def __init__(self, host: str, methods: Mapping[str, Callable[..., Any]], *, port: int = 0) -> None:
        """Raises OSError where the port is taken."""
        self._server = _Server((host, port), _Handler, logRequests=False, allow_none=True)
        self._server.register_multicall_functions()
        for name, method in methods.items():
            self._server.register_function(method, name)
        self.port: int = self._server.server_address[1]
        self.uri = f"http://{host}:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="xmlrpc")
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def local_address(peer_uri: str) -> str:
    """The address of this machine by which the peer reaches it. Raises OSError where there is no route."""
    host, _, port = peer_uri.split("//", 1)[-1].strip("/").rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port)))
        return str(probe.getsockname()[0])
