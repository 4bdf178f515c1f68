"""The report that others read: its keys, its bar, its pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tenon.experiments.plot import band
from tenon.experiments.report import Report, markdown, write_report
from tenon.experiments.results import (
    Condition,
    CurvePoint,
    Results,
    Row,
    at_least,
    at_most,
    difference,
    summarise,
)

ROWS = [Row("ours", "easy", seed, "success", value) for seed, value in enumerate((0.9, 0.8, 1.0))]
CURVE = [CurvePoint("ours", "easy", seed, "success", step, 0.1 * seed) for seed in range(3) for step in (10, 20)]


def report(bar: tuple[Condition, ...], rows: list[Row] | None = None) -> Report:
    return Report("test", bar, Results(ROWS if rows is None else rows, CURVE), cpu_s=61.0, wall_s=30.0)


def test_json_has_the_agreed_keys_and_nothing_else(tmp_path: Path) -> None:
    write_report(tmp_path, report((at_least("success", 0.9, 0.85),)))
    data = json.loads((tmp_path / "report.json").read_text())
    assert set(data) == {"name", "passed", "bar", "rows", "summary", "cpu_s", "wall_s", "versions"}
    assert data["rows"][0] == {"method": "ours", "setting": "easy", "seed": 0, "metric": "success", "value": 0.9}
    (summary,) = data["summary"]
    assert set(summary) == {"method", "setting", "metric", "mean", "low", "high", "seeds"}
    assert (summary["mean"], summary["seeds"]) == (pytest.approx(0.9), 3)
    assert data["passed"] is True
    assert data["bar"] == [{"condition": "success", "relation": ">=", "threshold": 0.85, "measured": 0.9, "met": True}]
    assert "torch" in data["versions"]


def test_table_and_plot_stand_beside_it(tmp_path: Path) -> None:
    write_report(tmp_path, report((at_least("success", 0.9, 0.85),)), extra_table="| a paper |\n| --- |")
    text = (tmp_path / "table.md").read_text()
    assert "| success | >= 0.85 | 0.9 | yes |" in text
    assert "| a paper |" in text
    assert "| ours | easy | success | 0.9 | 0.652 to 1.15 | 3 |" in text
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((tmp_path / "curves.json").read_text())) == len(CURVE)


def test_one_missed_condition_misses_the_bar() -> None:
    missed = report((at_least("success", 0.9, 0.85), at_most("force", 9.0, 8.0)))
    assert not missed.passed
    assert "| force | <= 8 | 9 | **no** |" in markdown(missed)
    assert "bar missed" in markdown(missed)


@pytest.mark.parametrize("measured", [None, math.nan])
@pytest.mark.parametrize("make", [at_least, at_most])
def test_what_was_not_measured_is_not_met(measured: float | None, make: type[Condition]) -> None:
    condition = make("success", measured, 0.0)
    assert not condition.met
    assert json.loads(json.dumps(report((condition,)).to_json(), allow_nan=False))["bar"][0]["measured"] is None


def test_a_report_without_conditions_has_passed_nothing() -> None:
    assert not report(()).passed


def test_threshold_itself_is_met() -> None:
    assert at_least("a", 0.5, 0.5).met and at_most("a", 0.5, 0.5).met


def test_report_without_any_run_can_be_written(tmp_path: Path) -> None:
    write_report(tmp_path, Report("test", (at_least("a", None, 1.0),), Results([], []), 0.0, 0.0))
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is False


def test_curve_is_read_at_the_first_evaluation_from_a_step_on() -> None:
    results = Results(ROWS, CURVE)
    assert results.mean_at("ours", "easy", "success", 15) == pytest.approx(0.1)
    assert results.mean_at("ours", "easy", "success", 21) is None
    assert results.mean_at("theirs", "easy", "success", 0) is None


def test_difference_with_a_missing_number_is_missing() -> None:
    assert difference(1.0, None) is None
    assert difference(None, 1.0) is None
    assert difference(1.0, 0.25) == 0.75


def test_summary_keeps_settings_and_metrics_apart() -> None:
    rows = [*ROWS, Row("ours", "hard", 0, "success", 0.0), Row("ours", "easy", 0, "force", 5.0)]
    assert [(s.setting, s.metric, s.seeds) for s in summarise(rows)] == [
        ("easy", "success", 3),
        ("hard", "success", 1),
        ("easy", "force", 1),
    ]


def test_band_of_one_seed_is_its_line() -> None:
    steps, means, low, high = band([point for point in CURVE if point.seed == 1])
    assert list(steps) == [10, 20]
    assert list(means) == list(low) == list(high)


def test_seeds_that_were_looked_at_elsewhere_are_taken_on_the_line_between_their_looks() -> None:
    looks = {0: {10: 0.0, 20: 1.0}, 1: {12: 0.5, 22: 0.5}}
    points = [
        CurvePoint("ours", "easy", s, "success", step, v) for s, seen in looks.items() for step, v in seen.items()
    ]
    steps, means, _, _ = band(points)
    assert steps.tolist() == [10, 12, 20, 22]
    assert means.tolist() == pytest.approx([0.0, (0.2 + 0.5) / 2, (1.0 + 0.5) / 2, 0.5])
