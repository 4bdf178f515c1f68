"""``Subscription``, as in rclpy: keeps what arrives until the executor hands it to the callback."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from embedded_ros2.interfaces import deserialize
from embedded_ros2.rmw import api

from ._callbacks import as_coroutine
from ._entity import Entity
from ._graph import endpoints_of
from .qos import QoSProfile, to_rmw

if TYPE_CHECKING:
    from .callback_groups import CallbackGroup
    from .node import Node

MsgT = TypeVar("MsgT")


class MessageInfo(TypedDict):
    """What a callback with two arguments gets besides the message; times in ns since the epoch."""

    source_timestamp: int
    received_timestamp: int
    publication_sequence_number: int
    reception_sequence_number: int | None


class Subscription(Entity, Generic[MsgT]):
    """Receives messages of one type from one topic. Made by ``Node.create_subscription``.

    The queue holds the last ``depth`` messages (KEEP_LAST) or all of them (KEEP_ALL).
    """

    class CallbackType(Enum):
        MessageOnly = 0
        WithMessageInfo = 1

    def __init__(
        self,
        node: Node,
        msg_type: type[MsgT],
        topic: str,
        callback: Callable[..., Any],
        callback_group: CallbackGroup,
        qos_profile: QoSProfile,
        *,
        raw: bool,
    ) -> None:
        super().__init__(callback_group)
        self.msg_type = msg_type
        self.qos_profile = qos_profile
        self.raw = raw
        self._topic_name = topic
        self._context = node.context
        self._logger_name = node.get_logger().name or ""
        self._rmw: api.Entity | None = None
        qos = to_rmw(qos_profile)
        depth = None if qos.history is api.History.KEEP_ALL else qos.depth
        self._queue: deque[tuple[bytes | memoryview, api.MessageInfo]] = deque(maxlen=depth)
        self.callback = callback

    @property
    def topic(self) -> str:
        return self._topic_name

    @property
    def topic_name(self) -> str:
        return self._topic_name

    @property
    def logger_name(self) -> str:
        return self._logger_name

    @property
    def callback(self) -> Callable[..., Any]:
        return self._callback

    @callback.setter
    def callback(self, value: Callable[..., Any]) -> None:
        self._callback = value
        self._callback_type = _callback_type(value)

    def get_publisher_count(self) -> int:
        """Returns how many publishers of this topic and type are known."""
        return len(endpoints_of(self._context, api.EndpointKind.PUBLISHER, self._topic_name, self.msg_type))

    def _on_message(self, payload: bytes | memoryview, info: api.MessageInfo) -> None:
        self._queue.append((payload, info))
        self._notify()

    def _has_more(self) -> bool:
        return bool(self._queue)

    def _take(self) -> tuple[bytes | memoryview, api.MessageInfo] | None:
        try:
            return self._queue.popleft()
        except IndexError:
            return None

    def _execute(self, taken: tuple[bytes | memoryview, api.MessageInfo]) -> Coroutine[Any, Any, Any] | None:
        payload, info = taken
        message: Any = bytes(payload) if self.raw else deserialize(payload, self.msg_type)
        if self._callback_type is Subscription.CallbackType.MessageOnly:
            return as_coroutine(self._callback(message))
        return as_coroutine(self._callback(message, _message_info(info)))

    def _close(self) -> None:
        self._queue.clear()
        if self._rmw is not None:
            self._rmw.close()

    def __enter__(self) -> Subscription[MsgT]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.destroy()


def _message_info(info: api.MessageInfo) -> MessageInfo:
    return MessageInfo(
        source_timestamp=info.source_timestamp_ns,
        received_timestamp=info.received_timestamp_ns,
        publication_sequence_number=info.publication_sequence_number,
        reception_sequence_number=None,
    )


def _callback_type(callback: Callable[..., Any]) -> Subscription.CallbackType:
    try:
        signature = inspect.signature(callback)
    except ValueError:  # a builtin that does not tell its signature, like deque.append
        return Subscription.CallbackType.MessageOnly
    for kind, count in ((Subscription.CallbackType.MessageOnly, 1), (Subscription.CallbackType.WithMessageInfo, 2)):
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return kind
    raise RuntimeError(
        "Subscription.__init__(): callback should be either be callable with one argument"
        "(to get only the message) or two (to get message and message info)"
    )
