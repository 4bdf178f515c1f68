"""Parser of .msg, .srv and .action text into definitions: fields, constants, and the types that services and
actions imply (``X_Request``, ``X_SendGoal``, ``X_FeedbackMessage``, ...).

The grammar is that of rosidl's interface definition (https://docs.ros.org: About ROS 2 interfaces).
"""

from __future__ import annotations

import ast
import enum
import keyword
import re
from dataclasses import dataclass

PrimitiveValue = bool | int | float | str | bytes

INTEGER_BITS = {"int8": 8, "uint8": 8, "char": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32}
INTEGER_BITS |= {"int64": 64, "uint64": 64}
FLOATS = ("float32", "float64")
STRINGS = ("string", "wstring")
PRIMITIVES = frozenset((*INTEGER_BITS, *FLOATS, *STRINGS, "bool", "byte"))

_UUID = "unique_identifier_msgs/msg/UUID"
_TIME = "builtin_interfaces/msg/Time"
_EVENT_INFO = "service_msgs/msg/ServiceEventInfo"

_TYPE = re.compile(
    r"^(?P<base>[A-Za-z][\w/]*?)(?:<=(?P<string_bound>\d+))?(?P<array>\[(?P<at_most><=)?(?P<size>\d*)\])?$"
)
_FIELD_NAME = re.compile(r"^[a-z](?:_?[a-z0-9])*_?$")
_CONSTANT = re.compile(r"^(?P<type>\S+)\s+(?P<name>[A-Za-z]\w*)\s*=\s*(?P<value>.*)$")
_SEPARATOR = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)


class DefinitionError(ValueError):
    """An interface definition that breaks the grammar; the message names interface, line and remedy."""


class Array(enum.Enum):
    """How often a field holds its base type."""

    NONE = "single value"
    FIXED = "array"
    BOUNDED = "bounded sequence"
    UNBOUNDED = "sequence"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``base`` is a primitive or a full name such as ``std_msgs/msg/Header``.

    size: elements of a fixed array, or the most of a bounded sequence; else 0. string_bound: most characters; 0: any.
    """

    name: str
    base: str
    array: Array = Array.NONE
    size: int = 0
    string_bound: int = 0
    default: PrimitiveValue | tuple[PrimitiveValue, ...] | None = None

    @property
    def is_nested(self) -> bool:
        return self.base not in PRIMITIVES


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    base: str
    value: PrimitiveValue


@dataclass(frozen=True, slots=True)
class Definition:
    """A structure: its full name (``std_msgs/msg/String``), fields in order, and constants."""

    name: str
    fields: tuple[Field, ...]
    constants: tuple[Constant, ...] = ()


def parse_message(name: str, text: str) -> Definition:
    """The definition of the message ``name`` (``package/msg/Name``) from its .msg text."""
    fields: list[Field] = []
    constants: list[Constant] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = _without_comment(raw).strip()
        if not line:
            continue
        try:
            _parse_line(line, name.partition("/")[0], fields, constants)
        except ValueError as error:
            raise DefinitionError(f"{name}, line {number}: '{line}': {error}") from None
    names = [field.name for field in fields]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise DefinitionError(f"{name}: the field name(s) {', '.join(repeated)} occur twice; rename one of each")
    return Definition(name, tuple(fields), tuple(constants))


def parse_service(name: str, text: str) -> dict[str, Definition]:
    """The definitions of a service and of the types that it implies, by name, from its .srv text."""
    request_text, response_text = _parts(name, text, 2)
    request = parse_message(f"{name}_Request", request_text)
    response = parse_message(f"{name}_Response", response_text)
    # The parsed structures come last: they carry the constants.
    return _service(name, request.fields, response.fields) | {request.name: request, response.name: response}


def parse_action(name: str, text: str) -> dict[str, Definition]:
    """The definitions of an action and of the types that it implies, by name, from its .action text."""
    texts = zip(("Goal", "Result", "Feedback"), _parts(name, text, 3), strict=True)
    definitions = {f"{name}_{part}": parse_message(f"{name}_{part}", body) for part, body in texts}
    goal_id = Field("goal_id", _UUID)
    definitions |= _service(
        f"{name}_SendGoal",
        (goal_id, Field("goal", f"{name}_Goal")),
        (Field("accepted", "bool"), Field("stamp", _TIME)),
    )
    definitions |= _service(
        f"{name}_GetResult", (goal_id,), (Field("status", "int8"), Field("result", f"{name}_Result"))
    )
    feedback_message = (goal_id, Field("feedback", f"{name}_Feedback"))
    definitions[f"{name}_FeedbackMessage"] = Definition(f"{name}_FeedbackMessage", feedback_message)
    members = {
        "goal": "Goal",
        "result": "Result",
        "feedback": "Feedback",
        "send_goal_service": "SendGoal",
        "get_result_service": "GetResult",
        "feedback_message": "FeedbackMessage",
    }
    definitions[name] = Definition(name, tuple(Field(n, f"{name}_{suffix}") for n, suffix in members.items()))
    return definitions


def _service(name: str, request: tuple[Field, ...], response: tuple[Field, ...]) -> dict[str, Definition]:
    event = (
        Field("info", _EVENT_INFO),
        Field("request", f"{name}_Request", Array.BOUNDED, 1),
        Field("response", f"{name}_Response", Array.BOUNDED, 1),
    )
    members = ("request", "response", "event")
    return {
        d.name: d
        for d in (
            Definition(f"{name}_Request", request),
            Definition(f"{name}_Response", response),
            Definition(f"{name}_Event", event),
            Definition(name, tuple(Field(f"{m}_message", f"{name}_{m.capitalize()}") for m in members)),
        )
    }


def _parts(name: str, text: str, count: int) -> list[str]:
    parts = _SEPARATOR.split(text)
    if len(parts) != count:
        raise DefinitionError(f"{name}: {len(parts) - 1} lines '---' separate its parts, {count - 1} are needed")
    return parts


def _without_comment(line: str) -> str:
    quote = ""
    for index, character in enumerate(line):
        if quote:
            if character == quote and line[index - 1] != "\\":
                quote = ""
        elif character in "\"'":
            quote = character
        elif character == "#":
            return line[:index]
    return line if not quote else line.partition("#")[0]


def _parse_line(line: str, package: str, fields: list[Field], constants: list[Constant]) -> None:
    constant = _CONSTANT.match(line)
    if constant:
        base = constant["type"].partition("<=")[0]
        if base not in PRIMITIVES:
            raise ValueError("a constant is of a primitive type")
        constants.append(Constant(constant["name"], base, parse_value(base, constant["value"])))
        return
    type_text, name, default = (*line.split(maxsplit=2), "", "")[:3]
    if not _FIELD_NAME.match(name) or keyword.iskeyword(name):
        raise ValueError(f"'{name}' is no field name: lower case, digits and single underscores, no Python keyword")
    match = _TYPE.match(type_text)
    if match is None:
        raise ValueError(f"'{type_text}' is no type")
    fields.append(_field(match, name, default, package))


def _field(match: re.Match[str], name: str, default: str, package: str) -> Field:
    base, size = match["base"], int(match["size"] or 0)
    array = Array.NONE
    if match["array"]:
        array = Array.BOUNDED if match["at_most"] else Array.FIXED if match["size"] else Array.UNBOUNDED
    if array in (Array.FIXED, Array.BOUNDED) and size == 0:
        raise ValueError("an array has at least one element")
    if match["string_bound"] and base not in STRINGS:
        raise ValueError("only strings have a bound of their own")
    if base not in PRIMITIVES:
        parts = base.split("/")
        base = {1: f"{package}/msg/{base}", 2: f"{parts[0]}/msg/{parts[-1]}", 3: base}.get(len(parts), "")
        if not base or default:
            raise ValueError("a default needs a primitive type" if base else "a type is 'Name' or 'package/Name'")
    value = None
    if default:
        value = parse_value(base, default) if array is Array.NONE else _parse_values(base, default)
    if array is Array.FIXED and isinstance(value, tuple) and len(value) != size:
        raise ValueError(f"{len(value)} default values for {size} elements")
    return Field(name, base, array, size, int(match["string_bound"] or 0), value)


def parse_value(base: str, text: str) -> PrimitiveValue:
    """The value of a constant or default of the primitive type ``base``. Raises ValueError where it does not fit."""
    if base == "bool":
        if text.lower() not in ("true", "false", "1", "0"):
            raise ValueError(f"'{text}' is no bool: true or false")
        return text.lower() in ("true", "1")
    if base in FLOATS:
        return float(text)
    if base in STRINGS:
        return _unquote(text)
    value = int(text, 0)
    if base == "byte":
        return value.to_bytes(1)
    bits, is_signed = INTEGER_BITS[base], base.startswith("int")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise ValueError(f"{value} is outside of {base}: {low} to {high}")
    return value


def _parse_values(base: str, text: str) -> tuple[PrimitiveValue, ...]:
    if not (text.startswith("[") and text.endswith("]")):
        raise ValueError("the default of an array is written [a, b, ...]")
    if base in STRINGS:
        values = ast.literal_eval(text)
        if not all(isinstance(value, str) for value in values):
            raise ValueError("strings in an array are quoted")
        return tuple(values)
    return tuple(parse_value(base, part.strip()) for part in text[1:-1].split(",") if part.strip())


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].replace("\\" + text[0], text[0])
    return text
