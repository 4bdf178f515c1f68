"""What the demo makes of its episodes: pairs for the videos, the bars, the curve; and that nothing old is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenon.cli import demo, run_directory
from tenon.cli.errors import UsageError
from tenon.cli.evaluation import Evaluated, evaluation_table
from tenon.cli.plot import plot_learning_curve, recent_success
from tenon.session.draws import EVALUATION_SEED
from tenon.session.report import DemoReport, evaluate
from tenon.session.setup import load_setup
from tenon.session.statistics import EpisodeSummary, Outcome

PNG_MAGIC = b"\x89PNG"


def episode(index: int, *, success: bool, controller: str = "residual", peak_force_n: float = 5.0) -> EpisodeSummary:
    return EpisodeSummary(
        episode=index,
        controller=controller,
        outcome=Outcome.SUCCESS if success else Outcome.TIMEOUT,
        detail="",
        success=success,
        steps=50,
        steps_to_success=20 if success else 0,
        total_reward=30.0 if success else 0.0,
        peak_force_n=peak_force_n,
        goal_error_m=np.zeros(3),
        seed=EVALUATION_SEED + index,
        policy_version=7,
    )


def report(**changes: Any) -> DemoReport:
    values: dict[str, Any] = {
        "before": {"p_controller": {"noisy": 0.25, "perfect": 0.4}, "p_dither": {"noisy": 0.65, "perfect": 0.7}},
        "after": {"residual_sac": {"noisy": 0.92, "perfect": 1.0}},
        "episodes": 300,
        "force_violations": 0,
        "peak_force_n": 14.0,
        "wall_s": 700.0,
        "seed": 0,
    }
    return DemoReport(**{**values, **changes})


def test_good_report_misses_nothing() -> None:
    assert demo.missed_bars(report()) == []


def test_slow_machine_misses_no_bar() -> None:
    assert demo.missed_bars(report(wall_s=3600.0)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"after": {"residual_sac": {"noisy": 0.84, "perfect": 1.0}}}, "with goal error is 0.84"),
        ({"after": {"residual_sac": {"noisy": 0.92, "perfect": 0.94}}}, "without goal error is 0.94"),
        (
            {"before": {"p_controller": {"noisy": 0.5, "perfect": 0.4}, "p_dither": {"noisy": 0.6, "perfect": 0.7}}},
            "gain over the P-controller is +0.42",
        ),
        (
            {"before": {"p_controller": {"noisy": 0.2, "perfect": 0.4}, "p_dither": {"noisy": 0.92, "perfect": 0.7}}},
            "not above the P-controller with dither",
        ),
        ({"episodes": 301}, "301 episodes"),
        ({"force_violations": 1, "peak_force_n": 40.0}, "1 episodes went above the force limit (peak 40.0 N)"),
    ],
)
def test_each_missed_bar_is_said(changes: dict[str, Any], said: str) -> None:
    missed = demo.missed_bars(report(**changes))
    assert len(missed) == 1
    assert said in missed[0]


def test_videos_show_the_same_draw_where_they_can() -> None:
    before = [episode(0, success=False), episode(1, success=False), episode(2, success=True)]
    after = [episode(0, success=False), episode(1, success=True), episode(2, success=True)]
    pair = demo.choose_pair(before, after)
    assert pair.failure is before[1]
    assert pair.success is after[1]


def test_videos_fall_back_to_any_failure_and_any_success() -> None:
    before = [episode(0, success=False), episode(1, success=True)]
    after = [episode(0, success=False), episode(1, success=True)]
    assert demo.choose_pair(before, after) == demo.Pair(before[0], after[1])


def test_without_failures_there_is_no_video_of_one() -> None:
    assert demo.choose_pair([episode(0, success=True)], [episode(0, success=False)]) == demo.Pair(None, None)


def test_earlier_run_is_renamed_with_all_that_it_holds(tmp_path: Path) -> None:
    run = tmp_path / "demo"
    run.mkdir()
    (run / "report.json").write_text("{}")
    moved = demo.move_aside(run, now_s=0.0)
    assert moved is not None
    assert not run.exists()
    assert (moved / "report.json").read_text() == "{}"


def test_nothing_is_renamed_without_an_earlier_run(tmp_path: Path) -> None:
    assert demo.move_aside(tmp_path / "demo", now_s=0.0) is None


def test_running_demo_is_not_pulled_away(tmp_path: Path) -> None:
    run = tmp_path / "demo"
    with run_directory.locked(run), pytest.raises(UsageError, match="in use"):
        demo.move_aside(run, now_s=0.0)
    assert run.is_dir()


def test_report_has_the_agreed_form(tmp_path: Path) -> None:
    rates = {"p_controller": 1, "p_dither": 3}
    before = tuple(
        Evaluated(evaluate(name, condition, episodes, force_limit_n=30.0), episodes)
        for name, wins in rates.items()
        for condition in ("noisy", "perfect")
        for episodes in [tuple(episode(i, success=i < wins, controller=name) for i in range(4))]
    )
    wins = tuple(episode(i, success=True) for i in range(4))
    after = tuple(Evaluated(evaluate(demo.LEARNER, c, wins, force_limit_n=30.0), wins) for c in ("noisy", "perfect"))
    training = tuple(episode(i, success=i > 3, peak_force_n=31.0 if i == 5 else 5.0) for i in range(10))
    results = demo.DemoResults(before, training, after)
    assert results.report(load_setup("demo"), wall_s=12.0, seed=3).to_json() == {
        "before": {"p_controller": {"noisy": 0.25, "perfect": 0.25}, "p_dither": {"noisy": 0.75, "perfect": 0.75}},
        "after": {"residual_sac": {"noisy": 1.0, "perfect": 1.0}},
        "episodes": 10,
        "force_violations": 1,
        "peak_force_n": 31.0,
        "wall_s": 12.0,
        "seed": 3,
    }


def test_training_seeds_and_evaluation_seeds_never_meet() -> None:
    last_training_seed = (demo.SEED_LIMIT - 1) * demo.SEED_STRIDE + load_setup("demo").config.episodes
    assert last_training_seed < EVALUATION_SEED
    assert load_setup("demo").config.episodes <= demo.SEED_STRIDE


def test_recent_success_looks_back_over_the_window() -> None:
    episodes = [episode(i, success=i % 2 == 1) for i in range(6)]
    np.testing.assert_allclose(recent_success(episodes, window=2), [0.0, 0.5, 0.5, 0.5, 0.5, 0.5])


def test_learning_curve_is_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "curve.png"
    plot_learning_curve(file, [episode(i, success=i > 5) for i in range(30)], {"p_controller": 0.3}, "hard")
    assert file.read_bytes()[:4] == PNG_MAGIC
    assert [entry.name for entry in tmp_path.iterdir()] == ["curve.png"]


def test_table_has_a_row_per_evaluation() -> None:
    evaluation = evaluate("p_dither", "noisy", [episode(0, success=True)], force_limit_n=30.0)
    assert evaluation_table([evaluation, evaluation], "hard").row_count == 2
