"""What an experiment is: a list of independent runs, how one of them goes, and the bar that their results must pass."""

from __future__ import annotations

import json
import math
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from tenon.configuration import Config
from tenon.data.mapped_array import write_beside
from tenon.experiments.results import Condition, CurvePoint, Results, Row, at_least

SEEDS = 3
_CURVE = "curve.json"
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9.+=-]+")


class ExperimentError(RuntimeError):
    """An experiment that cannot run. The message says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run. minutes: what it is expected to take of one core, so that long ones start first."""

    method: str
    setting: str
    seed: int
    minutes: float

    @property
    def name(self) -> str:
        return f"{self.method} / {self.setting} / seed {self.seed}"

    @property
    def key(self) -> str:
        """The name of its file, without suffix."""
        parts = (self.method, self.setting, f"seed{self.seed}")
        return "__".join(_NOT_IN_FILE_NAMES.sub("-", part) for part in parts)


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a finished run leaves behind."""

    job: Job
    rows: tuple[Row, ...]
    curve: tuple[CurvePoint, ...]
    cpu_s: float
    wall_s: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> JobResult:
        """Raises KeyError, TypeError or ValueError for anything that ``to_json`` has not made."""
        return cls(
            job=Job(**data["job"]),
            rows=tuple(Row(**row) for row in data["rows"]),
            curve=tuple(CurvePoint(**point) for point in data["curve"]),
            cpu_s=float(data["cpu_s"]),
            wall_s=float(data["wall_s"]),
        )


class JobContext:
    """What a run is given: a folder that survives an interruption, and where to tell how far it is.

    Points of the learning curve are on disk before ``record`` returns; a run that starts again finds them.
    """

    def __init__(
        self,
        job: Job,
        directory: Path,
        on_progress: Callable[[float], None] = lambda fraction: None,
        on_record: Callable[[int, dict[str, float]], None] = lambda step, metrics: None,
    ) -> None:
        self.job = job
        self.directory = directory
        self.progress = on_progress
        self._on_record = on_record
        self._started_s, self._cpu_started_s = time.monotonic(), time.process_time()
        self._wall_before_s = self._cpu_before_s = 0.0
        self._points: list[CurvePoint] = []
        self._load()

    def has_recorded(self, step: int) -> bool:
        """Whether the evaluation at ``step`` is there already."""
        return any(point.step == step for point in self._points)

    def record(self, step: int, **metrics: float) -> None:
        """Adds points of the learning curve. Raises ExperimentError for a number that is not finite."""
        job = self.job
        for metric, value in metrics.items():
            _require_finite(job, metric, value)
            self._points.append(CurvePoint(job.method, job.setting, job.seed, metric, step, value))
        self._save()
        self._on_record(step, metrics)

    @property
    def points(self) -> tuple[CurvePoint, ...]:
        """The learning curve so far, in the order of recording."""
        return tuple(self._points)

    def rows(self, **metrics: float | None) -> list[Row]:
        """One row per metric; None leaves it out (the mean steps to success where nothing succeeded)."""
        job = self.job
        given = {name: value for name, value in metrics.items() if value is not None}
        return [Row(job.method, job.setting, job.seed, name, value) for name, value in given.items()]

    def result(self, rows: Sequence[Row]) -> JobResult:
        """Raises ExperimentError for a number that is not finite."""
        for row in rows:
            _require_finite(self.job, row.metric, row.value)
        return JobResult(self.job, tuple(rows), tuple(self._points), self._cpu_s(), self._wall_s())

    def _cpu_s(self) -> float:
        return self._cpu_before_s + time.process_time() - self._cpu_started_s

    def _wall_s(self) -> float:
        return self._wall_before_s + time.monotonic() - self._started_s

    def _load(self) -> None:
        path = self.directory / _CURVE
        if not path.exists():
            return
        data = json.loads(path.read_bytes())
        self._points = [CurvePoint(**point) for point in data["points"]]
        self._cpu_before_s, self._wall_before_s = data["cpu_s"], data["wall_s"]

    def _save(self) -> None:
        data = {"points": [asdict(p) for p in self._points], "cpu_s": self._cpu_s(), "wall_s": self._wall_s()}
        write_beside(self.directory / _CURVE, json.dumps(data).encode())


SizeT = TypeVar("SizeT", bound=Config)


class Experiment(ABC, Generic[SizeT]):
    """A reproduction. It is pickled to worker processes, so it holds its size and nothing else.

    name: on the command line. shows: one line on what it proves. source: the section of the specification.
    plotted: the metric of the plot. keeps_work: whether the folders of finished runs, with their trainers, stay.
    """

    name: ClassVar[str]
    shows: ClassVar[str]
    source: ClassVar[str]
    plotted: ClassVar[str] = "success"
    keeps_work: ClassVar[bool] = False

    def __init__(self, size: SizeT) -> None:
        self.size = size

    @classmethod
    @abstractmethod
    def small(cls) -> Experiment[Any]:
        """At the size that fits two cores."""

    @classmethod
    @abstractmethod
    def full(cls) -> Experiment[Any]:
        """At the paper's size. Raises ExperimentError, which names what is missing, where it cannot be done."""

    def with_data(self, folder: Path) -> Experiment[Any]:
        """The same on data of a person's own. Raises ExperimentError where an experiment makes its data itself."""
        raise ExperimentError(f"{self.name} makes its own data: run it without --data {folder}")

    def require(self) -> None:
        """Before anything runs: raises ExperimentError where what it is made from is missing."""

    @abstractmethod
    def jobs(self, seeds: int) -> list[Job]:
        """All runs, for seeds 0, 1, ..."""

    @abstractmethod
    def run(self, context: JobContext) -> list[Row]:
        """Does the run of ``context.job``. Going on after an interruption is up to it."""

    @abstractmethod
    def bar(self, results: Results) -> list[Condition]:
        """The pass line of the specification, condition by condition."""

    def table(self, results: Results) -> str:
        """A Markdown table of its own, for results that are read beside the paper's."""
        return ""

    def conditions(self, results: Results, *, finished: int, wanted: int) -> tuple[Condition, ...]:
        """The bar, and that it was measured on enough seeds. finished: those of ``wanted`` with all their runs."""
        return (*self.bar(results), at_least("seeds", float(finished), float(max(SEEDS, wanted))))

    def minutes(self, seeds: int = SEEDS) -> float:
        """Expected cost in minutes of one core."""
        return sum(job.minutes for job in self.jobs(seeds))


def _require_finite(job: Job, metric: str, value: float) -> None:
    if not math.isfinite(value):
        raise ExperimentError(f"{job.name}: {metric} is {value}: the run has diverged or its evaluation is wrong")
