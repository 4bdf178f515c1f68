"""Queries over the graph."""

from __future__ import annotations

import threading

import pytest
from rclpy._rclpy_pybind11 import NodeNameNonExistentError
from rclpy._unsupported import UnsupportedFeature
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.topic_endpoint_info import TopicEndpointTypeEnum
from std_msgs.msg import Int32, String
from std_srvs.srv import Trigger

PATIENCE_S = 20.0


def test_nodes(node, make_node):
    make_node("other", namespace="ns")
    assert set(node.get_node_names_and_namespaces()) == {("node", "/"), ("other", "/ns")}
    assert set(node.get_node_names()) == {"node", "other"}
    assert set(node.get_fully_qualified_node_names()) == {"/node", "/ns/other"}


def test_topics_and_their_types(node):
    node.create_publisher(String, "a", 10)
    node.create_subscription(Int32, "a", lambda message: None, 10)
    topics = dict(node.get_topic_names_and_types())
    assert topics["/a"] == ["std_msgs/msg/Int32", "std_msgs/msg/String"]
    assert topics["/rosout"] == ["rcl_interfaces/msg/Log"]


def test_services_and_their_types(node):
    node.create_service(Trigger, "go", lambda request, response: response)
    node.create_client(Trigger, "nobody")
    services = dict(node.get_service_names_and_types())
    assert services["/go"] == ["std_srvs/srv/Trigger"]
    assert "/nobody" not in services
    assert "/node/list_parameters" in services


def test_entities_by_node(node, make_node):
    other = make_node("other", namespace="ns", start_parameter_services=False)
    other.create_publisher(String, "a", 10)
    other.create_subscription(String, "b", lambda message: None, 10)
    other.create_client(Trigger, "c")
    assert ("/ns/a", ["std_msgs/msg/String"]) in node.get_publisher_names_and_types_by_node("other", "/ns")
    assert node.get_subscriber_names_and_types_by_node("other", "/ns") == [("/ns/b", ["std_msgs/msg/String"])]
    assert node.get_client_names_and_types_by_node("other", "/ns") == [("/ns/c", ["std_srvs/srv/Trigger"])]
    assert node.get_service_names_and_types_by_node("other", "/ns") == []
    with pytest.raises(NodeNameNonExistentError):
        node.get_publisher_names_and_types_by_node("missing", "/")


def test_endpoint_info(node):
    qos = QoSProfile(depth=3, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_publisher(String, "a", qos)
    node.create_subscription(String, "a", lambda message: None, 10)
    (publisher,) = node.get_publishers_info_by_topic("a")
    assert (publisher.node_name, publisher.node_namespace) == ("node", "/")
    assert publisher.topic_type == "std_msgs/msg/String"
    assert publisher.endpoint_type is TopicEndpointTypeEnum.PUBLISHER
    assert publisher.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
    assert publisher.qos_profile.depth == 3
    assert str(publisher.topic_type_hash).startswith("RIHS01_")
    assert len(publisher.endpoint_gid) == 16
    (subscription,) = node.get_subscriptions_info_by_topic("/a")
    assert subscription.endpoint_type is TopicEndpointTypeEnum.SUBSCRIPTION


def test_counts(node):
    node.create_publisher(String, "a", 10)
    node.create_subscription(String, "a", lambda message: None, 10)
    node.create_subscription(String, "a", lambda message: None, 10)
    node.create_service(Trigger, "go", lambda request, response: response)
    assert (node.count_publishers("a"), node.count_subscribers("/a")) == (1, 2)
    assert (node.count_services("go"), node.count_clients("go")) == (1, 0)


def test_destroyed_entities_leave_the_graph(node, make_node):
    other = make_node("other")
    publisher = other.create_publisher(String, "a", 10)
    other.destroy_publisher(publisher)
    assert node.count_publishers("a") == 0
    other.create_publisher(String, "a", 10)
    other.destroy_node()
    assert node.count_publishers("a") == 0
    assert node.get_node_names() == ["node"]


def test_wait_for_node(node, make_node):
    assert node.wait_for_node("/late", 0.01) is False
    timer = threading.Timer(0.02, make_node, ("late",))
    timer.start()
    assert node.wait_for_node("/late", PATIENCE_S) is True
    timer.join()


def test_domains_are_separate(node):
    from rclpy.context import Context
    from rclpy.node import Node

    with_other_domain = Context()
    with_other_domain.init([], domain_id=node.context.get_domain_id() + 1)
    other = Node("other", context=with_other_domain)
    assert node.get_node_names() == ["node"]
    other.destroy_node()
    with_other_domain.try_shutdown()


def test_raw_names_are_refused(node):
    with pytest.raises(UnsupportedFeature, match="no_demangle"):
        node.get_topic_names_and_types(no_demangle=True)
