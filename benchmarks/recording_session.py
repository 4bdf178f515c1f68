"""The processes of the recording benchmarks: a recorder, its sources, and a node in the session manager's place."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import yaml
from rclpy.node import Node
from recording_source import READY, Report
from tenon_msgs.msg import EpisodeSummary, SessionState

from tenon.configuration.recording import RecordingConfig
from tenon.configuration.resolve import resolve_session
from tenon.data.store import Episode, EpisodeStore
from tenon_graph import contract
from tenon_session.graph import die_with_parent

CAMERAS = ("camera/image_raw", "overview/image_raw")
SESSION = "recording"
ROBOT = "ur5-emulated"
"""Of real time: the sources publish no clock, and a recorder in simulated time would stamp all messages with 0."""
POLL_S = 0.02
START_TIMEOUT_S = 120.0
END_TIMEOUT_S = 120.0
SOURCE = Path(__file__).with_name("recording_source.py")


class RecordingBenchError(RuntimeError):
    """What is to be measured does not run. The message says what, and shows the log."""


class Conductor(Node):
    """Says what a session manager says to its recorder: an episode runs, an episode has ended."""

    def __init__(self) -> None:
        super().__init__("conductor", start_parameter_services=False)
        state, summary = contract.SESSION_STATE, contract.EPISODE_SUMMARY
        self._states = self.create_publisher(state.type, state.name, state.qos)
        self._summaries = self.create_publisher(summary.type, summary.name, summary.qos)

    def wait_for_recorder(self) -> None:
        """Until one hears what this node says."""
        heard = (self._states, self._summaries)
        wait_for(lambda: all(publisher.get_subscription_count() for publisher in heard), "a recorder that listens")

    def begin(self, episode: int) -> None:
        self._say(SessionState.RUNNING, episode)

    def end(self, episode: int, steps: int) -> None:
        self._say(SessionState.IDLE, episode)
        summary = EpisodeSummary(session=SESSION, episode=episode, outcome="timeout", steps=steps)
        summary.header.stamp = self.get_clock().now().to_msg()
        self._summaries.publish(summary)

    def wait_for_episode(self, store: EpisodeStore, number: int) -> Episode:
        """Until it has its final name."""
        wait_for(lambda: (store.directory / f"episode_{number:06d}").is_dir(), f"the end of episode {number}")
        return store.episode(number)

    def _say(self, phase: int, episode: int) -> None:
        state = SessionState(session=SESSION, phase=phase, episode=episode, record=True)
        state.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(state)


def write_session(path: Path, run_directory: Path, recording: RecordingConfig) -> None:
    """The session ``sim`` in real time, with another recording. The robot itself is not started."""
    changes = {"robot": ROBOT, "run_directory": str(run_directory), "recording": recording.model_dump()}
    config = resolve_session("sim", changes)
    path.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


class RecorderProcess:
    """The recorder node, as long as the context lasts. environment: in addition to this process's."""

    def __init__(self, session: Path, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "tenon_session.recorder_node"]
        self._command += ["--ros-args", "-p", f"session:={session}", "-p", "use_sim_time:=false"]
        self._log = log
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> RecorderProcess:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, preexec_fn=die_with_parent()
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()


class SourceProcess:
    """One source; it publishes once the session runs, and stays on the graph as long as the context lasts."""

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, str(SOURCE), *arguments]
        self._process: subprocess.Popen[str] | None = None

    def wait_until_ready(self) -> None:
        """Until a recorder hears it; it publishes once the session runs."""
        if self._read() != READY:
            raise RecordingBenchError(f"{' '.join(self._command)} says something else than {READY!r} first")

    def report(self) -> Report:
        """Waits until it has published all."""
        return Report(**json.loads(self._read()))

    def _read(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RecordingBenchError(f"{' '.join(self._command)} has ended too early: see its message above")
        return line.strip()

    def __enter__(self) -> SourceProcess:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent()
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        if kind is not None:
            self._process.kill()
        self._process.wait()


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """Raises RecordingBenchError."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise RecordingBenchError(f"{what} did not come within {timeout_s:g} s")
        time.sleep(POLL_S)
