"""Reports: the numbers, and their stable form."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tenon.session.report import (
    DemoReport,
    Evaluation,
    EvaluationReport,
    evaluate,
    markdown_table,
    wilson_interval,
)
from tenon.session.statistics import EpisodeSummary, Outcome, SessionStatistics


def summary(episode: int, *, success: bool, force_n: float = 5.0) -> EpisodeSummary:
    return EpisodeSummary(
        episode=episode,
        controller="residual_sac",
        outcome=Outcome.SUCCESS if success else Outcome.TIMEOUT,
        detail="",
        success=success,
        steps=50,
        steps_to_success=10 + episode if success else 0,
        total_reward=30.0 if success else 0.0,
        peak_force_n=force_n,
        goal_error_m=np.zeros(3),
        seed=1000 + episode,
        policy_version=3,
    )


def evaluation(controller: str, condition: str, successes: int, *, peak_force_n: float = 6.0) -> Evaluation:
    return Evaluation(controller, condition, 100, successes, None, 0.0, peak_force_n, 0, 1000, 3)


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (0, 100), (25, 100), (90, 100), (100, 100), (16, 25)])
def test_interval_ends_where_the_score_test_rejects(successes: int, trials: int) -> None:
    """The ends are the rates p whose distance to the observed rate is z standard errors of p itself."""
    interval, rate = wilson_interval(successes, trials), successes / trials
    assert 0.0 <= interval.low <= rate <= interval.high <= 1.0
    for p in (interval.low, interval.high):
        assert (rate - p) ** 2 == pytest.approx(1.959963984540054**2 * p * (1 - p) / trials, abs=1e-12)
    assert interval.high - interval.low > 0.01


def test_interval_of_nothing_is_everything_and_of_nonsense_is_refused() -> None:
    assert (wilson_interval(0, 0).low, wilson_interval(0, 0).high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="cannot be"):
        wilson_interval(3, 2)


def test_evaluation_counts_its_episodes() -> None:
    summaries = [summary(0, success=True), summary(1, success=False, force_n=30.0), summary(2, success=True)]
    item = evaluate("residual_sac", "noisy", summaries, force_limit_n=20.0)
    assert (item.episodes, item.successes, item.force_violations, item.peak_force_n) == (3, 2, 1, 30.0)
    assert (item.mean_steps_to_success, item.mean_reward, item.seed) == (11.0, 20.0, 1000)
    assert item.rate == pytest.approx(2 / 3)


def test_evaluation_of_no_episode_has_no_rate_to_divide_by() -> None:
    item = evaluate("p_controller", "noisy", [], force_limit_n=20.0)
    assert (item.rate, item.mean_steps_to_success) == (0.0, None)


def demo() -> DemoReport:
    training = SessionStatistics(force_limit_n=20.0)
    training.on_episode(summary(0, success=True, force_n=9.0))
    before = [
        evaluation(name, condition, count)
        for name, condition, count in (
            ("p_controller", "noisy", 25),
            ("p_controller", "perfect", 40),
            ("p_dither", "noisy", 65),
            ("p_dither", "perfect", 70),
        )
    ]
    after = [evaluation("residual_sac", "noisy", 93), evaluation("residual_sac", "perfect", 100)]
    return DemoReport.of(before, after, training, wall_s=600.5, seed=4)


def test_demo_report_has_exactly_the_promised_form() -> None:
    assert demo().to_json() == {
        "before": {"p_controller": {"noisy": 0.25, "perfect": 0.4}, "p_dither": {"noisy": 0.65, "perfect": 0.7}},
        "after": {"residual_sac": {"noisy": 0.93, "perfect": 1.0}},
        "episodes": 1,
        "force_violations": 0,
        "peak_force_n": 9.0,
        "wall_s": 600.5,
        "seed": 4,
    }


@pytest.mark.parametrize("rates", [{"noisy": 0.5}, {"noisy": 0.5, "perfect": 1.5}])
def test_demo_report_refuses_what_is_not_a_pair_of_rates(rates: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="rates"):
        DemoReport({"p_controller": rates}, {}, 1, 0, 1.0, 1.0, 0)


def test_evaluation_report_states_rate_and_interval() -> None:
    report = EvaluationReport("insert_hard", "ur5", (evaluation("p_controller", "noisy", 25),), wall_s=1.0)
    row = report.to_json()["evaluations"][0]
    assert (row["controller"], row["successes"], row["rate"]) == ("p_controller", 25, 0.25)
    assert row["interval_95"]["low"] == pytest.approx(0.1755, abs=1e-4)
    json.dumps(report.to_json(), allow_nan=False)


def test_table_has_a_row_per_evaluation() -> None:
    lines = markdown_table([evaluation("p_controller", "noisy", 25)]).splitlines()
    assert len(lines) == 3
    assert lines[2] == "| p_controller | noisy | 0.25 (25/100) | 0.18 - 0.34 | - | 6.0 | 0 |"
