"""The graph as child processes: sorted logs, named failures, and nothing left behind, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest
import yaml

from tenon_session import graph
from tenon_session.graph import GraphError, SessionGraph

FAKE_LAUNCHER = Path(__file__).with_name("fake_launcher.py")
TIMEOUT_S = 30.0
ENDLESS = "import time\nwhile True: time.sleep(1)\n"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


@pytest.fixture
def fake_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SessionGraph]:
    """A graph under a launcher that speaks as ros2 launch does."""
    monkeypatch.setattr(graph, "launcher", lambda: [sys.executable, str(FAKE_LAUNCHER)])

    def make(**arguments: str) -> SessionGraph:
        given: Mapping[str, str] = arguments
        return SessionGraph(tmp_path / "some.launch.yaml", given, tmp_path / "log")

    return make


@pytest.fixture
def embedded_graph(tmp_path: Path) -> Callable[[dict[str, str]], SessionGraph]:
    """A graph of Python programs (name -> code) under the embedded launcher."""

    def make(programs: dict[str, str]) -> SessionGraph:
        actions = []
        for name, code in programs.items():
            script = tmp_path / f"{name}.py"
            script.write_text(code)
            actions.append({"executable": {"name": name, "cmd": f"{sys.executable} {script}"}})
        file = tmp_path / "programs.launch.yaml"
        file.write_text(yaml.safe_dump({"launch": actions}))
        return SessionGraph(file, {}, tmp_path / "log")

    return make


def test_embedded_launcher_sorts_logs_and_knows_the_processes(
    embedded_graph: Callable[[dict[str, str]], SessionGraph], tmp_path: Path
) -> None:
    log = tmp_path / "log" / "eye.log"
    with embedded_graph({"eye": f"print('I am eye')\n{ENDLESS}", "hand": ENDLESS}) as running:
        wait_until(lambda: log.is_file() and bool(log.read_text()), "logging")
        wait_until(lambda: running.processes().keys() == {"eye", "hand"}, "the start of both")
        pids = list(running.processes().values())
        running.check()
    assert log.read_text().startswith("I am eye\n")
    assert running.dead() == []
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_embedded_launcher_reports_a_failed_process(embedded_graph: Callable[[dict[str, str]], SessionGraph]) -> None:
    with embedded_graph({"eye": "raise SystemExit('cannot open the camera')", "hand": ENDLESS}) as running:
        wait_until(lambda: bool(running.dead()), "the end of the process")
        with pytest.raises(GraphError, match=r"(?s)node eye has died \(exit status 1\).*cannot open the camera"):
            running.check()


def test_embedded_launcher_reports_a_killed_process(embedded_graph: Callable[[dict[str, str]], SessionGraph]) -> None:
    with embedded_graph({"eye": ENDLESS}) as running:
        wait_until(lambda: "eye" in running.processes(), "the start")
        os.kill(running.processes()["eye"], signal.SIGKILL)
        wait_until(lambda: bool(running.dead()), "the report")
        with pytest.raises(GraphError, match=r"node eye has died \(SIGKILL\)"):
            running.check()


def test_each_node_has_its_own_log(fake_graph: Callable[..., SessionGraph], tmp_path: Path) -> None:
    with fake_graph(nodes="eye,hand"):
        logs = [tmp_path / "log" / f"{name}.log" for name in ("eye", "hand")]
        wait_until(lambda: all(log.is_file() and log.read_text() for log in logs), "logging")
    assert [log.read_text() for log in logs] == ["I am eye\n", "I am hand\n"]
    assert "process started" in (tmp_path / "log" / "launch.log").read_text()


def test_ready_once_all_nodes_are_on_the_graph(fake_graph: Callable[..., SessionGraph]) -> None:
    looks = iter([["/eye"], ["/eye"], ["/lab/hand", "/eye"]])
    progress: list[tuple[int, int]] = []
    with fake_graph(nodes="eye,hand") as running:
        running.wait_until_ready(["eye", "hand"], lambda: next(looks), on_progress=lambda *p: progress.append(p))
    assert progress == [(1, 2), (1, 2), (2, 2)]


def test_node_that_does_not_come_is_named_with_the_end_of_its_log(
    fake_graph: Callable[..., SessionGraph], tmp_path: Path
) -> None:
    with fake_graph(nodes="eye,hand") as running:
        log = tmp_path / "log" / "hand.log"
        wait_until(lambda: log.is_file() and bool(log.read_text()), "logging")
        with pytest.raises(GraphError, match=r"(?s)node hand did not come up.*I am hand"):
            running.wait_until_ready(["eye", "hand"], lambda: ["/eye"], timeout_s=0.1)


def test_node_that_dies_is_named_with_status_and_last_words(fake_graph: Callable[..., SessionGraph]) -> None:
    with (
        fake_graph(nodes="eye,hand", dies="eye") as running,
        pytest.raises(GraphError, match=r"(?s)node eye has died \(exit status 3\).*cannot open the camera"),
    ):
        running.wait_until_ready(["eye", "hand"], lambda: ["/hand"], timeout_s=TIMEOUT_S)


def test_node_that_ends_without_an_error_is_missed_too(fake_graph: Callable[..., SessionGraph]) -> None:
    with (
        fake_graph(nodes="eye,hand", dies="eye", status="0") as running,
        pytest.raises(GraphError, match=r"node eye has died \(exit status 0\)"),
    ):
        running.wait_until_ready(["eye", "hand"], lambda: ["/hand"], timeout_s=TIMEOUT_S)


def test_launcher_that_dies_is_reported(fake_graph: Callable[..., SessionGraph]) -> None:
    with fake_graph(nodes="eye") as running:
        wait_until(lambda: len(running.processes()) == 1, "the child")
        assert running._launcher is not None
        running._launcher.kill()
        running._launcher.wait()
        with pytest.raises(GraphError, match="launcher has ended"):
            running.check()


def test_stop_leaves_nothing(fake_graph: Callable[..., SessionGraph]) -> None:
    with fake_graph(nodes="eye,hand") as running:
        wait_until(lambda: len(running.processes()) == 2, "the children")
        pids = list(running.processes().values())
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_stop_kills_what_does_not_listen(fake_graph: Callable[..., SessionGraph]) -> None:
    running = fake_graph(nodes="eye", deaf="true")
    running.start()
    wait_until(lambda: len(running.processes()) == 1, "the child")
    pids = list(running.processes().values())
    running.stop(timeout_s=0.2)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_stop_finds_the_children_of_a_dead_launcher(fake_graph: Callable[..., SessionGraph]) -> None:
    running = fake_graph(nodes="eye")
    running.start()
    wait_until(lambda: len(running.processes()) == 1, "the child")
    pids = list(running.processes().values())
    assert running._launcher is not None
    running._launcher.kill()
    running.stop()
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), "the end of the children")


def test_killing_the_command_leaves_no_orphans(tmp_path: Path) -> None:
    owner = f"""
import sys, time
from pathlib import Path
from tenon_session import graph
graph.launcher = lambda: [sys.executable, {str(FAKE_LAUNCHER)!r}]
running = graph.SessionGraph(Path("x"), {{"nodes": "eye,hand"}}, Path({str(tmp_path)!r}))
running.start()
while len(running.processes()) < 2: time.sleep(0.02)
print(*running.processes().values(), running._launcher.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 3
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), "the end of the orphans")


def test_unwritable_log_directory_is_said(fake_graph: Callable[..., SessionGraph], tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with pytest.raises(GraphError, match="logs cannot be written"):
        fake_graph(nodes="eye").start()


def test_embedded_launcher_is_used_without_a_real_ros() -> None:
    assert graph.uses_embedded_ros()
    command = graph.launch_command(Path("a.launch.yaml"), {"robot": "ur5"})
    assert command[1:] == ["-m", "embedded_ros2.launch", "a.launch.yaml", "robot:=ur5"]


@pytest.fixture
def real_ros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As where a real ROS 2 runs on rmw_zenoh_cpp, with a router's executable that a test writes; returns its path."""
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    for name in ("ZENOH_SESSION_CONFIG_URI", "ZENOH_CONFIG_OVERRIDE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RMW_IMPLEMENTATION", graph.ZENOH)
    monkeypatch.setattr(graph, "uses_embedded_ros", lambda: False)
    monkeypatch.setattr(graph, "ROUTER_PORT", port)
    monkeypatch.setattr("ament_index_python.packages.get_package_prefix", lambda package: str(tmp_path))
    executable = tmp_path / "lib" / graph.ZENOH / "rmw_zenohd"
    executable.parent.mkdir(parents=True)
    return executable


def write_router(executable: Path, body: str) -> None:
    executable.write_text(f"#!{sys.executable}\n{body}")
    executable.chmod(0o755)


def test_router_of_a_real_ros_is_brought_up_and_taken_down(real_ros: Path) -> None:
    listening = f"socket.create_server(('localhost', {graph.ROUTER_PORT}))"
    write_router(real_ros, f"import signal, socket\nserver = {listening}\nsignal.pause()\n")
    with graph.router():
        socket.create_connection(("localhost", graph.ROUTER_PORT)).close()
        with graph.router():  # one that listens is left alone
            pass
        socket.create_connection(("localhost", graph.ROUTER_PORT)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("localhost", graph.ROUTER_PORT))


@pytest.mark.parametrize(
    ("name", "value"),
    [("ZENOH_SESSION_CONFIG_URI", "lab.json5"), ("ZENOH_CONFIG_OVERRIDE", 'connect/endpoints=["tcp/lab:7447"]')],
)
def test_router_that_a_person_has_named_is_left_alone(
    real_ros: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with graph.router():  # there is no executable that could be started
        pass


def test_router_of_a_real_ros_that_ends_is_told(real_ros: Path) -> None:
    write_router(real_ros, "raise SystemExit(3)\n")
    with pytest.raises(graph.GraphError, match="no Zenoh router listens on port"), graph.router():
        pass
