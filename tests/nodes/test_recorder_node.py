"""The recorder's node tells the graph of what it cannot keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from tenon_msgs.msg import EpisodeSummary, SessionState

from tenon.configuration.resolve import resolve_session
from tenon.data.store import EpisodeStore
from tenon_graph import contract
from tenon_graph.node import GraphNode
from tenon_graph.recording import recorder_error_of
from tenon_session.recorder_node import RecorderNode


@pytest.fixture
def robot() -> str:
    return "ur5-emulated"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, robot: str) -> Iterator[Path]:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    config = resolve_session("sim", {"run_directory": str(tmp_path / "run"), "robot": robot})
    file = tmp_path / "session.yaml"
    file.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    rclpy.init(args=["--ros-args", "-p", f"session:={file}"])
    yield file
    rclpy.shutdown()


@pytest.mark.timeout(60)
def test_each_episode_that_cannot_be_written_is_told_on_diagnostics(session: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/episodes").write_text("in the way of the folder")
    said: list[DiagnosticArray] = []
    others, recorder = GraphNode("others"), RecorderNode()
    others.subscribe(contract.DIAGNOSTICS, said.append)
    state = others.advertise(contract.SESSION_STATE)
    executor = SingleThreadedExecutor()
    for node in (others, recorder):
        executor.add_node(node)
    for episode in (5, 6):
        state.publish(SessionState(session="s", phase=SessionState.RUNNING, episode=episode, record=True))
        while not any(recorder_error_of(msg).startswith(f"episode {episode}: ") for msg in said):
            executor.spin_once(timeout_sec=1.0)
    errors = {recorder_error_of(msg) for msg in said} - {""}
    assert len(errors) == 2 and all("episodes: cannot be written" in error for error in errors)
    executor.shutdown()
    recorder.destroy_node()
    others.destroy_node()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("robot", ["ur5-emulated", "sim"])
def test_episode_ends_when_its_session_manager_is_gone(session: Path, tmp_path: Path) -> None:
    """Cameras go on: they would fill the disk. The time of a simulation has stopped with it."""
    manager, recorder = GraphNode("manager"), RecorderNode()
    state = manager.advertise(contract.SESSION_STATE)
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    state.publish(SessionState(session="s", phase=SessionState.RUNNING, episode=0, record=True))
    episodes = tmp_path / "run/episodes"
    while not list(episodes.glob("*.part")):
        executor.spin_once(timeout_sec=0.1)
    manager.destroy_node()
    while next(iter(EpisodeStore(episodes).scan().partial), None) is None:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    recorder.destroy_node()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("robot", ["sim"])
def test_cameras_that_were_to_be_recorded_and_never_came_are_in_the_audit(session: Path, tmp_path: Path) -> None:
    config = yaml.safe_load(session.read_text())
    session.write_text(yaml.safe_dump({**config, "recording": {"images": ["overview/camera/image_raw"]}}))
    manager, recorder = GraphNode("manager"), RecorderNode()
    state, summary = manager.advertise(contract.SESSION_STATE), manager.advertise(contract.EPISODE_SUMMARY)
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    state.publish(SessionState(session="s", phase=SessionState.RUNNING, episode=0, record=True))
    episodes = tmp_path / "run/episodes"
    while not list(episodes.glob("*.part")):
        executor.spin_once(timeout_sec=0.1)
    summary.publish(EpisodeSummary(session="s", episode=0, outcome="timeout"))
    while not EpisodeStore(episodes).scan().finished:
        executor.spin_once(timeout_sec=0.1)
    audit = EpisodeStore(episodes).episode(0).outcome.audit
    silent = {topic for topic, one in audit.items() if not one.received}
    assert silent == {"/camera/image_raw", "/overview/camera/image_raw"}
    executor.shutdown()
    for node in (manager, recorder):
        node.destroy_node()


def test_diagnostics_of_others_are_no_error_of_the_recorder() -> None:
    from tenon_graph.cameras import health_to_msg

    assert recorder_error_of(health_to_msg("wrist", "unplugged", 0, level=b"\x02")) == ""
