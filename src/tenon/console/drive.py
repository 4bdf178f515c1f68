"""Messages of the on-screen control: what they ask for, and whether they have come in time to move anything."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from tenon.configuration.teleop import AXES

LATE_S = 0.2
"""A message that was under way for so much longer than the quickest one moves nothing."""
CLOCK_DRIFT = 1e-4
"""How much slower than the console's a browser's clock may go: seconds per second."""


@dataclass(frozen=True, slots=True)
class DriveMessage:
    """sent_s: by the browser's own clock. deflection: six parts of the full speeds, each in [-1, 1]; None: it only
    tells the time.
    """

    sent_s: float
    deflection: tuple[float, ...] | None


def parse_message(text: str) -> DriveMessage | None:
    """None for what is no message. Deflections are cut to [-1, 1]; those that make no sense are no motion."""
    try:
        content = json.loads(text)
        sent_s = float(content["sent_ms"]) * 1e-3
        deflection = content.get("deflection")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if not math.isfinite(sent_s):
        return None
    return DriveMessage(sent_s, None if deflection is None else _cut(deflection))


class Punctuality:
    """Of the messages of one connection: how much longer than the quickest of them each was under way.

    So the clocks of browser and console may differ by any amount.
    """

    def __init__(self) -> None:
        self._least_offset_s = math.inf
        self._newest_sent_s = -math.inf
        self._checked_s = 0.0

    def is_in_time(self, sent_s: float, now_s: float) -> bool:
        """sent_s: by the browser's clock. now_s: steady. A message that was sent before another one is late as well."""
        offset_s = now_s - sent_s
        self._least_offset_s = min(offset_s, self._least_offset_s + CLOCK_DRIFT * (now_s - self._checked_s))
        self._checked_s = now_s
        is_newest = sent_s >= self._newest_sent_s
        self._newest_sent_s = max(self._newest_sent_s, sent_s)
        return is_newest and offset_s - self._least_offset_s <= LATE_S


def _cut(values: object) -> tuple[float, ...]:
    no_motion = (0.0,) * len(AXES)
    if not isinstance(values, list) or len(values) != len(AXES):
        return no_motion
    try:
        numbers = [float(value) for value in values]
    except (ValueError, TypeError):
        return no_motion
    if not all(map(math.isfinite, numbers)):
        return no_motion
    return tuple(max(-1.0, min(1.0, number)) for number in numbers)
