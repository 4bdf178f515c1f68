"""Round trip of a message between two processes, over the very wire that sessions use.

``python -m tenon_session.round_trip NAME`` is the far end: it sends back what it gets until it is told to stop.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

from tenon_session.graph import die_with_parent, router
from tenon_session.introspection import spinning_node

TRIPS = 200
WARM_UP_TRIPS = 20
DISCOVERY_TIMEOUT_S = 15.0
TRIP_TIMEOUT_S = 1.0
POLL_S = 0.02
JOINTS = 6
QOS = QoSProfile(depth=1)


class RoundTripError(RuntimeError):
    """No message came back. The message says at which point."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Of a JointState of six joints, both ends in Python with an executor. In seconds."""

    median_s: float
    p99_s: float
    trips: int


def measure_round_trip(trips: int = TRIPS) -> RoundTrip:
    """Starts a far end and measures. Raises RoundTripError, and RouterError when no router can run."""
    name = f"tenon_round_trip_{os.getpid()}"
    with router():
        far_end = subprocess.Popen([sys.executable, "-m", __name__, name], preexec_fn=die_with_parent())
        try:
            with spinning_node(lambda: _create_node(f"_{name}_near")) as node:
                return _measure(_NearEnd(node, name), trips)
        finally:
            far_end.terminate()
            far_end.wait()


def _measure(near: _NearEnd, trips: int) -> RoundTrip:
    near.wait_for_far_end()
    for _ in range(WARM_UP_TRIPS):
        near.trip()
    durations_s = sorted(near.trip() for _ in range(trips))
    return RoundTrip(statistics.median(durations_s), durations_s[int(0.99 * (trips - 1))], trips)


class _NearEnd:
    def __init__(self, node: Any, name: str) -> None:
        self._node = node
        self._back = threading.Event()
        self._publisher = node.create_publisher(JointState, f"{name}/there", QOS)
        self._topic_back = f"{name}/back"
        node.create_subscription(JointState, self._topic_back, lambda _: self._back.set(), QOS)
        self._message = JointState(name=[f"joint_{i}" for i in range(JOINTS)], position=[0.0] * JOINTS)

    def wait_for_far_end(self) -> None:
        deadline = time.monotonic() + DISCOVERY_TIMEOUT_S
        while not (self._publisher.get_subscription_count() and self._node.count_publishers(self._topic_back)):
            if time.monotonic() > deadline:
                raise RoundTripError(f"the far end did not appear on the graph within {DISCOVERY_TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)

    def trip(self) -> float:
        self._back.clear()
        started_s = time.perf_counter()
        self._publisher.publish(self._message)
        if not self._back.wait(TRIP_TIMEOUT_S):
            raise RoundTripError(f"a message did not come back within {TRIP_TIMEOUT_S:.0f} s")
        return time.perf_counter() - started_s


def _create_node(name: str) -> Node:
    return Node(name, start_parameter_services=False, enable_rosout=False)


def main() -> int:
    """The far end."""
    name = sys.argv[1]
    rclpy.init(args=[])
    node = _create_node(f"_{name}_far")
    publisher = node.create_publisher(JointState, f"{name}/back", QOS)
    node.create_subscription(JointState, f"{name}/there", publisher.publish, QOS)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
