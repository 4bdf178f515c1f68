"""What experiments measure: rows, learning curves, and the conditions of a bar."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tenon.experiments.statistics import mean_interval

Relation = Literal[">=", "<=", ">"]
_COMPARE: Mapping[Relation, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One number that one run ended with."""

    method: str
    setting: str
    seed: int
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One number on the way. step: offline updates plus steps in the environment so far."""

    method: str
    setting: str
    seed: int
    metric: str
    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric of one method in one setting, over seeds."""

    method: str
    setting: str
    metric: str
    mean: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of a bar. measured: None where the runs that it needs are missing."""

    condition: str
    relation: Relation
    threshold: float
    measured: float | None

    @property
    def met(self) -> bool:
        # A comparison with NaN is false, so a number that is none meets nothing.
        return self.measured is not None and _COMPARE[self.relation](self.measured, self.threshold)


class Results:
    """Rows and curves of all runs that have finished, to be asked by method, setting and metric."""

    def __init__(self, rows: Iterable[Row], curve: Iterable[CurvePoint]) -> None:
        self.rows = tuple(rows)
        self.curve = tuple(curve)

    def values(self, method: str, setting: str, metric: str) -> dict[int, float]:
        """Seed -> value, of the runs that finished."""
        wanted = (method, setting, metric)
        return {row.seed: row.value for row in self.rows if (row.method, row.setting, row.metric) == wanted}

    def mean(self, method: str, setting: str, metric: str) -> float | None:
        """Mean over seeds; None without runs."""
        values = self.values(method, setting, metric)
        return float(np.mean(list(values.values()))) if values else None

    def curves(self, method: str, setting: str, metric: str) -> dict[int, dict[int, float]]:
        """Seed -> step -> value."""
        found: dict[int, dict[int, float]] = {}
        for point in self.curve:
            if (point.method, point.setting, point.metric) == (method, setting, metric):
                found.setdefault(point.seed, {})[point.step] = point.value
        return found

    def mean_at(self, method: str, setting: str, metric: str, step: int) -> float | None:
        """Mean over seeds of the learning curve at the first evaluation from ``step`` on; None where one has none."""
        curves = self.curves(method, setting, metric)
        reached = [[s for s in curve if s >= step] for curve in curves.values()]
        if not curves or not all(reached):
            return None
        pairs = zip(curves.values(), reached, strict=True)
        return float(np.mean([curve[min(steps)] for curve, steps in pairs]))


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """One entry per (method, setting, metric), in the order of first appearance."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        groups.setdefault((row.method, row.setting, row.metric), []).append(row.value)
    summaries = []
    for key, values in groups.items():
        interval = mean_interval(values)
        summaries.append(Summary(*key, interval.mean, interval.low, interval.high, len(values)))
    return summaries


def at_least(condition: str, measured: float | None, threshold: float) -> Condition:
    return Condition(condition, ">=", threshold, measured)


def at_most(condition: str, measured: float | None, threshold: float) -> Condition:
    return Condition(condition, "<=", threshold, measured)


def above(condition: str, measured: float | None, threshold: float) -> Condition:
    return Condition(condition, ">", threshold, measured)


def difference(a: float | None, b: float | None) -> float | None:
    """a - b; None where one is missing."""
    return None if a is None or b is None else a - b
