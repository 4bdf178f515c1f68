"""Publishers and subscriptions."""

from __future__ import annotations

import threading

import pytest
from rclpy._rclpy_pybind11 import InvalidHandle, RCLError
from rclpy.exceptions import NoTypeSupportImportedException
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.wait_for_message import wait_for_message
from std_msgs.msg import Int32, String


def test_message_reaches_the_callback(node, executor, spin_until):
    received = []
    node.create_subscription(String, "topic", received.append, 10)
    node.create_publisher(String, "topic", 10).publish(String(data="hello"))
    spin_until(executor, lambda: received)
    assert received == [String(data="hello")]


def test_subscriber_gets_a_copy(node, executor, spin_until):
    received = []
    node.create_subscription(String, "topic", received.append, 10)
    message = String(data="before")
    node.create_publisher(String, "topic", 10).publish(message)
    message.data = "after"
    spin_until(executor, lambda: received)
    assert received[0].data == "before"


def test_nothing_is_delivered_without_spinning(node):
    received = []
    node.create_subscription(String, "topic", received.append, 10)
    node.create_publisher(String, "topic", 10).publish(String())
    assert received == []


def test_order_is_kept(node, executor, spin_until):
    received = []
    node.create_subscription(Int32, "topic", lambda message: received.append(message.data), 100)
    publisher = node.create_publisher(Int32, "topic", 100)
    for number in range(50):
        publisher.publish(Int32(data=number))
    spin_until(executor, lambda: len(received) == 50)
    assert received == list(range(50))


@pytest.mark.parametrize(
    ("qos", "expected"), [(3, [7, 8, 9]), (QoSProfile(history=HistoryPolicy.KEEP_ALL), list(range(10)))]
)
def test_queue_keeps_what_the_history_says(node, executor, spin_until, qos, expected):
    received = []
    node.create_subscription(Int32, "topic", lambda message: received.append(message.data), qos)
    publisher = node.create_publisher(Int32, "topic", 10)
    for number in range(10):
        publisher.publish(Int32(data=number))
    spin_until(executor, lambda: len(received) == len(expected))
    executor.spin_once(timeout_sec=0)
    assert received == expected


def test_transient_local_reaches_late_subscribers(node, executor, spin_until):
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = node.create_publisher(Int32, "topic", qos)
    publisher.publish(Int32(data=1))
    publisher.publish(Int32(data=2))
    received = []
    node.create_subscription(Int32, "topic", lambda message: received.append(message.data), qos)
    spin_until(executor, lambda: received)
    assert received == [2]


def test_raw_subscription_and_publication(node, executor, spin_until):
    received = []
    node.create_subscription(String, "topic", received.append, 10, raw=True)
    serialized = serialize_message(String(data="raw"))
    node.create_publisher(String, "topic", 10).publish(serialized)
    spin_until(executor, lambda: received)
    assert received == [serialized]
    assert deserialize_message(received[0], String) == String(data="raw")


def test_callback_with_two_arguments_gets_message_info(node, executor, spin_until):
    received = []
    node.create_subscription(String, "topic", lambda message, info: received.append(info), 10)
    publisher = node.create_publisher(String, "topic", 10)
    publisher.publish(String())
    publisher.publish(String())
    spin_until(executor, lambda: len(received) == 2)
    assert [info["publication_sequence_number"] for info in received] == [1, 2]
    assert received[0]["source_timestamp"] <= received[0]["received_timestamp"]


def test_callback_with_three_arguments_raises(node):
    with pytest.raises(RuntimeError, match="one argument"):
        node.create_subscription(String, "topic", lambda a, b, c: None, 10)


def test_publishing_another_type_raises(node):
    publisher = node.create_publisher(String, "topic", 10)
    with pytest.raises(TypeError, match="Expected"):
        publisher.publish(Int32())


def test_type_must_be_an_interface(node):
    with pytest.raises(NoTypeSupportImportedException):
        node.create_publisher(str, "topic", 10)


@pytest.mark.parametrize(("qos", "error"), [("10", TypeError), (-1, ValueError), (None, TypeError)])
def test_qos_must_be_a_profile_or_a_depth(node, qos, error):
    with pytest.raises(error):
        node.create_publisher(String, "topic", qos)


def test_destroyed_publisher_cannot_publish(node):
    publisher = node.create_publisher(String, "topic", 10)
    assert node.destroy_publisher(publisher)
    assert not node.destroy_publisher(publisher)
    assert publisher not in list(node.publishers)
    with pytest.raises(InvalidHandle):
        publisher.publish(String())


def test_publishing_after_shutdown_raises(node, context):
    publisher = node.create_publisher(String, "topic", 10)
    context.try_shutdown()
    with pytest.raises(RCLError, match="context is invalid"):
        publisher.publish(String())


def test_destroyed_subscription_gets_nothing(node, executor):
    received = []
    subscription = node.create_subscription(String, "topic", received.append, 10)
    publisher = node.create_publisher(String, "topic", 10)
    publisher.publish(String())
    assert node.destroy_subscription(subscription)
    publisher.publish(String())
    executor.spin_once(timeout_sec=0)
    assert received == []
    assert not node.destroy_subscription(subscription)


def test_counts(node, make_node):
    publisher = node.create_publisher(String, "topic", 10)
    assert publisher.get_subscription_count() == 0
    subscription = make_node("other").create_subscription(String, "topic", lambda message: None, 10)
    assert publisher.get_subscription_count() == 1
    assert subscription.get_publisher_count() == 1
    assert (publisher.topic_name, subscription.topic_name) == ("/topic", "/topic")


def test_messages_that_arrive_before_spinning_are_kept(node, context, spin_until):
    from rclpy.executors import SingleThreadedExecutor

    received = []
    node.create_subscription(String, "topic", received.append, 10)
    node.create_publisher(String, "topic", 10).publish(String())
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    spin_until(executor, lambda: received)


def test_wait_for_message(node, make_node):
    publisher = make_node("talker").create_publisher(String, "topic", 10)
    stop = threading.Event()

    def publish():
        while not stop.wait(0.01):
            publisher.publish(String(data="x"))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        assert wait_for_message(String, node, "topic", time_to_wait=20) == (True, String(data="x"))
    finally:
        stop.set()
        thread.join()
    assert wait_for_message(String, node, "other", time_to_wait=0.01) == (False, None)
