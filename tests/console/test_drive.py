"""Messages of the on-screen control: nonsense is no motion, and what comes late is told from what comes in time."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tenon.console.drive import LATE_S, Punctuality, parse_message

DEFLECTIONS = (
    "{}",
    "[1, 2]",
    "[1, 0, 0, 0, 0, NaN]",
    "[Infinity, 0, 0, 0, 0, 0]",
    '["x", 0, 0, 0, 0, 0]',
    '"nonsense"',
)
PERIOD_S = 1.0 / 30.0
BROWSER_S = 5000.0
"""What the browser's clock says when the console's says 0."""
DAY_S = 86_400.0


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"sent_ms": "x"}', '{"sent_ms": NaN}', "7"])
def test_what_does_not_tell_its_time_is_no_message(text: str) -> None:
    assert parse_message(text) is None


@pytest.mark.parametrize("deflection", DEFLECTIONS)
def test_nonsense_is_no_motion(deflection: str) -> None:
    message = parse_message(f'{{"sent_ms": 1, "deflection": {deflection}}}')
    assert message is not None
    assert message.deflection == (0.0,) * 6


def test_deflection_is_cut_to_full() -> None:
    message = parse_message(json.dumps({"sent_ms": 1500, "deflection": [7, -7, 0.5, 0, 0, 0]}))
    assert message is not None
    assert message.deflection == (1.0, -1.0, 0.5, 0.0, 0.0, 0.0)
    assert message.sent_s == 1.5
    assert all(map(math.isfinite, message.deflection))


def test_messages_that_vary_by_less_than_the_limit_are_in_time() -> None:
    delays_s = np.random.default_rng(0).uniform(0.01, 0.01 + 0.9 * LATE_S, 300)
    sent_s = np.arange(300) * PERIOD_S
    arrived_s = np.maximum.accumulate(sent_s + delays_s)
    punctuality = Punctuality()
    assert all(punctuality.is_in_time(BROWSER_S + s, a) for s, a in zip(sent_s, arrived_s, strict=True))


def test_messages_that_waited_out_a_stall_are_late_and_those_after_it_are_not() -> None:
    punctuality, stall_s = Punctuality(), 5.0
    assert punctuality.is_in_time(BROWSER_S, 0.01)
    for number in (1, 2, 3):
        assert not punctuality.is_in_time(BROWSER_S + number * PERIOD_S, stall_s)
    assert punctuality.is_in_time(BROWSER_S + stall_s + 1.0, stall_s + 1.02)


def test_message_that_was_sent_before_another_one_is_late() -> None:
    punctuality = Punctuality()
    assert punctuality.is_in_time(BROWSER_S + 0.1, 0.11)
    assert not punctuality.is_in_time(BROWSER_S + 0.05, 0.12)


@pytest.mark.parametrize("drift", [-5e-5, 5e-5])
def test_clocks_that_drift_apart_make_nothing_late_in_a_day(drift: float) -> None:
    punctuality = Punctuality()
    assert all(punctuality.is_in_time(BROWSER_S + (1.0 + drift) * s, s + 0.01) for s in np.arange(0.0, DAY_S, 10.0))
