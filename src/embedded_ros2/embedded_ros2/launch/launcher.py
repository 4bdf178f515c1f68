"""Runs the processes of a launch file: starts them, shows their output, and stops them all together.

Everything happens on the thread that calls ``run``: it waits for output, exits, signals and deadlines at once. On
SIGINT or SIGTERM, or when a process with ``on_exit: shutdown`` ends, all processes get SIGINT, after their time-outs
SIGTERM and SIGKILL; a further signal goes on to the next stage at once. Needs Linux (pidfd, PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO

import yaml

from embedded_ros2.launch.child import STDERR, Child, StopStage, Stream
from embedded_ros2.launch.specification import InlineParameters, ProcessSpec

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAUNCHER = "launch"


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended. ``status`` is negative for the number of the signal that ended it."""

    name: str
    status: int
    was_stopped: bool

    @property
    def is_failure(self) -> bool:
        """Whether it failed by itself; what a process says while it is being stopped is no failure."""
        return self.status != 0 and not self.was_stopped


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """How all processes ended, in the order in which they did; a respawned one is there several times."""

    exits: tuple[ProcessExit, ...]

    @property
    def failures(self) -> list[ProcessExit]:
        return [ended for ended in self.exits if ended.is_failure]


@dataclass(frozen=True, slots=True)
class _Scheduled:
    """A process that is to be started at a time of the monotonic clock."""

    spec: ProcessSpec
    at_s: float
    restarts: int = 0


@dataclass(slots=True)
class Launcher:
    """Runs processes until all have ended.

    :param processes: as ``load`` gives them.
    :param screen: gets the output that is for the screen; stdout when None.
    :param log_file: gets all output; it is created, with its directory. None keeps no log.
    """

    processes: Sequence[ProcessSpec]
    screen: TextIO | None = None
    log_file: Path | None = None
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector, init=False)
    _children: dict[Child, int] = field(default_factory=dict, init=False)
    _scheduled: list[_Scheduled] = field(default_factory=list, init=False)
    _exits: list[ProcessExit] = field(default_factory=list, init=False)
    _is_stopping: bool = field(default=False, init=False)
    _wake: tuple[int, int] = field(default=(-1, -1), init=False)
    _log: TextIO | None = field(default=None, init=False)
    _parameter_directory: str = field(default="", init=False)

    def run(self) -> LaunchResult:
        """Starts the processes and returns when all have ended. May be called once."""
        with contextlib.ExitStack() as stack:
            self._parameter_directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="launch_params_"))
            if self.log_file is not None:
                self.log_file.parent.mkdir(parents=True, exist_ok=True)
                self._log = stack.enter_context(self.log_file.open("a", encoding="utf-8"))
            self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            self._selector.register(self._wake[0], selectors.EVENT_READ, None)
            stack.callback(self._close)
            stack.enter_context(self._signals())
            now_s = time.monotonic()
            self._scheduled = [_Scheduled(spec, now_s + spec.start_delay_s) for spec in self.processes]
            while self._children or self._scheduled:
                self._start_due()
                self._wait()
        return LaunchResult(tuple(self._exits))

    def stop(self) -> None:
        """Stops all processes; a further call goes on to the next stage. May be called from any thread."""
        with contextlib.suppress(OSError):  # the launcher has ended, or the pipe is full of such requests
            os.write(self._wake[1], b"x")

    # Waiting

    def _wait(self) -> None:
        for key, _ in self._selector.select(self._time_until_deadline()):
            if key.data is None:
                self._on_stop_request()
            elif isinstance(key.data[1], Stream):
                self._on_output(*key.data)
            else:
                self._on_exit(key.data[0])
        for child in self._children:
            if child.was_stopped and time.monotonic() >= child.next_stage_at_s:
                child.advance_stop()
                self._say(f"process [{child.spec.name}] does not end: sent {child.stage.name.lower()} signal")

    def _time_until_deadline(self) -> float | None:
        deadlines = [scheduled.at_s for scheduled in self._scheduled]
        deadlines += [child.next_stage_at_s for child in self._children if child.was_stopped]
        nearest = min(deadlines, default=float("inf"))
        return None if nearest == float("inf") else max(nearest - time.monotonic(), 0.0)

    # Starting

    def _start_due(self) -> None:
        now_s = time.monotonic()
        due = [scheduled for scheduled in self._scheduled if scheduled.at_s <= now_s]
        self._scheduled = [scheduled for scheduled in self._scheduled if scheduled.at_s > now_s]
        for scheduled in due:
            self._start(scheduled)

    def _start(self, scheduled: _Scheduled) -> None:
        spec = scheduled.spec
        try:
            child = Child.start(spec, self._command(spec))
        except OSError as error:
            self._say(f"process [{spec.name}] cannot be started: {error}")
            self._ended(ProcessExit(spec.name, 1, was_stopped=False), scheduled)
            return
        self._children[child] = scheduled.restarts
        self._selector.register(child.pidfd, selectors.EVENT_READ, (child, None))
        for stream in child.streams:
            self._selector.register(stream.file, selectors.EVENT_READ, (child, stream))
        self._say(f"process [{spec.name}] started with pid [{child.process.pid}]")

    def _command(self, spec: ProcessSpec) -> list[str]:
        return [self._parameter_file(part) if isinstance(part, InlineParameters) else part for part in spec.command]

    def _parameter_file(self, parameters: InlineParameters) -> str:
        content = {parameters.node: {"ros__parameters": dict(parameters.values)}}
        with tempfile.NamedTemporaryFile(
            "w", dir=self._parameter_directory, suffix=".yaml", delete=False, encoding="utf-8"
        ) as file:
            yaml.safe_dump(content, file)
            return file.name

    # Output

    def _on_output(self, child: Child, stream: Stream) -> None:
        if stream.is_at_end:
            return
        lines = stream.read_lines()
        if stream.is_at_end:
            self._selector.unregister(stream.file)
            stream.file.close()
        is_shown = stream.kind == STDERR or child.spec.output in ("screen", "both")
        is_logged = stream.kind == STDERR or child.spec.output in ("log", "both")
        for line in lines:
            self._write(f"[{child.spec.name}] {line}", is_shown=is_shown, is_logged=is_logged)

    def _say(self, message: str) -> None:
        self._write(f"[{_LAUNCHER}] {message}", is_shown=True, is_logged=True)

    def _write(self, line: str, *, is_shown: bool, is_logged: bool) -> None:
        targets = [(self.screen or sys.stdout) if is_shown else None, self._log if is_logged else None]
        for target in targets:
            if target is not None:
                # Whoever read the output may be gone; that must not keep the processes from an orderly end.
                with contextlib.suppress(BrokenPipeError):
                    target.write(line + "\n")
                    target.flush()

    # Ending

    def _on_exit(self, child: Child) -> None:
        self._selector.unregister(child.pidfd)
        restarts = self._children.pop(child)
        status = child.reap()
        for stream in child.streams:
            if not stream.is_at_end:
                stream.stop_waiting()
            while not stream.is_at_end:
                self._on_output(child, stream)
        meaning = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        self._say(f"process [{child.spec.name}] ended with {meaning}{' after it was stopped' * child.was_stopped}")
        ended = ProcessExit(child.spec.name, status, child.was_stopped)
        self._ended(ended, _Scheduled(child.spec, 0.0, restarts))

    def _ended(self, ended: ProcessExit, scheduled: _Scheduled) -> None:
        self._exits.append(ended)
        respawn = scheduled.spec.respawn
        if self._is_stopping:
            return
        if respawn is not None and (respawn.max_retries is None or scheduled.restarts < respawn.max_retries):
            at_s = time.monotonic() + respawn.delay_s
            self._scheduled.append(dataclasses.replace(scheduled, at_s=at_s, restarts=scheduled.restarts + 1))
        elif scheduled.spec.shutdown_on_exit:
            self._say(f"stopping all processes: [{ended.name}] has ended")
            self._stop_all()

    def _on_stop_request(self) -> None:
        os.read(self._wake[0], 1)
        if not self._is_stopping:
            self._say("stopping all processes")
        self._stop_all()

    def _stop_all(self) -> None:
        self._is_stopping = True
        self._scheduled.clear()
        for child in self._children:
            child.advance_stop()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Turns signals into requests to stop, in the main thread, where Python can handle them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            self.stop()

        previous = {number: signal.signal(number, handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _close(self) -> None:
        """Leaves nothing behind, also when an error ends the launcher."""
        for child in self._children:
            while child.stage is not StopStage.KILLED:
                child.advance_stop()
            child.reap()
        self._selector.close()
        for descriptor in self._wake:
            os.close(descriptor)
