"""The interval of a mean over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
_BISECTIONS = 200


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean and its 95 % confidence interval. low, high: None where one value alone gives no interval."""

    mean: float
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float]) -> MeanInterval:
    """Student's interval of the mean: mean +- t_{0.975, n-1} s / sqrt(n). It is not clipped, not even for rates.

    Raises ValueError for no values.
    """
    count = len(values)
    if count == 0:
        raise ValueError("no values: a mean needs one at least")
    mean = math.fsum(values) / count
    if count == 1:
        return MeanInterval(mean, None, None)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    half = student_quantile(count - 1) * math.sqrt(variance / count)
    return MeanInterval(mean, mean - half, mean + half)


def student_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """t such that Student's variable of ``degrees`` of freedom lies in [-t, t] with probability ``confidence``."""
    low, high = 0.0, 1.0
    while _within(high, degrees) < confidence:
        high *= 2.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _within(middle, degrees) < confidence else (low, middle)
    return high


def _within(t: float, degrees: int) -> float:
    """P(|T| <= t), a finite sum: Abramowitz and Stegun, 26.7.3 (odd) and 26.7.4 (even degrees)."""
    angle = math.atan(t / math.sqrt(degrees))
    odd = degrees % 2 == 1
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(1 if odd else 0, degrees - 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (k + 1) / (k + 2)
    if odd:
        return 2.0 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
