"""What DAIB does for on-the-job practice, in the reward and in the policy: Table 7 of the thesis' chapter 10.

The thesis leaves out the combination of a plain reward with a DAIB policy; here it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tenon.environments.insertion import make_insertion
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.on_the_job import MINUTES_PER_TRIAL, OFFLINE, SUCCESSES, OnTheJobSize, practice_rows, summed
from tenon.experiments.report import table
from tenon.experiments.results import Condition, Results, Row, above, at_least, difference

DAIB, PLAIN = "daib", "erm"
BOTH, REWARD_ALONE, POLICY_ALONE, NEITHER = (
    "DAIB reward, DAIB policy",
    "DAIB reward, plain policy",
    "plain reward, DAIB policy",
    "plain reward, plain policy",
)
COMBINATIONS: Mapping[str, tuple[str, str]] = {
    BOTH: (DAIB, DAIB),
    REWARD_ALONE: (DAIB, PLAIN),
    POLICY_ALONE: (PLAIN, DAIB),
    NEITHER: (PLAIN, PLAIN),
}
_PAPER: Mapping[str, str] = {BOTH: "8 -> 70", REWARD_ALONE: "4 -> 38", POLICY_ALONE: "not run", NEITHER: "0 -> 15"}
_TASK = "job-far"


class DAIBAblation(Experiment[OnTheJobSize]):
    """Reward and policy with and without DAIB, from far."""

    name: ClassVar[str] = "daib-ablation"
    shows: ClassVar[str] = "what the bottleneck does for practice, in the reward and in the policy"
    source: ClassVar[str] = "daib.md 6, Table 7"
    plotted: ClassVar[str] = SUCCESSES

    @classmethod
    def small(cls) -> DAIBAblation:
        """Half of the paper's trials: there are four combinations."""
        return cls(OnTheJobSize(trials=100))

    @classmethod
    def full(cls) -> DAIBAblation:
        """The paper's trials."""
        return cls(OnTheJobSize())

    def with_data(self, folder: Path) -> DAIBAblation:
        return type(self)(self.size.on_data(folder))

    def require(self) -> None:
        self.size.shared()

    def jobs(self, seeds: int) -> list[Job]:
        return [
            Job(method, connector, seed, MINUTES_PER_TRIAL * self.size.trials)
            for seed in range(seeds)
            for method in COMBINATIONS
            for connector in self.size.connectors
        ]

    def run(self, context: JobContext) -> list[Row]:
        reward, policy = COMBINATIONS[context.job.method]
        env = make_insertion(task=_TASK, connector=context.job.setting, observation="image")
        try:
            return practice_rows(context, self.size, self.size.shared(), env, reward=reward, policy=policy)
        finally:
            env.close()

    def conditions(self, results: Results, *, finished: int, wanted: int) -> tuple[Condition, ...]:
        return (*self.bar(results), at_least("seeds", float(finished), float(wanted)))

    def bar(self, results: Results) -> list[Condition]:
        """The order of the thesis, by the sum over connectors after practice."""
        after = {method: self._sum(results, method, SUCCESSES) for method in COMBINATIONS}
        return [
            above(f"{better} over {worse}", difference(after[better], after[worse]), 0.0)
            for better, worse in ((BOTH, REWARD_ALONE), (BOTH, POLICY_ALONE), (REWARD_ALONE, NEITHER))
        ]

    def table(self, results: Results) -> str:
        """Successes of 20 before and after practice, and the thesis's sums."""
        lines = []
        for method in COMBINATIONS:
            cells = [self._cell(results, method, connector) for connector in self.size.connectors]
            sums = [_shown(self._sum(results, method, metric)) for metric in (OFFLINE, SUCCESSES)]
            exploits = _shown(self._sum(results, method, "exploits"))
            lines.append((method, *cells, " -> ".join(sums), _PAPER[method], exploits))
        head = (
            "offline -> after practice, of 20",
            *self.size.connectors,
            "sum",
            "thesis",
            "false successes in practice",
        )
        return table(head, lines)

    def _cell(self, results: Results, method: str, connector: str) -> str:
        return " -> ".join(_shown(results.mean(method, connector, metric)) for metric in (OFFLINE, SUCCESSES))

    def _sum(self, results: Results, method: str, metric: str) -> float | None:
        return summed(results, method, metric, self.size.connectors)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
