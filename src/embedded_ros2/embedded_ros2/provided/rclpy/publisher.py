"""``Publisher``, as in rclpy."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from embedded_ros2.interfaces import serialize
from embedded_ros2.rmw import api

from ._graph import endpoints_of
from ._rclpy_pybind11 import InvalidHandle, RCLError
from ._unsupported import UnsupportedFeature
from .qos import QoSProfile

if TYPE_CHECKING:
    from .duration import Duration
    from .node import Node

MsgT = TypeVar("MsgT")


class Publisher(Generic[MsgT]):
    """Publishes messages of one type on one topic. Made by ``Node.create_publisher``."""

    def __init__(
        self, node: Node, msg_type: type[MsgT], topic: str, qos_profile: QoSProfile, rmw_publisher: api.Publisher
    ) -> None:
        self._node = node
        self._context = node.context
        self._topic_name = topic
        self._rmw: api.Publisher | None = rmw_publisher
        self.msg_type = msg_type
        self.qos_profile = qos_profile

    @property
    def topic(self) -> str:
        return self._topic_name

    @property
    def topic_name(self) -> str:
        return self._topic_name

    @property
    def logger_name(self) -> str:
        return self._node.get_logger().name or ""

    def publish(self, msg: MsgT | bytes) -> None:
        """Publishes a message, or its serialized form.

        :raises TypeError: when it is of another type.
        :raises InvalidHandle: when the publisher was destroyed.
        :raises RCLError: when the context is shut down.
        """
        if isinstance(msg, self.msg_type):
            payload: Any = serialize(msg)
        elif isinstance(msg, bytes | bytearray | memoryview):
            payload = msg
        else:
            raise TypeError(f"Expected {self.msg_type}, got {type(msg)}")
        rmw_publisher = self._rmw
        if rmw_publisher is None:
            raise InvalidHandle("cannot use Publisher because destruction was requested")
        if not self._context.ok():
            raise RCLError("Failed to publish: publisher's context is invalid")
        rmw_publisher.publish(payload)

    def get_subscription_count(self) -> int:
        """Returns how many subscriptions of this topic and type are known."""
        return len(endpoints_of(self._context, api.EndpointKind.SUBSCRIPTION, self._topic_name, self.msg_type))

    def assert_liveliness(self) -> None:
        """:raises UnsupportedFeature: always."""
        raise UnsupportedFeature("Publisher.assert_liveliness")

    def wait_for_all_acked(self, timeout: Duration | None = None) -> bool:
        """:raises UnsupportedFeature: always."""
        raise UnsupportedFeature("Publisher.wait_for_all_acked")

    def destroy(self) -> None:
        """Ends the publisher. Destroying twice does nothing."""
        rmw_publisher, self._rmw = self._rmw, None
        if rmw_publisher is not None:
            rmw_publisher.close()
            self._node._forget_publisher(self)

    def __enter__(self) -> Publisher[MsgT]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.destroy()
