"""``serialize_message`` and ``deserialize_message``, as in rclpy."""

from __future__ import annotations

from typing import TypeVar

from embedded_ros2.interfaces import deserialize, serialize

from .type_support import check_for_type_support

MsgT = TypeVar("MsgT")


def serialize_message(message: object) -> bytes:
    """Returns the CDR form of a message, with its 4-byte encapsulation header."""
    check_for_type_support(type(message))
    return bytes(serialize(message))


def deserialize_message(serialized_message: bytes, message_type: type[MsgT]) -> MsgT:
    """Returns the message of the given type that the CDR bytes hold."""
    check_for_type_support(message_type)
    return deserialize(serialized_message, message_type)
