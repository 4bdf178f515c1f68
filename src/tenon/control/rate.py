"""Watches the rate of a stream, over windows of a second."""

from __future__ import annotations

_WINDOW_NS = 1_000_000_000


class RateWatch:
    """Tells once a second how fast a stream came."""

    def __init__(self) -> None:
        self._begin_ns: int | None = None
        self._count = 0

    def add(self, now_ns: int) -> float | None:
        """Counts one sample. Returns the measured rate, in Hz, when a window ends; else None."""
        if self._begin_ns is None:
            self._begin_ns = now_ns
            return None
        self._count += 1
        elapsed_ns = now_ns - self._begin_ns
        if elapsed_ns < _WINDOW_NS:
            return None
        rate_hz = self._count * 1e9 / elapsed_ns
        self._begin_ns, self._count = now_ns, 0
        return rate_hz
