"""Validation and expansion of names."""

from __future__ import annotations

import pytest
from rclpy.exceptions import (
    InvalidNamespaceException,
    InvalidNodeNameException,
    InvalidServiceNameException,
    InvalidTopicNameException,
)
from rclpy.expand_topic_name import expand_topic_name
from rclpy.validate_full_topic_name import validate_full_topic_name
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_node_name import validate_node_name
from rclpy.validate_topic_name import validate_topic_name


@pytest.mark.parametrize("name", ["node", "_hidden", "n0de_1"])
def test_valid_node_names(name):
    assert validate_node_name(name) is True


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "must not be empty"), ("a/b", "alphanumerics"), ("1node", "start with a number"), ("nö", "alphanumerics")],
)
def test_invalid_node_names(name, message):
    with pytest.raises(InvalidNodeNameException, match=message):
        validate_node_name(name)


def test_error_points_at_the_character():
    with pytest.raises(InvalidNodeNameException) as error:
        validate_node_name("ab-c")
    assert str(error.value).splitlines()[-1] == " " * 5 + "^"


@pytest.mark.parametrize("name", ["/", "/a", "/a/b_2"])
def test_valid_namespaces(name):
    assert validate_namespace(name) is True


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "empty"), ("a", "absolute"), ("/a/", "end with"), ("/a//b", "repeated"), ("/1", "number")],
)
def test_invalid_namespaces(name, message):
    with pytest.raises(InvalidNamespaceException, match=message):
        validate_namespace(name)


@pytest.mark.parametrize("name", ["chatter", "/a/b", "~", "~/x", "{node}/x", "a{ns}b", "_x"])
def test_valid_topic_names(name):
    assert validate_topic_name(name) is True


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "empty"),
        ("a/", "forward slash"),
        ("1a", "start with a number"),
        ("a/1b", "start with a number"),
        ("a b", "alphanumerics"),
        ("a/~", "unless it is the first"),
        ("~a", "immediately followed"),
        ("{a", "unbalanced"),
        ("{a-b}", "substitution name"),
        ("{1a}", "substitution name must not start"),
    ],
)
def test_invalid_topic_names(name, message):
    with pytest.raises(InvalidTopicNameException, match=message):
        validate_topic_name(name)


def test_service_names_have_their_own_exception():
    with pytest.raises(InvalidServiceNameException):
        validate_topic_name("a b", is_service=True)
    with pytest.raises(InvalidServiceNameException):
        validate_full_topic_name("relative", is_service=True)


@pytest.mark.parametrize(
    ("name", "namespace", "expected"),
    [
        ("t", "/", "/t"),
        ("t", "/ns", "/ns/t"),
        ("/t", "/ns", "/t"),
        ("~", "/ns", "/ns/n"),
        ("~/t", "/ns", "/ns/n/t"),
        ("~/t", "/", "/n/t"),
        ("{node}/t", "/ns", "/ns/n/t"),
        ("{ns}/t", "/ns", "/ns/t"),
    ],
)
def test_expansion(name, namespace, expected):
    assert expand_topic_name(name, "n", namespace) == expected


def test_node_rejects_invalid_names(make_node, node):
    from std_msgs.msg import String
    from std_srvs.srv import Empty

    with pytest.raises(InvalidNodeNameException):
        make_node("a b")
    with pytest.raises(InvalidNamespaceException):
        make_node("a", namespace="1ns")
    with pytest.raises(InvalidTopicNameException):
        node.create_publisher(String, "a b", 10)
    with pytest.raises(InvalidServiceNameException):
        node.create_service(Empty, "a b", lambda request, response: response)


def test_namespace_is_made_absolute(make_node):
    node = make_node("a", namespace="b/c")
    assert node.get_namespace() == "/b/c"
    assert node.get_fully_qualified_name() == "/b/c/a"
    assert node.resolve_topic_name("~/x") == "/b/c/a/x"
    assert node.get_logger().name == "b.c.a"
