"""``Client``, as in rclpy."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from embedded_ros2.interfaces import deserialize, serialize
from embedded_ros2.rmw import api

from ._entity import Entity
from ._graph import endpoints_of, wait_for_graph
from ._rclpy_pybind11 import RCLError
from ._unsupported import UnsupportedFeature
from .qos import QoSProfile
from .task import Future

if TYPE_CHECKING:
    from .callback_groups import CallbackGroup
    from .node import Node

SrvT = TypeVar("SrvT")


class Client(Entity, Generic[SrvT]):
    """Calls a service. Made by ``Node.create_client``; responses arrive while the node is spun."""

    def __init__(
        self,
        node: Node,
        srv_type: type[SrvT],
        srv_name: str,
        callback_group: CallbackGroup,
        qos_profile: QoSProfile,
    ) -> None:
        super().__init__(callback_group)
        self.context = node.context
        self.srv_type = srv_type
        self.srv_name = srv_name
        self.qos_profile = qos_profile
        self._logger_name = node.get_logger().name or ""
        self._rmw: api.Client | None = None
        self._lock = threading.Lock()
        self._pending: dict[int, Future[Any]] = {}
        self._queue: deque[tuple[bytes | memoryview, int]] = deque()

    @property
    def service_name(self) -> str:
        return self.srv_name

    @property
    def logger_name(self) -> str:
        return self._logger_name

    def call(self, request: Any, timeout_sec: float | None = None) -> Any:
        """Calls the service and waits for the response, while another thread spins the node.

        :raises TimeoutError: when there is none within ``timeout_sec``.
        :raises TypeError: when the request is of another type.
        """
        future = self.call_async(request)
        is_done = threading.Event()
        future._call_when_done(is_done.set)
        if not is_done.wait(timeout_sec):
            self.remove_pending_request(future)
            raise TimeoutError()
        return future.result()

    def call_async(self, request: Any) -> Future[Any]:
        """Calls the service and returns the future of its response.

        :raises TypeError: when the request is of another type.
        :raises InvalidHandle: when the client was destroyed.
        :raises RCLError: when the context is shut down.
        """
        if not isinstance(request, self.srv_type.Request):  # type: ignore[attr-defined]
            raise TypeError(f"expected a request of type {self.srv_type.__name__}.Request, got {type(request)}")
        self._check_alive()
        if not self.context.ok() or self._rmw is None:
            raise RCLError("failed to send request: the context is invalid")
        future: Future[Any] = Future()
        with self._lock:  # a response is looked up under this lock, so that it cannot overtake the registration
            self._pending[self._rmw.send_request(serialize(request))] = future
        return future

    def get_pending_request(self, sequence_number: int) -> Future[Any]:
        """Returns the future of a request that waits for its response.

        :raises KeyError: when there is none with this number.
        """
        with self._lock:
            return self._pending[sequence_number]

    def remove_pending_request(self, future: Future[Any]) -> None:
        """Forgets a request; its future will not become done."""
        with self._lock:
            self._pending = {number: pending for number, pending in self._pending.items() if pending is not future}

    def service_is_ready(self) -> bool:
        """Whether a server of this name and type is known."""
        self._check_alive()
        return bool(endpoints_of(self.context, api.EndpointKind.SERVICE, self.srv_name, self.srv_type))

    def wait_for_service(self, timeout_sec: float | None = None) -> bool:
        """Waits for a server; False when there is none within the time-out or before shutdown."""
        return wait_for_graph(self.context, self.service_is_ready, timeout_sec)

    def configure_introspection(self, *_arguments: object) -> None:
        """:raises UnsupportedFeature: always."""
        raise UnsupportedFeature("Client.configure_introspection")

    def _on_response(self, payload: bytes | memoryview, sequence_number: int) -> None:
        self._queue.append((payload, sequence_number))
        self._notify()

    def _has_more(self) -> bool:
        return bool(self._queue)

    def _take(self) -> tuple[bytes | memoryview, int] | None:
        try:
            return self._queue.popleft()
        except IndexError:
            return None

    def _execute(self, taken: tuple[bytes | memoryview, int]) -> Coroutine[Any, Any, Any] | None:
        payload, sequence_number = taken
        with self._lock:
            future = self._pending.pop(sequence_number, None)
        if future is not None and not future.cancelled():
            future._set_executor(self._node.executor if self._node is not None else None)
            future.set_result(deserialize(payload, self.srv_type.Response))  # type: ignore[attr-defined]
        return None

    def _close(self) -> None:
        self._queue.clear()
        if self._rmw is not None:
            self._rmw.close()

    def __enter__(self) -> Client[SrvT]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.destroy()
