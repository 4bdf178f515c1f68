"""Who acted in a step is told once the step is over, whatever the order in which its messages came."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tenon.control.geometry import pose
from tenon.control.step_log import StepLog
from tenon.control.types import ControlMode, Reference

PERIOD_NS = 100_000_000


def passed(source: str, stamp_ns: int, x_m: float = 0.0) -> Reference:
    target = pose((x_m, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    return Reference(stamp_ns, ControlMode.CARTESIAN, source, 2 * PERIOD_NS, tcp_in_base=target)


def told(log: StepLog[str, str]) -> list[tuple[str, str | None, float | None]]:
    return [(s.observation, s.command, None if s.driven is None else float(s.driven.position_m[0])) for s in log.take()]


def test_controllers_step_is_told_once_the_next_observation_is_there() -> None:
    log: StepLog[str, str] = StepLog()
    log.on_observation(PERIOD_NS, "first")
    log.on_command(PERIOD_NS, "command")
    log.on_passed(passed("residual", PERIOD_NS))
    assert told(log) == []
    log.on_observation(2 * PERIOD_NS, "second")
    assert told(log) == [("first", "command", None)]
    assert told(log) == []


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_step_in_which_a_person_drove_is_theirs_in_any_order_of_arrival(order: tuple[int, ...]) -> None:
    log: StepLog[str, str] = StepLog()
    events = (
        lambda: log.on_observation(PERIOD_NS, "first"),
        lambda: log.on_command(PERIOD_NS, "command"),
        lambda: log.on_passed(passed("residual", PERIOD_NS)),
        lambda: log.on_passed(passed("teleop", PERIOD_NS, 0.1)),
        lambda: log.on_passed(passed("teleop", PERIOD_NS, 0.1)),
    )
    if order.index(1) < order.index(0):
        return  # a command answers an observation that was there
    for number in order:
        events[number]()
    log.on_observation(2 * PERIOD_NS, "second")
    assert told(log) == [("first", "command", 0.1)]


def test_last_command_of_a_person_is_what_was_done() -> None:
    log: StepLog[str, str] = StepLog()
    log.on_observation(PERIOD_NS, "first")
    for x_m in (0.1, 0.2, 0.3):
        log.on_passed(passed("teleop", PERIOD_NS, x_m))
    log.on_observation(2 * PERIOD_NS, "second")
    assert told(log) == [("first", None, pytest.approx(0.3))]


def test_word_of_the_mux_that_is_late_is_waited_for() -> None:
    """A fast simulation may run on while the message is under way."""
    log: StepLog[str, str] = StepLog()
    log.on_observation(PERIOD_NS, "first")
    log.on_command(PERIOD_NS, "command")
    log.on_observation(2 * PERIOD_NS, "second")
    assert told(log) == []
    log.on_passed(passed("teleop", PERIOD_NS, 0.1))
    assert told(log) == [("first", "command", 0.1)]


def test_word_that_never_comes_is_not_waited_for_long() -> None:
    log: StepLog[str, str] = StepLog()
    log.on_observation(PERIOD_NS, "first")
    log.on_command(PERIOD_NS, "command")
    for number in (2, 3, 4):
        log.on_observation(number * PERIOD_NS, "later")
    assert told(log) == [("first", "command", None)]


def test_step_that_nobody_answered_is_left_out() -> None:
    log: StepLog[str, str] = StepLog()
    for number in range(1, 6):
        log.on_observation(number * PERIOD_NS, str(number))
        if number > 2:
            log.on_command(number * PERIOD_NS, "command")
        log.on_passed(passed("residual", number * PERIOD_NS))
    assert [step[0] for step in told(log)] == ["3", "4"]


def test_new_episode_does_not_follow_the_last_one() -> None:
    log: StepLog[str, str] = StepLog()
    log.on_observation(PERIOD_NS, "first")
    log.on_command(PERIOD_NS, "command")
    log.on_passed(passed("residual", PERIOD_NS))
    log.begin()
    log.on_observation(9 * PERIOD_NS, "of the next episode")
    assert told(log) == []


def test_target_that_is_no_number_is_nobodys() -> None:
    log: StepLog[str, str] = StepLog()
    log.on_observation(PERIOD_NS, "first")
    log.on_command(PERIOD_NS, "command")
    log.on_passed(passed("teleop", PERIOD_NS, np.nan))
    log.on_observation(2 * PERIOD_NS, "second")
    assert told(log) == [("first", "command", None)]
