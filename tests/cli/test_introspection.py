"""`tenon topic` and what it stands on, against live nodes of the embedded ROS 2."""

from __future__ import annotations

import struct
import subprocess
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from rclpy.node import Node
from sensor_msgs.msg import JointState

from embedded_ros2.router import RouterProcess
from tenon_session import introspection
from tenon_session.introspection import RateMeter, spinning_node

Tenon = Callable[..., subprocess.CompletedProcess[str]]
TIMEOUT_S = 10.0


def test_list_shows_the_topics_of_another_process(tenon: Tenon, talker: None) -> None:
    run = tenon("topic", "list")
    assert run.returncode == 0
    assert {"/flag", "/joint_states"} <= set(run.stdout.split())


def test_list_with_types_counts_only_others(tenon: Tenon, talker: None) -> None:
    run = tenon("topic", "list", "--types")
    assert "/joint_states  sensor_msgs/msg/JointState  1 pub, 0 sub" in run.stdout.splitlines()
    assert "_tenon" not in run.stdout


def test_empty_graph_is_said(tenon: Tenon, router: None) -> None:
    run = tenon("topic", "list")
    assert run.returncode == 0
    assert run.stdout == ""
    assert "no topics" in run.stderr


def test_topics_are_still_found_once_the_router_that_their_nodes_began_with_has_ended(
    tenon: Tenon, router: RouterProcess, talker: None
) -> None:
    router.close()
    run = tenon("topic", "list")
    assert {"/flag", "/joint_states"} <= set(run.stdout.split()), run.stderr


def test_rate_of_a_topic_that_never_comes_ends_in_time(tenon: Tenon, talker: None) -> None:
    run = tenon("topic", "hz", "observation", "--duration", "0.2")
    assert run.returncode == 1
    assert "/observation has not come within the time" in run.stderr


def test_echo_once_shows_one_message_as_yaml(tenon: Tenon, talker: None) -> None:
    run = tenon("topic", "echo", "joint_states", "--once")
    assert run.returncode == 0
    assert "name: ['shoulder', 'elbow']" in run.stdout
    assert run.stdout.count("---") == 1


def test_echo_of_a_field(tenon: Tenon, talker: None) -> None:
    run = tenon("topic", "echo", "/joint_states", "--once", "--field", "position")
    assert run.stdout.splitlines() == ["[0.5, 1.5]", "---"]


def test_echo_of_a_missing_field_names_those_there_are(tenon: Tenon, talker: None) -> None:
    run = tenon("topic", "echo", "joint_states", "--once", "--field", "positions")
    assert run.returncode == 1
    assert "position" in run.stderr
    assert "velocity" in run.stderr


def test_hz_measures_in_the_time_of_the_stamps(tenon: Tenon, talker: None) -> None:
    run = tenon("topic", "hz", "joint_states", "--duration", "2")
    assert run.returncode == 0
    assert "average rate 10.0" in run.stdout.splitlines()[-1]
    assert "by arrival" in run.stdout


def test_hz_without_stamps_measures_arrival(tenon: Tenon, talker: None) -> None:
    run = tenon("topic", "hz", "flag", "--duration", "2")
    assert run.returncode == 0
    assert "average rate" in run.stdout
    assert "by arrival" not in run.stdout


def test_callback_that_fails_costs_its_own_call_alone(router: None, capfd: pytest.CaptureFixture[str]) -> None:
    called = threading.Semaphore(0)

    def fail() -> None:
        called.release()
        raise ValueError("of this call")

    def create() -> Node:
        node = Node("clumsy", start_parameter_services=False, enable_rosout=False)
        node.create_timer(0.01, fail)
        return node

    with spinning_node(create):
        for _ in range(3):
            assert called.acquire(timeout=10.0)
    assert "ValueError: of this call" in capfd.readouterr().err


class Broken:
    """An executor and its node: every turn fails."""

    def __init__(self) -> None:
        self.turns, self.said = 0, 0

    def spin_once(self, timeout_sec: float) -> None:
        self.turns += 1
        raise ValueError("of every turn")

    def get_logger(self) -> SimpleNamespace:
        return SimpleNamespace(error=lambda _: setattr(self, "said", self.said + 1))


def test_turn_that_always_fails_does_not_flood_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection.rclpy, "ok", lambda: True)
    broken, ended = Broken(), threading.Event()
    thread = threading.Thread(target=introspection._spin, args=(broken, broken, ended))
    thread.start()
    time.sleep(5 * introspection.FAILED_S)
    ended.set()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive() and 0 < broken.said == broken.turns <= 6


def test_turns_end_with_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken()
    monkeypatch.setattr(introspection.rclpy, "ok", lambda: broken.turns == 0)
    thread = threading.Thread(target=introspection._spin, args=(broken, broken, threading.Event()), daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive() and broken.turns == 1


def test_unknown_package_is_named() -> None:
    with pytest.raises(ValueError, match="no_such_msgs"):
        introspection.message_class("no_such_msgs/msg/Thing")


def test_stamp_is_read_from_serialized_bytes() -> None:
    little = bytes((0, 1, 0, 0)) + struct.pack("<iI", 12, 34) + bytes(8)
    big = bytes((0, 0, 0, 0)) + struct.pack(">iI", 12, 34) + bytes(8)
    assert introspection.stamp_ns_of(little) == introspection.stamp_ns_of(big) == 12_000_000_034


def test_header_is_recognised_by_type() -> None:
    assert introspection.has_header("sensor_msgs/msg/JointState")
    assert not introspection.has_header("std_msgs/msg/Bool")


def test_long_arrays_are_cut() -> None:
    lines = list(introspection.message_lines(JointState(position=[0.0] * 1000)))
    assert any(line.endswith(", ...]") for line in lines)


def test_rate_of_even_times_has_no_deviation() -> None:
    meter = RateMeter(window=10)
    for index in range(20):
        meter.add(index * 20_000_000)
    rate = meter.rate()
    assert rate is not None
    assert rate.rate_hz == pytest.approx(50.0)
    assert rate.samples == 10
    assert rate.deviation_s == pytest.approx(0.0)


def test_rate_needs_two_different_times() -> None:
    meter = RateMeter(window=10)
    meter.add(5)
    meter.add(5)
    assert meter.rate() is None


def test_time_that_jumps_back_starts_the_meter_anew() -> None:
    meter = RateMeter(window=100)
    for time_ns in (9_000_000_000, 9_500_000_000, 0, 100_000_000):
        meter.add(time_ns)
    rate = meter.rate()
    assert rate is not None
    assert rate.rate_hz == pytest.approx(10.0)
