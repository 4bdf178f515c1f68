"""One child process of the launcher: its group, its output, its way to the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import IO

from embedded_ros2.launch import exec_wrapper
from embedded_ros2.launch.specification import ProcessSpec

_READ_SIZE = 65536
STDOUT, STDERR = "stdout", "stderr"


class StopStage(IntEnum):
    """How far stopping has gone."""

    RUNNING = 0
    INTERRUPTED = 1
    TERMINATED = 2
    KILLED = 3


_SIGNALS = {
    StopStage.INTERRUPTED: signal.SIGINT,
    StopStage.TERMINATED: signal.SIGTERM,
    StopStage.KILLED: signal.SIGKILL,
}


@dataclass(slots=True, eq=False)
class Stream:
    """An output of a child; keeps the line that is not complete yet."""

    kind: str
    file: IO[bytes]
    rest: bytes = b""
    is_at_end: bool = False

    def read_lines(self) -> list[str]:
        """Returns the lines that have arrived; at the end of the stream also an incomplete one."""
        try:
            data = os.read(self.file.fileno(), _READ_SIZE)
        except BlockingIOError:
            data = b""
        *lines, self.rest = (self.rest + data).split(b"\n")
        if not data:
            self.is_at_end = True
            lines += [self.rest] if self.rest else []
            self.rest = b""
        return [line.decode(errors="replace") for line in lines]

    def stop_waiting(self) -> None:
        """Makes the stream end with what has arrived, even if somebody still holds its other end open."""
        os.set_blocking(self.file.fileno(), False)


@dataclass(slots=True, eq=False)
class Child:
    """A started process. It leads a session of its own: Ctrl-C in the terminal reaches only the launcher."""

    spec: ProcessSpec
    process: subprocess.Popen[bytes]
    pidfd: int
    streams: list[Stream]
    stage: StopStage = StopStage.RUNNING
    next_stage_at_s: float = field(default=0.0)

    @classmethod
    def start(cls, spec: ProcessSpec, command: list[str]) -> Child:
        """Starts the process. It dies with the thread that calls this (Linux' PR_SET_PDEATHSIG)."""
        wrapper = [sys.executable, "-I", "-S", str(Path(exec_wrapper.__file__)), str(os.getpid())]
        process = subprocess.Popen(
            wrapper + command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=spec.directory,
            env=dict(spec.environment),
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        streams = [Stream(STDOUT, process.stdout), Stream(STDERR, process.stderr)]
        return cls(spec, process, os.pidfd_open(process.pid), streams)

    @property
    def was_stopped(self) -> bool:
        return self.stage is not StopStage.RUNNING

    def advance_stop(self) -> None:
        """Sends the next of SIGINT, SIGTERM and SIGKILL to the process and its descendants."""
        if self.stage is StopStage.KILLED:
            return
        self.stage = StopStage(self.stage + 1)
        self._signal(_SIGNALS[self.stage])
        wait_s = {
            StopStage.INTERRUPTED: self.spec.sigterm_timeout_s,
            StopStage.TERMINATED: self.spec.sigkill_timeout_s,
        }.get(self.stage, float("inf"))
        self.next_stage_at_s = time.monotonic() + wait_s

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def reap(self) -> int:
        """Collects the exit status of the process, which has ended, and kills descendants that it left behind.

        :return: exit status; negative for the number of the signal that ended it.
        """
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        self._signal(signal.SIGKILL)  # before the status is collected: until then the group's number is not reused
        status = self.process.wait()
        os.close(self.pidfd)
        return status
