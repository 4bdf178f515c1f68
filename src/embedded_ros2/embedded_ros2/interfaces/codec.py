"""Generates, for one structure, the functions that write and read its CDR (XCDR1, little endian).

The generated code works on the messages' private slots (``_field``). It writes into a bytearray that starts with the
4-byte encapsulation header and reads from a memoryview of the same layout; alignment counts from behind the header.
Readers check nothing on the way: a slice beyond the end comes out short, ``unpack_from`` raises, and whoever calls
the outermost reader compares the final offset with the length (see ``deserialize``). Nothing is allocated by a
length that was read before the bytes behind it were.
"""

from __future__ import annotations

import array
import struct
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embedded_ros2.interfaces.definitions import Array, Definition, Field

if sys.byteorder != "little":
    raise ImportError("the embedded ROS 2 writes little-endian CDR from memory and needs a little-endian machine")

HEADER = b"\0\1\0\0"
"""Encapsulation of XCDR1, little endian."""

STRUCT_CODES = {
    "bool": "?",
    "byte": "c",
    "char": "B",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
"""Code of a primitive in ``struct`` and, for numbers, in ``array`` and NumPy."""

SIZES = {base: struct.calcsize(f"<{code}") for base, code in STRUCT_CODES.items()}

_NAMESPACE = {
    "U32": struct.Struct("<I").pack,
    "u32": struct.Struct("<I").unpack_from,
    "PAD": [bytes(n) for n in range(8)],
    "array": array.array,
    "memoryview": memoryview,
    "frombuffer": np.frombuffer,
}

_STRING_WRITE = """\
p = -len(b) % 4
if p: b += PAD[p]
e = {value}.encode()
b += U32(len(e) + 1)
b += e
b.append(0)
"""
_STRING_READ = """\
o += -o % 4
n, = u32(d, o)
{target} = str(d[o + 4:o + 3 + n], "utf-8", "replace")
o += 4 + n
"""
_COUNT_WRITE = "p = -len(b) % 4\nif p: b += PAD[p]\nb += U32(len(a))\n"
_COUNT_READ = "o += -o % 4\nn, = u32(d, o)\no += 4\n"


def _align_write(size: int) -> str:
    if size == 1:
        return ""
    length = "len(b)" if size <= 4 else "(len(b) - 4)"
    return f"p = -{length} % {size}\nif p: b += PAD[p]\n"


def _align_read(size: int) -> str:
    if size == 1:
        return ""
    return f"o += -{'o' if size <= 4 else '(o - 4)'} % {size}\n"


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ")


@dataclass
class _Source:
    """The bodies of the two functions while they grow, and the objects that they name."""

    class_of: Callable[[str], Any]
    write: str = ""
    read: str = ""
    names: dict[str, object] = field(default_factory=dict)

    def add(self, field_: Field, index: int) -> None:
        if field_.base == "wstring":
            raise NotImplementedError(f"field '{field_.name}': the embedded ROS 2 has no codec for wstring")
        if field_.is_nested:
            class_ = self.class_of(field_.base)
            self.names |= {f"C{index}": class_, f"w{index}": class_._ros_write, f"r{index}": class_._ros_read}
        if field_.array is Array.NONE:
            self._add_single(field_, index)
        elif field_.is_nested:
            self._add_structures(field_, index)
        elif field_.base == "string":
            self._add_strings(field_)
        elif field_.base in ("bool", "byte"):
            self._add_octets(field_)
        elif field_.array is Array.FIXED:
            self._add_fixed(field_, index)
        else:
            self._add_numbers(field_)

    def add_run(self, fields: list[Field], index: int) -> None:
        """Primitives in a row whose sizes do not grow: one ``struct`` packs them all."""
        layout, offset = "<", 0
        for member in fields:
            size = SIZES[member.base]
            padding = -offset % size
            layout += "x" * padding + STRUCT_CODES[member.base]
            offset += padding + size
        packer = struct.Struct(layout)
        self.names |= {f"p{index}": packer.pack, f"u{index}": packer.unpack_from}
        first = SIZES[fields[0].base]
        slots = ", ".join(f"m._{member.name}" for member in fields)
        self.write += f"{_align_write(first)}b += p{index}({slots})\n"
        self.read += f"{_align_read(first)}{slots}, = u{index}(d, o)\no += {offset}\n"

    def _add_single(self, field_: Field, index: int) -> None:
        slot = f"m._{field_.name}"
        if field_.is_nested:
            self.write += f"w{index}({slot}, b)\n"
            self.read += f"{slot}, o = r{index}(d, o)\n"
        else:
            self.write += _STRING_WRITE.format(value=slot)
            self.read += _STRING_READ.format(target=slot)

    def _begin_list(self, field_: Field) -> None:
        """Leaves the elements in ``a`` for the writer and their number in ``n`` for the reader."""
        self.write += f"a = m._{field_.name}\n"
        if field_.array is Array.FIXED:
            self.write += f"if len(a) != {field_.size}: raise ValueError\n"
            self.read += f"n = {field_.size}\n"
            return
        if field_.array is Array.BOUNDED:
            self.write += f"if len(a) > {field_.size}: raise ValueError\n"
        self.write += _COUNT_WRITE
        self.read += _COUNT_READ
        if field_.array is Array.BOUNDED:
            self.read += f"if n > {field_.size}: raise ValueError('{field_.name}: %d elements' % n)\n"

    def _add_structures(self, field_: Field, index: int) -> None:
        self._begin_list(field_)
        self.write += f"for x in a:\n    if x.__class__ is not C{index}: raise TypeError\n    w{index}(x, b)\n"
        self.read += f"l = []\nfor _ in range(n):\n    x, o = r{index}(d, o)\n    l.append(x)\nm._{field_.name} = l\n"

    def _add_strings(self, field_: Field) -> None:
        self._begin_list(field_)
        limit = f"    if len(s) > {field_.string_bound}: raise ValueError\n" if field_.string_bound else ""
        self.write += f"for s in a:\n{limit}{_indent(_STRING_WRITE.format(value='s'))}"
        self.read += f"l = []\nfor _ in range(n):\n{_indent(_STRING_READ.format(target='s'))}    l.append(s)\n"
        self.read += f"m._{field_.name} = l\n"

    def _add_octets(self, field_: Field) -> None:
        self._begin_list(field_)
        if field_.base == "bool":
            self.write += "if not set(map(type, a)) <= {bool}: raise TypeError\nb += bytes(a)\n"
            self.read += f"m._{field_.name} = list(map(bool, d[o:o + n]))\n"
        else:
            self.write += "if not set(map(len, a)) <= {1}: raise ValueError\nb += b''.join(a)\n"
            self.read += f"m._{field_.name} = [bytes((x,)) for x in d[o:o + n]]\n"
        self.read += "o += n\n"

    def _add_fixed(self, field_: Field, index: int) -> None:
        size, name = SIZES[field_.base], field_.name
        self.names[f"t{index}"] = np.dtype(STRUCT_CODES[field_.base])
        self.write += f"{_align_write(size)}b += m._{name}.tobytes()\n"
        self.read += f"{_align_read(size)}m._{name} = frombuffer(d, t{index}, {field_.size}, o).copy()\n"
        self.read += f"o += {field_.size * size}\n"

    def _add_numbers(self, field_: Field) -> None:
        size = SIZES[field_.base]
        self._begin_list(field_)
        if size > 4:
            # An empty sequence is not followed by the padding of its elements.
            self.write += f"if a:\n{_indent(_align_write(size))}"
        self.write += "b += a\n" if size == 1 else "b += memoryview(a).cast('B')\n"
        align = _align_read(size) if size > 4 else ""
        self.read += f"a = array('{STRUCT_CODES[field_.base]}')\nif n:\n"
        self.read += _indent(f"{align}e = o + n * {size}\na.frombytes(d[o:e])\no = e\n")
        self.read += f"m._{field_.name} = a\n"


def _is_run_member(field_: Field) -> bool:
    return field_.array is Array.NONE and field_.base in SIZES


def attach_codec(class_: Any, definition: Definition, class_of: Callable[[str], Any]) -> None:
    """Gives ``class_`` its ``_ros_write(message, buffer)`` and ``_ros_read(view, offset) -> (message, offset)``.

    ``class_of`` finds the classes of nested types. Raises NotImplementedError for wstring.
    """
    source = _Source(class_of)
    fields, index = definition.fields, 0
    while index < len(fields):
        run: list[Field] = []
        while index + len(run) < len(fields) and _is_run_member(fields[index + len(run)]):
            if run and SIZES[fields[index + len(run)].base] > SIZES[run[0].base]:
                break
            run.append(fields[index + len(run)])
        if run:
            source.add_run(run, index)
            index += len(run)
        else:
            source.add(fields[index], index)
            index += 1
    # A structure without fields is one byte on the wire.
    write = source.write or "b.append(0)\n"
    read = source.read or "o += 1\n"
    text = f"def write(m, b):\n{_indent(write)}def read(d, o):\n    m = new(cls)\n{_indent(read)}    return m, o\n"
    namespace: dict[str, Any] = {**_NAMESPACE, **source.names, "cls": class_, "new": class_.__new__}
    exec(compile(text, f"<codec of {definition.name}>", "exec"), namespace)
    class_._ros_write = staticmethod(namespace["write"])
    class_._ros_read = staticmethod(namespace["read"])
