"""How single fields travel: little-endian scalars, strings, times, arrays. No announced length is simply believed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenon_sawyer.ros1.time import Duration, Time

SCALARS = {
    "bool": "?", "int8": "b", "byte": "b", "uint8": "B", "char": "B", "int16": "h", "uint16": "H", "int32": "i",
    "uint32": "I", "int64": "q", "uint64": "Q", "float32": "f", "float64": "d",
}  # fmt: skip
BUILT_IN = frozenset((*SCALARS, "string", "time", "duration"))
_BYTES = ("uint8", "char")
_LENGTH = struct.Struct("<I")
_TIME = struct.Struct("<II")
_DURATION = struct.Struct("<ii")
_ODD_BYTES = "surrogateescape"
"""A string that is not UTF-8 must not end the connection; sent on, it is what it was."""

Encode = Callable[[Any, bytearray], None]
Decode = Callable[[bytes, int], tuple[Any, int]]


@dataclass(frozen=True, slots=True)
class FieldCodec:
    """Both ways of one field. smallest: bytes that it takes at least. default: the value of a new message."""

    encode: Encode
    decode: Decode
    default: Callable[[], Any]
    smallest: int


def builtin_codec(base: str) -> FieldCodec:
    """Of a single value of a built-in type."""
    if base == "string":
        return FieldCodec(_encode_string, _decode_string, str, _LENGTH.size)
    if base in ("time", "duration"):
        return _time_codec(_TIME if base == "time" else _DURATION, Time if base == "time" else Duration)
    layout = struct.Struct("<" + SCALARS[base])
    pack, unpack_from, size = layout.pack, layout.unpack_from, layout.size

    def write(value: Any, out: bytearray) -> None:
        out += pack(value)

    def read(data: bytes, offset: int) -> tuple[Any, int]:
        return unpack_from(data, offset)[0], offset + size

    zero: Callable[[], Any] = {"bool": bool, "float32": float, "float64": float}.get(base, int)
    return FieldCodec(write, read, zero, size)


def _time_codec(layout: struct.Struct, kind: type[Time] | type[Duration]) -> FieldCodec:
    def write(value: Any, out: bytearray) -> None:
        out += layout.pack(value.secs, value.nsecs)

    def read(data: bytes, offset: int) -> tuple[Any, int]:
        return kind(*layout.unpack_from(data, offset)), offset + layout.size

    return FieldCodec(write, read, kind, layout.size)


def _encode_string(value: Any, out: bytearray) -> None:
    data = value if isinstance(value, bytes) else value.encode(errors=_ODD_BYTES)
    out += _LENGTH.pack(len(data)) + data


def _take_length(data: bytes, offset: int, smallest: int) -> tuple[int, int]:
    length = _LENGTH.unpack_from(data, offset)[0]
    offset += _LENGTH.size
    if length * smallest > len(data) - offset:
        raise ValueError(f"{length} elements are announced at byte {offset}, {len(data) - offset} bytes are left")
    return length, offset


def _decode_string(data: bytes, offset: int) -> tuple[str, int]:
    length, offset = _take_length(data, offset, 1)
    return data[offset : offset + length].decode(errors=_ODD_BYTES), offset + length


def number_array_codec(base: str, fixed: int | None) -> FieldCodec:
    """fixed: number of elements; None: as many as are announced."""
    code, size = SCALARS[base], struct.calcsize("<" + SCALARS[base])
    as_bytes = base in _BYTES

    def write(value: Any, out: bytearray) -> None:
        count = len(value)
        if fixed is None:
            out += _LENGTH.pack(count)
        elif count != fixed:
            raise TypeError(f"{fixed} values are needed, {count} were given")
        out += value if isinstance(value, bytes) and as_bytes else struct.pack(f"<{count}{code}", *value)

    def read(data: bytes, offset: int) -> tuple[Any, int]:
        count, offset = _take_length(data, offset, size) if fixed is None else (fixed, offset)
        end = offset + count * size
        if as_bytes:
            return data[offset:end], end
        return struct.unpack_from(f"<{count}{code}", data, offset), end

    def default() -> Any:
        return bytes(fixed or 0) if as_bytes else [0] * (fixed or 0)

    return FieldCodec(write, read, default, _LENGTH.size if fixed is None else size * fixed)


def array_codec(single: FieldCodec, fixed: int | None) -> FieldCodec:
    """An array of strings, times or messages. fixed: as above."""
    write_one, read_one = single.encode, single.decode

    def write(value: Any, out: bytearray) -> None:
        if fixed is None:
            out += _LENGTH.pack(len(value))
        elif len(value) != fixed:
            raise TypeError(f"{fixed} values are needed, {len(value)} were given")
        for element in value:
            write_one(element, out)

    def read(data: bytes, offset: int) -> tuple[list[Any], int]:
        # An element without any content would let a few bytes announce billions of them.
        count, offset = _take_length(data, offset, max(single.smallest, 1)) if fixed is None else (fixed, offset)
        values = []
        for _ in range(count):
            value, offset = read_one(data, offset)
            values.append(value)
        return values, offset

    def default() -> list[Any]:
        return [single.default() for _ in range(fixed or 0)]

    return FieldCodec(write, read, default, _LENGTH.size if fixed is None else single.smallest * fixed)
