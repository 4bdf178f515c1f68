"""``Parameter``, as in rclpy: a name, a type and a value, and its conversions."""

from __future__ import annotations

import array
from enum import Enum
from typing import TYPE_CHECKING, Any

from ._parameter_yaml import ANY_NODE, load_file, load_value

if TYPE_CHECKING:
    from rcl_interfaces.msg import Parameter as ParameterMsg
    from rcl_interfaces.msg import ParameterValue

PARAMETER_SEPARATOR_STRING = "."

_LIST_TYPES: list[tuple[type | tuple[type, ...], str]] = [
    (bytes, "BYTE_ARRAY"),
    (bool, "BOOL_ARRAY"),
    (int, "INTEGER_ARRAY"),
    (float, "DOUBLE_ARRAY"),
    (str, "STRING_ARRAY"),
]
_ARRAY_CODES = {"q": "INTEGER_ARRAY", "d": "DOUBLE_ARRAY"}


class Parameter:
    """A named value. The type is derived from the value where it is not given.

    :raises ValueError: when the type cannot hold the value.
    """

    class Type(Enum):
        """Types of parameters; values are those of ``rcl_interfaces/msg/ParameterType``."""

        NOT_SET = 0
        BOOL = 1
        INTEGER = 2
        DOUBLE = 3
        STRING = 4
        BYTE_ARRAY = 5
        BOOL_ARRAY = 6
        INTEGER_ARRAY = 7
        DOUBLE_ARRAY = 8
        STRING_ARRAY = 9

        @classmethod
        def from_parameter_value(cls, parameter_value: Any) -> Parameter.Type:
            """Returns the type that holds a Python value; an empty list is a BYTE_ARRAY.

            :raises TypeError: when none does.
            """
            scalars = {type(None): cls.NOT_SET, bool: cls.BOOL, int: cls.INTEGER, float: cls.DOUBLE, str: cls.STRING}
            for python_type, parameter_type in scalars.items():
                if isinstance(parameter_value, python_type):
                    return parameter_type
            if isinstance(parameter_value, array.array) and parameter_value.typecode in _ARRAY_CODES:
                return cls[_ARRAY_CODES[parameter_value.typecode]]
            if isinstance(parameter_value, list | tuple):
                for item_type, name in _LIST_TYPES:
                    if all(isinstance(item, item_type) for item in parameter_value):
                        return cls[name]
            raise TypeError(
                f"The given value {parameter_value!r} is not one of the allowed types: "
                "bool, int, float, str, or a list of bytes or of one of these"
            )

        def check(self, parameter_value: Any) -> bool:
            """Whether the type can hold a Python value."""
            if self is Parameter.Type.NOT_SET:
                return parameter_value is None
            if isinstance(parameter_value, list | tuple) and not parameter_value:
                return self.is_array
            try:
                return Parameter.Type.from_parameter_value(parameter_value) is self
            except TypeError:
                return False

        @property
        def is_array(self) -> bool:
            return self.name.endswith("_ARRAY")

        def to_python_type(self) -> type:
            """Returns the Python type of a value."""
            scalars = {"NOT_SET": type(None), "BOOL": bool, "INTEGER": int, "DOUBLE": float, "STRING": str}
            return scalars.get(self.name, list)

    @classmethod
    def from_parameter_msg(cls, param_msg: ParameterMsg) -> Parameter:
        type_ = cls.Type(param_msg.value.type)
        return cls(param_msg.name, type_, parameter_value_to_python(param_msg.value))

    def __init__(self, name: str, type_: Parameter.Type | None = None, value: Any = None) -> None:
        if type_ is None:
            type_ = Parameter.Type.from_parameter_value(value)
        if not isinstance(type_, Parameter.Type):
            raise TypeError("type must be an instance of 'Parameter.Type'")
        if not type_.check(value):
            raise ValueError(f"Type '{type_}' and value '{value}' do not agree")
        self._name = name
        self._type_ = type_
        self._value = value

    @property
    def name(self) -> str:
        return self._name

    @property
    def type_(self) -> Parameter.Type:
        return self._type_

    @property
    def value(self) -> Any:
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameter):
            return NotImplemented
        return (self._name, self._type_, self._value) == (other._name, other._type_, other._value)

    __hash__ = None  # type: ignore[assignment]  # values may be lists

    def __repr__(self) -> str:
        return f"Parameter(name={self._name!r}, type_={self._type_}, value={self._value!r})"

    def get_parameter_value(self) -> ParameterValue:
        """Returns the value as a message."""
        from rcl_interfaces.msg import ParameterValue

        message = ParameterValue(type=self._type_.value)
        if self._type_ is not Parameter.Type.NOT_SET:
            value = list(self._value) if isinstance(self._value, tuple) else self._value
            setattr(message, f"{self._type_.name.lower()}_value", value)
        return message

    def to_parameter_msg(self) -> ParameterMsg:
        from rcl_interfaces.msg import Parameter as ParameterMsg

        return ParameterMsg(name=self._name, value=self.get_parameter_value())


def parameter_value_to_python(parameter_value: ParameterValue) -> Any:
    """Returns the Python value of a message; arrays become lists.

    :raises RuntimeError: when the message names no known type.
    """
    try:
        type_ = Parameter.Type(parameter_value.type)
    except ValueError:
        raise RuntimeError(f"unexpected parameter type {parameter_value.type}") from None
    if type_ is Parameter.Type.NOT_SET:
        return None
    value = getattr(parameter_value, f"{type_.name.lower()}_value")
    return list(value) if type_.is_array else value


def get_parameter_value(string_value: str) -> ParameterValue:
    """Returns the message for a value in YAML, as on a command line; what is no YAML value is a string."""
    try:
        value = load_value(string_value)
    except ValueError:
        value = string_value
    return Parameter("", value=value).get_parameter_value()


def parameter_dict_from_yaml_file(
    parameter_file: str, use_wildcard: bool = False, target_nodes: list[str] | None = None, namespace: str = ""
) -> dict[str, ParameterMsg]:
    """Returns the parameters of a file by name.

    :param use_wildcard: takes the entries of ``/**`` too.
    :param target_nodes: fully qualified names of the nodes whose entries count; None takes every node's.
    :param namespace: is put before the names of the parameters.
    :raises RuntimeError: when a target node is not in the file.
    """
    overrides = load_file(parameter_file)
    patterns = {override.pattern for override in overrides}
    if missing := [node for node in target_nodes or [] if node not in patterns]:
        raise RuntimeError(f"Param file does not contain the nodes {missing}, only {sorted(patterns)}")
    wanted = set(target_nodes) if target_nodes else patterns - {ANY_NODE}
    if use_wildcard:
        wanted.add(ANY_NODE)
    prefix = f"{namespace}{PARAMETER_SEPARATOR_STRING}" if namespace else ""
    return {
        prefix + override.name: Parameter(prefix + override.name, value=override.value).to_parameter_msg()
        for override in overrides
        if override.pattern in wanted
    }
