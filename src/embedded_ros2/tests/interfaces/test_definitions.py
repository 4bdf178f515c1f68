"""Parsing of .msg, .srv and .action text."""

import pytest

from embedded_ros2.interfaces.definitions import (
    Array,
    Constant,
    DefinitionError,
    Field,
    parse_action,
    parse_message,
    parse_service,
)


def fields_of(text):
    return parse_message("demo_msgs/msg/Demo", text).fields


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("uint8 level", Field("level", "uint8")),
        ("float64[] x  # metres", Field("x", "float64", Array.UNBOUNDED)),
        ("float64[9] k", Field("k", "float64", Array.FIXED, 9)),
        ("Point[<=4] corners", Field("corners", "demo_msgs/msg/Point", Array.BOUNDED, 4)),
        ("std_msgs/Header header", Field("header", "std_msgs/msg/Header")),
        ("string<=10 name", Field("name", "string", string_bound=10)),
        ("string<=10[<=3] names", Field("names", "string", Array.BOUNDED, 3, 10)),
        ("bool flag true", Field("flag", "bool", default=True)),
        ("float32 gain -1.5", Field("gain", "float32", default=-1.5)),
        ("byte mark 7", Field("mark", "byte", default=b"\x07")),
        ("int32[3] xyz [1, 2, 3]", Field("xyz", "int32", Array.FIXED, 3, default=(1, 2, 3))),
        ('string label "a # b"  # a comment', Field("label", "string", default="a # b")),
        ("string[] words ['a', \"b\"]", Field("words", "string", Array.UNBOUNDED, default=("a", "b"))),
        ("int32\tcount 0x10", Field("count", "int32", default=16)),
    ],
)
def test_field_is_understood(line, field):
    assert fields_of(line) == (field,)


def test_constants_are_told_from_fields():
    definition = parse_message(
        "demo_msgs/msg/Demo", "int8 LOW=-4\nstring NAME = 'it''s'\nuint8 LEVEL=3 # three\nint8 x\n"
    )
    assert definition.constants == (
        Constant("LOW", "int8", -4),
        Constant("NAME", "string", "it''s"),
        Constant("LEVEL", "uint8", 3),
    )
    assert definition.fields == (Field("x", "int8"),)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("uint8 X=256", "256 is outside of uint8: 0 to 255"),
        ("uint8 Bad", "'Bad' is no field name"),
        ("float64 lambda", "no Python keyword"),
        ("float64[0] x", "at least one element"),
        ("uint8<=4 x", "only strings have a bound"),
        ("float64[2] x [1.0]", "1 default values for 2 elements"),
        ("a/b/c/d x", "'package/Name'"),
        ("bool x maybe", "'maybe' is no bool"),
        ("uint8", "'' is no field name"),
        ("int8[ x", "is no type"),
    ],
)
def test_mistake_is_named_with_its_line(line, says):
    with pytest.raises(DefinitionError, match="demo_msgs/msg/Demo, line 2") as caught:
        parse_message("demo_msgs/msg/Demo", f"# first\n{line}")
    assert says in str(caught.value)


def test_repeated_field_is_refused():
    with pytest.raises(DefinitionError, match="x occur twice"):
        fields_of("int8 x\nint8 x\n")


def test_service_implies_request_response_and_event():
    definitions = parse_service("demo_msgs/srv/Do", "int8 A=1\nint8 x\n---\nbool ok\n")
    assert set(definitions) == {f"demo_msgs/srv/Do{suffix}" for suffix in ("", "_Request", "_Response", "_Event")}
    assert definitions["demo_msgs/srv/Do_Request"].constants == (Constant("A", "int8", 1),)
    assert [f.name for f in definitions["demo_msgs/srv/Do_Event"].fields] == ["info", "request", "response"]


def test_action_implies_services_and_feedback():
    definitions = parse_action("demo_msgs/action/Go", "int8 goal\n---\nint8 end\n---\nint8 now\n")
    accepted = definitions["demo_msgs/action/Go_SendGoal_Response"].fields
    assert [f.name for f in accepted] == ["accepted", "stamp"]
    assert [f.base for f in definitions["demo_msgs/action/Go_FeedbackMessage"].fields] == [
        "unique_identifier_msgs/msg/UUID",
        "demo_msgs/action/Go_Feedback",
    ]


def test_missing_separator_is_refused():
    with pytest.raises(DefinitionError, match="1 lines '---' separate its parts, 2 are needed"):
        parse_action("demo_msgs/action/Go", "int8 x\n---\nint8 y\n")
