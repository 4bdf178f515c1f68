"""Reward classifiers on connectors never seen: Table 8 of daib.md section 6 (Nair et al., 2023), and where DAIB wins.

Five methods, one network with switches, are trained on the training series of a collection and judged on its held-out
series. Besides the default there are regimes: pictures as they are, as in the thesis; few training series; nothing
changed at random; and labels whose balance differs by connector, so that knowing the connector misleads. Differences
are paired: over seeds, which share folds and batches, and over connectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from tenon.algorithms.randomness import derived_seed
from tenon.configuration import Config
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.data.domains import LabelledImages, labelled_images
from tenon.experiments.experiment import Experiment, ExperimentError, Job, JobContext
from tenon.experiments.on_the_job_folder import NO_DATA
from tenon.experiments.report import table
from tenon.experiments.results import Condition, Results, Row, at_least, at_most
from tenon.experiments.statistics import MeanInterval, mean_interval
from tenon.networks.augment import AugmentConfig
from tenon.networks.collage import CollageConfig
from tenon.networks.warp import WarpConfig
from tenon.rewards.daib import ClassifierConfig, audit, mean_audit, train_classifier
from tenon.rewards.daib.training import TrainingMetrics

DAIB, ERM, SESSIONS = "DAIB", "ERM", "default of sessions"
VARIANTS = {DAIB: "daib", "VIB": "vib", "DAIB, lambda = 0": "no-kl", ERM: "erm", "DANN": "dann"}
PAPER = {DAIB: 0.88, "VIB": 0.79, "DAIB, lambda = 0": 0.77, ERM: 0.76, "DANN": 0.71}
"""Mean accuracy on 5 held-out connectors after 25; daib.md section 6."""
DEFAULT, PICTURES, FEW = "default", "pictures alone", "few series"
PLAIN, SKEWED = "no augmentation", "labels differ by connector"
REGIMES = (PICTURES, FEW, PLAIN, SKEWED)
REGIME_METHODS = (DAIB, ERM)
EACH = "accuracy on "
"""Begins the metrics that are of one connector."""
_UNCHANGED = {"augment": AugmentConfig.none(), "collage": CollageConfig.none(), "warp": WarpConfig.none()}
_DATA = "runs/fifty"
_HELD_OUT = 20
_SHOWN = (
    "accuracy",
    "false_positive_rate",
    "recall",
    "false_positives_at_recall",
    "false_episodes",
    "accuracy_in_training",
)


class DaibClassifierSize(Config):
    """How much is done."""

    data: str = Field(default=_DATA, description="folder that `tenon collect` has filled")
    classifier: ClassifierConfig = Field(
        default=ClassifierConfig(steps=700), description="of the table; all methods alike but for their switches"
    )
    regime_seeds: PositiveInt = Field(default=2, description="seeds of the regimes")
    few_series: PositiveInt = Field(default=4, description="training series of the regime with few")
    skew: tuple[float, float] = Field(default=(0.05, 0.95), description="shares of inserted pictures, by connector")


class DaibClassifier(Experiment[DaibClassifierSize]):
    """Five methods, the classifier that sessions use, and four regimes."""

    name: ClassVar[str] = "daib-classifier"
    shows: ClassVar[str] = "which reward classifiers transfer to connectors of series never seen"
    source: ClassVar[str] = "daib.md 6, 8"
    plotted: ClassVar[str] = "accuracy"

    @classmethod
    def small(cls) -> DaibClassifier:
        return cls(DaibClassifierSize())

    @classmethod
    def full(cls) -> DaibClassifier:
        """Four times as long, five networks each."""
        return cls(DaibClassifierSize(classifier=ClassifierConfig(steps=4_000, members=5), regime_seeds=5))

    def with_data(self, folder: Path) -> DaibClassifier:
        return type(self)(self.size.model_copy(update={"data": str(folder)}))

    def require(self) -> None:
        if not Path(self.size.data).is_dir():
            raise ExperimentError(NO_DATA.format(data=self.size.data))

    def jobs(self, seeds: int) -> list[Job]:
        minutes = self.size.classifier.steps * self.size.classifier.members * 4e-4
        session = session_classifier()
        jobs = [Job(SESSIONS, DEFAULT, seed, session.steps * session.members * 4e-4) for seed in range(seeds)]
        jobs += [Job(method, DEFAULT, seed, minutes) for seed in range(seeds) for method in VARIANTS]
        regime_seeds = range(min(seeds, self.size.regime_seeds))
        jobs += [Job(m, regime, s, minutes) for s in regime_seeds for regime in REGIMES for m in REGIME_METHODS]
        return jobs

    def run(self, context: JobContext) -> list[Row]:
        job = context.job
        data = labelled_images(Path(self.size.data))
        training, held_out = _split(data, "train"), _split(data, "held-out")
        if len(held_out) < _HELD_OUT:
            raise ExperimentError(
                f"{self.size.data}: has {len(held_out)} held-out connectors, {_HELD_OUT} or more are needed to rank "
                f"methods: tenon collect --out {self.size.data}"
            )
        task = _task(self.size, job, data, training)
        last: list[TrainingMetrics] = []

        def on_metrics(network: int, metrics: TrainingMetrics) -> None:
            done = network + metrics.step / task.config.steps
            context.progress(done / task.config.members)
            last[:] = [metrics]

        trained = train_classifier(data, task.config, job.seed, names=task.names, only=task.only, on_metrics=on_metrics)
        audits = audit(trained, data, held_out)
        mean = mean_audit(audits)
        rows = context.rows(
            accuracy=mean.accuracy,
            false_positive_rate=mean.false_positive_rate,
            recall=mean.recall,
            false_positives_at_recall=mean.false_positives_at_recall,
            false_episodes=mean.false_episodes,
            accuracy_in_training=last[0].accuracy,
            domain_head_nats=last[0].domain_loss if np.isfinite(last[0].domain_loss) else None,
            specific_nats=last[0].rate,
        )
        return [*rows, *context.rows(**{EACH + entry.name: entry.accuracy for entry in audits})]

    def bar(self, results: Results) -> list[Condition]:
        def session(metric: str) -> float | None:
            return results.mean(SESSIONS, DEFAULT, metric)

        gain = paired_over_seeds(results, DAIB, ERM, DEFAULT)
        return [
            at_least(f"accuracy of the {SESSIONS}, held-out connectors", session("accuracy"), 0.88),
            at_most(f"false positives of the {SESSIONS} by the rule of success", session("false_positive_rate"), 0.01),
            at_least(f"recall of the {SESSIONS} by the rule of success", session("recall"), 0.90),
            at_least(f"accuracy of {DAIB} over {ERM}, {DEFAULT}", None if gain is None else gain.mean, 0.03),
        ]

    def table(self, results: Results) -> str:
        return "\n\n".join(part for part in (_methods_table(results), _differences_table(results)) if part)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What one run trains on, and how. only: the pictures that it may see, None for all of ``names``."""

    names: Sequence[str]
    config: ClassifierConfig
    only: NDArray[np.int64] | None = None


def session_classifier() -> ClassifierConfig:
    """The configuration that `tenon train daib` takes by default."""
    return load_named(ClassifierConfig, ConfigKind.REWARDS, "daib")


def paired_over_seeds(results: Results, a: str, b: str, setting: str) -> MeanInterval | None:
    """Accuracy of ``a`` minus that of ``b``, seed by seed; None without a seed that both have."""
    first, second = results.values(a, setting, "accuracy"), results.values(b, setting, "accuracy")
    both = sorted(first.keys() & second.keys())
    return mean_interval([first[seed] - second[seed] for seed in both]) if both else None


def paired_over_connectors(results: Results, a: str, b: str, setting: str) -> MeanInterval | None:
    """The same connector by connector, each the mean over seeds that both have."""
    metrics = dict.fromkeys(row.metric for row in results.rows if row.metric.startswith(EACH))
    gains = []
    for metric in metrics:
        first, second = results.values(a, setting, metric), results.values(b, setting, metric)
        both = first.keys() & second.keys()
        if both:
            gains.append(float(np.mean([first[seed] - second[seed] for seed in both])))
    return mean_interval(gains) if gains else None


def skewed(data: LabelledImages, names: Sequence[str], shares: tuple[float, float], seed: int) -> NDArray[np.int64]:
    """Positions of pictures of ``names``: the share of inserted ones is that of a connector, evenly over ``shares``.

    Which connector has which share is drawn.
    """
    rng = np.random.default_rng(derived_seed(seed, "skewed labels", 0))
    kept = []
    for name, share in zip(rng.permutation(list(names)), np.linspace(*shares, len(names)), strict=True):
        rows = data.rows([str(name)])
        inserted, other = rows[data.label[rows]], rows[~data.label[rows]]
        total = min(len(inserted) / share, len(other) / (1.0 - share))
        kept.append(rng.choice(inserted, max(1, int(total * share)), replace=False))
        kept.append(rng.choice(other, max(1, int(total * (1.0 - share))), replace=False))
    return np.sort(np.concatenate(kept))


def _split(data: LabelledImages, split: str) -> list[str]:
    return [name for name, own in zip(data.names, data.splits, strict=True) if own == split]


def _task(size: DaibClassifierSize, job: Job, data: LabelledImages, names: list[str]) -> _Task:
    if job.method == SESSIONS:
        return _Task(names, session_classifier())
    config = size.classifier
    config = config.model_copy(update={"variant": VARIANTS[job.method]})
    make: dict[str, Callable[[], _Task]] = {
        DEFAULT: lambda: _Task(names, config),
        FEW: lambda: _Task(_of_few_series(data, names, size.few_series, job.seed), config),
        PICTURES: lambda: _Task(names, config.model_copy(update={"sees": "picture"})),
        PLAIN: lambda: _Task(names, config.model_copy(update=_UNCHANGED)),
        SKEWED: lambda: _Task(
            names, config.model_copy(update={"balanced": False}), skewed(data, names, size.skew, job.seed)
        ),
    }
    return make[job.setting]()


def _of_few_series(data: LabelledImages, names: Sequence[str], count: int, seed: int) -> list[str]:
    of = dict(zip(data.names, data.series, strict=True))
    series = sorted({of[name] for name in names})
    rng = np.random.default_rng(derived_seed(seed, "few series", 0))
    chosen = set(rng.choice(series, min(count, len(series)), replace=False).tolist())
    return [name for name in names if of[name] in chosen]


def _methods_table(results: Results) -> str:
    columns = ("method, default setting", "accuracy in the thesis", *_SHOWN, "domain head, nats", "z_S, nats")
    lines = []
    for method in (*VARIANTS, SESSIONS):
        values = [results.mean(method, DEFAULT, name) for name in (*_SHOWN, "domain_head_nats", "specific_nats")]
        paper = f"{PAPER[method]:.2f}" if method in PAPER else "-"
        lines.append((method, paper, *("-" if value is None else f"{value:.3f}" for value in values)))
    return table(columns, lines)


def _differences_table(results: Results) -> str:
    """DAIB against each other method, setting by setting."""
    columns = (
        "setting",
        f"accuracy of {DAIB}",
        "against",
        "its accuracy",
        "gain, paired over seeds",
        "over connectors",
    )
    lines = []
    for setting in (DEFAULT, *REGIMES):
        for other in VARIANTS:
            seeds = paired_over_seeds(results, DAIB, other, setting)
            connectors = paired_over_connectors(results, DAIB, other, setting)
            if other == DAIB or seeds is None or connectors is None:
                continue
            means = [results.mean(method, setting, "accuracy") for method in (DAIB, other)]
            accuracy = ["-" if mean is None else f"{mean:.3f}" for mean in means]
            lines.append((setting, accuracy[0], other, accuracy[1], _interval(seeds), _interval(connectors)))
    return table(columns, lines) if lines else ""


def _interval(gain: MeanInterval) -> str:
    if gain.low is None or gain.high is None:
        return f"{gain.mean:+.3f}"
    return f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
