"""Ages of readings by two clocks, without a controller."""

from __future__ import annotations

import numpy as np
import pytest

from tenon_ur5.ages import Ages

PERIOD_S = 0.008
BOOTED_S = 5000.0


@pytest.mark.parametrize("drift", [-1e-4, 0.0, 1e-4], ids=["controller fast", "alike", "controller slow"])
def test_clock_that_drifts_makes_no_reading_old(drift: float) -> None:
    """After 4 hours at 100 ppm the two are 1.4 s apart."""
    ages, measured_s = Ages(), np.arange(0.0, 4 * 3600.0, 10 * PERIOD_S)
    old_s = max(ages.age_s(time_s * (1.0 - drift), BOOTED_S + time_s) for time_s in measured_s)
    assert old_s < 1e-3


def test_reading_that_was_under_way_for_longer_is_as_old_as_that() -> None:
    ages = Ages()
    for count in range(1000):
        ages.age_s(count * PERIOD_S, BOOTED_S + count * PERIOD_S)
    assert ages.age_s(8.0, BOOTED_S + 8.0 + 0.12) == pytest.approx(0.12, abs=1e-3)
    assert ages.age_s(8.128, BOOTED_S + 8.128) == pytest.approx(0.0, abs=1e-3), "the next one is quick again"
