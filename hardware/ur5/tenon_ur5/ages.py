"""How old a reading is, by two clocks that know nothing of each other."""

from __future__ import annotations

import math

CLOCK_DRIFT = 2e-4
"""How much slower than this machine's clock the controller's may go: twice what two quartzes differ by."""


class Ages:
    """Of the readings of one connection: how much longer than the quickest of them each was under way."""

    def __init__(self) -> None:
        self._least_offset_s = math.inf
        self._newest_s = 0.0

    def age_s(self, timestamp_s: float, now_s: float) -> float:
        """timestamp_s: by the controller's clock. now_s: by this machine's, steady."""
        offset_s = now_s - timestamp_s
        self._least_offset_s = min(offset_s, self._least_offset_s + CLOCK_DRIFT * (now_s - self._newest_s))
        self._newest_s = now_s
        return offset_s - self._least_offset_s
