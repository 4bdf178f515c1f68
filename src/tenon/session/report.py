"""Reports of runs and evaluations: dataclasses with one JSON form each, and rows for a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tenon.session.statistics import EpisodeSummary, SessionStatistics

CONDITIONS = ("noisy", "perfect")
"""Of the goal: off by the task's goal error, or known exactly."""
Z_95 = 1.959963984540054
"""Quantile of the normal distribution for a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a rate, in [0, 1]."""

    low: float
    high: float


def wilson_interval(successes: int, trials: int, *, z: float = Z_95) -> Interval:
    """Confidence interval of a rate (Wilson, 1927, score interval); of no trials: [0, 1]."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials cannot be")
    if trials == 0:
        return Interval(0.0, 1.0)
    rate, square = successes / trials, z * z
    centre = (rate + square / (2 * trials)) / (1 + square / trials)
    half = z / (1 + square / trials) * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials * trials))
    # At the edges the ends are exact; computed, they would miss them by rounding.
    return Interval(0.0 if successes == 0 else centre - half, 1.0 if successes == trials else centre + half)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One controller under one condition over fixed draws. mean_steps_to_success: None without a success."""

    controller: str
    condition: str
    episodes: int
    successes: int
    mean_steps_to_success: float | None
    mean_reward: float
    peak_force_n: float
    force_violations: int
    seed: int
    policy_version: int

    @property
    def rate(self) -> float:
        return self.successes / self.episodes if self.episodes else 0.0

    @property
    def interval(self) -> Interval:
        """95 % confidence interval of the rate."""
        return wilson_interval(self.successes, self.episodes)


def evaluate(
    controller: str, condition: str, summaries: Sequence[EpisodeSummary], *, force_limit_n: float
) -> Evaluation:
    """Counts finished episodes of one controller under one condition ("noisy", "perfect")."""
    steps = [summary.steps_to_success for summary in summaries if summary.success]
    count = len(summaries)
    return Evaluation(
        controller=controller,
        condition=condition,
        episodes=count,
        successes=len(steps),
        mean_steps_to_success=sum(steps) / len(steps) if steps else None,
        mean_reward=sum(summary.total_reward for summary in summaries) / count if count else 0.0,
        peak_force_n=max((summary.peak_force_n for summary in summaries), default=0.0),
        force_violations=sum(summary.peak_force_n > force_limit_n for summary in summaries),
        seed=min((summary.seed for summary in summaries), default=0),
        policy_version=max((summary.policy_version for summary in summaries), default=0),
    )


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What ``tenon evaluate --json`` writes."""

    task: str
    robot: str
    evaluations: tuple[Evaluation, ...]
    wall_s: float

    def to_json(self) -> dict[str, Any]:
        rows = []
        for item in self.evaluations:
            interval = {"low": item.interval.low, "high": item.interval.high}
            rows.append({**asdict(item), "rate": item.rate, "interval_95": interval})
        return {"task": self.task, "robot": self.robot, "wall_s": self.wall_s, "evaluations": rows}


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What ``make demo`` writes. before, after: controller -> condition ("noisy", "perfect") -> success rate.

    episodes: of the training session. force_violations, peak_force_n: over all episodes, training included.
    """

    before: Mapping[str, Mapping[str, float]]
    after: Mapping[str, Mapping[str, float]]
    episodes: int
    force_violations: int
    peak_force_n: float
    wall_s: float
    seed: int

    def __post_init__(self) -> None:
        for controller, rates in (*self.before.items(), *self.after.items()):
            if sorted(rates) != sorted(CONDITIONS):
                raise ValueError(f"{controller}: rates for {sorted(rates)}, needed are {sorted(CONDITIONS)}")
            if not all(0.0 <= rate <= 1.0 for rate in rates.values()):
                raise ValueError(f"{controller}: {dict(rates)} are no rates: they must lie in [0, 1]")

    @classmethod
    def of(
        cls,
        before: Sequence[Evaluation],
        after: Sequence[Evaluation],
        training: SessionStatistics,
        *,
        wall_s: float,
        seed: int,
    ) -> DemoReport:
        """Puts a report together. training: of the session between the evaluations."""
        parts: list[Evaluation | SessionStatistics] = [*before, *after, training]
        return cls(
            before=_rates(before),
            after=_rates(after),
            episodes=training.episodes,
            force_violations=sum(part.force_violations for part in parts),
            peak_force_n=max(part.peak_force_n for part in parts),
            wall_s=wall_s,
            seed=seed,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _rates(evaluations: Sequence[Evaluation]) -> dict[str, dict[str, float]]:
    rates: dict[str, dict[str, float]] = {}
    for item in evaluations:
        rates.setdefault(item.controller, {})[item.condition] = item.rate
    return rates


COLUMNS = ("controller", "goal", "success", "95 % interval", "steps", "peak force / N", "violations")


def table_row(item: Evaluation) -> list[str]:
    """One row under COLUMNS."""
    steps = item.mean_steps_to_success
    return [
        item.controller,
        item.condition,
        f"{item.rate:.2f} ({item.successes}/{item.episodes})",
        f"{item.interval.low:.2f} - {item.interval.high:.2f}",
        "-" if steps is None else f"{steps:.1f}",
        f"{item.peak_force_n:.1f}",
        str(item.force_violations),
    ]


def markdown_table(evaluations: Sequence[Evaluation]) -> str:
    """The evaluations as a Markdown table."""
    rows = [list(COLUMNS), ["---"] * len(COLUMNS), *(table_row(item) for item in evaluations)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
