"""What all backends share: delivery within the process, listeners of the graph, closing."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from embedded_ros2.rmw.api import Durability, History, InterfaceId, MessageCallback, MessageInfo, Qos

_log = logging.getLogger(__name__)

Payload = bytes | bytearray | memoryview


def call_safely(callback: Callable[..., object], *arguments: object) -> None:
    """Calls ``callback``; what it raises is logged, it does not reach whoever caused the call."""
    try:
        callback(*arguments)
    except Exception:
        _log.exception("a callback of the middleware raised")


class LocalTopic:
    """One topic of one type within this process: its publishers' histories and its subscriptions.

    ``subscriptions`` is replaced, never changed, so that publishing iterates over it without a lock.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.subscriptions: tuple[LocalSubscription, ...] = ()
        self.publishers: list[LocalPublisher] = []


class LocalTopics:
    """The topics of one process (or of one session in it), by name and type."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: dict[tuple[str, InterfaceId], LocalTopic] = {}

    def topic(self, name: str, interface: InterfaceId) -> LocalTopic:
        with self._lock:
            return self._topics.setdefault((name, interface), LocalTopic())


class LocalPublisher:
    """Hands publications to the subscriptions of the same process and keeps what late joiners may ask for."""

    def __init__(self, topic: LocalTopic, qos: Qos, owner: object) -> None:
        self._topic = topic
        self.owner = owner
        latched = qos.durability is Durability.TRANSIENT_LOCAL
        self.history: deque[tuple[Payload, MessageInfo]] | None = deque(maxlen=max(qos.depth, 1)) if latched else None
        with topic.lock:
            topic.publishers.append(self)

    def deliver(self, payload: Payload, info: MessageInfo) -> None:
        subscriptions = self._topic.subscriptions
        if self.history is not None:
            with self._topic.lock:
                self.history.append((payload, info))
                subscriptions = self._topic.subscriptions
        for subscription in subscriptions:
            subscription.receive(self, payload, info)

    @property
    def has_receivers(self) -> bool:
        return bool(self._topic.subscriptions) or self.history is not None

    def close(self) -> None:
        with self._topic.lock:
            if self in self._topic.publishers:
                self._topic.publishers.remove(self)


class LocalSubscription:
    """Receives from the publishers of the same process; a transient-local one gets their history first.

    The history is handed over before the constructor returns.
    """

    def __init__(
        self, topic: LocalTopic, qos: Qos, on_message: MessageCallback, owner: object, *, ignore_owner: bool
    ) -> None:
        self._topic = topic
        self._owner = owner if ignore_owner else None
        self._on_message = on_message
        self._replay_lock = threading.RLock() if qos.durability is Durability.TRANSIENT_LOCAL else None
        if self._replay_lock is None:
            with topic.lock:
                topic.subscriptions += (self,)
            return
        # Live samples wait on the lock until the history, which is older, has been handed over.
        with self._replay_lock:
            with topic.lock:
                topic.subscriptions += (self,)
                histories = [(p, list(p.history)) for p in topic.publishers if p.history is not None]
            for publisher, history in histories:
                wanted = history if qos.history is History.KEEP_ALL else history[-max(qos.depth, 1) :]
                for payload, info in wanted:
                    self.receive(publisher, payload, info)

    def receive(self, publisher: LocalPublisher, payload: Payload, info: MessageInfo) -> None:
        if self._owner is not None and publisher.owner is self._owner:
            return
        view = memoryview(payload).toreadonly()
        if self._replay_lock is None:
            call_safely(self._on_message, view, info)
            return
        with self._replay_lock:
            call_safely(self._on_message, view, info)

    def close(self) -> None:
        with self._topic.lock:
            self._topic.subscriptions = tuple(s for s in self._topic.subscriptions if s is not self)


class GraphListeners:
    """The callbacks that wait for changes of the graph."""

    def __init__(self) -> None:
        self._callbacks: tuple[_GraphListener, ...] = ()
        self._lock = threading.Lock()

    def add(self, callback: Callable[[], None]) -> _GraphListener:
        listener = _GraphListener(self, callback)
        with self._lock:
            self._callbacks += (listener,)
        return listener

    def remove(self, listener: _GraphListener) -> None:
        with self._lock:
            self._callbacks = tuple(c for c in self._callbacks if c is not listener)

    def notify(self) -> None:
        for listener in self._callbacks:
            call_safely(listener.callback)


class _GraphListener:
    def __init__(self, listeners: GraphListeners, callback: Callable[[], None]) -> None:
        self._listeners = listeners
        self.callback = callback

    def close(self) -> None:
        self._listeners.remove(self)
