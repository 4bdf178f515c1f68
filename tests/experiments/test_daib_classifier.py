"""The classifier experiment on drawn sockets: its runs, its regimes, its paired differences and its bar."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_sockets import draw_domains

from tenon.data.domains import LabelledImages
from tenon.experiments import daib_classifier
from tenon.experiments.daib_classifier import (
    DAIB,
    DEFAULT,
    ERM,
    REGIMES,
    SESSIONS,
    VARIANTS,
    DaibClassifier,
    DaibClassifierSize,
    paired_over_connectors,
    paired_over_seeds,
    skewed,
)
from tenon.experiments.experiment import ExperimentError
from tenon.experiments.results import Results, Row
from tenon.experiments.runner import run_experiment
from tenon.networks.bottleneck import BottleneckConfig
from tenon.rewards.daib import ClassifierConfig

TINY = ClassifierConfig(
    bottleneck=BottleneckConfig(
        invariant_size=4, specific_size=2, channels=(2, 2, 2), specific_channels=(2, 2, 2), dense_size=4
    ),
    steps=2,
    batch_size=4,
)


def _joined(first: LabelledImages, second: LabelledImages) -> LabelledImages:
    arrays = ("image", "label", "episode", "step", "offset_m")
    lists = ("names", "series", "mounts", "splits", "recordings")
    assert {field.name for field in fields(LabelledImages)} == {*arrays, *lists, "domain"}
    return replace(
        first,
        **{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in arrays},
        **{name: getattr(first, name) + getattr(second, name) for name in lists},
        domain=np.concatenate([first.domain, second.domain + len(first.names)]),
    )


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> LabelledImages:
    """What lies in every folder: 6 connectors to train on and 20 held out."""
    data = _joined(draw_domains(6, 8, seed=0), draw_domains(20, 4, seed=1, split="held-out"))
    monkeypatch.setattr(daib_classifier, "labelled_images", lambda folder: data)
    monkeypatch.setattr(daib_classifier, "session_classifier", lambda: TINY.model_copy(update={"members": 2}))
    return data


def _experiment(folder: Path) -> DaibClassifier:
    return DaibClassifier(DaibClassifierSize(classifier=TINY, regime_seeds=1)).with_data(folder)


def test_all_methods_and_regimes_run_and_are_reported(
    collected: LabelledImages, tmp_path: Path, in_this_process: Any, watcher: Any
) -> None:
    report = run_experiment(_experiment(tmp_path), tmp_path / "out", 1, in_this_process, watcher)
    assert not watcher.failed
    assert len(watcher.done) == len(VARIANTS) + 1 + 4 * 2
    for method in (*VARIANTS, SESSIONS):
        assert len(report.results.values(method, DEFAULT, "accuracy")) == 1
    for setting in REGIMES:
        assert len(report.results.values(ERM, setting, "accuracy")) == 1
    assert not report.results.values("VIB", DEFAULT, "domain_head_nats")
    each = [row for row in report.results.rows if row.metric.startswith("accuracy on held-out-")]
    assert len(each) == 20 * len(watcher.done)
    written = (tmp_path / "out" / "table.md").read_text()
    assert "accuracy on held-out" not in written
    assert "paired over seeds" in written
    assert "accuracy on held-out-00" in (tmp_path / "out" / "report.json").read_text()


def test_too_few_held_out_connectors_are_refused(
    collected: LabelledImages, tmp_path: Path, in_this_process: Any, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(collected, splits=("train",) * 7 + ("held-out",) * 19)
    monkeypatch.setattr(daib_classifier, "labelled_images", lambda folder: few)
    run_experiment(_experiment(tmp_path), tmp_path / "out", 1, in_this_process, watcher)
    assert all("has 19 held-out connectors, 20 or more are needed" in reason for reason in watcher.failed.values())


def test_other_experiments_refuse_data_of_a_persons_own() -> None:
    from tenon.experiments.iql_maze import IQLMaze

    with pytest.raises(ExperimentError, match="makes its own data"):
        IQLMaze.small().with_data(Path("data"))


def test_skew_gives_each_connector_its_share() -> None:
    data = draw_domains(7, 8, seed=0)
    names = data.names[:5]
    rows = skewed(data, names, (0.1, 0.9), seed=0)
    shares = sorted(float(data.label[rows[data.domain[rows] == number]].mean()) for number in range(5))
    np.testing.assert_allclose(shares, [0.1, 0.3, 0.5, 0.7, 0.9], atol=0.1)
    assert set(data.domain[rows]) == set(range(5))
    assert len(np.unique(rows)) == len(rows)
    assert len({skewed(data, names, (0.1, 0.9), seed).tobytes() for seed in range(4)}) == 4


def _results() -> Results:
    """DAIB is 0.1 and 0.3 better on two seeds, 0.4 better on connector a and as good on b."""
    rows = []
    for method, by_seed in ((DAIB, (0.8, 0.9)), (ERM, (0.7, 0.6))):
        rows += [Row(method, DEFAULT, seed, "accuracy", value) for seed, value in enumerate(by_seed)]
    for connector, daib, erm in (("a", 0.9, 0.5), ("b", 0.7, 0.7)):
        for seed in range(2):
            rows.append(Row(DAIB, DEFAULT, seed, f"accuracy on {connector}", daib))
            rows.append(Row(ERM, DEFAULT, seed, f"accuracy on {connector}", erm))
    return Results(rows, ())


def test_differences_are_paired_over_seeds_and_over_connectors() -> None:
    seeds = paired_over_seeds(_results(), DAIB, ERM, DEFAULT)
    connectors = paired_over_connectors(_results(), DAIB, ERM, DEFAULT)
    assert seeds is not None and connectors is not None
    # Student's quantile for one degree of freedom is 12.706; the standard errors are 0.1 and 0.2.
    assert (seeds.mean, seeds.low, seeds.high) == pytest.approx((0.2, 0.2 - 1.2706, 0.2 + 1.2706), abs=1e-3)
    assert (connectors.mean, connectors.low) == pytest.approx((0.2, 0.2 - 2.5412), abs=1e-3)
    assert paired_over_seeds(_results(), DAIB, "VIB", DEFAULT) is None
    assert paired_over_connectors(_results(), DAIB, "VIB", DEFAULT) is None


def _bar(**changed: float) -> list[bool]:
    values = {"accuracy": 0.9, "false_positive_rate": 0.005, "recall": 0.95, **changed}
    rows = [Row(SESSIONS, DEFAULT, 0, name, value) for name, value in values.items() if name != "gain"]
    rows += [Row(DAIB, DEFAULT, 0, "accuracy", 0.8 + changed.get("gain", 0.04)), Row(ERM, DEFAULT, 0, "accuracy", 0.8)]
    return [condition.met for condition in DaibClassifier.small().bar(Results(rows, ()))]


def test_bar_is_passed_by_what_it_asks_for_and_missed_by_each_planted_value() -> None:
    assert _bar() == [True] * 4
    assert _bar(accuracy=0.87) == [False, True, True, True]
    assert _bar(false_positive_rate=0.011) == [True, False, True, True]
    assert _bar(recall=0.89) == [True, True, False, True]
    assert _bar(gain=0.02) == [True, True, True, False]
    assert not any(condition.met for condition in DaibClassifier.small().bar(Results((), ())))
