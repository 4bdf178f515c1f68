"""Watches the rate of a stream, over windows of a second."""

from __future__ import annotations

_WINDOW_NS = 1_000_000_000


class RateWatch:
    """Tells once a second whether a stream came slower than it must."""

    def __init__(self, minimum_hz: float) -> None:
        self._minimum_hz = minimum_hz
        self._begin_ns: int | None = None
        self._count = 0

    def add(self, now_ns: int) -> float | None:
        """Counts one sample. Returns the measured rate, in Hz, when a window ends below the minimum; else None."""
        if self._begin_ns is None:
            self._begin_ns = now_ns
            return None
        self._count += 1
        elapsed_ns = now_ns - self._begin_ns
        if elapsed_ns < _WINDOW_NS:
            return None
        rate_hz = self._count * 1e9 / elapsed_ns
        self._begin_ns, self._count = now_ns, 0
        return rate_hz if rate_hz < self._minimum_hz else None
