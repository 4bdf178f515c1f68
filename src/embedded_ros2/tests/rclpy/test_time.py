"""Time, Duration, clocks, jumps, sleeping and simulated time."""

from __future__ import annotations

import threading

import pytest
from builtin_interfaces.msg import Duration as DurationMsg
from builtin_interfaces.msg import Time as TimeMsg
from rclpy.clock import Clock, ClockChange, JumpThreshold, ROSClock
from rclpy.clock_type import ClockType
from rclpy.duration import Duration, Infinite
from rclpy.exceptions import NotInitializedException
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMsg


def test_time_is_made_of_seconds_and_nanoseconds():
    time = Time(seconds=1, nanoseconds=2)
    assert time.nanoseconds == 1_000_000_002
    assert time.seconds_nanoseconds() == (1, 2)
    assert time.clock_type == ClockType.SYSTEM_TIME


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"seconds": -1}, ValueError),
        ({"nanoseconds": -1}, ValueError),
        ({"nanoseconds": 2**63}, OverflowError),
        ({"clock_type": "SYSTEM_TIME"}, TypeError),
    ],
)
def test_invalid_times_raise(arguments, error):
    with pytest.raises(error):
        Time(**arguments)


def test_arithmetic():
    time, duration = Time(nanoseconds=10), Duration(nanoseconds=4)
    assert (time + duration).nanoseconds == 14
    assert (time - duration).nanoseconds == 6
    assert time - Time(nanoseconds=4) == Duration(nanoseconds=6)
    assert time - Time(nanoseconds=14) == Duration(nanoseconds=-4)
    with pytest.raises(ValueError, match="negative"):
        time - Duration(nanoseconds=11)
    with pytest.raises(OverflowError):
        Time(nanoseconds=2**63 - 1) + duration
    with pytest.raises(TypeError):
        time + 1


def test_comparison():
    early, late = Time(nanoseconds=1), Time(nanoseconds=2)
    assert early < late
    assert late >= early
    assert early != late
    assert early == Time(nanoseconds=1)
    assert (early == 1) is False


def test_times_of_different_clocks_do_not_mix():
    system, steady = Time(nanoseconds=1), Time(nanoseconds=1, clock_type=ClockType.STEADY_TIME)
    for operation in (Time.__eq__, Time.__lt__, Time.__sub__):
        with pytest.raises(TypeError, match="different clock types"):
            operation(system, steady)


def test_messages_round_trip():
    assert Time(seconds=3, nanoseconds=4).to_msg() == TimeMsg(sec=3, nanosec=4)
    from_msg = Time.from_msg(TimeMsg(sec=3, nanosec=4))
    assert from_msg.nanoseconds == 3_000_000_004
    assert from_msg.clock_type == ClockType.ROS_TIME
    assert Duration(nanoseconds=-1).to_msg() == DurationMsg(sec=-1, nanosec=999_999_999)
    assert Duration.from_msg(DurationMsg(sec=-1, nanosec=999_999_999)) == Duration(nanoseconds=-1)
    with pytest.raises(TypeError):
        Time.from_msg("now")


def test_duration():
    assert Duration(seconds=1.5) == Duration(nanoseconds=1_500_000_000)
    assert Duration(seconds=-1) < Duration() < Infinite
    with pytest.raises(OverflowError):
        Duration(seconds=2**40)


def test_clocks_tell_their_type():
    assert isinstance(Clock(clock_type=ClockType.ROS_TIME), ROSClock)
    for clock_type in (ClockType.ROS_TIME, ClockType.SYSTEM_TIME, ClockType.STEADY_TIME):
        clock = Clock(clock_type=clock_type)
        assert clock.clock_type == clock.now().clock_type == clock_type
    with pytest.raises(TypeError):
        Clock(clock_type="STEADY_TIME")


def test_steady_clock_never_goes_back():
    clock = Clock(clock_type=ClockType.STEADY_TIME)
    assert clock.now() <= clock.now()


def test_ros_clock_shows_the_override_while_active():
    clock = ROSClock()
    clock.set_ros_time_override(Time(seconds=5, clock_type=ClockType.ROS_TIME))
    assert clock.now().nanoseconds > 1_000_000_000_000
    clock._set_ros_time_is_active(True)
    assert clock.now().nanoseconds == 5_000_000_000


@pytest.mark.parametrize(
    "arguments",
    [
        {"min_forward": Duration(nanoseconds=-1), "min_backward": None},
        {"min_forward": None, "min_backward": Duration(nanoseconds=1)},
        {"min_forward": None, "min_backward": None, "on_clock_change": False},
    ],
)
def test_invalid_jump_thresholds_raise(arguments):
    with pytest.raises(ValueError, match=r"min_|threshold"):
        JumpThreshold(**arguments)


def test_jump_callbacks():
    clock = ROSClock()
    jumps = []
    threshold = JumpThreshold(min_forward=Duration(seconds=1), min_backward=Duration(seconds=-1))
    handle = clock.create_jump_callback(threshold, pre_callback=lambda: jumps.append("pre"), post_callback=jumps.append)
    clock._set_ros_time_is_active(True)
    assert jumps[0] == "pre"
    assert jumps[1].clock_change == ClockChange.ROS_TIME_ACTIVATED
    jumps.clear()
    for seconds in (10, 10.5, 11.5, 11, 5):
        clock.set_ros_time_override(Time(seconds=seconds, clock_type=ClockType.ROS_TIME))
    deltas = [jump.delta.nanoseconds / 1e9 for jump in jumps if jump != "pre"]
    assert deltas == [10, 1, -6]
    handle.unregister()
    jumps.clear()
    clock.set_ros_time_override(Time(seconds=50, clock_type=ClockType.ROS_TIME))
    assert jumps == []


def test_sleep_until_the_past_returns_at_once(context):
    clock = Clock(clock_type=ClockType.STEADY_TIME)
    assert clock.sleep_until(Time(clock_type=ClockType.STEADY_TIME), context)


def test_sleep_for_lasts_as_long_as_asked(context):
    clock = Clock(clock_type=ClockType.STEADY_TIME)
    until = clock.now() + Duration(seconds=0.02)
    assert clock.sleep_for(Duration(seconds=0.02), context)
    assert clock.now() >= until


def test_sleep_needs_the_right_clock_and_a_context(context):
    clock = Clock(clock_type=ClockType.STEADY_TIME)
    with pytest.raises(ValueError, match="clock type"):
        clock.sleep_until(Time(), context)
    context.try_shutdown()
    with pytest.raises(NotInitializedException):
        clock.sleep_for(Duration(seconds=1), context)


def _call_during_sleep(monkeypatch, context, action):
    """Runs ``action`` on another thread once a sleep has begun: that is when it registers for shutdown."""
    register = context.on_shutdown

    def register_and_act(callback):
        register(callback)
        threading.Thread(target=action, daemon=True).start()

    monkeypatch.setattr(context, "on_shutdown", register_and_act)


def test_shutdown_ends_sleep(context, monkeypatch):
    _call_during_sleep(monkeypatch, context, context.try_shutdown)
    assert Clock(clock_type=ClockType.STEADY_TIME).sleep_for(Duration(seconds=3600), context) is False


def test_simulated_time_ends_sleep(context, monkeypatch):
    clock = ROSClock()
    clock._set_ros_time_is_active(True)
    later = Time(seconds=100, clock_type=ClockType.ROS_TIME)
    _call_during_sleep(monkeypatch, context, lambda: clock.set_ros_time_override(later))
    assert clock.sleep_for(Duration(seconds=10), context) is True


def test_change_of_the_time_source_ends_sleep(context, monkeypatch):
    clock = ROSClock()
    _call_during_sleep(monkeypatch, context, lambda: clock._set_ros_time_is_active(True))
    assert clock.sleep_for(Duration(seconds=3600), context) is False


def test_node_follows_clock_topic_when_use_sim_time_is_set(node, executor, make_node, spin_until):
    publisher = make_node("simulator").create_publisher(ClockMsg, "/clock", 10)
    assert node.get_parameter("use_sim_time").value is False
    node.set_parameters([Parameter("use_sim_time", value=True)])
    publisher.publish(ClockMsg(clock=TimeMsg(sec=42)))
    spin_until(executor, lambda: node.get_clock().now().nanoseconds == 42_000_000_000)
    node.set_parameters([Parameter("use_sim_time", value=False)])
    assert node.get_clock().now().nanoseconds > 42_000_000_000


def test_use_sim_time_must_be_a_bool(node):
    assert not node.set_parameters([Parameter("use_sim_time", value="yes")])[0].successful


def test_timers_follow_simulated_time(make_node, context, spin_until):
    from rclpy.executors import SingleThreadedExecutor

    node = make_node("simulated", parameter_overrides=[Parameter("use_sim_time", value=True)])
    publisher = make_node("simulator").create_publisher(ClockMsg, "/clock", 10)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    calls = []
    node.create_timer(1.0, lambda: calls.append(node.get_clock().now().nanoseconds))
    for tenth in range(35):
        now = Time(nanoseconds=tenth * 100_000_000)
        publisher.publish(ClockMsg(clock=now.to_msg()))
        spin_until(executor, lambda now=now: node.get_clock().now().nanoseconds == now.nanoseconds)
        executor.spin_once(timeout_sec=0)
    assert calls == [1_000_000_000, 2_000_000_000, 3_000_000_000]
