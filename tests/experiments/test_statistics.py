"""The interval of a mean over seeds."""

from __future__ import annotations

import math

import pytest

from tenon.experiments.statistics import mean_interval, student_quantile

# Student's t, two-sided 95 %, from printed tables.
TABLE = {
    1: 12.7062,
    2: 4.30265,
    3: 3.18245,
    4: 2.77645,
    9: 2.26216,
    10: 2.22814,
    29: 2.04523,
    30: 2.04227,
    120: 1.97993,
}


@pytest.mark.parametrize(("degrees", "expected"), TABLE.items())
def test_quantile_is_that_of_the_tables(degrees: int, expected: float) -> None:
    assert student_quantile(degrees) == pytest.approx(expected, abs=1e-5 * expected)


def test_interval_of_three_seeds_is_worked_out_by_hand() -> None:
    interval = mean_interval([1.0, 2.0, 3.0])
    half = 4.30265 * 1.0 / math.sqrt(3)
    assert interval.mean == 2.0
    assert (interval.low, interval.high) == (pytest.approx(2.0 - half, abs=1e-4), pytest.approx(2.0 + half, abs=1e-4))


def test_interval_of_rates_is_not_clipped() -> None:
    interval = mean_interval([1.0, 1.0, 0.7])
    assert interval.high is not None and interval.high > 1.0


def test_one_seed_has_no_interval() -> None:
    interval = mean_interval([0.5])
    assert (interval.mean, interval.low, interval.high) == (0.5, None, None)


def test_no_seed_has_no_mean() -> None:
    with pytest.raises(ValueError, match="needs one at least"):
        mean_interval([])
