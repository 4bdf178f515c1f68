"""``Service``, as in rclpy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from embedded_ros2.interfaces import deserialize, serialize
from embedded_ros2.rmw import api

from ._callbacks import as_coroutine
from ._entity import Entity
from ._rclpy_pybind11 import RCLError
from ._unsupported import UnsupportedFeature
from .qos import QoSProfile

if TYPE_CHECKING:
    from .callback_groups import CallbackGroup
    from .node import Node

SrvT = TypeVar("SrvT")


class Service(Entity, Generic[SrvT]):
    """Answers requests of one type. Made by ``Node.create_service``.

    The callback gets (request, response) and returns the response; an ``async`` one may await first.
    """

    def __init__(
        self,
        node: Node,
        srv_type: type[SrvT],
        srv_name: str,
        callback: Callable[[Any, Any], Any],
        callback_group: CallbackGroup,
        qos_profile: QoSProfile,
    ) -> None:
        super().__init__(callback_group)
        self.srv_type = srv_type
        self.srv_name = srv_name
        self.callback = callback
        self.qos_profile = qos_profile
        self._context = node.context
        self._logger_name = node.get_logger().name or ""
        self._rmw: api.Service | None = None
        self._queue: deque[tuple[bytes | memoryview, api.RequestId]] = deque()

    @property
    def service_name(self) -> str:
        return self.srv_name

    @property
    def logger_name(self) -> str:
        return self._logger_name

    def send_response(self, response: Any, header: api.RequestId) -> None:
        """Sends the response to the request with this header.

        :raises TypeError: when it is of another type.
        :raises InvalidHandle: when the service was destroyed.
        :raises RCLError: when the context is shut down.
        """
        if not isinstance(response, self.srv_type.Response):  # type: ignore[attr-defined]
            raise TypeError(f"expected a response of type {self.srv_type.__name__}.Response, got {type(response)}")
        self._check_alive()
        if not self._context.ok() or self._rmw is None:
            raise RCLError("failed to send response: the context is invalid")
        self._rmw.send_response(header, serialize(response))

    def configure_introspection(self, *_arguments: object) -> None:
        """:raises UnsupportedFeature: always."""
        raise UnsupportedFeature("Service.configure_introspection")

    def _on_request(self, payload: bytes | memoryview, header: api.RequestId) -> None:
        self._queue.append((payload, header))
        self._notify()

    def _has_more(self) -> bool:
        return bool(self._queue)

    def _take(self) -> tuple[bytes | memoryview, api.RequestId] | None:
        try:
            return self._queue.popleft()
        except IndexError:
            return None

    def _execute(self, taken: tuple[bytes | memoryview, api.RequestId]) -> Coroutine[Any, Any, Any] | None:
        payload, header = taken
        request = deserialize(payload, self.srv_type.Request)  # type: ignore[attr-defined]
        result = self.callback(request, self.srv_type.Response())  # type: ignore[attr-defined]
        coroutine = as_coroutine(result)
        if coroutine is not None:
            return self._respond_later(coroutine, header)
        self.send_response(result, header)
        return None

    async def _respond_later(self, coroutine: Coroutine[Any, Any, Any], header: api.RequestId) -> None:
        self.send_response(await coroutine, header)

    def _close(self) -> None:
        self._queue.clear()
        if self._rmw is not None:
            self._rmw.close()

    def __enter__(self) -> Service[SrvT]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.destroy()
