"""How fast simulated time may run: against the wall clock, and in step with the graph that answers it."""

from __future__ import annotations

from dataclasses import dataclass

REAL_TIME = 1.0


class Pacer:
    """Keeps simulated time at most ``real_time_factor`` times as fast as the wall clock; 0: as fast as it can.

    Time lost in a stall is not made up for.
    """

    def __init__(self, real_time_factor: float) -> None:
        self._factor = real_time_factor
        self._due_s: float | None = None

    def delay_s(self, advanced_ns: int, wall_s: float, *, factor: float | None = None) -> float:
        """How long to wait after simulated time moved on by advanced_ns; wall_s: a steady clock's reading."""
        factor = self._factor if factor is None else factor
        step_s = advanced_ns * 1e-9 / factor if factor else 0.0
        due_s = wall_s if self._due_s is None else self._due_s
        self._due_s = max(due_s + step_s, wall_s)
        return self._due_s - wall_s


class Beat:
    """Whether a period of its own begins with this turn: once in each, also where it is no whole number of turns."""

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._count = 0

    def is_due(self, now_ns: int) -> bool:
        """now_ns: of this turn, in simulated time."""
        before, self._count = self._count, now_ns // self._period_ns
        return self._count != before


TICKS_WITHOUT_MOTION = 4
"""So many ticks may be answered by holds (two are, where a way to the start begins) before time runs on by itself."""


@dataclass(slots=True)
class LockstepCounters:
    """waits: ticks that were answered in time. timeouts: ticks that nobody answered while somebody had before."""

    waits: int = 0
    timeouts: int = 0


class Lockstep:
    """Whether simulated time must stand still until the graph has answered the last control tick.

    It waits only while motion has been commanded (an arm that is told to hold lives in real time): one tick that stays
    unanswered for timeout_s of wall time ends the waiting, and the next answer begins it again. So a graph that is slow
    makes the simulation slow, and a graph in which a node died meets an arm that goes on in real time, as a physical
    one does.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._tick_ns: int | None = None
        self._since_s = 0.0
        self._engaged = False
        self._ticks_without_motion = 0
        self._moved_ns = -1
        self.counters = LockstepCounters()

    @property
    def engaged(self) -> bool:
        """Whether motion has been commanded lately; always where nobody waits for commands."""
        return self._engaged or self._timeout_s is None

    def on_tick(self, stamp_ns: int, wall_s: float) -> None:
        """A control tick was measured at stamp_ns; its answer carries that stamp or a later one."""
        self._tick_ns = stamp_ns
        self._since_s = wall_s
        self._ticks_without_motion += 1
        if self._ticks_without_motion > TICKS_WITHOUT_MOTION:
            self._engaged = False

    def on_answer(self, stamp_ns: int, *, moves: bool) -> None:
        """A reference arrived that answers the observation of stamp_ns. moves: it asks for motion, not to hold.

        Motion that comes too late for its own tick begins the waiting as well: else a graph that cannot keep up with a
        real arm would never be waited for.
        """
        if moves and stamp_ns > self._moved_ns:
            self._moved_ns = stamp_ns
            self._engaged = True
            self._ticks_without_motion = 0
        if self._timeout_s is None or self._tick_ns is None or stamp_ns < self._tick_ns:
            return
        self.counters.waits += 1
        self._tick_ns = None

    def remaining_s(self, wall_s: float) -> float:
        """How much longer to wait for the answer, in seconds of wall time; 0 to go on."""
        if self._timeout_s is None or self._tick_ns is None or not self._engaged:
            return 0.0
        remaining_s = self._since_s + self._timeout_s - wall_s
        if remaining_s > 0.0:
            return remaining_s
        self._engaged = False
        self._tick_ns = None
        self.counters.timeouts += 1
        return 0.0
