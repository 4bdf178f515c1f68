"""RIHS01 hashes of interface types (REP 2016): SHA-256 over the canonical JSON of the type's description."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from embedded_ros2.interfaces.definitions import Array, Definition, Field

# type_description_interfaces/msg/FieldType.msg; rosidl turns char into uint8 before it hashes.
_TYPE_IDS = {
    "int8": 2,
    "uint8": 3,
    "char": 3,
    "int16": 4,
    "uint16": 5,
    "int32": 6,
    "uint32": 7,
    "int64": 8,
    "uint64": 9,
    "float32": 10,
    "float64": 11,
    "bool": 15,
    "byte": 16,
    "string": 17,
    "wstring": 18,
}
_NESTED_TYPE_ID = 1
_BOUNDED_STRING_IDS = {"string": 21, "wstring": 22}
_ARRAY_OFFSETS = {Array.NONE: 0, Array.FIXED: 48, Array.BOUNDED: 96, Array.UNBOUNDED: 144}
EMPTY_STRUCTURE_FIELD = Field("structure_needs_at_least_one_member", "uint8")
"""What stands in for no fields at all, in descriptions and on the wire."""


def rihs01(name: str, definition_of: Callable[[str], Definition]) -> str:
    """The hash of the type ``name``, such as ``RIHS01_df66...``; ``definition_of`` finds the types within it."""
    descriptions: dict[str, dict[str, object]] = {}
    pending = [name]
    while pending:
        current = pending.pop()
        if current in descriptions:
            continue
        fields = definition_of(current).fields or (EMPTY_STRUCTURE_FIELD,)
        descriptions[current] = {"type_name": current, "fields": [_describe(field) for field in fields]}
        pending += [field.base for field in fields if field.is_nested]
    main = descriptions.pop(name)
    referenced = [descriptions[key] for key in sorted(descriptions)]
    text = json.dumps({"type_description": main, "referenced_type_descriptions": referenced})
    return "RIHS01_" + hashlib.sha256(text.encode()).hexdigest()


def _describe(field: Field) -> dict[str, object]:
    type_id = _NESTED_TYPE_ID if field.is_nested else _TYPE_IDS[field.base]
    if field.string_bound:
        type_id = _BOUNDED_STRING_IDS[field.base]
    return {
        "name": field.name,
        "type": {
            "type_id": type_id + _ARRAY_OFFSETS[field.array],
            "capacity": field.size,
            "string_capacity": field.string_bound,
            "nested_type_name": field.base if field.is_nested else "",
        },
    }
