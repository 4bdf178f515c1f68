"""Guard conditions, as in rclpy: a callback that any thread can have the executor run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ._callbacks import as_coroutine
from ._entity import Entity

if TYPE_CHECKING:
    from .callback_groups import CallbackGroup


class GuardCondition(Entity):
    """Runs its callback once after it was triggered, however often that was."""

    def __init__(self, callback: Callable[[], Any] | None, callback_group: CallbackGroup) -> None:
        super().__init__(callback_group)
        self.callback = callback
        self._is_triggered = False

    def trigger(self) -> None:
        """Has the executor run the callback. May be called from any thread."""
        self._check_alive()
        self._is_triggered = True
        self._notify()

    def _has_more(self) -> bool:
        return self._is_triggered

    def _take(self) -> Any | None:
        if not self._is_triggered:
            return None
        self._is_triggered = False
        return self

    def _execute(self, taken: Any) -> Coroutine[Any, Any, Any] | None:
        return as_coroutine(self.callback()) if self.callback is not None else None
