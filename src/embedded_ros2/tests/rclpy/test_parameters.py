"""Parameters: declaring, setting, descriptors, callbacks, services and events."""

from __future__ import annotations

import array

import pytest
from rcl_interfaces import srv
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterEvent,
    ParameterType,
    SetParametersResult,
)
from rclpy.exceptions import (
    InvalidParameterException,
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterAlreadyDeclaredException,
    ParameterImmutableException,
    ParameterNotDeclaredException,
    ParameterUninitializedException,
)
from rclpy.parameter import Parameter, get_parameter_value, parameter_dict_from_yaml_file, parameter_value_to_python

PATIENCE_S = 20.0

VALUES = [
    (None, Parameter.Type.NOT_SET),
    (True, Parameter.Type.BOOL),
    (3, Parameter.Type.INTEGER),
    (1.5, Parameter.Type.DOUBLE),
    ("text", Parameter.Type.STRING),
    ([b"a", b"b"], Parameter.Type.BYTE_ARRAY),
    ([True, False], Parameter.Type.BOOL_ARRAY),
    ([1, 2], Parameter.Type.INTEGER_ARRAY),
    ([1.0, 2.0], Parameter.Type.DOUBLE_ARRAY),
    (["a", "b"], Parameter.Type.STRING_ARRAY),
]


def accept(parameters):
    return SetParametersResult(successful=True)


@pytest.mark.parametrize(("value", "type_"), VALUES)
def test_type_is_derived_and_survives_the_message(value, type_):
    parameter = Parameter("name", value=value)
    assert parameter.type_ is type_
    assert Parameter.from_parameter_msg(parameter.to_parameter_msg()) == parameter


def test_arrays_and_empty_lists():
    assert Parameter("a", value=array.array("d", [1.0])).type_ is Parameter.Type.DOUBLE_ARRAY
    assert Parameter("a", Parameter.Type.STRING_ARRAY, []).type_ is Parameter.Type.STRING_ARRAY
    assert Parameter("a", value=[]).type_ is Parameter.Type.BYTE_ARRAY


@pytest.mark.parametrize("value", [[1, "a"], {"a": 1}, object(), b"x"])
def test_values_without_a_type_raise(value):
    with pytest.raises(TypeError):
        Parameter("name", value=value)


def test_type_and_value_must_agree():
    with pytest.raises(ValueError, match="do not agree"):
        Parameter("name", Parameter.Type.INTEGER, 1.5)


def test_value_from_a_command_line():
    assert parameter_value_to_python(get_parameter_value("[1, 2]")) == [1, 2]
    assert parameter_value_to_python(get_parameter_value("{no: value}")) == "{no: value}"


def test_parameters_of_a_file(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("/**:\n  ros__parameters: {a: 1}\n/node:\n  ros__parameters: {b: {c: 2}}\n")
    assert set(parameter_dict_from_yaml_file(str(file))) == {"b.c"}
    assert set(parameter_dict_from_yaml_file(str(file), use_wildcard=True)) == {"a", "b.c"}
    assert set(parameter_dict_from_yaml_file(str(file), target_nodes=["/node"], namespace="n")) == {"n.b.c"}
    with pytest.raises(RuntimeError, match="/other"):
        parameter_dict_from_yaml_file(str(file), target_nodes=["/other"])


def test_declare_and_get(node):
    assert node.declare_parameter("speed", 1.0).value == 1.0
    assert node.get_parameter("speed").value == 1.0
    assert node.has_parameter("speed")
    assert node.get_parameter_type("speed") is Parameter.Type.DOUBLE
    assert node.get_parameter_or("other", Parameter("other", value=5)).value == 5


def test_declare_many_with_namespace(node):
    declared = node.declare_parameters("arm", [("gain", 1.0), ("joint.count", 7, ParameterDescriptor(description="n"))])
    assert [parameter.name for parameter in declared] == ["arm.gain", "arm.joint.count"]
    assert set(node.get_parameters_by_prefix("arm")) == {"gain", "joint.count"}
    assert node.describe_parameter("arm.joint.count").description == "n"


def test_undeclared_parameters_raise(node):
    for use in (
        lambda: node.get_parameter("x"),
        lambda: node.set_parameters([Parameter("x", value=1)]),
        lambda: node.set_parameters_atomically([Parameter("x", value=1)]),
        lambda: node.undeclare_parameter("x"),
        lambda: node.describe_parameter("x"),
        lambda: node.get_parameter_type("x"),
    ):
        with pytest.raises(ParameterNotDeclaredException):
            use()


def test_undeclared_parameters_may_be_allowed(make_node):
    node = make_node("free", allow_undeclared_parameters=True)
    assert node.get_parameter("x").type_ is Parameter.Type.NOT_SET
    assert node.set_parameters([Parameter("x", value=1)])[0].successful
    assert node.set_parameters([Parameter("x", value="now a string")])[0].successful
    assert node.get_parameter("x").value == "now a string"
    assert node.set_parameters([Parameter("x")])[0].successful
    assert not node.has_parameter("x")


def test_declaring_twice_and_empty_names_raise(node):
    node.declare_parameter("x", 1)
    with pytest.raises(ParameterAlreadyDeclaredException):
        node.declare_parameter("x", 2)
    with pytest.raises(InvalidParameterException):
        node.declare_parameter("", 1)


def test_type_without_default(make_node):
    node = make_node("typed", parameter_overrides=[Parameter("given", value=2)])
    assert node.declare_parameter("given", Parameter.Type.INTEGER).value == 2
    node.declare_parameter("open", Parameter.Type.INTEGER)
    with pytest.raises(ParameterUninitializedException):
        node.get_parameter("open")
    assert node.get_parameter_or("open", Parameter("open", value=3)).value == 3
    assert not node.set_parameters([Parameter("open", value="text")])[0].successful
    assert node.set_parameters([Parameter("open", value=4)])[0].successful
    assert node.get_parameter("open").value == 4


def test_declaring_only_a_name_is_deprecated(node):
    with pytest.warns(UserWarning, match="deprecated"):
        node.declare_parameter("x")
    assert node.get_parameter("x").value is None


def test_static_type_cannot_be_not_set(node):
    with pytest.raises(ValueError, match="NOT_SET"):
        node.declare_parameter("x", Parameter.Type.NOT_SET)
    with pytest.raises(ValueError, match="NOT_SET"):
        node.declare_parameter("x", None, ParameterDescriptor())


def test_types_are_static_unless_the_descriptor_says_otherwise(node):
    node.declare_parameter("static", 1)
    result = node.set_parameters([Parameter("static", value=1.0)])[0]
    assert not result.successful
    assert "expected 'Type.INTEGER' got 'Type.DOUBLE'" in result.reason
    node.declare_parameter("dynamic", 1, ParameterDescriptor(dynamic_typing=True))
    assert node.set_parameters([Parameter("dynamic", value="text")])[0].successful


def test_override_of_another_type_raises(make_node):
    node = make_node("typed", parameter_overrides=[Parameter("x", value="text")])
    with pytest.raises(InvalidParameterTypeException, match="STRING"):
        node.declare_parameter("x", 1)
    assert not node.has_parameter("x")


def test_read_only(node):
    node.declare_parameter("x", 1, ParameterDescriptor(read_only=True))
    result = node.set_parameters([Parameter("x", value=2)])[0]
    assert not result.successful
    assert "read-only" in result.reason
    with pytest.raises(ParameterImmutableException):
        node.undeclare_parameter("x")
    assert node.get_parameter("x").value == 1


@pytest.mark.parametrize(
    ("value", "allowed"), [(0, True), (5, True), (10, True), (4, False), (-1, False), (11, False), (12, True)]
)
def test_integer_range(node, value, allowed):
    limits = IntegerRange(from_value=0, to_value=12, step=5)
    node.declare_parameter("x", 5, ParameterDescriptor(integer_range=[limits]))
    assert node.set_parameters([Parameter("x", value=value)])[0].successful is allowed


@pytest.mark.parametrize(
    ("value", "allowed"), [(0.0, True), (0.3, True), (1.0, True), (0.35, False), (-0.1, False), (1.1, False)]
)
def test_floating_point_range(node, value, allowed):
    limits = FloatingPointRange(from_value=0.0, to_value=1.0, step=0.1)
    node.declare_parameter("x", 0.5, ParameterDescriptor(floating_point_range=[limits]))
    result = node.set_parameters([Parameter("x", value=value)])[0]
    assert result.successful is allowed
    assert ("x" in result.reason) is not allowed


def test_default_outside_of_the_range_raises(node):
    descriptor = ParameterDescriptor(integer_range=[IntegerRange(from_value=0, to_value=1)])
    with pytest.raises(InvalidParameterValueException, match="out of range"):
        node.declare_parameter("x", 5, descriptor)


def test_undeclare(node):
    node.declare_parameter("x", 1)
    node.undeclare_parameter("x")
    assert not node.has_parameter("x")
    node.declare_parameter("x", "another type")


def test_atomic_set_is_all_or_nothing(node):
    node.declare_parameters("", [("a", 1), ("b", 1)])
    result = node.set_parameters_atomically([Parameter("a", value=2), Parameter("b", value="wrong")])
    assert not result.successful
    assert node.get_parameter("a").value == 1
    results = node.set_parameters([Parameter("a", value=2), Parameter("b", value="wrong")])
    assert [result.successful for result in results] == [True, False]
    assert node.get_parameter("a").value == 2


def test_on_set_callback_rejects(node):
    node.declare_parameter("x", 1)

    def limit(parameters):
        return SetParametersResult(successful=all(p.value < 10 for p in parameters), reason="too much")

    node.add_on_set_parameters_callback(limit)
    assert node.set_parameters([Parameter("x", value=2)])[0].successful
    result = node.set_parameters([Parameter("x", value=20)])[0]
    assert (result.successful, result.reason) == (False, "too much")
    with pytest.raises(InvalidParameterValueException, match="too much"):
        node.declare_parameter("y", 20)
    node.remove_on_set_parameters_callback(limit)
    assert node.set_parameters([Parameter("x", value=20)])[0].successful
    with pytest.raises(ValueError, match="not in list"):
        node.remove_on_set_parameters_callback(limit)


def test_rejection_without_a_reason_still_rejects(node):
    node.declare_parameter("x", 1)
    node.add_on_set_parameters_callback(lambda parameters: SetParametersResult(successful=False))
    assert not node.set_parameters([Parameter("x", value=2)])[0].successful
    assert node.get_parameter("x").value == 1


def test_callbacks_run_in_order_before_and_after_setting(node):
    node.declare_parameters("", [("x", 1), ("twice", 2)])
    seen = []

    def add_twice(parameters):
        seen.append("pre")
        return [*parameters, Parameter("twice", value=2 * parameters[0].value)]

    node.add_pre_set_parameters_callback(add_twice)
    node.add_on_set_parameters_callback(lambda ps: (seen.append("on"), SetParametersResult(successful=True))[1])
    node.add_post_set_parameters_callback(lambda ps: seen.append(("post", node.get_parameter("x").value)))
    node.set_parameters([Parameter("x", value=4)])
    assert seen == ["pre", "on", ("post", 4)]
    assert node.get_parameter("twice").value == 8


def test_pre_set_callback_may_drop_everything(node):
    node.declare_parameter("x", 1)
    node.add_pre_set_parameters_callback(lambda parameters: [])
    assert not node.set_parameters([Parameter("x", value=2)])[0].successful
    assert node.get_parameter("x").value == 1


def test_last_added_callback_is_called_first(node):
    order = []
    node.declare_parameter("x", 1)
    for name in ("first", "second"):
        node.add_on_set_parameters_callback(lambda parameters, name=name: (order.append(name), accept(parameters))[1])
    node.set_parameters([Parameter("x", value=2)])
    assert order == ["second", "first"]


def test_set_descriptor(node):
    node.declare_parameter("x", 5)
    descriptor = ParameterDescriptor(integer_range=[IntegerRange(from_value=0, to_value=3)])
    with pytest.raises(InvalidParameterValueException):
        node.set_descriptor("x", descriptor)
    node.set_descriptor("x", descriptor, Parameter("x", value=2).get_parameter_value())
    assert node.get_parameter("x").value == 2
    assert not node.set_parameters([Parameter("x", value=5)])[0].successful


def test_list_parameters(node):
    node.declare_parameters("", [("a", 1), ("b.c", 1), ("b.d.e", 1)])
    assert set(node.list_parameters([], 0).names) == {"a", "b.c", "b.d.e", "use_sim_time"}
    assert set(node.list_parameters(["b"], 1).names) == {"b.c"}
    listed = node.list_parameters(["b"], 0)
    assert set(listed.names) == {"b.c", "b.d.e"}
    assert list(listed.prefixes) == ["b", "b.d"]


def test_events_tell_what_changed(node, make_node, executor, spin_until):
    listener = make_node("listener")
    executor.add_node(listener)
    events = []
    listener.create_subscription(ParameterEvent, "/parameter_events", events.append, 10)
    node.declare_parameter("x", 1, ParameterDescriptor(dynamic_typing=True))
    node.set_parameters([Parameter("x", value=2)])
    node.set_parameters([Parameter("x")])
    spin_until(executor, lambda: len(events) == 3)
    assert [
        [[p.name for p in group] for group in (e.new_parameters, e.changed_parameters, e.deleted_parameters)]
        for e in events
    ] == [[["x"], [], []], [[], ["x"], []], [[], [], ["x"]]]
    assert {event.node for event in events} == {"/node"}


@pytest.fixture
def call(node, executor):
    """Calls a parameter service of ``node``."""

    def call_service(service, name, **fields):
        client = node.create_client(service, f"/node/{name}")
        assert client.service_is_ready()
        future = client.call_async(service.Request(**fields))
        executor.spin_until_future_complete(future, timeout_sec=PATIENCE_S)
        return future.result()

    return call_service


def test_get_services(node, call):
    node.declare_parameter("x", 1.5, ParameterDescriptor(description="speed"))
    values = call(srv.GetParameters, "get_parameters", names=["x", "use_sim_time"]).values
    assert [parameter_value_to_python(value) for value in values] == [1.5, False]
    assert list(call(srv.GetParameters, "get_parameters", names=["missing"]).values) == []
    types = call(srv.GetParameterTypes, "get_parameter_types", names=["x"]).types
    assert list(types) == [ParameterType.PARAMETER_DOUBLE]
    descriptor = call(srv.DescribeParameters, "describe_parameters", names=["x"]).descriptors[0]
    assert (descriptor.name, descriptor.type, descriptor.description) == ("x", ParameterType.PARAMETER_DOUBLE, "speed")
    assert "x" in call(srv.ListParameters, "list_parameters").result.names


def test_set_services(node, call):
    node.declare_parameters("", [("x", 1), ("y", 1)])
    good, bad = Parameter("x", value=5).to_parameter_msg(), Parameter("y", value="text").to_parameter_msg()
    missing = Parameter("missing", value=1).to_parameter_msg()
    results = call(srv.SetParameters, "set_parameters", parameters=[good, bad, missing]).results
    assert [result.successful for result in results] == [True, False, False]
    assert "missing" in results[2].reason
    better = Parameter("x", value=6).to_parameter_msg()
    result = call(srv.SetParametersAtomically, "set_parameters_atomically", parameters=[better, bad]).result
    assert not result.successful
    assert node.get_parameter("x").value == 5


def test_services_may_be_left_out(make_node):
    node = make_node("silent", start_parameter_services=False)
    assert node.get_service_names_and_types_by_node("silent", "/") == []
