"""What an executor runs: an entity of a node with a callback and a callback group."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ._rclpy_pybind11 import InvalidHandle

if TYPE_CHECKING:
    from .callback_groups import CallbackGroup
    from .node import Node


class Entity:
    """Base of subscriptions, timers, services, clients and guard conditions.

    The executor calls ``_take`` and ``_has_more`` under its lock, and ``_execute`` with what was taken outside of it.
    """

    def __init__(self, callback_group: CallbackGroup) -> None:
        self.callback_group = callback_group
        self._node: Node | None = None
        self._is_queued = False
        self._is_destroyed = False
        callback_group.add_entity(self)

    def _take(self) -> Any | None:
        """Takes one piece of work, None when there is none."""
        raise NotImplementedError

    def _has_more(self) -> bool:
        """Whether ``_take`` would find something now."""
        raise NotImplementedError

    def _execute(self, taken: Any) -> Coroutine[Any, Any, Any] | None:
        """Runs the callback; returns the coroutine when it is ``async``."""
        raise NotImplementedError

    def _notify(self) -> None:
        """Tells the executor that there is work. Called from any thread."""
        node = self._node
        executor = node.executor if node is not None else None
        if executor is not None:
            executor._enqueue(self)

    def _check_alive(self) -> None:
        if self._is_destroyed:
            raise InvalidHandle(f"cannot use {type(self).__name__} because destruction was requested")

    def destroy(self) -> None:
        """Ends the entity; what waits for it is dropped. Destroying twice does nothing."""
        if self._is_destroyed:
            return
        self._is_destroyed = True
        self._close()
        if self._node is not None:
            self._node._forget_entity(self)

    def _close(self) -> None:
        """Releases what the entity holds of the middleware."""
