"""Which transitions of a replay follow one another: the numbers, cut into spans of one episode without a gap.

Hindsight goals and n-step returns look ahead within an episode. Steps that came late or out of order are spans of their
own, so that looking ahead never meets a step of another episode, nor jumps over one that is missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1024


class EpisodeSpans:
    """Every number belongs to exactly one span, so the first numbers of the spans, in order, say it all.

    One thread may add while another looks up: a look-up sees the numbers below its ``window`` alone, and takes the list
    as it is at one moment.
    """

    def __init__(self, rows: NDArray[np.void]):
        """rows: what the replay holds already, in order of ``number``."""
        starts = _starts(rows)
        self._buffer = np.empty(max(_SMALLEST, 2 * len(starts)), dtype=np.int64)
        self._buffer[: len(starts)] = starts
        self._view = self._buffer[: len(starts)]
        last = rows[-1] if len(rows) else None
        self._next = None if last is None or last["ended"] else _following(*(int(last[name]) for name in _KEY))

    def add(self, number: int, session: int, episode: int, step: int, *, ended: bool, oldest: int) -> None:
        """Notes transition ``number``, one more than the last; ``oldest``: spans that end before it are forgotten."""
        if (session, episode, step) != self._next:
            self._append(number, oldest)
        self._next = None if ended else _following(session, episode, step)

    def around(self, numbers: NDArray[np.int64], window: range) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last transition of the spans that hold ``numbers``, (batch,) each, as far as ``window`` goes.

        They depend on the transitions of the window alone, whatever came in after it.
        """
        starts = self._view
        following = np.searchsorted(starts, numbers, side="right")
        first = np.maximum(starts[following - 1], window.start)
        after = starts[np.minimum(following, len(starts) - 1)]
        after[following == len(starts)] = window.stop
        return first, np.minimum(after, window.stop) - 1

    def _append(self, number: int, oldest: int) -> None:
        count = len(self._view)
        if count == len(self._buffer):
            kept = self._view[max(0, int(np.searchsorted(self._view, oldest, side="right")) - 1) :]
            self._buffer = np.empty(max(_SMALLEST, 2 * len(kept)), dtype=np.int64)
            self._buffer[: len(kept)] = kept
            count = len(kept)
        self._buffer[count] = number
        self._view = self._buffer[: count + 1]


_KEY = ("session", "episode", "step")


def _following(session: int, episode: int, step: int) -> tuple[int, int, int]:
    return session, episode, step + 1


def _starts(rows: NDArray[np.void]) -> NDArray[np.int64]:
    """Numbers of the rows that do not go on from the row before them."""
    if not len(rows):
        return np.empty(0, dtype=np.int64)
    before, after = rows[:-1], rows[1:]
    goes_on = (
        (before["session"] == after["session"])
        & (before["episode"] == after["episode"])
        & (before["step"].astype(np.int64) + 1 == after["step"])
        & ~before["ended"]
    )
    begins = np.concatenate(([True], ~goes_on))
    return rows["number"][begins].astype(np.int64)
