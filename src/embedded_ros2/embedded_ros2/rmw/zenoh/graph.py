"""The graph as this session knows it: its own entities, and those that others announce by liveliness tokens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import zenoh

from embedded_ros2.rmw.api import Endpoint
from embedded_ros2.rmw.common import GraphListeners
from embedded_ros2.rmw.zenoh.wire import ADMIN_SPACE, NodeName, WireError, parse_token, session_of

_log = logging.getLogger(__name__)


class Graph:
    """Follows the liveliness tokens of one domain.

    Tokens of this session are not taken from the network: ``add`` and ``remove`` tell of them at once.
    """

    def __init__(self, session: zenoh.Session, domain_id: int) -> None:
        self.listeners = GraphListeners()
        self._session_id = str(session.zid())
        self._lock = threading.Lock()
        self._entities: dict[str, NodeName | Endpoint] = {}
        key = f"{ADMIN_SPACE}/{domain_id}/**"
        liveliness = session.liveliness()
        handler = zenoh.handlers.Callback(self._on_token, indirect=False)
        self._subscriber = liveliness.declare_subscriber(key, handler, history=True)
        # The subscriber hears of older tokens some time later; asking for them waits until they are all known.
        for reply in liveliness.get(key):
            if reply.ok is not None:
                self._on_token(reply.ok)

    def add(self, token: str, entity: NodeName | Endpoint) -> None:
        with self._lock:
            if token in self._entities:
                return
            self._entities[token] = entity
        self.listeners.notify()

    def remove(self, token: str) -> None:
        with self._lock:
            if self._entities.pop(token, None) is None:
                return
        self.listeners.notify()

    def nodes(self) -> Sequence[tuple[str, str]]:
        with self._lock:
            return [(e.name, e.namespace) for e in self._entities.values() if isinstance(e, NodeName)]

    def endpoints(self) -> Sequence[Endpoint]:
        with self._lock:
            return [entity for entity in self._entities.values() if isinstance(entity, Endpoint)]

    def close(self) -> None:
        self._subscriber.undeclare()  # type: ignore[no-untyped-call]

    def _on_token(self, sample: zenoh.Sample) -> None:
        token = str(sample.key_expr)
        if session_of(token) == self._session_id:
            return
        if sample.kind != zenoh.SampleKind.PUT:
            self.remove(token)
            return
        try:
            self.add(token, parse_token(token))
        except WireError as error:
            _log.debug("passed over a liveliness token: %s", error)
