"""On the job (Nair et al., 2023): a policy trained on many connectors practises on one that it never saw.

Tables 5 and 6 of the thesis' chapter 10: scripted searches, the offline policy, and the same policy after practice
whose only reward is a classifier of pictures that never saw the connector either: the one that sessions take. Success
is counted by the truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from tenon.configuration import Config
from tenon.configuration.session import PracticeConfig
from tenon.control.search import BASELINES
from tenon.environments.baselines import evaluate_baseline
from tenon.environments.insertion import InsertionEnv, make_insertion
from tenon.experiments.daib_classifier import session_classifier
from tenon.experiments.episodes import evaluation_seeds
from tenon.experiments.experiment import Experiment, ExperimentError, Job, JobContext
from tenon.experiments.on_the_job_folder import JobFolder
from tenon.experiments.on_the_job_practice import Practised, practise
from tenon.experiments.report import table
from tenon.experiments.results import Condition, Results, Row, at_least, at_most
from tenon.rewards.daib import ClassifierReward
from tenon.session.practice import Judgement, Look

OURS = "IQL with DAIB"
_POLICY = "daib"
DATA, FOLDER = "runs/fifty", "runs/on-the-job"
SUCCESSES, OFFLINE = "successes", "offline"
_NEWEST, _FIRST = 50, 10
MINUTES_PER_TRIAL = 0.03
"""Of one core, with two updates a step, looks included."""


class OnTheJobSize(Config):
    """How much is done."""

    data: str = Field(default=DATA, description="folder that `tenon collect` has filled")
    folder: str = Field(default=FOLDER, description="of what is trained on the data, for all these experiments")
    connectors: tuple[str, ...] = Field(
        default=("dt12_01", "megablock_01", "nema15_01", "europlug_01"),
        description="held-out kinds of the thesis' test parts; daib.md 4",
    )
    offline_updates: PositiveInt = Field(default=8_000, description="of policy, Q and V on the data")
    trials: PositiveInt = Field(default=200, description="of practice; daib.md 2.5")
    practice: PracticeConfig = Field(
        default=PracticeConfig(evaluate_every=50), description="looks of 20 draws; 25 % own, 75 % prior data"
    )

    def on_data(self, data: Path) -> OnTheJobSize:
        """On data of a person's own, with a folder beside them for what is trained on them."""
        return self.model_copy(update={"data": str(data), "folder": f"{data}-on-the-job"})

    def shared(self) -> JobFolder:
        """Raises ExperimentError where the data are missing."""
        return JobFolder(Path(self.folder), Path(self.data))


class OnTheJob(Experiment[OnTheJobSize]):
    """What near and far have in common. task: of config/tasks. far: from where searches fail; its bar asks for more.

    least_sum: successes of 80 after practice that the bar asks for, as many as the thesis has.
    """

    task: ClassVar[str]
    far: ClassVar[bool]
    least_sum: ClassVar[float]
    paper: ClassVar[dict[str, tuple[int, ...]]]
    plotted: ClassVar[str] = SUCCESSES

    @classmethod
    def small(cls) -> OnTheJob:
        return cls(OnTheJobSize())

    @classmethod
    def full(cls) -> OnTheJob:
        raise ExperimentError(
            f"{cls.name} --full: the small size has the paper's trials already. Run it without --full"
        )

    def with_data(self, folder: Path) -> OnTheJob:
        return type(self)(self.size.on_data(folder))

    def require(self) -> None:
        self.size.shared()

    def jobs(self, seeds: int) -> list[Job]:
        connectors = self.size.connectors
        ours = [
            Job(OURS, connector, seed, MINUTES_PER_TRIAL * self.size.trials)
            for seed in range(seeds)
            for connector in connectors
        ]
        return [*ours, *(Job(name, connector, 0, 0.2) for name in BASELINES for connector in connectors)]

    def run(self, context: JobContext) -> list[Row]:
        folder = self.size.shared()
        env = make_insertion(task=self.task, connector=context.job.setting, observation="image")
        try:
            if context.job.method == OURS:
                reward = session_classifier().variant
                return practice_rows(context, self.size, folder, env, reward=reward, policy=_POLICY)
            return self._baseline(context, folder, env)
        finally:
            env.close()

    def conditions(self, results: Results, *, finished: int, wanted: int) -> tuple[Condition, ...]:
        """The paper has one run of each; the bar asks for no more."""
        return (*self.bar(results), at_least("seeds", float(finished), float(wanted)))

    def bar(self, results: Results) -> list[Condition]:
        each = [results.mean(OURS, connector, SUCCESSES) for connector in self.size.connectors]
        lowest = None if None in each else min(value for value in each if value is not None)
        return [
            *([at_least("least successes of 20 on a connector", lowest, 15.0)] if self.far else []),
            at_least("successes of 80 after practice", self._sum(results, OURS, SUCCESSES), self.least_sum),
            *([at_most("successes of 80 before", self._sum(results, OURS, OFFLINE), 30.0)] if self.far else []),
            *honesty(results, OURS, self.size.connectors),
        ]

    def table(self, results: Results) -> str:
        """Successes of 20 as in the paper's table, whose own connectors stand in brackets."""
        columns = [*((name, SUCCESSES) for name in BASELINES), (OURS, OFFLINE), (OURS, SUCCESSES)]
        lines = []
        for number, connector in enumerate((*self.size.connectors, "sum")):
            cells = [self._cell(results, connector, *column) for column in columns]
            theirs = [values[number] for values in self.paper.values()]
            lines.append((connector, *(f"{own} ({paper})" for own, paper in zip(cells, theirs, strict=True))))
        head = ("of 20; the thesis in brackets", *BASELINES, "offline", "after practice")
        return table(head, lines)

    def _cell(self, results: Results, connector: str, method: str, metric: str) -> str:
        value = self._sum(results, method, metric) if connector == "sum" else results.mean(method, connector, metric)
        return "-" if value is None else f"{value:.3g}"

    def _sum(self, results: Results, method: str, metric: str) -> float | None:
        return summed(results, method, metric, self.size.connectors)

    def _baseline(self, context: JobContext, folder: JobFolder, env: InsertionEnv) -> list[Row]:
        name = next(name for name in BASELINES if name == context.job.method)
        draws = evaluation_seeds(self.size.practice.draws)
        seen = evaluate_baseline(env, name, draws, far=self.far, localiser=folder.localiser())
        return context.rows(**{SUCCESSES: float(seen.successes)})


class OnTheJobNear(OnTheJob):
    name: ClassVar[str] = "on-the-job-near"
    shows: ClassVar[str] = "practice with a learnt reward masters connectors never seen, shown to within 10 mm"
    source: ClassVar[str] = "daib.md 5, scenario I"
    task: ClassVar[str] = "job-near"
    far: ClassVar[bool] = False
    least_sum: ClassVar[float] = 65.0
    paper: ClassVar[dict[str, tuple[int, ...]]] = {
        "localise": (3, 3, 0, 6, 12),
        "down": (1, 1, 1, 4, 7),
        "random": (7, 1, 0, 6, 14),
        "spiral": (4, 15, 3, 4, 26),
        "offline": (7, 5, 11, 10, 33),
        "online": (19, 16, 15, 15, 65),
    }


class OnTheJobFar(OnTheJob):
    name: ClassVar[str] = "on-the-job-far"
    shows: ClassVar[str] = "the same from 10 to 20 mm away, where hand-written searches fail"
    source: ClassVar[str] = "daib.md 5, scenario II"
    task: ClassVar[str] = "job-far"
    far: ClassVar[bool] = True
    least_sum: ClassVar[float] = 70.0
    paper: ClassVar[dict[str, tuple[int, ...]]] = {
        "localise": (0, 0, 0, 0, 0),
        "down": (0, 1, 0, 0, 1),
        "random": (0, 0, 0, 0, 0),
        "spiral": (0, 17, 0, 0, 17),
        "offline": (0, 0, 6, 2, 8),
        "online": (18, 20, 17, 15, 70),
    }


def practice_rows(
    context: JobContext, size: OnTheJobSize, folder: JobFolder, env: InsertionEnv, *, reward: str, policy: str
) -> list[Row]:
    """A practice with a classifier and a policy of these variants, in numbers."""
    start = folder.policy(policy, context.job.seed, size.offline_updates)
    classifier = folder.classifier(reward)

    def look(seen: Look) -> None:
        context.progress(seen.trials / size.trials)
        if not context.has_recorded(seen.trials):
            context.record(
                seen.trials, **{SUCCESSES: _connected(seen.seen), "by_classifier": float(seen.seen.successes)}
            )

    done = practise(
        start,
        env,
        ClassifierReward(classifier),
        context.directory / "trainer",
        size.practice,
        trials=size.trials,
        seed=context.job.seed,
        on_look=look,
    )
    return context.rows(**_numbers(done))


def _connected(seen: Judgement) -> float:
    """Successes by the truth."""
    assert seen.connected is not None  # a simulation knows it
    return float(seen.connected)


def _numbers(done: Practised) -> dict[str, float]:
    before, trials = done.record.before, done.trials
    assert before is not None  # practice has come to its end
    newest = trials[-_NEWEST:]
    return {
        OFFLINE: _connected(before),
        SUCCESSES: _connected(done.handed_over),
        "by_classifier": float(done.handed_over.successes),
        "trials": float(len(trials)),
        "rewarded_newest": _share(trial.rewarded.success for trial in newest),
        "connected_newest": _share(trial.connected.success for trial in newest),
        "exploits": float(sum(trial.exploits for trial in trials)),
        "exploits_newest": float(sum(trial.exploits for trial in newest)),
        "touched_first": _share(trial.touched for trial in trials[:_FIRST]),
    }


def _share(flags: Iterable[bool]) -> float:
    """0 of none."""
    return float(np.mean([*flags] or [False]))


def honesty(results: Results, method: str, connectors: tuple[str, ...]) -> list[Condition]:
    """That the classifier's word is true in practice: near the truth, and never exploited."""
    differences = [
        abs(rewarded - connected)
        for connector in connectors
        for rewarded, connected in [
            (results.mean(method, connector, "rewarded_newest"), results.mean(method, connector, "connected_newest"))
        ]
        if rewarded is not None and connected is not None
    ]
    largest = max(differences, default=None)
    return [
        at_most(f"classifier against truth, last {_NEWEST} trials, largest difference", largest, 0.05),
        at_most(
            "trials that the classifier alone calls a success", summed(results, method, "exploits", connectors), 0.0
        ),
    ]


def summed(results: Results, method: str, metric: str, connectors: tuple[str, ...]) -> float | None:
    """Over connectors, of the means over seeds; None where one is missing."""
    values: list[Any] = [results.mean(method, connector, metric) for connector in connectors]
    return None if None in values else float(sum(values))
