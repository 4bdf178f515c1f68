"""A service whose callback replies when it wants to: a goal's result comes long after it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from embedded_ros2.interfaces import deserialize
from embedded_ros2.rmw import api

from .._callbacks import as_coroutine
from ..service import Service

Reply = Callable[[Any], None]


class ReplyingService(Service[Any]):
    """The callback gets (request, reply); ``reply`` takes the response, once, from any thread."""

    def _execute(self, taken: tuple[bytes | memoryview, api.RequestId]) -> Coroutine[Any, Any, Any] | None:
        payload, header = taken

        def reply(response: Any) -> None:
            if self._context.ok() and not self._is_destroyed:
                self.send_response(response, header)

        return as_coroutine(self.callback(deserialize(payload, self.srv_type.Request), reply))
