"""A session's graph as real processes on a network of its own; its nodes can be stopped, killed, replaced."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tenon.configuration.resolve import config_root
from tenon_session.graph import SessionGraph, die_with_parent, router
from tenon_session.introspection import other_nodes, spinning_node
from tenon_session.testing.probe import Probe

LAUNCH_FILE = Path("launch", "session.launch.yaml")
START_TIMEOUT_S = 180.0
DOMAINS = range(1, 200)
MODULES = {
    "arm_driver": "tenon_session.arm_driver",
    "safety_supervisor": "tenon_control.safety_supervisor",
    "command_mux": "tenon_control.command_mux",
    "residual_controller": "tenon_control.residual_controller",
    "observation_node": "tenon_perception.observation_node",
    "policy_node": "tenon_learning.policy_node",
    "reward_node": "tenon_learning.reward_node",
    "trainer_node": "tenon_learning.trainer_node",
    "recorder_node": "tenon_session.recorder_node",
    "session_manager": "tenon_session.session_manager",
}
"""The nodes of the launch file, by executable."""


@contextmanager
def private_network() -> Iterator[None]:
    """Puts this process and its children on a router and a domain of their own."""
    port = _free_port()
    given = {
        "ZENOH_CONFIG_OVERRIDE": f'connect/endpoints=["tcp/localhost:{port}"]',
        "ROS_DOMAIN_ID": str(DOMAINS[port % len(DOMAINS)]),
    }
    before = {key: os.environ.get(key) for key in given}
    os.environ.update(given)
    try:
        with router():
            yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


class Stage:
    """The processes of one session and a probe among them. session: keys of a session's file. launch: further arguments
    of the launch file.

    Everything lies below ``directory``: session.yaml, run/ (what the session leaves behind), log/.
    """

    def __init__(self, session: Mapping[str, Any], directory: Path, launch: Mapping[str, str] | None = None) -> None:
        self.run_directory = directory / "run"
        self.log_directory = directory / "log"
        self._session_file = directory / "session.yaml"
        directory.mkdir(parents=True, exist_ok=True)
        self._session_file.write_text(yaml.safe_dump({**session, "run_directory": str(self.run_directory)}))
        arguments = {"session": str(self._session_file), "run_directory": str(self.run_directory), **(launch or {})}
        self._expected = _expected(arguments)
        self._graph = SessionGraph(config_root().parent / LAUNCH_FILE, arguments, self.log_directory)
        self._replaced: dict[str, subprocess.Popen[bytes]] = {}
        self.probe: Probe

    @contextmanager
    def open(self) -> Iterator[Stage]:
        """Starts all nodes, on a network of their own, and waits until they are on the graph; ends them at the end."""
        with ExitStack() as stack:
            stack.enter_context(private_network())
            self.probe = stack.enter_context(spinning_node(Probe))  # type: ignore[assignment]
            stack.callback(self._end_replaced)
            stack.enter_context(self._graph)
            self._graph.wait_until_ready(self._expected, lambda: other_nodes(self.probe), START_TIMEOUT_S)
            self.probe.wait_for(self.probe.now_ns, "the first turn of the arm")
            yield self

    def pid(self, node: str) -> int:
        """Process id of a node."""
        if node in self._replaced:
            return self._replaced[node].pid
        return self._graph.processes()[node]

    def send(self, node: str, number: signal.Signals) -> None:
        os.kill(self.pid(node), number)

    def kill(self, node: str) -> None:
        """SIGKILL."""
        self.send(node, signal.SIGKILL)
        if node in self._replaced:
            self._replaced.pop(node).wait()

    def restart(self, node: str) -> None:
        """Starts a node that was killed, as a person would, once the graph has noticed its end."""
        self.probe.wait_for(lambda: not self._is_present(node), f"the end of {node}")
        self._replaced[node] = start_node(node, self._session_file, self.log_directory)
        self.probe.wait_for(lambda: self._is_present(node), f"the return of {node}", START_TIMEOUT_S)

    def kill_all(self) -> None:
        """SIGKILL to every process of the graph."""
        self._end_replaced()
        self._graph.kill()

    def log(self, node: str) -> str:
        """All that a node has written; empty before its first word."""
        path = self.log_directory / f"{node}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def logs(self) -> str:
        """The end of every node's log."""
        parts = []
        for path in sorted(self.log_directory.glob("*.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            parts.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(parts)

    def _is_present(self, node: str) -> bool:
        return any(name.rsplit("/", 1)[-1] == node for name in other_nodes(self.probe))

    def _end_replaced(self) -> None:
        for process in self._replaced.values():
            process.kill()
            process.wait()
        self._replaced.clear()


def start_node(node: str, session_file: Path, log_directory: Path) -> subprocess.Popen[bytes]:
    """Starts one node of a session by hand; its output is appended to its log."""
    log_directory.mkdir(parents=True, exist_ok=True)
    parameters = {"session": session_file}
    given = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
    with (log_directory / f"{node}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", MODULES[node], "--ros-args", *given],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(),
        )


def _expected(arguments: Mapping[str, str]) -> list[str]:
    """The nodes that come up under these arguments of the launch file."""
    left_out = {"trainer_node"} if arguments.get("trainer") == "false" else set()
    instead = {"residual_controller": arguments.get("controller_node", "residual_controller")}
    return [instead.get(node, node) for node in MODULES if node not in left_out]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
