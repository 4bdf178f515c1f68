"""The joints' states as they come over a network: in order or not at all, on this machine's clock, and awaited."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tenon.control.types import Vector

WINDOW_NS = 10_000_000_000
"""The clocks' offset is the smallest seen within one to two such windows: long enough for a quick message to be among
them, short enough to follow two clocks that drift."""

NUMBERS = 1 << 32
"""A publisher's messages are numbered in 32 bits, and round again."""


@dataclass(frozen=True, slots=True, eq=False)
class JointReading:
    """stamp_ns: time of measurement on this machine's clock. (n,) each, in the arm's order."""

    stamp_ns: int
    position_rad: Vector
    velocity_rad_s: Vector
    effort_nm: Vector


@dataclass(slots=True)
class ReadingCounters:
    """old: readings that came twice, or after a newer one. late: that were under way for too long. bad: with values
    that are missing or not finite. mixed: newer by their time but not by their number, so of another publisher."""

    taken: int = 0
    old: int = 0
    late: int = 0
    bad: int = 0
    mixed: int = 0


class ClockOffset:
    """This machine's clock minus the robot's, from the messages that were quickest; what transport takes at least is
    part of it."""

    def __init__(self) -> None:
        self._window_end_ns: int | None = None
        self._present_ns: int | None = None
        self._past_ns: int | None = None

    def update(self, sent_ns: int, arrived_ns: int) -> int:
        """Takes one message into account. Returns the offset in ns."""
        difference_ns = arrived_ns - sent_ns
        if self._window_end_ns is None or arrived_ns >= self._window_end_ns:
            self._past_ns, self._present_ns = self._present_ns, None
            self._window_end_ns = arrived_ns + WINDOW_NS
        self._present_ns = difference_ns if self._present_ns is None else min(self._present_ns, difference_ns)
        return self._present_ns if self._past_ns is None else min(self._present_ns, self._past_ns)


class Readings:
    """``take`` on the thread that receives, ``wait`` on the one that controls."""

    def __init__(self, joint_names: Sequence[str], late_s: float, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """late_s: a reading that was under way longer than the quickest by this much is not believed."""
        self._names = tuple(joint_names)
        self._late_ns = round(1e9 * late_s)
        self._clock_ns = clock_ns
        self._arrived = threading.Condition()
        self.forget()

    def forget(self) -> None:
        """Starts anew, with the clock of a robot that has been rebooted."""
        with self._arrived:
            self._offset = ClockOffset()
            self._newest: JointReading | None = None
            self._handed_out = True
            self._stamp_ns = 0
            self._number: int | None = None
            self.counters = ReadingCounters()
            self._at_newest = ReadingCounters()

    def take(self, msg: Any) -> None:
        """A sensor_msgs/JointState. Those of other joints are passed over."""
        index = {name: place for place, name in enumerate(msg.name)}
        if not any(name in index for name in self._names):
            return
        arrived_ns, sent_ns = self._clock_ns(), msg.header.stamp.to_nsec()
        values = self._values(msg, index)
        with self._arrived:
            if values is None:
                self.counters.bad += 1
                return
            if sent_ns <= self._stamp_ns:
                self.counters.old += 1
                return
            if self._number is not None and 0 < (self._number - msg.header.seq) % NUMBERS < NUMBERS // 2:
                self.counters.mixed += 1
            self._stamp_ns, self._number = sent_ns, msg.header.seq
            stamp_ns = sent_ns + self._offset.update(sent_ns, arrived_ns)
            if arrived_ns - stamp_ns > self._late_ns:
                self.counters.late += 1
                return
            self.counters.taken += 1
            self._at_newest = replace(self.counters)
            self._newest, self._handed_out = JointReading(stamp_ns, *values), False
            self._arrived.notify_all()

    def refused(self) -> ReadingCounters:
        """What came since the newest reading and could not be used."""
        with self._arrived:
            now, then = self.counters, self._at_newest
            return ReadingCounters(0, now.old - then.old, now.late - then.late, now.bad - then.bad)

    def wait(self, timeout_s: float) -> JointReading | None:
        """The next reading that nobody has had; None where none came in time."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: not self._handed_out, timeout_s):
                return None
            self._handed_out = True
            return self._newest

    def _values(self, msg: Any, index: dict[str, int]) -> tuple[Vector, Vector, Vector] | None:
        try:
            order = [index[name] for name in self._names]
            values = np.array(
                [[column[place] for place in order] for column in (msg.position, msg.velocity, msg.effort)]
            )
        except (KeyError, IndexError):
            return None
        return (values[0], values[1], values[2]) if np.isfinite(values).all() else None
