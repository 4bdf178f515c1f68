"""Which episode a message belongs to, when an episode's file begins and when it is whole.

A session's topics arrive each in its own order, not in that of all together: under load the word that an episode runs
may come after its first transitions, its summary before its last ones, the next episode's beginning before either. The
files of learning data must not suffer from that: this sorts by the numbers in the messages, not by their arrival.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

PATIENCE_NS = 2_000_000_000
"""How long the next episode waits for what is missing of the last one."""

BeginT = TypeVar("BeginT")
EndT = TypeVar("EndT")


class EpisodeSorter(Generic[BeginT, EndT]):
    """Calls begin, write and end, one episode at a time, episodes in the order of their numbers.

    begin(announcement) opens an episode. write(data) stores one of its transitions. end(summary, complete) closes it;
    summary is None for an episode that was never summed up, complete tells whether all of its transitions came.
    open: number of the episode whose file is open, None between episodes.
    """

    def __init__(
        self,
        begin: Callable[[BeginT], None],
        write: Callable[[bytes], None],
        end: Callable[[EndT | None, bool], None],
    ) -> None:
        self._begin, self._write, self._end = begin, write, end
        self._announced: dict[int, tuple[BeginT | None, int]] = {}
        self._waiting: dict[int, list[bytes]] = {}
        self._summaries: dict[int, tuple[EndT, int]] = {}
        self._steps = 0
        self._last = -1
        self.open: int | None = None

    def on_begin(self, episode: int, announcement: BeginT | None, now_ns: int) -> None:
        """An episode runs. announcement: None for one that is not to be kept. A second one of the same is ignored."""
        if episode > self._last:
            self._announced.setdefault(episode, (announcement, now_ns))
        self._advance()

    def on_transition(self, episode: int, data: bytes) -> None:
        """A step of an episode, in the order of steps."""
        if episode == self.open:
            self._store(data)
        elif episode > self._last:
            self._waiting.setdefault(episode, []).append(data)
        self._advance()

    def on_summary(self, episode: int, summary: EndT, steps: int) -> None:
        """An episode has ended after so many steps."""
        if episode >= self._last:
            self._summaries[episode] = (summary, steps)
        self._advance()

    def tick(self, now_ns: int) -> None:
        """To be called now and then: an episode that never becomes whole must not hold up the next one for good."""
        if any(now_ns - since_ns > PATIENCE_NS for _, since_ns in self._announced.values()):
            self._give_up()
            self._advance()

    def close(self) -> None:
        """Nothing more will come."""
        self._give_up()

    def _advance(self) -> None:
        while self._finish() or self._start():
            pass

    def _finish(self) -> bool:
        summary, steps = self._summaries.get(self.open, (None, 0)) if self.open is not None else (None, 0)
        if summary is None or self._steps < steps:
            return False
        self._close(summary, complete=True)
        return True

    def _give_up(self) -> None:
        if self.open is not None:
            self._close(self._summaries.get(self.open, (None, 0))[0], complete=False)

    def _close(self, summary: EndT | None, *, complete: bool) -> None:
        self.open = None
        self._end(summary, complete)

    def _start(self) -> bool:
        if self.open is not None or not self._announced:
            return False
        self._last = min(self._announced)
        announcement, _ = self._announced.pop(self._last)
        early = self._waiting.pop(self._last, [])
        if announcement is not None:
            self.open, self._steps = self._last, 0
            self._begin(announcement)
            for data in early:
                self._store(data)
        self._forget()
        return True

    def _forget(self) -> None:
        """What belongs to episodes that are over."""
        self._waiting = {number: kept for number, kept in self._waiting.items() if number > self._last}
        self._summaries = {number: kept for number, kept in self._summaries.items() if number >= self._last}

    def _store(self, data: bytes) -> None:
        self._steps += 1
        self._write(data)
