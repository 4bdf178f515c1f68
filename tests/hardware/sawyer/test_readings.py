"""Readings over a network: in order or not at all, and on this machine's clock."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from tenon_sawyer.readings import ClockOffset, Readings
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.time import Time

JOINTS = ("right_j0", "right_j1")
MS = 1_000_000
ROBOT_AHEAD_NS = 5_000_000_000


class Clock:
    """This machine's clock; the robot's is five seconds ahead."""

    def __init__(self):
        self.now_ns = 1_000_000_000_000

    def __call__(self):
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def readings(clock):
    return Readings(JOINTS, late_s=0.05, clock_ns=clock)


def state(sent_ns, *, names=JOINTS, values=(0.1, 0.2)):
    msg = message("sensor_msgs/JointState")(name=list(names), position=values, velocity=values, effort=values)
    msg.header.stamp = Time.from_nsec(sent_ns + ROBOT_AHEAD_NS)
    return msg


def arrive(readings, clock, at_ns, after_ns, **changes):
    """A state that was measured at ``at_ns`` and was under way for ``after_ns``."""
    clock.now_ns = at_ns + after_ns
    readings.take(state(at_ns, **changes))


def test_stamp_is_the_measurement_on_this_clock(readings, clock):
    start = clock.now_ns
    arrive(readings, clock, start, 1 * MS)  # the quickest: its way is part of the clocks' offset
    arrive(readings, clock, start + 10 * MS, 9 * MS)
    assert readings.wait(0.0).stamp_ns == start + 11 * MS


def test_joints_come_in_the_arms_order_and_other_joints_are_passed_over(readings, clock):
    arrive(readings, clock, clock.now_ns, MS, names=("head_pan", "right_j1", "right_j0"), values=(9.0, 0.2, 0.1))
    assert np.array_equal(readings.wait(0.0).position_rad, (0.1, 0.2))
    readings.take(state(clock.now_ns + 20 * MS, names=("head_pan",), values=(9.0,)))
    assert readings.wait(0.0) is None
    assert readings.counters.bad == 0


@pytest.mark.parametrize(
    ("numbers", "mixed"),
    [
        ((0, 0, 0), 0),
        ((4_000_000_000, 4_000_000_001), 0),
        ((2**32 - 1, 0, 1), 0),
        ((900, 5, 901, 6, 902), 2),
        ((900, 9000, 901), 1),
    ],
)
def test_two_publishers_are_told_apart_by_their_numbers(readings, clock, numbers, mixed):
    for number in numbers:
        msg = state(clock.now_ns)
        msg.header.seq = number
        clock.now_ns += MS
        readings.take(msg)
    assert readings.counters.mixed == mixed


def test_each_reading_is_handed_out_once(readings, clock):
    arrive(readings, clock, clock.now_ns, MS)
    assert readings.wait(0.0) is not None
    assert readings.wait(0.0) is None


@pytest.mark.parametrize("back_ns", [0, 10 * MS])
def test_reading_that_comes_twice_or_after_a_newer_one_is_dropped(readings, clock, back_ns):
    start = clock.now_ns
    arrive(readings, clock, start, MS)
    readings.wait(0.0)
    readings.take(state(start - back_ns))
    assert readings.wait(0.0) is None
    assert readings.counters.old == 1


def test_reading_that_was_under_way_too_long_is_dropped(readings, clock):
    start = clock.now_ns
    arrive(readings, clock, start, MS)
    readings.wait(0.0)
    arrive(readings, clock, start + 10 * MS, 60 * MS)
    assert readings.wait(0.0) is None
    assert readings.counters.late == 1
    arrive(readings, clock, start + 80 * MS, 2 * MS)
    assert readings.wait(0.0) is not None


@pytest.mark.parametrize("values", [(float("nan"), 0.0), (0.0,)])
def test_reading_without_values_is_dropped(readings, clock, values):
    arrive(readings, clock, clock.now_ns, MS, values=values)
    assert readings.wait(0.0) is None
    assert readings.counters.bad == 1


def test_rebooted_robot_with_another_clock_is_believed_after_forget(readings, clock):
    start = clock.now_ns
    arrive(readings, clock, start, MS)
    readings.wait(0.0)
    readings.forget()
    clock.now_ns = start + 10 * MS
    readings.take(state(start - ROBOT_AHEAD_NS))  # its clock was set back
    assert readings.wait(0.0).stamp_ns == clock.now_ns


def test_offset_follows_clocks_that_drift():
    offset, start = ClockOffset(), 1_000_000_000_000
    for second in range(60):  # the robot's clock loses 1 ms each second
        sent_ns = start + second * (1_000_000_000 - MS)
        latest = offset.update(sent_ns, start + second * 1_000_000_000)
    assert 60 * MS - latest < 25 * MS


def test_wait_ends_when_a_reading_comes(readings, clock):
    waiting = threading.Event()

    def come():
        waiting.wait()
        arrive(readings, clock, clock.now_ns, MS)

    helper = threading.Thread(target=come)
    helper.start()
    waiting.set()
    assert readings.wait(30.0) is not None
    helper.join()
