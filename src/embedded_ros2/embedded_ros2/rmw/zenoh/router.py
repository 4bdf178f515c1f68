"""The Zenoh router through which sessions of one machine find each other.

``python -m embedded_ros2.router [--port 7447 | --endpoint tcp/localhost:7447]`` runs one; ``ensure_router`` starts one
as a child process where none answers.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import zenoh

from embedded_ros2.rmw.zenoh.configuration import (
    DEFAULT_ENDPOINT,
    OVERRIDE_VARIABLE,
    ConfigurationError,
    router_config,
    router_endpoints,
    session_config,
)

_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
_START_TIMEOUT_S = 20.0
_PROBE_TIMEOUT_S = 3.0
_POLL_S = 0.02

_log = logging.getLogger(__name__)


class RouterError(RuntimeError):
    """A router that cannot run; the message says what is in its way and what to do."""


class RouterProcess:
    """A router that this process has started. It ends when it is closed, or when this process does."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        # A session of its own keeps Ctrl-C in the terminal from ending the router before the nodes.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "embedded_ros2.router", "--endpoint", endpoint, "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def error_output(self) -> str:
        """What an ended router has written to its standard error."""
        return self._process.communicate()[1].strip()

    def close(self) -> None:
        if not self.has_ended:
            self._process.terminate()
        self._process.communicate()

    def __enter__(self) -> RouterProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ensure_router() -> RouterProcess | None:
    """Starts a router where this environment's sessions look for one, unless one is there.

    Returns the router to close at the end, or None where one runs already, or where none of the endpoints is on this
    machine. Raises RouterError where something that is no router has the port.
    """
    for endpoint in router_endpoints(session_config()):
        address = _address(endpoint)
        if address is None or address[0] not in _LOOPBACK_HOSTS:
            continue
        if _accepts(address):
            _require_router(endpoint)
            return None
        return _start(endpoint, address)
    return None


def serve(endpoint: str | None, stop: threading.Event) -> None:
    """Runs a router in this process until ``stop`` is set. Raises RouterError where its port is taken."""
    config = router_config(endpoint)
    try:
        session = zenoh.open(config)
    except zenoh.ZError as error:
        listening = ", ".join(json.loads(config.get_json("listen/endpoints")))
        raise RouterError(f"{_occupied(listening)} ({error})") from None
    try:
        _log.info("Zenoh router %s listens on %s", session.zid(), config.get_json("listen/endpoints"))
        stop.wait()
    finally:
        session.close()  # type: ignore[no-untyped-call]


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 after a signal, 1 where the router could not start."""
    parser = argparse.ArgumentParser(prog="python -m embedded_ros2.router", description="A Zenoh router for ROS 2.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=int, help="TCP port on this machine only (default: 7447)")
    where.add_argument("--endpoint", help=f"Zenoh endpoint to listen on (default: {DEFAULT_ENDPOINT})")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started it")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if options.until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    try:
        serve(f"tcp/localhost:{options.port}" if options.port else options.endpoint, stop)
    except (RouterError, ConfigurationError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _stop_at_end_of_input(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _start(endpoint: str, address: tuple[str, int]) -> RouterProcess | None:
    router = RouterProcess(endpoint)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _accepts(address):
        if router.has_ended:
            message = router.error_output()
            if _accepts(address):
                # Another process was faster to start one.
                _require_router(endpoint)
                return None
            raise RouterError(f"the router for {endpoint} ended: {message}")
        if time.monotonic() > deadline:
            router.close()
            raise RouterError(f"the router for {endpoint} did not listen within {_START_TIMEOUT_S:.0f} s")
        time.sleep(_POLL_S)
    return router


def _address(endpoint: str) -> tuple[str, int] | None:
    """Host and port of a TCP or TLS endpoint; None for other kinds."""
    protocol, _, rest = endpoint.partition("/")
    parts = urlsplit(f"//{rest}")
    if protocol not in ("tcp", "tls") or parts.hostname is None or parts.port is None:
        return None
    return parts.hostname, parts.port


def _accepts(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, _PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False


def _require_router(endpoint: str) -> None:
    """Raises RouterError unless a Zenoh session can be opened with what listens at ``endpoint``."""
    config = session_config()
    for key, value in {
        "mode": "client",
        "connect/endpoints": [endpoint],
        "connect/timeout_ms": int(_PROBE_TIMEOUT_S * 1000),
        "connect/exit_on_failure": True,
        "transport/unicast/open_timeout": int(_PROBE_TIMEOUT_S * 1000),
    }.items():
        config.insert_json5(key, json.dumps(value))
    try:
        zenoh.open(config).close()  # type: ignore[no-untyped-call]
    except zenoh.ZError as error:
        raise RouterError(f"{_occupied(endpoint)} ({error})") from None


def _occupied(endpoint: str) -> str:
    address = _address(endpoint)
    finder = f"'ss -ltnp sport = :{address[1]}'" if address else "'ss -ltnp'"
    return (
        f"no Zenoh router can run at {endpoint}: the port is taken by a program that is none, or may not be used. Find "
        f"the program with {finder} and end it, or choose another port for routers and sessions: --port N here and "
        f"{OVERRIDE_VARIABLE}='connect/endpoints=[\"tcp/localhost:N\"]' for the nodes."
    )
