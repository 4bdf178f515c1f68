"""Series of numbers for plots, of bounded size however long the console runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class RecentHistory:
    """The samples of the last ``span_s`` seconds, and never more than ``most``."""

    def __init__(self, names: Sequence[str], *, span_s: float, most: int) -> None:
        self.names = tuple(names)
        self._span_s = span_s
        self._samples: deque[tuple[float, tuple[float, ...]]] = deque(maxlen=most)

    def add(self, time_s: float, values: Sequence[float]) -> None:
        """One sample. Raises ValueError for another number of values than names."""
        if len(values) != len(self.names):
            raise ValueError(f"{len(values)} values for {', '.join(self.names)}")
        self._samples.append((time_s, tuple(values)))
        while self._samples and time_s - self._samples[0][0] > self._span_s:
            self._samples.popleft()

    def clear(self) -> None:
        self._samples.clear()

    def series(self, now_s: float) -> dict[str, list[tuple[float, float]]]:
        """By name: pairs of age (negative seconds) and value, oldest first; those older than the span are left out."""
        recent = [(time_s - now_s, values) for time_s, values in self._samples if now_s - time_s <= self._span_s]
        return {name: [(age_s, values[i]) for age_s, values in recent] for i, name in enumerate(self.names)}

    def newest(self) -> tuple[float, ...] | None:
        return self._samples[-1][1] if self._samples else None


class Curve:
    """A curve from its beginning on: where it gets too long, every other point goes, so that its size is bounded."""

    def __init__(self, most: int) -> None:
        if most < 2:
            raise ValueError(f"a curve of {most} points: 2 or more are needed")
        self._most = most
        self._stride = 1
        self._count = 0
        self._points: list[tuple[float, float]] = []
        self._last: tuple[float, float] | None = None

    def add(self, x: float, y: float) -> None:
        self._last = (x, y)
        if self._count % self._stride == 0:
            self._points.append((x, y))
            if len(self._points) > self._most:
                self._points = self._points[::2]
                self._stride *= 2
        self._count += 1

    def points(self) -> list[tuple[float, float]]:
        """Pairs of x and y, in order; the newest is always among them."""
        if self._last is None or self._points[-1] == self._last:
            return list(self._points)
        return [*self._points, self._last]
