"""Callback groups, as in rclpy: which callbacks may run at the same time."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._entity import Entity


class CallbackGroup:
    """Decides which of its entities may run now. An entity belongs to one group for life."""

    def __init__(self) -> None:
        self._entities: weakref.WeakSet[Entity] = weakref.WeakSet()

    def add_entity(self, entity: Entity) -> None:
        self._entities.add(entity)

    def has_entity(self, entity: Entity) -> bool:
        return entity in self._entities

    def can_execute(self, entity: Entity) -> bool:
        """Whether the entity's callback may start now."""
        raise NotImplementedError

    def beginning_execution(self, entity: Entity) -> bool:
        """Claims the right to run the entity's callback; False when another one holds it."""
        raise NotImplementedError

    def ending_execution(self, entity: Entity) -> None:
        """Gives the right back."""
        raise NotImplementedError


class ReentrantCallbackGroup(CallbackGroup):
    """All callbacks may run at the same time, also one callback several times."""

    def can_execute(self, entity: Entity) -> bool:
        return True

    def beginning_execution(self, entity: Entity) -> bool:
        return True

    def ending_execution(self, entity: Entity) -> None:
        return


class MutuallyExclusiveCallbackGroup(CallbackGroup):
    """One callback at a time; an ``async`` callback keeps the group until it has returned."""

    def __init__(self) -> None:
        super().__init__()
        self._active_entity: Entity | None = None
        self._lock = threading.Lock()

    def can_execute(self, entity: Entity) -> bool:
        return self._active_entity is None

    def beginning_execution(self, entity: Entity) -> bool:
        with self._lock:
            if self._active_entity is not None:
                return False
            self._active_entity = entity
            return True

    def ending_execution(self, entity: Entity) -> None:
        with self._lock:
            if self._active_entity is entity:
                self._active_entity = None
