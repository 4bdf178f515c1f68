"""``wait_for_message``, as in rclpy."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, TypeVar

from embedded_ros2.interfaces import deserialize
from embedded_ros2.rmw import api

from .qos import QoSProfile, as_profile, to_rmw
from .type_support import check_is_interface

if TYPE_CHECKING:
    from .node import Node

MsgT = TypeVar("MsgT")


class _Mailbox:
    """Gets the message, or None at shutdown; the context holds it weakly."""

    def __init__(self) -> None:
        self.arrived: queue.SimpleQueue[bytes | memoryview | None] = queue.SimpleQueue()

    def on_message(self, payload: bytes | memoryview, info: api.MessageInfo) -> None:
        self.arrived.put(payload)

    def on_shutdown(self) -> None:
        self.arrived.put(None)


def wait_for_message(
    msg_type: type[MsgT],
    node: Node,
    topic: str,
    *,
    qos_profile: QoSProfile | int = 1,
    time_to_wait: float = -1,
) -> tuple[bool, MsgT | None]:
    """Waits for the next message of a topic; the node need not be spun.

    :param time_to_wait: in seconds; negative waits until shutdown.
    :return: (True, message), or (False, None) when none came in time.
    """
    mailbox = _Mailbox()
    full_name = node.resolve_topic_name(topic)
    qos = to_rmw(as_profile(qos_profile))
    subscription = node._rcl_rmw.create_subscription(full_name, check_is_interface(msg_type), qos, mailbox.on_message)
    node.context.on_shutdown(mailbox.on_shutdown)
    try:
        payload = mailbox.arrived.get(timeout=None if time_to_wait < 0 else time_to_wait)
    except queue.Empty:
        payload = None
    finally:
        subscription.close()
    return (False, None) if payload is None else (True, deserialize(payload, msg_type))
