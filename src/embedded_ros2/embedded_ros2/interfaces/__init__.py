"""ROS 2 interfaces from their .msg, .srv and .action files: classes, CDR, type hashes.

>>> String = get_message("std_msgs/msg/String")
>>> deserialize(serialize(String(data="hello")), String)
std_msgs.msg.String(data='hello')
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, TypeVar

from embedded_ros2.interfaces import registry
from embedded_ros2.interfaces.codec import HEADER
from embedded_ros2.interfaces.definitions import Definition, DefinitionError
from embedded_ros2.interfaces.messages import FieldError, Message, explain_invalid
from embedded_ros2.interfaces.registry import InterfaceNotFoundError
from embedded_ros2.rmw.api import InterfaceId

__all__ = [
    "DefinitionError",
    "DeserializationError",
    "FieldError",
    "InterfaceNotFoundError",
    "Message",
    "deserialize",
    "get_action",
    "get_interface",
    "get_message",
    "get_service",
    "interface_id",
    "serialize",
]

M = TypeVar("M")


class DeserializationError(ValueError):
    """Bytes that are no CDR of the type that they were read as."""


def serialize(message: Any) -> bytearray:
    """The CDR of a message, with its encapsulation header. Raises FieldError, which names the field at fault."""
    buffer = bytearray(HEADER)
    try:
        message._ros_write(message, buffer)
    except (TypeError, ValueError, AttributeError, OverflowError, struct.error) as error:
        _definition_of(type(message))
        explain_invalid(message)
        raise FieldError(f"{message._definition.name} cannot be serialized: {error}") from error
    return buffer


def deserialize(data: bytes | bytearray | memoryview, class_: type[M]) -> M:
    """The message of type ``class_`` whose CDR is ``data``. Raises DeserializationError for bytes that are not."""
    view = memoryview(data)
    if view.nbytes < len(HEADER) or view[:2] != HEADER[:2]:
        name = _definition_of(class_).name
        raise DeserializationError(
            f"{name}: {view.nbytes} bytes that start with {bytes(view[:4]).hex(' ')!r} are no little-endian CDR: "
            "00 01 and two bytes of options come first"
        )
    try:
        message, end = class_._ros_read(view, len(HEADER))  # type: ignore[attr-defined]
    except (struct.error, ValueError, IndexError) as error:
        name = _definition_of(class_).name
        raise DeserializationError(f"{name}: {view.nbytes} bytes are cut off or of another type: {error}") from None
    if end > view.nbytes:
        name = _definition_of(class_).name
        raise DeserializationError(f"{name}: {view.nbytes} bytes are cut off or of another type: {end} are needed")
    return message  # type: ignore[no-any-return]


@cache
def interface_id(class_: type) -> InterfaceId:
    """The name and RIHS01 hash of a message, service or action class."""
    name = _definition_of(class_).name
    return InterfaceId(name, registry.type_hash(name))


def get_message(name: str) -> type[Message]:
    """The class of ``package/msg/Name`` (also ``package/Name``)."""
    return registry.message_class(_full_name(name, "msg"))


def get_service(name: str) -> type:
    """The class of ``package/srv/Name`` (also ``package/Name``)."""
    return registry.service_class(_full_name(name, "srv"))


def get_action(name: str) -> type:
    """The class of ``package/action/Name`` (also ``package/Name``)."""
    return registry.action_class(_full_name(name, "action"))


def get_interface(name: str) -> type:
    """The class of a message, service or action, by its full name."""
    kind = name.split("/")[1] if name.count("/") == 2 else ""
    getters = {"msg": get_message, "srv": get_service, "action": get_action}
    if kind not in getters:
        raise ValueError(f"'{name}' is no interface name: it reads package/msg|srv|action/Name")
    return getters[kind](name)


def _full_name(name: str, kind: str) -> str:
    parts = name.split("/")
    if len(parts) == 2:
        parts.insert(1, kind)
    if len(parts) != 3 or parts[1] != kind or not all(parts):
        raise ValueError(f"'{name}' is no name of a {kind}: it reads package/{kind}/Name")
    return "/".join(parts)


def _definition_of(class_: type) -> Definition:
    found = getattr(class_, "_definition", None)
    if isinstance(found, Definition):
        return found
    raise TypeError(
        f"{class_.__module__}.{class_.__qualname__} is no interface of the embedded ROS 2. If its package comes from a "
        "ROS 2 installation, source that installation completely (its rclpy is then used) or not at all."
    )
