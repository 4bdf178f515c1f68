"""Nodes: what they own, how they end, and what the embedded rclpy refuses by name."""

from __future__ import annotations

import importlib

import pytest
from rclpy._unsupported import UnsupportedFeature
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String
from std_srvs.srv import Trigger


def test_node_lists_what_it_owns(make_node):
    node = make_node("owner", start_parameter_services=False)
    publisher = node.create_publisher(String, "a", 10)
    subscription = node.create_subscription(String, "a", lambda message: None, 10)
    service = node.create_service(Trigger, "b", lambda request, response: response)
    client = node.create_client(Trigger, "b")
    timer = node.create_timer(1.0, lambda: None)
    guard = node.create_guard_condition(lambda: None)
    assert publisher in list(node.publishers)
    assert list(node.subscriptions) == [subscription]
    assert list(node.services) == [service]
    assert list(node.clients) == [client]
    assert list(node.timers) == [timer]
    assert list(node.guards) == [guard]
    assert node.destroy_guard_condition(guard)
    assert not node.destroy_guard_condition(guard)


def test_destroyed_node_leaves_its_executor_and_the_graph(node, make_node, context):
    executor = SingleThreadedExecutor(context=context)
    with make_node("short") as short:
        executor.add_node(short)
    assert executor.get_nodes() == []
    assert node.get_node_names() == ["node"]
    short.destroy_node()


def test_entities_can_be_made_and_destroyed_while_spinning(node, executor, spin_until):
    calls = []

    def replace():
        node.destroy_timer(timer)
        node.create_timer(0.0, lambda: calls.append(1))

    timer = node.create_timer(0.0, replace)
    spin_until(executor, lambda: calls)


def test_entities_end_with_their_with_block(node):
    with node.create_publisher(String, "a", 10), node.create_subscription(String, "a", lambda message: None, 10):
        assert node.count_publishers("a") == node.count_subscribers("a") == 1
    assert node.count_publishers("a") == node.count_subscribers("a") == 0


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("deadline", lambda node: PublisherEventCallbacks(deadline=print)),
        ("message_lost", lambda node: SubscriptionEventCallbacks(message_lost=print)),
        ("qos_overriding_options", lambda node: node.create_publisher(String, "a", 1, qos_overriding_options=object())),
        (
            "content_filter_options",
            lambda node: node.create_subscription(String, "a", print, 1, content_filter_options=object()),
        ),
        ("wait_for_all_acked", lambda node: node.create_publisher(String, "a", 1).wait_for_all_acked()),
        ("assert_liveliness", lambda node: node.create_publisher(String, "a", 1).assert_liveliness()),
        ("add_waitable", lambda node: node.add_waitable(object())),
        ("configure_introspection", lambda node: node.create_client(Trigger, "a").configure_introspection()),
    ],
)
def test_what_is_not_supported_is_named(node, name, use):
    with pytest.raises(UnsupportedFeature, match=name):
        use(node)


def test_logger_service_is_refused_by_name(make_node):
    with pytest.raises(UnsupportedFeature, match="enable_logger_service"):
        make_node("logging", enable_logger_service=True)


@pytest.mark.parametrize(
    "module",
    ["lifecycle", "parameter_client", "parameter_event_handler", "qos_overriding_options", "waitable"],
)
def test_modules_that_are_left_out_say_so_on_import(module):
    with pytest.raises(ImportError, match=f"rclpy.{module} is not supported"):
        importlib.import_module(f"rclpy.{module}")


def test_event_callbacks_without_callbacks_are_accepted(node):
    node.create_publisher(String, "a", 1, event_callbacks=PublisherEventCallbacks())


def test_node_that_cannot_start_leaves_the_graph(node, make_node):
    with pytest.raises(InvalidParameterTypeException):
        make_node("broken", parameter_overrides=[Parameter("use_sim_time", value="yes")])
    assert node.get_node_names() == ["node"]


def test_a_node_may_give_its_own_attributes_any_private_name(context):
    class Busy(Node):
        def __init__(self) -> None:
            super().__init__("busy", context=context)
            self._publishers = self._name = self._lock = self._info = self._entities = self._count = None
            self._of_user = self.create_publisher(String, "a", 10)

    node = Busy()
    assert node.get_name() == "busy"
    assert [publisher.topic_name for publisher in node.publishers][-1] == "/a"
    node.destroy_node()
