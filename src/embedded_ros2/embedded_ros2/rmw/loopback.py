"""``rmw_loopback``: ROS 2 within one process, without any transport.

Contexts of the same process and domain see each other; everything is delivered on the caller's thread. Unit tests
and tools that need no second process use it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

from embedded_ros2.rmw import api
from embedded_ros2.rmw.common import (
    GraphListeners,
    LocalPublisher,
    LocalSubscription,
    LocalTopics,
    Payload,
    call_safely,
)


class _Domain:
    """Everything that shares a domain id in this process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.topics = LocalTopics()
        self.nodes: list[LoopbackNode] = []
        self.endpoints: list[api.Endpoint] = []
        self.services: dict[tuple[str, api.InterfaceId], list[LoopbackService]] = {}
        self.listeners = GraphListeners()

    def announce(self, endpoint: api.Endpoint) -> None:
        with self.lock:
            self.endpoints.append(endpoint)
        self.listeners.notify()

    def withdraw(self, endpoint: api.Endpoint) -> None:
        with self.lock:
            self.endpoints = [e for e in self.endpoints if e is not endpoint]
        self.listeners.notify()


class _LoopbackEntity:
    """An endpoint on the graph until it is closed."""

    def __init__(self, node: LoopbackNode, endpoint: api.Endpoint) -> None:
        self._domain = node.domain
        self._node = node
        self.endpoint = endpoint
        self.gid = endpoint.gid
        self._is_open = True

    def close(self) -> None:
        with self._domain.lock:
            if not self._is_open:
                return
            self._is_open = False
        self._node.entities.remove(self)
        self._disconnect()
        self._domain.withdraw(self.endpoint)

    def _disconnect(self) -> None:
        """Stops the flow of data; the graph is told by the caller."""


class LoopbackPublisher(_LoopbackEntity):
    def __init__(self, node: LoopbackNode, endpoint: api.Endpoint) -> None:
        super().__init__(node, endpoint)
        topic = node.domain.topics.topic(endpoint.name, endpoint.interface)
        self._local = LocalPublisher(topic, endpoint.qos, node.context)
        self._sequence_number = 0
        self._lock = threading.Lock()

    def publish(self, payload: Payload) -> None:
        if not self._is_open:
            raise RuntimeError(f"publisher on '{self.endpoint.name}' is closed")
        with self._lock:
            self._sequence_number += 1
            number = self._sequence_number
        now = time.time_ns()
        self._local.deliver(payload, api.MessageInfo(now, now, number, self.gid, True))

    def _disconnect(self) -> None:
        self._local.close()


class LoopbackSubscription(_LoopbackEntity):
    def __init__(
        self, node: LoopbackNode, endpoint: api.Endpoint, on_message: api.MessageCallback, *, ignore_local: bool
    ) -> None:
        super().__init__(node, endpoint)
        topic = node.domain.topics.topic(endpoint.name, endpoint.interface)
        self._local = LocalSubscription(topic, endpoint.qos, on_message, node.context, ignore_owner=ignore_local)

    def _disconnect(self) -> None:
        self._local.close()


class LoopbackService(_LoopbackEntity):
    def __init__(self, node: LoopbackNode, endpoint: api.Endpoint, on_request: api.RequestCallback) -> None:
        super().__init__(node, endpoint)
        self.on_request = on_request
        with self._domain.lock:
            self._domain.services.setdefault((endpoint.name, endpoint.interface), []).append(self)

    def send_response(self, request: api.RequestId, payload: bytes | bytearray) -> None:
        client = request.token
        if isinstance(client, LoopbackClient):
            client.receive(memoryview(payload).toreadonly(), request.sequence_number)

    def _disconnect(self) -> None:
        with self._domain.lock:
            self._domain.services[self.endpoint.name, self.endpoint.interface].remove(self)


class LoopbackClient(_LoopbackEntity):
    def __init__(self, node: LoopbackNode, endpoint: api.Endpoint, on_response: api.ResponseCallback) -> None:
        super().__init__(node, endpoint)
        self._on_response = on_response
        self._sequence_number = 0

    def send_request(self, payload: bytes | bytearray) -> int:
        if not self._is_open:
            raise RuntimeError(f"client of '{self.endpoint.name}' is closed")
        with self._domain.lock:
            self._sequence_number += 1
            number = self._sequence_number
            services = tuple(self._domain.services.get((self.endpoint.name, self.endpoint.interface), ()))
        request = api.RequestId(self.gid, number, time.time_ns(), self)
        for service in services:
            call_safely(service.on_request, memoryview(payload).toreadonly(), request)
        return number

    def receive(self, payload: memoryview, sequence_number: int) -> None:
        if self._is_open:
            call_safely(self._on_response, payload, sequence_number)


E = TypeVar("E", bound=_LoopbackEntity)


class LoopbackNode:
    """A node of the process-wide graph."""

    def __init__(self, context: LoopbackContext, name: str, namespace: str) -> None:
        self.context = context
        self.domain = context.domain
        self.name = name
        self.namespace = namespace
        self.entities: list[_LoopbackEntity] = []
        self._is_open = True
        with self.domain.lock:
            self.domain.nodes.append(self)
        self.domain.listeners.notify()

    def create_publisher(self, topic: str, interface: api.InterfaceId, qos: api.Qos) -> LoopbackPublisher:
        return self._add(LoopbackPublisher(self, self._endpoint(api.EndpointKind.PUBLISHER, topic, interface, qos)))

    def create_subscription(
        self,
        topic: str,
        interface: api.InterfaceId,
        qos: api.Qos,
        on_message: api.MessageCallback,
        *,
        ignore_local: bool = False,
    ) -> LoopbackSubscription:
        endpoint = self._endpoint(api.EndpointKind.SUBSCRIPTION, topic, interface, qos)
        return self._add(LoopbackSubscription(self, endpoint, on_message, ignore_local=ignore_local))

    def create_service(
        self, name: str, interface: api.InterfaceId, qos: api.Qos, on_request: api.RequestCallback
    ) -> LoopbackService:
        endpoint = self._endpoint(api.EndpointKind.SERVICE, name, interface, qos)
        return self._add(LoopbackService(self, endpoint, on_request))

    def create_client(
        self, name: str, interface: api.InterfaceId, qos: api.Qos, on_response: api.ResponseCallback
    ) -> LoopbackClient:
        endpoint = self._endpoint(api.EndpointKind.CLIENT, name, interface, qos)
        return self._add(LoopbackClient(self, endpoint, on_response))

    def close(self) -> None:
        for entity in tuple(self.entities):
            entity.close()
        with self.domain.lock:
            if not self._is_open:
                return
            self._is_open = False
            self.domain.nodes.remove(self)
        self.domain.listeners.notify()

    def _endpoint(self, kind: api.EndpointKind, name: str, interface: api.InterfaceId, qos: api.Qos) -> api.Endpoint:
        if not self._is_open:
            raise RuntimeError(f"node '{self.name}' is closed")
        return api.Endpoint(kind, self.name, self.namespace, name, interface, qos, uuid.uuid4().bytes)

    def _add(self, entity: E) -> E:
        self.entities.append(entity)
        self.domain.announce(entity.endpoint)
        return entity


class LoopbackContext:
    """A participant in the process-wide domain ``domain_id``."""

    def __init__(self, domain_id: int, domain: _Domain) -> None:
        self.domain_id = domain_id
        self.domain = domain
        self._nodes: list[LoopbackNode] = []

    def create_node(self, name: str, namespace: str, enclave: str = "/") -> LoopbackNode:
        node = LoopbackNode(self, name, namespace)
        self._nodes.append(node)
        return node

    def nodes(self) -> Sequence[tuple[str, str]]:
        with self.domain.lock:
            return [(node.name, node.namespace) for node in self.domain.nodes]

    def endpoints(self) -> Sequence[api.Endpoint]:
        with self.domain.lock:
            return list(self.domain.endpoints)

    def on_graph_change(self, callback: Callable[[], None]) -> api.Entity:
        return self.domain.listeners.add(callback)

    def close(self) -> None:
        for node in self._nodes:
            node.close()
        self._nodes.clear()


class LoopbackBackend:
    """The backend ``rmw_loopback``."""

    identifier = "rmw_loopback"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._domains: dict[int, _Domain] = {}

    def open_context(self, domain_id: int) -> LoopbackContext:
        with self._lock:
            return LoopbackContext(domain_id, self._domains.setdefault(domain_id, _Domain()))
