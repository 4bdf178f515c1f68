"""ROS 1 messages without ROS 1: classes, codec, md5 and full text from definitions.

A message class is used as one of rospy's: fields are attributes with defaults, ``_type``, ``_md5sum`` and
``_full_text`` describe it, and arrays of numbers come off the wire as tuples.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, ClassVar

from tenon_sawyer.ros1.fields import (
    BUILT_IN,
    SCALARS,
    Decode,
    Encode,
    FieldCodec,
    array_codec,
    builtin_codec,
    number_array_codec,
)

_SEPARATOR = "=" * 80


class DefinitionError(ValueError):
    """A definition that cannot be read, or a type that is not there. The message names it."""


class SerializationError(ValueError):
    """A value that does not fit its field, or bytes that are no such message. The message names the type."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a definition. base: without brackets. length: None for a single value, -1 for any number."""

    name: str
    base: str
    length: int | None

    @property
    def type(self) -> str:
        brackets = "" if self.length is None else f"[{'' if self.length < 0 else self.length}]"
        return f"{self.base}{brackets}"


@dataclass(frozen=True, slots=True)
class Definition:
    """A parsed definition. constants: (type, name, value as written)."""

    name: str
    text: str
    fields: tuple[Field, ...]
    constants: tuple[tuple[str, str, str], ...] = ()


class Message:
    """Base of all generated messages. Make one with positional arguments for all fields, or with keywords for some."""

    __slots__ = ()
    _type: ClassVar[str]
    _md5sum: ClassVar[str]
    _full_text: ClassVar[str]
    _slot_types: ClassVar[tuple[str, ...]]
    _codec: ClassVar[_Codec]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        names = self.__slots__
        if args and len(args) != len(names):
            raise TypeError(f"{self._type} has {len(names)} fields, {len(args)} positional arguments were given")
        given = dict(zip(names, args, strict=True)) if args else kwargs
        if args and kwargs:
            raise TypeError(f"{self._type}: positional arguments or keywords, not both")
        unknown = given.keys() - set(names)
        if unknown:
            raise AttributeError(f"{self._type} has no field {', '.join(sorted(unknown))}; it has {', '.join(names)}")
        for name, default in zip(names, self._codec.defaults, strict=True):
            value = given.get(name)
            setattr(self, name, default() if value is None else value)

    def serialize(self, buff: BytesIO) -> None:
        """Writes the message to a buffer. Raises SerializationError."""
        buff.write(encode(self))

    def deserialize(self, data: bytes) -> Message:
        """Fills this message from its bytes. Raises SerializationError; the message is then left as it was."""
        decoded = decode(type(self), data)
        for name in self.__slots__:
            setattr(self, name, getattr(decoded, name))
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message) or other._type != self._type:
            return NotImplemented
        return all(_plain(getattr(self, name)) == _plain(getattr(other, name)) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self._type}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


@dataclass(slots=True)
class _Codec:
    fields: tuple[str, ...]
    encoders: tuple[Encode, ...]
    decoders: tuple[Decode, ...]
    defaults: tuple[Callable[[], Any], ...]
    smallest: int = 0
    """Bytes that a value takes at least: bounds the length of an array before anything is allocated."""


@dataclass(frozen=True, slots=True)
class ServiceType:
    """A service as rospy scripts hand it around."""

    _type: str
    _md5sum: str
    _request_class: type[Message]
    _response_class: type[Message]


@dataclass
class Registry:
    """Types by name, as ``package/Name``. ``add`` takes a definition's text; classes are made when first asked for."""

    _definitions: dict[str, Definition] = field(default_factory=dict)
    _services: dict[str, tuple[str, str]] = field(default_factory=dict)
    _classes: dict[str, type[Message]] = field(default_factory=dict)
    _service_types: dict[str, ServiceType] = field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        """Adds a message. Raises DefinitionError for text that cannot be read."""
        self._definitions[name] = parse(name, text)

    def add_service(self, name: str, text: str) -> None:
        """Adds a service: request and response with ``---`` between them."""
        request, separator, response = text.partition("---\n")
        if not separator:
            raise DefinitionError(f"{name}: a service needs a line --- between request and response")
        self.add(f"{name}Request", request)
        self.add(f"{name}Response", response)
        self._services[name] = (f"{name}Request", f"{name}Response")

    def names(self, package: str, *, services: bool = False) -> list[str]:
        """The names of a package's messages, without the package."""
        listed = self._services if services else self._definitions
        return sorted(name.partition("/")[2] for name in listed if name.startswith(f"{package}/"))

    def packages(self) -> set[str]:
        return {name.partition("/")[0] for name in self._definitions}

    def message(self, name: str) -> type[Message]:
        """The class of a message. Raises DefinitionError."""
        if name not in self._classes:
            self._classes[name] = self._build(name)
        return self._classes[name]

    def service(self, name: str) -> ServiceType:
        """The type of a service. Raises DefinitionError."""
        if name not in self._service_types:
            if name not in self._services:
                raise DefinitionError(f"no definition of the service {name}; there are: {', '.join(self._services)}")
            request, response = self._services[name]
            digest = hashlib.md5(usedforsecurity=False)
            for part in (request, response):
                digest.update(self._md5_text(part).encode())
            self._service_types[name] = ServiceType(
                name, digest.hexdigest(), self.message(request), self.message(response)
            )
        return self._service_types[name]

    def _definition(self, name: str) -> Definition:
        if name not in self._definitions:
            raise DefinitionError(f"no definition of {name}; there are: {', '.join(sorted(self._definitions))}")
        return self._definitions[name]

    def _build(self, name: str) -> type[Message]:
        definition = self._definition(name)
        parts = [self._field_codec(definition, item) for item in definition.fields]
        names = tuple(item.name for item in definition.fields)
        attributes: dict[str, Any] = {
            constant: _constant(kind, value) for kind, constant, value in definition.constants
        }
        attributes |= {
            "__slots__": names,
            "__doc__": f"{name}, ROS 1.",
            "_type": name,
            "_slot_types": tuple(item.type for item in definition.fields),
            "_md5sum": hashlib.md5(self._md5_text(name).encode(), usedforsecurity=False).hexdigest(),
            "_full_text": self._full_text(name),
            "_codec": _Codec(
                names,
                tuple(part.encode for part in parts),
                tuple(part.decode for part in parts),
                tuple(part.default for part in parts),
                sum(part.smallest for part in parts),
            ),
        }
        return type(name.rpartition("/")[2], (Message,), attributes)

    def _field_codec(self, owner: Definition, item: Field) -> FieldCodec:
        if item.base in BUILT_IN:
            single = builtin_codec(item.base)
        else:
            kind = self.message(_qualified(item.base, owner.name))
            single = FieldCodec(_message_encoder(kind), _message_decoder(kind), kind, kind._codec.smallest)
        if item.length is None:
            return single
        fixed = None if item.length < 0 else item.length
        return number_array_codec(item.base, fixed) if item.base in SCALARS else array_codec(single, fixed)

    def _md5_text(self, name: str) -> str:
        definition = self._definition(name)
        lines = [f"{kind} {constant}={value}" for kind, constant, value in definition.constants]
        for item in definition.fields:
            if item.base in BUILT_IN:
                lines.append(f"{item.type} {item.name}")
            else:
                lines.append(f"{self.message(_qualified(item.base, name))._md5sum} {item.name}")
        return "\n".join(lines)

    def _full_text(self, name: str) -> str:
        text = self._definition(name).text
        for other in dict.fromkeys(self._dependencies(name)):
            text += f"\n{_SEPARATOR}\nMSG: {other}\n{self._definition(other).text}"
        return text

    def _dependencies(self, name: str) -> Iterator[str]:
        for item in self._definition(name).fields:
            if item.base not in BUILT_IN:
                other = _qualified(item.base, name)
                yield other
                yield from self._dependencies(other)


def parse(name: str, text: str) -> Definition:
    """Reads the text of a .msg file. Raises DefinitionError that names the line."""
    fields, constants = [], []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        kind, _, rest = line.partition(" ")
        label, is_constant, value = rest.strip().partition("=")
        if not label.strip():
            raise DefinitionError(f"{name}, line {number}: {raw!r} is neither a field nor a constant")
        if is_constant:
            constants.append((kind, label.strip(), value.strip()))
            continue
        base, _, brackets = kind.partition("[")
        length = None if not brackets else int(brackets[:-1] or -1)
        fields.append(Field(label.strip(), base, length))
    return Definition(name, text, tuple(fields), tuple(constants))


def encode(message: Message) -> bytes:
    """The bytes of a message. Raises SerializationError that names the field."""
    out = bytearray()
    codec = message._codec
    for name, write in zip(codec.fields, codec.encoders, strict=True):
        value = getattr(message, name)
        try:
            write(value, out)
        except (struct.error, TypeError, AttributeError, UnicodeEncodeError) as error:
            raise SerializationError(f"{message._type}.{name} cannot be {value!r}: {error}") from error
    return bytes(out)


def decode(kind: type[Message], data: bytes) -> Any:
    """A message from exactly its bytes. Raises SerializationError for bytes that end early, go on, or make no sense."""
    try:
        message, end = _decode_at(kind, data, 0)
    except (struct.error, UnicodeDecodeError, IndexError, ValueError) as error:
        raise SerializationError(f"{len(data)} bytes are no {kind._type}: {error}") from error
    if end != len(data):
        raise SerializationError(f"{len(data)} bytes are no {kind._type}: it ends after {end}")
    return message


def _decode_at(kind: type[Message], data: bytes, offset: int) -> tuple[Message, int]:
    message = kind.__new__(kind)
    codec = kind._codec
    for name, read in zip(codec.fields, codec.decoders, strict=True):
        value, offset = read(data, offset)
        setattr(message, name, value)
    return message, offset


def _qualified(base: str, owner: str) -> str:
    if base == "Header":
        return "std_msgs/Header"
    return base if "/" in base else f"{owner.partition('/')[0]}/{base}"


def _constant(kind: str, value: str) -> Any:
    if kind == "string":
        return value
    if kind == "bool":
        return value not in ("0", "False", "false")
    return float(value) if kind.startswith("float") else int(value, 0)


def _plain(value: Any) -> Any:
    """Lists and tuples of equal values are equal: one is typed in, the other comes off the wire."""
    return list(value) if isinstance(value, list | tuple) else value


def _message_encoder(kind: type[Message]) -> Encode:
    """By attributes, not by class: a message of a real ROS 1 may be handed in."""
    codec = kind._codec

    def write(value: Any, out: bytearray) -> None:
        for name, write_field in zip(codec.fields, codec.encoders, strict=True):
            write_field(getattr(value, name), out)

    return write


def _message_decoder(kind: type[Message]) -> Decode:
    def read(data: bytes, offset: int) -> tuple[Any, int]:
        return _decode_at(kind, data, offset)

    return read
