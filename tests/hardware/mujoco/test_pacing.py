"""Simulated time must neither run away from the wall clock nor from the graph, nor ever stand still for good."""

import pytest

from tenon_mujoco.pacing import Beat, Lockstep, Pacer

TICK_NS = 10_000_000


def test_time_runs_at_the_factor_it_is_given() -> None:
    pacer, wall_s = Pacer(4.0), 100.0
    for _ in range(1000):
        wall_s += pacer.delay_s(TICK_NS, wall_s)
    assert wall_s - 100.0 == pytest.approx(1000 * 0.01 / 4.0)


def test_a_camera_of_30_hz_has_its_pictures_at_100_turns_a_second() -> None:
    beat = Beat(33_333_333)
    due_ns = [now_ns for now_ns in range(TICK_NS, 300 * TICK_NS + 1, TICK_NS) if beat.is_due(now_ns)]
    assert len(due_ns) == 90
    assert due_ns[:3] == [40_000_000, 70_000_000, 100_000_000]


def test_a_period_of_whole_turns_begins_where_it_does() -> None:
    beat = Beat(10 * TICK_NS)
    assert [turn for turn in range(1, 40) if beat.is_due(turn * TICK_NS)] == [10, 20, 30]


def test_a_factor_of_zero_never_waits_unless_told_to() -> None:
    pacer = Pacer(0.0)
    assert pacer.delay_s(TICK_NS, 0.0) == 0.0
    assert pacer.delay_s(TICK_NS, 0.0, factor=1.0) == pytest.approx(0.01)


def test_time_lost_in_a_stall_is_not_made_up_for() -> None:
    pacer = Pacer(1.0)
    assert pacer.delay_s(TICK_NS, 0.0) == pytest.approx(0.01)
    assert pacer.delay_s(TICK_NS, 5.0) == pytest.approx(0.0)
    assert pacer.delay_s(TICK_NS, 5.0) == pytest.approx(0.01)


def test_nobody_answers_and_nobody_did_before_so_time_goes_on() -> None:
    lockstep = Lockstep(0.5)
    lockstep.on_tick(0, 0.0)
    assert lockstep.remaining_s(0.0) == 0.0


def test_it_waits_for_the_answer_to_this_tick_and_no_older_one() -> None:
    lockstep = Lockstep(0.5)
    lockstep.on_tick(0, 0.0)
    lockstep.on_answer(0, moves=True)
    lockstep.on_tick(100, 1.0)
    lockstep.on_answer(0, moves=True)
    assert lockstep.remaining_s(1.1) == pytest.approx(0.4)
    lockstep.on_answer(100, moves=True)
    assert lockstep.remaining_s(1.1) == 0.0
    assert lockstep.counters.timeouts == 0


def test_a_dead_graph_is_waited_for_once() -> None:
    lockstep = Lockstep(0.5)
    lockstep.on_tick(0, 0.0)
    lockstep.on_answer(0, moves=True)
    lockstep.on_tick(100, 1.0)
    assert lockstep.remaining_s(1.6) == 0.0
    assert lockstep.counters.timeouts == 1
    lockstep.on_tick(200, 1.7)
    assert lockstep.remaining_s(1.7) == 0.0, "no second wait for the same silence"
    lockstep.on_answer(200, moves=True)
    lockstep.on_tick(300, 2.0)
    assert lockstep.remaining_s(2.0) == pytest.approx(0.5), "an answer begins the waiting again"


def test_motion_that_comes_too_late_for_its_tick_begins_the_waiting() -> None:
    lockstep = Lockstep(0.5)
    lockstep.on_tick(100, 0.0)
    lockstep.on_answer(-1, moves=True)
    assert lockstep.remaining_s(0.0) == 0.0, "nothing has moved yet"
    lockstep.on_tick(200, 0.1)
    lockstep.on_answer(100, moves=True)
    assert lockstep.remaining_s(0.15) == pytest.approx(0.45)
    assert lockstep.remaining_s(0.7) == 0.0
    lockstep.on_tick(300, 0.8)
    lockstep.on_answer(100, moves=True)
    assert lockstep.remaining_s(0.8) == 0.0, "the same answer counts once"


def test_without_lockstep_it_never_waits() -> None:
    lockstep = Lockstep(None)
    lockstep.on_tick(0, 0.0)
    lockstep.on_answer(0, moves=True)
    lockstep.on_tick(100, 1.0)
    assert lockstep.remaining_s(1.0) == 0.0
    assert lockstep.engaged, "time runs at the session's own pace, not at that of a real arm"


def test_an_arm_that_is_told_to_hold_lives_in_real_time() -> None:
    lockstep = Lockstep(0.5)
    lockstep.on_tick(0, 0.0)
    lockstep.on_answer(0, moves=True)
    for tick in range(1, 8):
        lockstep.on_tick(tick, float(tick))
        lockstep.on_answer(tick, moves=False)
        assert lockstep.engaged == (tick <= 4), "the two holds between two motions do not end the waiting"
