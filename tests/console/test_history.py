"""Series for plots: right at both ends, and of bounded size."""

from __future__ import annotations

import pytest

from tenon.console.history import Curve, RecentHistory


def test_old_samples_leave_the_plot() -> None:
    history = RecentHistory(("force",), span_s=10.0, most=1000)
    for second in range(30):
        history.add(float(second), [float(second)])
    ages = [age_s for age_s, _ in history.series(29.0)["force"]]
    assert ages == [float(age) for age in range(-10, 1)]
    assert history.newest() == (29.0,)


def test_plot_of_a_silent_topic_runs_empty() -> None:
    history = RecentHistory(("force",), span_s=10.0, most=1000)
    history.add(0.0, [1.0])
    assert history.series(11.0) == {"force": []}


def test_history_never_holds_more_than_it_may() -> None:
    history = RecentHistory(("force",), span_s=1e9, most=50)
    for index in range(1000):
        history.add(float(index), [0.0])
    assert len(history.series(1000.0)["force"]) == 50


def test_sample_with_a_value_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="x, y"):
        RecentHistory(("x", "y"), span_s=1.0, most=10).add(0.0, [1.0])


@pytest.mark.parametrize("count", [1, 2, 10, 11, 100, 1000, 12345])
def test_curve_keeps_its_beginning_its_end_and_its_order_at_any_length(count: int) -> None:
    curve = Curve(10)
    for index in range(count):
        curve.add(float(index), 2.0 * index)
    points = curve.points()
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (count - 1.0, 2.0 * (count - 1))
    assert points == sorted(points)
    assert min(count, 5) <= len(points) <= 11


def test_curve_without_points_is_empty() -> None:
    assert Curve(10).points() == []
