"""The rclpy API between two processes, over the Zenoh wire."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import rclpy
from action_msgs.msg import GoalStatus
from example_interfaces.action import Fibonacci
from example_interfaces.srv import AddTwoInts
from rcl_interfaces.msg import Log, ParameterEvent
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient, get_action_names_and_types
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_rosout_default
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from embedded_ros2.rmw.zenoh.configuration import OVERRIDE_VARIABLE
from embedded_ros2.rmw.zenoh.router import RouterProcess

PATIENCE_S = 60.0
DOMAIN_ID = 77


@pytest.fixture(scope="module")
def environment():
    """A router on a port of its own, and the environment that leads to it."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        endpoint = f"tcp/localhost:{probe.getsockname()[1]}"
    with RouterProcess(endpoint):
        yield {
            "RMW_IMPLEMENTATION": "rmw_zenoh_cpp",
            "ROS_DOMAIN_ID": str(DOMAIN_ID),
            OVERRIDE_VARIABLE: f'connect/endpoints=["{endpoint}"]',
        }


@pytest.fixture(scope="module")
def peer(environment):
    """The other process."""
    script = Path(__file__).with_name("peer_node.py")
    process = subprocess.Popen([sys.executable, str(script)], env={**os.environ, **environment})
    yield process
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0


@pytest.fixture
def node(peer, environment, monkeypatch):
    """A node of this process that sees the other one's."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    context = Context()
    context.init([], domain_id=DOMAIN_ID)
    node = rclpy.create_node("tester", context=context)
    assert node.wait_for_node("/peer", PATIENCE_S)
    yield node
    node.destroy_node()
    context.try_shutdown()


@pytest.fixture
def executor(node):
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    yield executor
    executor.shutdown(timeout_sec=PATIENCE_S)


@pytest.fixture
def complete(executor):
    def spin(future):
        executor.spin_until_future_complete(future, timeout_sec=PATIENCE_S)
        assert future.done()
        return future.result()

    return spin


def test_topics(node, executor, spin_until):
    received = []
    node.create_subscription(JointState, "echo", received.append, 10)
    publisher = node.create_publisher(JointState, "joints", 10)
    message = JointState(name=["a", "b"], position=[1.0, 2.0])

    def is_echoed():
        publisher.publish(message)  # again, until both sides have discovered each other
        executor.spin_once(timeout_sec=0.05)
        return bool(received)

    spin_until(executor, is_echoed)
    assert received[0] == message


def test_latched_topic_reaches_late_subscriber(node, executor, spin_until):
    received = []
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(String, "state", received.append, qos)
    spin_until(executor, lambda: received)
    assert received == [String(data="latched")]


def test_service(node, complete):
    client = node.create_client(AddTwoInts, "add")
    assert client.wait_for_service(PATIENCE_S)
    assert complete(client.call_async(AddTwoInts.Request(a=2, b=40))).sum == 42


def test_parameters(node, executor, complete, spin_until):
    events = []
    node.create_subscription(ParameterEvent, "/parameter_events", events.append, 10)
    client = node.create_client(SetParameters, "/peer/set_parameters")
    assert client.wait_for_service(PATIENCE_S)

    def is_told():
        response = complete(
            client.call_async(SetParameters.Request(parameters=[Parameter("gain", value=2.5).to_parameter_msg()]))
        )
        assert response.results[0].successful
        return any(event.node == "/peer" for event in events)

    spin_until(executor, is_told)
    changed = next(event for event in events if event.node == "/peer").changed_parameters[0]
    assert (changed.name, changed.value.double_value) == ("gain", 2.5)


def test_rosout(node, executor, spin_until):
    received = []
    node.create_subscription(Log, "/rosout", received.append, qos_profile_rosout_default)
    spin_until(executor, lambda: any(log.name == "peer" and log.msg == "peer is up" for log in received))


def test_action(node, complete):
    client = ActionClient(node, Fibonacci, "fibonacci")
    assert client.wait_for_server(PATIENCE_S)
    feedback = []
    goal_handle = complete(client.send_goal_async(Fibonacci.Goal(order=6), feedback_callback=feedback.append))
    assert goal_handle.accepted
    result = complete(goal_handle.get_result_async())
    assert (result.status, list(result.result.sequence)) == (GoalStatus.STATUS_SUCCEEDED, [0, 1, 1, 2, 3, 5])
    assert feedback


def test_action_is_cancelled(node, complete):
    client = ActionClient(node, Fibonacci, "fibonacci")
    assert client.wait_for_server(PATIENCE_S)
    goal_handle = complete(client.send_goal_async(Fibonacci.Goal(order=10_000)))
    assert complete(goal_handle.cancel_goal_async()).goals_canceling
    assert complete(goal_handle.get_result_async()).status == GoalStatus.STATUS_CANCELED


def test_graph(node):
    assert ("peer", "/") in node.get_node_names_and_namespaces()
    assert dict(node.get_service_names_and_types())["/add"] == ["example_interfaces/srv/AddTwoInts"]
    assert get_action_names_and_types(node) == [("/fibonacci", ["example_interfaces/action/Fibonacci"])]
    (publisher,) = node.get_publishers_info_by_topic("/state")
    assert publisher.node_name == "peer"
    assert publisher.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
