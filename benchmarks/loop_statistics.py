"""Samples of a benchmark, by what was measured and in which state, and what they come to."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil

MS_PER_S = 1e3
LEAST_FOR_P99 = 100
LEAST_FOR_P999 = 1000


class State(enum.StrEnum):
    """What the trainer does. IDLE: there is none, the policy is frozen. TRAINING: it updates without pause."""

    IDLE = "idle"
    TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Distribution:
    """p99 of fewer than 100 samples and p999 of fewer than 1000 would only be the maximum: they are None."""

    count: int
    p50: float
    p99: float | None
    p999: float | None
    maximum: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Distribution:
        """samples: at least one, in any unit."""
        p50, p99, p999 = (float(value) for value in np.percentile(np.asarray(samples), (50.0, 99.0, 99.9)))
        count = len(samples)
        return cls(
            count,
            p50,
            p99 if count >= LEAST_FOR_P99 else None,
            p999 if count >= LEAST_FOR_P999 else None,
            float(max(samples)),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A distribution of durations in milliseconds."""

    section: str
    name: str
    state: State
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class Figure:
    """A single number."""

    section: str
    name: str
    state: State
    value: float
    unit: str


class Results:
    """Collects over rounds that take turns between the states; keeps the order in which things were first named."""

    def __init__(self) -> None:
        self._samples_ms: dict[tuple[str, str, State], list[float]] = defaultdict(list)
        self._figures: dict[tuple[str, str, State], tuple[str, list[float]]] = {}

    def add(self, section: str, name: str, state: State, durations_s: Sequence[float]) -> None:
        self._samples_ms[section, name, state] += [duration_s * MS_PER_S for duration_s in durations_s]

    def add_figure(self, section: str, name: str, state: State, value: float, unit: str) -> None:
        """A number of one round; the rounds' median counts."""
        self._figures.setdefault((section, name, state), (unit, []))[1].append(value)

    def rows(self) -> list[Row]:
        return [Row(*key, Distribution.of(samples)) for key, samples in self._samples_ms.items() if samples]

    def figures(self) -> list[Figure]:
        return [Figure(*key, float(np.median(values)), unit) for key, (unit, values) in self._figures.items()]

    def to_json(self) -> dict[str, Any]:
        return {
            "durations_ms": [{**asdict(row), "distribution": asdict(row.distribution)} for row in self.rows()],
            "figures": [asdict(figure) for figure in self.figures()],
        }


class CpuMeter:
    """CPU seconds (user and system) of processes between ``start`` and ``seconds``. processes: name -> process id."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self._begin_s = {name: _cpu_s(process) for name, process in self._processes.items()}

    def seconds(self) -> dict[str, float]:
        """Since this meter was made. Raises psutil.NoSuchProcess for a process that has ended."""
        return {name: _cpu_s(process) - self._begin_s[name] for name, process in self._processes.items()}


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
