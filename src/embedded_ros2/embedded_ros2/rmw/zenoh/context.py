"""Contexts and nodes over Zenoh: one session per context, shared by its nodes."""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import zenoh

from embedded_ros2.rmw import api
from embedded_ros2.rmw.common import LocalTopics
from embedded_ros2.rmw.zenoh.configuration import ConfigurationError, router_endpoints, session_config
from embedded_ros2.rmw.zenoh.endpoints import (
    ZenohClient,
    ZenohEndpoint,
    ZenohPublisher,
    ZenohService,
    ZenohSubscription,
)
from embedded_ros2.rmw.zenoh.graph import Graph
from embedded_ros2.rmw.zenoh.wire import HASH_OF_HUMBLE, NodeName, TokenOwner, gid_of

ROUTER_CHECK_VARIABLE = "ZENOH_ROUTER_CHECK_ATTEMPTS"
_ATTEMPT_S = 1.0
_POLL_S = 0.005

E = TypeVar("E", bound=ZenohEndpoint)

_log = logging.getLogger(__name__)


class ZenohNode:
    """A node announced by a liveliness token of its own."""

    def __init__(self, context: ZenohContext, name: str, namespace: str, enclave: str) -> None:
        self.context = context
        self.name = name
        self.namespace = namespace
        self._owner = TokenOwner(
            context.domain_id, str(context.session.zid()), context.next_entity_id(), name, namespace, enclave
        )
        self._token = self._owner.node_token()
        self._lock = threading.Lock()
        self._endpoints: list[ZenohEndpoint] = []
        self._is_open = True
        self._liveliness = context.session.liveliness().declare_token(self._token)
        context.graph.add(self._token, NodeName(name, namespace))

    def create_publisher(self, topic: str, interface: api.InterfaceId, qos: api.Qos) -> ZenohPublisher:
        publisher = ZenohPublisher(self, *self._identify(api.EndpointKind.PUBLISHER, topic, interface, qos))
        self.context.publisher_gids.add(publisher.gid)
        return self._keep(publisher)

    def create_subscription(
        self,
        topic: str,
        interface: api.InterfaceId,
        qos: api.Qos,
        on_message: api.MessageCallback,
        *,
        ignore_local: bool = False,
    ) -> ZenohSubscription:
        identity = self._identify(api.EndpointKind.SUBSCRIPTION, topic, interface, qos)
        return self._keep(ZenohSubscription(self, *identity, on_message, ignore_local=ignore_local))

    def create_service(
        self, name: str, interface: api.InterfaceId, qos: api.Qos, on_request: api.RequestCallback
    ) -> ZenohService:
        identity = self._identify(api.EndpointKind.SERVICE, name, interface, qos)
        return self._keep(ZenohService(self, *identity, on_request))

    def create_client(
        self, name: str, interface: api.InterfaceId, qos: api.Qos, on_response: api.ResponseCallback
    ) -> ZenohClient:
        identity = self._identify(api.EndpointKind.CLIENT, name, interface, qos)
        return self._keep(ZenohClient(self, *identity, on_response))

    def close(self) -> None:
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            endpoints = tuple(self._endpoints)
        for endpoint in endpoints:
            endpoint.close()
        self._liveliness.undeclare()  # type: ignore[no-untyped-call]
        self.context.graph.remove(self._token)

    def forget(self, endpoint: ZenohEndpoint) -> None:
        """Called by an endpoint that closes."""
        with self._lock:
            if endpoint in self._endpoints:
                self._endpoints.remove(endpoint)
        self.context.publisher_gids.discard(endpoint.gid)

    def _identify(
        self, kind: api.EndpointKind, name: str, interface: api.InterfaceId, qos: api.Qos
    ) -> tuple[api.Endpoint, str]:
        if not self._is_open:
            raise RuntimeError(f"node '{self.name}' is closed")
        if os.environ.get("ROS_DISTRO") == "humble":
            interface = api.InterfaceId(interface.name, HASH_OF_HUMBLE)
        token = self._owner.endpoint_token(self.context.next_entity_id(), kind, name, interface, qos)
        return api.Endpoint(kind, self.name, self.namespace, name, interface, qos, gid_of(token)), token

    def _keep(self, endpoint: E) -> E:
        with self._lock:
            self._endpoints.append(endpoint)
        endpoint.announce()
        return endpoint


class ZenohContext:
    """A Zenoh session in one ROS domain. Raises ConnectionError where Zenoh cannot open it."""

    def __init__(self, domain_id: int) -> None:
        self.domain_id = domain_id
        self.topics = LocalTopics()
        self.publisher_gids: set[bytes] = set()
        self._entity_ids = itertools.count()
        self._lock = threading.Lock()
        self._is_open = True
        self._nodes: list[ZenohNode] = []
        config = session_config()
        try:
            self.session = zenoh.open(config)
        except zenoh.ZError as error:
            raise ConnectionError(f"the Zenoh session cannot be opened: {error}") from None
        _wait_for_router(self.session, router_endpoints(config))
        self.graph = Graph(self.session, domain_id)
        # A session that is still open when the interpreter ends may crash it.
        atexit.register(self.close)

    def create_node(self, name: str, namespace: str, enclave: str = "/") -> ZenohNode:
        node = ZenohNode(self, name, namespace, enclave)
        self._nodes.append(node)
        return node

    def nodes(self) -> Sequence[tuple[str, str]]:
        return self.graph.nodes()

    def endpoints(self) -> Sequence[api.Endpoint]:
        return self.graph.endpoints()

    def on_graph_change(self, callback: Callable[[], None]) -> api.Entity:
        return self.graph.listeners.add(callback)

    def next_entity_id(self) -> int:
        return next(self._entity_ids)

    def close(self) -> None:
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
        atexit.unregister(self.close)
        for node in self._nodes:
            node.close()
        self._nodes.clear()
        self.graph.close()
        self.session.close()  # type: ignore[no-untyped-call]


def _wait_for_router(session: zenoh.Session, endpoints: list[str]) -> None:
    """Waits until a router is connected, as long as ``ZENOH_ROUTER_CHECK_ATTEMPTS`` says (seconds; 0: for ever)."""
    text = os.environ.get(ROUTER_CHECK_VARIABLE) or "1"
    try:
        attempts = int(text)
    except ValueError:
        raise ConfigurationError(f"{ROUTER_CHECK_VARIABLE}='{text}' is no whole number") from None
    if attempts < 0:
        return
    deadline = time.monotonic() + attempts * _ATTEMPT_S
    while not session.info.routers_zid():
        if attempts and time.monotonic() > deadline:
            _log.warning(
                "no Zenoh router answers at %s; nodes of other processes stay invisible until one does. Start it with "
                "'python -m embedded_ros2.router' (or 'ros2 run rmw_zenoh_cpp rmw_zenohd').",
                ", ".join(endpoints) or "(no endpoint configured)",
            )
            return
        time.sleep(_POLL_S)
