"""The console as a process: the node on a thread of its own, the web server on the main one."""

from __future__ import annotations

import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import uvicorn

from embedded_ros2.router import RouterError
from tenon.configuration import ConfigurationError
from tenon.console.config import ConsoleConfig, load_console
from tenon.console.guard import Guard, address, token_for
from tenon.console.model import ConsoleModel
from tenon.console.web.application import create_application
from tenon_console.node import ConsoleNode
from tenon_console.operator import RobotOperator
from tenon_graph.node import SWITCH_INTERVAL_S
from tenon_session.graph import GraphError, router
from tenon_session.introspection import spinning_node

SHUTDOWN_S = 2
"""Browsers hold connections open; they are cut after this long."""


def serve(config: ConsoleConfig, *, token: str | None, on_ready: Callable[[int], None]) -> None:
    """Serves browsers until SIGINT or SIGTERM. on_ready: called with the port once it listens.

    Keeps a router up where none runs, so that it can be started before any session. Raises RouterError (embedded_ros2)
    when something else holds the router's port, GraphError when the router of a real ROS 2 cannot be started, OSError
    where the console's own address is taken or is none of this machine.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    warnings.filterwarnings("ignore", module="nicegui.ui_run_with")  # it looks at every object, torch's old ones too
    model = ConsoleModel(config)
    with _listening(config) as listeners, router(), spinning_node(lambda: ConsoleNode(config, model)) as node:
        assert isinstance(node, ConsoleNode)
        operator = RobotOperator(node, goal_timeout_s=config.service_timeout_s)
        application = create_application(config, model, operator, token=token)
        _Server(application, on_ready).run(sockets=listeners)


@contextmanager
def _listening(config: ConsoleConfig) -> Iterator[list[socket.socket]]:
    """On every address that the name has, at one port. Raises OSError.

    Bound before anything starts: uvicorn ends the process where it cannot listen.
    """
    found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys((family, where[0]) for family, _, _, _, where in found)
    with ExitStack() as stack:
        listeners: list[socket.socket] = []
        for family, host in addresses:
            port = listeners[0].getsockname()[1] if listeners else config.port
            listeners.append(stack.enter_context(socket.create_server((host, port), family=family)))
        yield listeners


class _Server(uvicorn.Server):
    def __init__(self, application: Guard, on_ready: Callable[[int], None]) -> None:
        super().__init__(uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_S))
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but that a signal which was obeyed is not raised again: the node is to end in order."""
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a console that Ctrl-Z put to sleep would hold up the streams
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            assert sockets is not None
            self._on_ready(sockets[0].getsockname()[1])


def main(args: list[str] | None = None) -> int:
    """Entry of the ROS package: with the settings of the configuration tree."""
    del args
    try:
        config = load_console({})
        token = token_for(config, os.environ)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - before there is a logger
        return 2
    try:
        serve(config, token=token, on_ready=lambda port: print(address(config, port, token)))  # noqa: T201
    except (GraphError, RouterError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
