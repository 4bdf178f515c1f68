"""A person at the keyboard of a terminal, played by a script that looks at the graph and types."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tenon_msgs.msg import Observation, SessionState

from tenon_graph import contract
from tenon_session.testing.probe import Probe

TYPING_PERIOD_S = 0.04
"""As a terminal repeats a key that is held."""
ALIGNED_MM, FINE_MM = 0.25, 2.0
"""Sideways errors below the first are left alone, below the second corrected by fine keys."""
CONNECTED_TICKS = 3
STUCK_S, PROGRESS_MM, LIFT_MM = 2.0, 0.3, 2.0
AROUND_MM = (
    (0.0, 0.0),
    (0.6, 0.0),
    (-0.6, 0.0),
    (0.0, 0.6),
    (0.0, -0.6),
    (0.6, 0.6),
    (-0.6, 0.6),
    (-0.6, -0.6),
    (0.6, -0.6),
)
"""Where the socket is looked for in turn: a goal is off by up to 1 mm, which nobody is shown."""
UP, DOWN, SUCCESS = "r", "f", "\r"
SIDEWAYS = (("s", "w"), ("d", "a"))
"""Keys towards minus and plus of x and y, as config/teleop/keyboard.yaml has them."""


class Typist:
    """Inserts a plug by the keyboard: over the socket first, then down, and Enter once the connection holds.

    Where the plug goes no further down, it is lifted and tried beside. keys: file descriptor of the person's end of a
    terminal.
    """

    def __init__(self, probe: Probe, keys: int) -> None:
        self._probe = probe
        self._keys = keys
        self._connected_ticks = 0
        self._judged_ns = 0
        self._episode = self._marked_episode = -1
        self._begin_search()

    def type_until(self, done: threading.Event) -> None:
        """Plays until the event is set."""
        while not done.wait(TYPING_PERIOD_S):
            keys = self._next_keys()
            if keys:
                with contextlib.suppress(OSError):  # the program at the other end has ended
                    os.write(self._keys, keys.encode())

    def _next_keys(self) -> str:
        seen, session = self._probe.last(contract.OBSERVATION), self._probe.session
        if seen is None or session.phase != SessionState.RUNNING or seen.episode != session.episode:
            return ""
        if session.episode == self._marked_episode:
            return ""
        if self._holds(seen):
            self._marked_episode, self._connected_ticks = session.episode, 0
            return SUCCESS
        if session.episode != self._episode:
            self._episode = session.episode
            self._begin_search()
        return self._towards_the_socket(seen)

    def _holds(self, seen: Observation) -> bool:
        stamp_ns = seen.header.stamp.sec * 10**9 + seen.header.stamp.nanosec
        if stamp_ns != self._judged_ns:
            self._judged_ns = stamp_ns
            self._connected_ticks = self._connected_ticks + 1 if seen.electrical else 0
        return self._connected_ticks >= CONNECTED_TICKS

    def _begin_search(self) -> None:
        self._places = itertools.cycle(AROUND_MM)
        self._try_next_place()

    def _try_next_place(self) -> None:
        self._place_mm = next(self._places)
        self._lowest_mm, self._lowest_at_s = math.inf, 0.0
        self._lifts = False

    def _towards_the_socket(self, seen: Observation) -> str:
        height_mm, now_s = 1e3 * seen.state[2], seen.header.stamp.sec + 1e-9 * seen.header.stamp.nanosec
        if self._lifts and height_mm > self._lowest_mm + LIFT_MM:
            self._try_next_place()
        if self._lifts:
            return UP
        keys = self._sideways(seen)
        if keys:
            return keys
        if height_mm < self._lowest_mm - PROGRESS_MM:
            self._lowest_mm, self._lowest_at_s = height_mm, now_s
        self._lifts = now_s - self._lowest_at_s > STUCK_S
        return DOWN

    def _sideways(self, seen: Observation) -> str:
        keys = ""
        for at_m, place_mm, (minus, plus) in zip(seen.state[:2], self._place_mm, SIDEWAYS, strict=True):
            error_mm = 1e3 * at_m - place_mm
            if abs(error_mm) > ALIGNED_MM:
                key = minus if error_mm > 0 else plus
                keys += key.upper() if abs(error_mm) < FINE_MM else key
        return keys


@contextmanager
def in_a_terminal(arguments: Sequence[str], log: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`tenon` in the foreground of a terminal of its own; gives the process and the person's end. log: takes its
    standard output and error."""
    hand, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tenon.cli.main", *arguments],
        stdin=terminal,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    try:
        yield process, hand
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30.0)
        process.kill()
        process.wait()
        for descriptor in (hand, terminal):
            os.close(descriptor)


def _take_terminal() -> None:
    """Makes standard input the controlling terminal, so that this process is its foreground job."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def play(probe: Probe, process: subprocess.Popen[bytes], keys: int, timeout_s: float) -> int:
    """Types until the process ends; returns its exit status. Raises TimeoutError."""
    done = threading.Event()
    typist = threading.Thread(target=Typist(probe, keys).type_until, args=(done,), daemon=True)
    probe.listen(contract.OBSERVATION)
    typist.start()
    deadline_s = time.monotonic() + timeout_s
    try:
        while process.poll() is None:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"it goes on after {timeout_s:g} s. {probe.describe()}")
            time.sleep(TYPING_PERIOD_S)
    finally:
        done.set()
        typist.join()
    return int(process.returncode)
