"""A ROS graph of its own for each test: a router on a free port, a domain, and a helper that runs `tenon` in it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from embedded_ros2.router import RouterProcess

DOMAIN = "87"
TIMEOUT_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def graph_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts this process and its children into a graph that no other test and no session shares."""
    endpoint = f"tcp/localhost:{free_port()}"
    monkeypatch.setenv("ZENOH_CONFIG_OVERRIDE", f'connect/endpoints=["{endpoint}"]')
    monkeypatch.setenv("ROS_DOMAIN_ID", DOMAIN)


@pytest.fixture
def router(graph_environment: None) -> Iterator[RouterProcess]:
    """A router for `graph_environment`."""
    from embedded_ros2.router import ensure_router

    running = ensure_router()
    assert running is not None
    with running:
        yield running


@pytest.fixture
def talker(router: None) -> Iterator[None]:
    """A node that publishes /joint_states (stamped, 10 Hz in its own time, 50 Hz on the wall) and /flag."""
    script = Path(__file__).with_name("talker.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.terminate()


TenonRun = subprocess.CompletedProcess[str]


@pytest.fixture
def tenon() -> Callable[..., TenonRun]:
    """Runs the command to its end."""

    def run(*arguments: str, cwd: Path | None = None) -> TenonRun:
        command = [sys.executable, "-m", "tenon.cli.main", *arguments]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    return run
