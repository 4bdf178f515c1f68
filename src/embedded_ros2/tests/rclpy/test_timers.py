"""Timers and rates."""

from __future__ import annotations

import threading

import pytest
from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.clock import Clock, ROSClock
from rclpy.clock_type import ClockType
from rclpy.exceptions import ROSInterruptException
from rclpy.time import Time

LONG_S = 3600.0


def test_timer_calls_back_every_period(node, executor, spin_until):
    calls = []
    node.create_timer(0.001, lambda: calls.append(1))
    spin_until(executor, lambda: len(calls) >= 5)


def test_timer_of_period_zero_is_always_due(node, executor):
    calls = []
    node.create_timer(0.0, lambda: calls.append(1))
    for _ in range(3):
        executor.spin_once(timeout_sec=0)
    assert len(calls) == 3


def test_negative_period_raises(node):
    with pytest.raises(ValueError, match="non-negative"):
        node.create_timer(-1.0, lambda: None)


def test_cancel_and_reset(node, executor):
    calls = []
    timer = node.create_timer(0.0, lambda: calls.append(1))
    timer.cancel()
    assert timer.is_canceled()
    assert timer.time_until_next_call() is None
    assert not timer.is_ready()
    executor.spin_once(timeout_sec=0)
    assert calls == []
    timer.reset()
    executor.spin_once(timeout_sec=0)
    assert calls == [1]


def test_timer_without_autostart_waits_for_reset(node, executor):
    calls = []
    timer = node.create_timer(0.0, lambda: calls.append(1), autostart=False)
    executor.spin_once(timeout_sec=0)
    assert timer.is_canceled()
    assert calls == []
    timer.reset()
    executor.spin_once(timeout_sec=0)
    assert calls == [1]


def test_callback_may_cancel_its_own_timer(node, executor):
    calls = []
    timer = node.create_timer(0.0, lambda: (calls.append(1), timer.cancel()))
    for _ in range(3):
        executor.spin_once(timeout_sec=0)
    assert calls == [1]


def test_reset_from_another_thread_wakes_the_executor(node, executor, spin_until):
    calls = []
    timer = node.create_timer(LONG_S, lambda: calls.append(1))

    def hurry():
        timer.timer_period_ns = 0
        timer.reset()

    threading.Timer(0.02, hurry).start()
    spin_until(executor, lambda: calls)


def _simulated(node, period_s, calls):
    clock = ROSClock()
    clock._set_ros_time_is_active(True)
    return clock, node.create_timer(period_s, lambda: calls.append(clock.now().nanoseconds / 1e9), clock=clock)


def _set(clock, seconds):
    clock.set_ros_time_override(Time(seconds=seconds, clock_type=ClockType.ROS_TIME))


def test_times_until_and_since_a_call(node, executor):
    clock, timer = _simulated(node, 2.0, [])
    _set(clock, 0.5)
    assert timer.time_until_next_call() == 1_500_000_000
    assert timer.time_since_last_call() == 500_000_000
    assert not timer.is_ready()
    _set(clock, 2.5)
    assert timer.is_ready()
    assert timer.time_until_next_call() == -500_000_000
    executor.spin_once(timeout_sec=0)
    assert timer.time_until_next_call() == 1_500_000_000
    assert timer.timer_period_ns == 2_000_000_000
    assert timer.clock is clock


def test_missed_calls_are_skipped_and_the_phase_is_kept(node, executor):
    calls = []
    clock, timer = _simulated(node, 1.0, calls)
    _set(clock, 5.3)
    for _ in range(3):
        executor.spin_once(timeout_sec=0)
    assert calls == [5.3]
    assert timer.time_until_next_call() == 700_000_000


def test_jump_back_starts_a_new_period(node, executor):
    calls = []
    clock, timer = _simulated(node, 1.0, calls)
    _set(clock, 10)
    executor.spin_once(timeout_sec=0)
    _set(clock, 2)
    assert timer.time_until_next_call() == 1_000_000_000


def test_change_of_the_time_source_keeps_the_remaining_time(node):
    clock = ROSClock()
    timer = node.create_timer(LONG_S, lambda: None, clock=clock)
    before = timer.time_until_next_call()
    clock._set_ros_time_is_active(True)
    assert 0 < timer.time_until_next_call() <= before


def test_destroyed_timer_is_gone(node, executor):
    calls = []
    timer = node.create_timer(0.0, lambda: calls.append(1))
    assert node.destroy_timer(timer)
    executor.spin_once(timeout_sec=0)
    assert calls == []
    assert list(node.timers) == []
    with pytest.raises(InvalidHandle):
        timer.reset()


def test_rate_sleeps_for_periods(node, executor, spin_in_thread):
    spin_in_thread(executor)
    rate = node.create_rate(200.0)
    clock = Clock(clock_type=ClockType.STEADY_TIME)
    start = clock.now()
    for _ in range(4):
        rate.sleep()
    assert (clock.now() - start).nanoseconds >= 15_000_000
    assert node.destroy_rate(rate)
    with pytest.raises(RuntimeError, match="destroyed"):
        rate.sleep()


def test_rate_is_interrupted_by_shutdown(node, context):
    rate = node.create_rate(0.001)
    threading.Timer(0.02, context.try_shutdown).start()
    with pytest.raises(ROSInterruptException):
        rate.sleep()


def test_frequency_must_be_positive(node):
    with pytest.raises(ValueError, match="> 0"):
        node.create_rate(0.0)
