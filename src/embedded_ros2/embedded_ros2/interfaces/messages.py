"""Builds message classes that behave as rosidl's Python messages do: keyword constructor, defaults, checked fields,
``get_fields_and_field_types``, equality, ``repr``, constants as class attributes.

Numbers in sequences are ``array.array``, fixed arrays of numbers NumPy arrays, everything else lists.
"""

from __future__ import annotations

import array
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from embedded_ros2.interfaces.codec import STRUCT_CODES, attach_codec
from embedded_ros2.interfaces.definitions import FLOATS, INTEGER_BITS, Array, Definition, Field

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_MAX_SHOWN = 60
_IDL_NAMES = {"float32": "float", "float64": "double", "bool": "boolean", "byte": "octet", "char": "uint8"}
_UNSET = object()

Check = Callable[[object, object], Any]
"""Takes the message and a value; returns the value to store, or raises FieldError."""


class FieldError(AssertionError, TypeError):
    """A value that a field cannot hold. rclpy's own messages raise AssertionError, hence the base class."""


class Message:
    """What all generated messages have in common."""

    __slots__: tuple[str, ...] = ()
    _definition: ClassVar[Definition]
    _fields_and_types: ClassVar[dict[str, str]]

    @classmethod
    def get_fields_and_field_types(cls) -> dict[str, str]:
        """Field names, in order, with their IDL types, such as ``{'data': 'string'}``."""
        return dict(cls._fields_and_types)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, self.__class__):
            return False
        for slot in self.__slots__:
            mine, theirs = getattr(self, slot), getattr(other, slot)
            if isinstance(mine, np.ndarray):
                if not np.array_equal(mine, theirs):
                    return False
            elif mine != theirs:
                return False
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        package, kind, name = self._definition.name.split("/")
        parts = []
        for field in self._definition.fields:
            value = getattr(self, field.name)
            text = repr(value.tolist()) if isinstance(value, array.array) else repr(value)
            parts.append(f"{field.name}={text}")
        return f"{package}.{kind}.{name}({', '.join(parts)})"


def build_message(definition: Definition, module: str, class_of: Callable[[str], type]) -> type[Message]:
    """The class of ``definition``; ``class_of`` finds the classes of the types within it by their full names."""
    name = definition.name.rpartition("/")[2]
    class_ = type(
        name,
        (Message,),
        {
            "__slots__": tuple(f"_{field.name}" for field in definition.fields),
            "__module__": module,
            "__doc__": f"The interface {definition.name}.",
            "_definition": definition,
            "_fields_and_types": {field.name: _idl_type(field) for field in definition.fields},
            **{constant.name: constant.value for constant in definition.constants},
        },
    )
    for field in definition.fields:
        slot: Any = class_.__dict__[f"_{field.name}"]
        check = _check_for(field, definition.name, class_of)
        setattr(class_, field.name, property(slot.__get__, _setter(slot.__set__, check)))
    _attach_constructor(class_, definition, class_of)
    attach_codec(class_, definition, class_of)
    return class_


def explain_invalid(message: Message) -> None:
    """Checks every field anew, as assigning it would, and raises the FieldError of the first that is wrong."""
    for field in message._definition.fields:
        value = getattr(message, field.name)
        setattr(message, field.name, value)
        if field.is_nested:
            for element in value if isinstance(value, list) else (value,):
                explain_invalid(element)


def _setter(store: Callable[[Any, Any], None], check: Check) -> Callable[[Any, object], None]:
    def set_value(self: object, value: object) -> None:
        store(self, check(self, value))

    return set_value


def _attach_constructor(class_: type, definition: Definition, class_of: Callable[[str], type]) -> None:
    names: dict[str, object] = {"UNSET": _UNSET}
    parameters, body = "", ""
    for index, field in enumerate(definition.fields):
        default, is_shared = _default(field, class_of)
        names[f"d{index}"] = default
        value = f"d{index}" if is_shared else f"d{index}()"
        parameters += f", {field.name}=UNSET"
        body += f"    if {field.name} is UNSET: self._{field.name} = {value}\n"
        body += f"    else: self.{field.name} = {field.name}\n"
    star = ", *" if parameters else ""
    text = f"def __init__(self{star}{parameters}):\n{body or '    pass'}\n"
    exec(compile(text, f"<constructor of {definition.name}>", "exec"), names)
    class_.__init__ = names["__init__"]  # type: ignore[misc]


def _default(field: Field, class_of: Callable[[str], type]) -> tuple[Any, bool]:
    """A field's default (True: an immutable value that all share) or the function that makes it (False)."""
    element: Any = "" if field.base == "string" else False if field.base == "bool" else 0
    if field.base in FLOATS:
        element = 0.0
    elif field.base == "byte":
        element = b"\0"
    if field.array is Array.NONE:
        if field.is_nested:
            return class_of(field.base), False
        return (element if field.default is None else field.default), True
    if field.is_nested:
        class_, count = class_of(field.base), field.size if field.array is Array.FIXED else 0
        return (lambda: [class_() for _ in range(count)]), False
    empty = (element,) * (field.size if field.array is Array.FIXED else 0)
    values: Sequence[Any] = empty if field.default is None else field.default  # type: ignore[assignment]
    if not _is_number(field.base):
        return (lambda: list(values)), False
    code = STRUCT_CODES[field.base]
    if field.array is Array.FIXED:
        return (lambda: np.array(values, code)), False
    return (lambda: array.array(code, values)), False


def _is_number(base: str) -> bool:
    return base in INTEGER_BITS or base in FLOATS


def _idl_type(field: Field) -> str:
    base = field.base
    if field.is_nested:
        package, _, name = base.split("/")
        base = f"{package}/{name}"
    base = _IDL_NAMES.get(base, base) + (f"<{field.string_bound}>" if field.string_bound else "")
    return {
        Array.NONE: base,
        Array.FIXED: f"{base}[{field.size}]",
        Array.BOUNDED: f"sequence<{base}, {field.size}>",
        Array.UNBOUNDED: f"sequence<{base}>",
    }[field.array]


class _Failure:
    """Raises the FieldError of one field; callable with the message's value and what it says beyond the type."""

    def __init__(self, field: Field, owner: str, allowed: str) -> None:
        self._where = f"{owner}: field '{field.name}'"
        self._allowed = allowed

    def __call__(self, value: object, detail: str = "") -> FieldError:
        shown = repr(value)
        shown = shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "..."
        return FieldError(f"{self._where} got {shown} ({type(value).__name__}){detail}; allowed is {self._allowed}")


def _check_for(field: Field, owner: str, class_of: Callable[[str], type]) -> Check:
    element = _element_check(field, owner, class_of)
    if field.array is Array.NONE:
        return element
    if not _is_number(field.base):
        return _list_check(field, owner, element)
    allowed = f"{_length_text(field)} of {field.base}"
    fail = _Failure(field, owner, allowed)
    return _fixed_check(field, fail) if field.array is Array.FIXED else _sequence_check(field, fail)


def _length_text(field: Field) -> str:
    if field.array is Array.FIXED:
        return f"a sequence of exactly {field.size}"
    return f"a sequence of at most {field.size}" if field.array is Array.BOUNDED else "a sequence"


def _element_check(field: Field, owner: str, class_of: Callable[[str], type]) -> Check:
    if field.is_nested:
        return _class_check(_Failure(field, owner, field.base), class_of(field.base))
    if field.base in INTEGER_BITS:
        bits = INTEGER_BITS[field.base]
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if field.base[0] == "i" else (0, (1 << bits) - 1)
        return _integer_check(_Failure(field, owner, f"an int from {low} to {high} ({field.base})"), low, high)
    if field.base in FLOATS:
        limit = _FLOAT32_MAX if field.base == "float32" else math.inf
        return _float_check(_Failure(field, owner, f"a float ({field.base})"), limit)
    if field.base == "bool":
        return _class_check(_Failure(field, owner, "True or False"), bool)
    if field.base == "byte":
        return _byte_check(_Failure(field, owner, "bytes of length 1"))
    bound = field.string_bound
    allowed = f"a str of at most {bound} characters" if bound else "a str"
    return _string_check(_Failure(field, owner, allowed), bound or math.inf)


def _integer_check(fail: _Failure, low: int, high: int) -> Check:
    def check(_: object, value: Any) -> int:
        if not isinstance(value, int) or not low <= value <= high:
            raise fail(value)
        return value

    return check


def _float_check(fail: _Failure, limit: float) -> Check:
    def check(_: object, value: Any) -> float:
        # Not-a-number and infinity are legal on the wire; only what float32 cannot represent is refused.
        if not isinstance(value, float) or limit < abs(value) < math.inf:
            raise fail(value)
        return value

    return check


def _class_check(fail: _Failure, class_: type) -> Check:
    def check(_: object, value: Any) -> Any:
        if value.__class__ is not class_:
            raise fail(value)
        return value

    return check


def _byte_check(fail: _Failure) -> Check:
    def check(_: object, value: Any) -> bytes:
        if not isinstance(value, (bytes, bytearray)) or len(value) != 1:
            raise fail(value)
        return bytes(value)

    return check


def _string_check(fail: _Failure, bound: float) -> Check:
    def check(_: object, value: Any) -> str:
        if not isinstance(value, str) or len(value) > bound:
            raise fail(value)
        return value

    return check


def _list_check(field: Field, owner: str, element: Check) -> Check:
    kind = "bytes of length 1" if field.base == "byte" else field.base
    fail = _Failure(field, owner, f"{_length_text(field)} of {kind}")
    low = field.size if field.array is Array.FIXED else 0
    high = field.size if field.array is not Array.UNBOUNDED else math.inf

    def check(message: object, value: Any) -> list[Any]:
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray)):
            raise fail(value)
        if not low <= len(value) <= high:
            raise fail(value, f" with {len(value)} elements")
        for item in value:
            element(message, item)
        return value if isinstance(value, list) else list(value)

    return check


def _sequence_check(field: Field, fail: _Failure) -> Check:
    code = STRUCT_CODES[field.base]
    high = field.size if field.array is Array.BOUNDED else math.inf

    def check(_: object, value: Any) -> array.array[Any]:
        if not (isinstance(value, array.array) and value.typecode == code):
            value = _to_array(value, code, fail)
        if len(value) > high:
            raise fail(value, f" with {len(value)} elements")
        return value  # type: ignore[no-any-return]

    return check


def _fixed_check(field: Field, fail: _Failure) -> Check:
    dtype, size = np.dtype(STRUCT_CODES[field.base]), field.size

    def check(_: object, value: Any) -> np.ndarray:
        if not (isinstance(value, np.ndarray) and value.dtype == dtype):
            value = np.array(_to_array(value, dtype.char, fail), dtype)
        if value.shape != (size,):
            raise fail(value, f" of shape {value.shape}")
        return value  # type: ignore[no-any-return]

    return check


def _to_array(value: Any, code: str, fail: _Failure) -> array.array[Any]:
    if isinstance(value, (bytes, bytearray, memoryview)):
        if code not in "bB":
            raise fail(value)
        result = array.array(code)
        result.frombytes(value)
        return result
    if isinstance(value, np.ndarray):
        return _from_numpy(value, code, fail)
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise fail(value)
    try:
        return array.array(code, value)
    except (TypeError, OverflowError) as error:
        raise fail(value, f": {error}") from None


def _from_numpy(value: np.ndarray, code: str, fail: _Failure) -> array.array[Any]:
    dtype = np.dtype(code)
    if value.ndim != 1:
        raise fail(value, f" of shape {value.shape}, it must have one dimension")
    if value.dtype.kind not in ("iuf" if dtype.kind == "f" else "iu"):
        raise fail(value, f" of dtype {value.dtype}")
    converted = np.ascontiguousarray(value, dtype)
    if dtype.kind != "f" and not np.array_equal(converted, value):
        raise fail(value, " with numbers out of range")
    result = array.array(code)
    result.frombytes(converted.data.cast("B"))
    return result
