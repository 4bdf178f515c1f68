"""--ros-args: remapping, parameters, files, log levels."""

from __future__ import annotations

import pytest
from rclpy._parameter_yaml import load_value, matches
from rclpy._rclpy_pybind11 import RCLInvalidROSArgsError
from rclpy._unsupported import UnsupportedFeature
from rclpy.logging import LoggingSeverity, get_logger_effective_level, set_logger_level
from rclpy.node import Node
from rclpy.parameter import Parameter


@pytest.fixture
def node_with(make_context):
    """Makes a node of a process with these ROS arguments."""
    nodes = []

    def make(*arguments, name="node", **options):
        nodes.append(Node(name, context=make_context("--ros-args", *arguments), **options))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def test_node_and_namespace_are_remapped(node_with):
    node = node_with("-r", "__node:=other", "-r", "__ns:=/here")
    assert node.get_fully_qualified_name() == "/here/other"


def test_rule_for_one_node_leaves_others_alone(node_with):
    rules = ("-r", "node:__node:=other", "-r", "node:a:=b")
    assert node_with(*rules, name="node").get_name() == "other"
    unaffected = node_with(*rules, name="third")
    assert unaffected.get_name() == "third"
    assert unaffected.resolve_topic_name("a") == "/a"


@pytest.mark.parametrize(
    ("rule", "name", "expected"),
    [
        ("a:=b", "a", "/ns/b"),
        ("a:=/b", "a", "/b"),
        ("/ns/a:=b", "a", "/ns/b"),
        ("a:=b", "/a", "/a"),
        ("~/a:=c", "~/a", "/ns/c"),
        ("node:a:=b", "a", "/ns/b"),
        ("rostopic://a:=b", "a", "/ns/b"),
        ("rosservice://a:=b", "a", "/ns/a"),
    ],
)
def test_topics_are_remapped(node_with, rule, name, expected):
    node = node_with("-r", rule, namespace="/ns")
    assert node.resolve_topic_name(name) == expected


def test_services_are_remapped(node_with):
    node = node_with("-r", "a:=b", "-r", "rostopic://c:=d")
    assert node.resolve_service_name("a") == "/b"
    assert node.resolve_service_name("c") == "/c"
    assert node.resolve_service_name("a", only_expand=True) == "/a"


def test_first_rule_wins_and_arguments_of_the_node_precede_those_of_the_process(node_with):
    assert node_with("-r", "a:=b", "-r", "a:=c").resolve_topic_name("a") == "/b"
    own = node_with("-r", "a:=b", cli_args=["--ros-args", "-r", "a:=own"])
    assert own.resolve_topic_name("a") == "/own"
    assert node_with("-r", "a:=b", use_global_arguments=False).resolve_topic_name("a") == "/a"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-3", -3),
        ("0x10", 16),
        ("1.5", 1.5),
        ("1e-3", 1e-3),
        ("5.", 5.0),
        ("true", True),
        ("off", False),
        ("hello", "hello"),
        ("'1'", "1"),
        ("2024-01-01", "2024-01-01"),
        ("12:30:45", "12:30:45"),
        ("[1, 2]", [1, 2]),
        ("[a, b]", ["a", "b"]),
        ("[]", []),
    ],
)
def test_parameter_values_are_read_as_rcl_reads_them(text, value):
    loaded = load_value(text)
    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize("text", ["[1, a]", "{a: 1}", "", "[[1]]", "null"])
def test_values_that_are_no_parameters_raise(make_context, text):
    with pytest.raises(RCLInvalidROSArgsError, match="-p"):
        make_context("--ros-args", "-p", f"x:={text}")


def test_parameter_on_the_command_line_overrides_the_default(node_with):
    node = node_with("-p", "speed:=2.5", "-p", "other:mode:=fast")
    assert node.declare_parameter("speed", 1.0).value == 2.5
    assert node.declare_parameter("mode", "slow").value == "slow"
    assert node.declare_parameter("plain", 1, ignore_override=True).value == 1


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("/**", "/a/b/c", True),
        ("/*", "/a", True),
        ("/*", "/a/b", False),
        ("/a/**", "/a/b/c", True),
        ("/a/*", "/a/b", True),
        ("/**/c", "/a/b/c", True),
        ("/a", "/ab", False),
    ],
)
def test_node_patterns(pattern, name, expected):
    assert matches(pattern, name) is expected


def test_parameter_file(node_with, tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_text(
        "/**:\n  ros__parameters:\n    everywhere: 1\n    nested: {inner: {deep: x}}\n    both: general\n"
        "/ns/node:\n  ros__parameters:\n    both: particular\n    list: [1.0, 2.0]\n"
        "ns:\n  node:\n    ros__parameters: {nested_name: true}\n"
        "other:\n  ros__parameters: {everywhere: 2}\n"
    )
    node = node_with("--params-file", str(file), namespace="/ns", automatically_declare_parameters_from_overrides=True)
    values = {name: node.get_parameter(name).value for name in node._parameters if name != "use_sim_time"}
    assert values == {
        "everywhere": 1,
        "nested.inner.deep": "x",
        "both": "particular",
        "list": [1.0, 2.0],
        "nested_name": True,
    }


def test_later_file_wins_for_the_same_pattern(node_with, tmp_path):
    for name, value in (("first", 1), ("second", 2)):
        (tmp_path / name).write_text(f"/**:\n  ros__parameters: {{x: {value}}}\n")
    node = node_with("--params-file", str(tmp_path / "first"), "--params-file", str(tmp_path / "second"))
    assert node.declare_parameter("x", 0).value == 2
    overridden = node_with("--params-file", str(tmp_path / "first"), "-p", "x:=3")
    assert overridden.declare_parameter("x", 0).value == 3


def test_parameters_of_the_constructor_win(node_with):
    node = node_with("-p", "x:=1", parameter_overrides=[Parameter("x", value=2)])
    assert node.declare_parameter("x", 0).value == 2


@pytest.mark.parametrize(
    "content", ["", "node: 1", "node:\n  ros__parameters: 1", "a: [", "n: {ros__parameters: {x: null}}"]
)
def test_broken_parameter_file_raises_with_its_name(make_context, tmp_path, content):
    file = tmp_path / "broken.yaml"
    file.write_text(content)
    with pytest.raises(RCLInvalidROSArgsError, match=r"broken\.yaml"):
        make_context("--ros-args", "--params-file", str(file))


def test_missing_parameter_file_raises(make_context):
    with pytest.raises(RCLInvalidROSArgsError, match="No such file"):
        make_context("--ros-args", "--params-file", "/nowhere.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ("-r",),
        ("-r", "a"),
        ("-r", "a b:=c"),
        ("-r", "__node:=a/b"),
        ("-r", "__ns:=relative"),
        ("-p", "x"),
        ("-e", "no"),
        ("--log-level", "loud"),
    ],
)
def test_malformed_arguments_raise(make_context, arguments):
    with pytest.raises(RCLInvalidROSArgsError, match=f"{arguments[0]}"):
        make_context("--ros-args", *arguments)


def test_unsupported_arguments_are_named(make_context):
    with pytest.raises(UnsupportedFeature, match="--log-config-file"):
        make_context("--ros-args", "--log-config-file", "x")


def test_log_levels(make_context):
    make_context("--ros-args", "--log-level", "quiet_node:=error")
    assert get_logger_effective_level("quiet_node") == LoggingSeverity.ERROR
    set_logger_level("quiet_node", LoggingSeverity.UNSET)


def test_several_ros_sections(make_context):
    context = make_context("--ros-args", "-r", "a:=b", "--", "mine", "--ros-args", "-p", "x:=1")
    assert len(context.arguments.remaps) == 1
    assert len(context.arguments.parameters) == 1


def test_enclave(make_context):
    assert make_context("--ros-args", "-e", "/secret").arguments.enclave == "/secret"
