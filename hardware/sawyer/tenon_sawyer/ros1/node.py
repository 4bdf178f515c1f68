"""A ROS 1 node: registers with the master, answers other nodes, and comes back by itself after either was away."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from tenon_sawyer.ros1.messages import Message, ServiceType
from tenon_sawyer.ros1.publisher import Publisher
from tenon_sawyer.ros1.service import ServiceClient, ServiceError, ServiceServer
from tenon_sawyer.ros1.subscription import Callback, Subscription
from tenon_sawyer.ros1.wire import WireError, encode_header, hang_up, prepare, read_header
from tenon_sawyer.ros1.xmlrpc import SUCCESS, CallError, Server, UnreachableError, call, local_address

LOG = logging.getLogger(__name__)
TIMEOUT_S = 2.0
PROBE_PERIOD_S = 0.5
LOOPBACK = "127."
DEFAULT_MASTER = "http://localhost:11311/"


def resolve(name: str) -> str:
    """A name of the graph in full: everything here lives in the root namespace."""
    return name if name.startswith("/") else f"/{name}"


def read_parameter(master_uri: str, caller: str, key: str, *, timeout_s: float = TIMEOUT_S) -> Any:
    """A value of the parameter server, for which nobody needs a node. Raises KeyError, UnreachableError."""
    try:
        return call(master_uri, "getParam", caller, resolve(key), timeout_s=timeout_s)
    except UnreachableError:
        raise
    except CallError as error:
        raise KeyError(resolve(key)) from error


class AddressError(ValueError):
    """The address that others are to find this node under is none of this machine's. Waiting does not help."""


class Node:
    """One node. host: the address under which others reach this machine; by default the one that faces the master.

    timeout_s: of each call and handshake, and of the silence after which a connection counts as cut. on_shutdown: what
    is to be done when the master, or another node, asks this one to end; by default ``close``.
    """

    def __init__(
        self,
        name: str,
        master_uri: str = DEFAULT_MASTER,
        *,
        host: str | None = None,
        timeout_s: float = TIMEOUT_S,
        probe_period_s: float = PROBE_PERIOD_S,
        on_shutdown: Callable[[str], None] | None = None,
    ) -> None:
        """Raises UnreachableError when the master does not answer, OSError without a route to it, AddressError."""
        self.name, self.master_uri = resolve(name), master_uri
        self._timeout_s, self._probe_period_s = timeout_s, probe_period_s
        self._host = host or local_address(master_uri)
        self._lock = threading.RLock()
        self._publishers: dict[str, Publisher] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._services: dict[str, ServiceServer] = {}
        self._closed = threading.Event()
        self._end = on_shutdown or self.close
        self._silent_since_s: float | None = None
        self.closed_because = ""
        self.call_master("getPid")
        self._listener = self._listen()
        self._port: int = self._listener.getsockname()[1]
        self._slave = Server(self._host, self._slave_methods())
        self._threads = [
            threading.Thread(target=target, daemon=True, name=label)
            for target, label in ((self._accept, "tcpros"), (self._watch, "master"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_closed(self) -> bool:
        return self._closed.is_set()

    @property
    def master_silence_s(self) -> float:
        """For how long the master has not answered; 0 while it does."""
        since = self._silent_since_s
        return 0.0 if since is None else time.monotonic() - since

    def call_master(self, method: str, *arguments: Any) -> Any:
        """Raises UnreachableError, or CallError where the master refuses."""
        return call(self.master_uri, method, self.name, *arguments, timeout_s=self._timeout_s)

    def advertise(
        self, topic: str, kind: type[Message], *, latch: bool = False, buffer_bytes: int | None = None
    ) -> Publisher:
        """A publisher, the one there is already where the topic has one. Raises ValueError for one of another type."""
        topic = resolve(topic)
        with self._lock:
            publisher = self._publishers.get(topic)
            if publisher is not None:
                if publisher.kind is not kind:
                    raise ValueError(f"{topic} is published as {publisher.kind._type} already, not {kind._type}")
                publisher.latch = publisher.latch or latch
                return publisher
            publisher = Publisher(
                topic, kind, self.name, latch=latch, buffer_bytes=buffer_bytes, on_close=self._forget_publisher
            )
            self._publishers[topic] = publisher
        self._attempt(self._register_publisher, publisher)
        return publisher

    def subscribe(self, topic: str, kind: type[Message], callback: Callback) -> Subscription:
        """Calls back with each message, on the thread that receives. Raises ValueError for a topic of another type."""
        topic = resolve(topic)
        with self._lock:
            known = self._subscriptions.get(topic)
            if known is None:
                subscription = self._subscriptions[topic] = Subscription(topic, kind, self.name, self._timeout_s)
                subscription.add(callback)
        if known is None:
            self._attempt(self._register_subscription, subscription)
            return subscription
        if known.kind is not kind:
            raise ValueError(f"{topic} is subscribed as {known.kind._type} already, not {kind._type}")
        known.add(callback)  # without the lock: it may call back at once
        return known

    def unsubscribe(self, subscription: Subscription, callback: Callback) -> None:
        """Ends a callback, and the subscription with its last one."""
        if subscription.remove(callback):
            return
        with self._lock:
            self._subscriptions.pop(subscription.topic, None)
        subscription.close()
        self._unregister("unregisterSubscriber", subscription.topic, self._slave.uri)

    def serve(self, name: str, kind: ServiceType, handler: Callable[[Any], Message]) -> ServiceServer:
        """Answers a service; the handler runs on the client's thread."""
        server = ServiceServer(resolve(name), kind, self.name, handler)
        with self._lock:
            self._services[server.name] = server
        self._attempt(self._register_service, server)
        return server

    def client(self, name: str, kind: ServiceType, timeout_s: float | None = None) -> ServiceClient:
        return ServiceClient(resolve(name), kind, self.name, self.master_uri, timeout_s or self._timeout_s)

    def wait_for_service(self, name: str, kind: ServiceType, timeout_s: float) -> None:
        """Returns once the service answers. Raises ServiceError when it did not in time."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                return self.client(name, kind).probe()
            except ServiceError:
                if time.monotonic() > deadline_s or self._closed.wait(0.1):
                    raise

    def parameter(self, key: str) -> Any:
        """A value of the parameter server. Raises KeyError where there is none, UnreachableError."""
        return read_parameter(self.master_uri, self.name, key, timeout_s=self._timeout_s)

    def set_parameter(self, key: str, value: Any) -> None:
        """Raises CallError."""
        self.call_master("setParam", resolve(key), value)

    def close(self, reason: str = "") -> None:
        """Unregisters, hangs up on everybody. Safe to call twice."""
        if self._closed.is_set():
            return
        self.closed_because = reason
        self._closed.set()
        for publisher in list(self._publishers.values()):
            publisher.close()
        for subscription in list(self._subscriptions.values()):
            subscription.close()
            self._unregister("unregisterSubscriber", subscription.topic, self._slave.uri)
        for server in list(self._services.values()):
            self._unregister("unregisterService", server.name, self._service_uri)
        hang_up(self._listener)
        self._slave.close()

    def _listen(self) -> socket.socket:
        remedy = "host, ROS_HOSTNAME or ROS_IP must be the one that it has in the robot's network, or left out"
        try:
            listener = socket.create_server((self._host, 0))
        except OSError as error:
            raise AddressError(f"{self._host!r} is no address of this machine ({error}): {remedy}") from error
        bound = listener.getsockname()[0]
        if bound.startswith(LOOPBACK) and not local_address(self.master_uri).startswith(LOOPBACK):
            listener.close()
            raise AddressError(
                f"{self._host!r} is {bound}, where {self.master_uri} cannot reach this machine: {remedy}"
            )
        return listener

    @property
    def _service_uri(self) -> str:
        return f"rosrpc://{self._host}:{self._port}"

    def _attempt(self, register: Callable[[Any], None], what: Any) -> None:
        try:
            register(what)
        except UnreachableError:
            self._note_silence()  # the watch registers everything once the master is back

    def _register_publisher(self, publisher: Publisher) -> None:
        self.call_master("registerPublisher", publisher.topic, publisher.kind._type, self._slave.uri)

    def _register_subscription(self, subscription: Subscription) -> None:
        told = subscription.updates
        uris = self.call_master("registerSubscriber", subscription.topic, subscription.kind._type, self._slave.uri)
        if subscription.updates == told:  # else the master has already told of a publisher that came after its answer
            subscription.update(uris)

    def _register_service(self, server: ServiceServer) -> None:
        self.call_master("registerService", server.name, self._service_uri, self._slave.uri)

    def _register_all(self) -> None:
        with self._lock:
            publishers, subscriptions = list(self._publishers.values()), list(self._subscriptions.values())
            services = list(self._services.values())
        for publisher in publishers:
            self._register_publisher(publisher)
        for subscription in subscriptions:
            self._register_subscription(subscription)
        for server in services:
            self._register_service(server)

    def _forget_publisher(self, publisher: Publisher) -> None:
        with self._lock:
            self._publishers.pop(publisher.topic, None)
        self._unregister("unregisterPublisher", publisher.topic, self._slave.uri)

    def _unregister(self, method: str, *arguments: str) -> None:
        """Not at a master that is gone: every single call would wait for its timeout."""
        if self._silent_since_s is not None:
            return
        try:
            self.call_master(method, *arguments)
        except UnreachableError:
            self._note_silence()
        except CallError as error:
            LOG.debug("%s", error)

    def _note_silence(self) -> None:
        if self._silent_since_s is None:
            self._silent_since_s = time.monotonic()

    def _watch(self) -> None:
        """Asks the master for this node again and again: a master that was restarted does not know it any more."""
        while not self._closed.wait(self._probe_period_s):
            try:
                self._probe()
                self._silent_since_s = None
            except UnreachableError:
                self._note_silence()
            except CallError as error:
                LOG.warning("%s", error)

    def _probe(self) -> None:
        try:
            known_uri = self.call_master("lookupNode", self.name)
        except UnreachableError:
            raise
        except CallError:
            known_uri = ""
        if known_uri != self._slave.uri or self._silent_since_s is not None:
            self._register_all()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._greet, args=(connection,), daemon=True, name="tcpros-peer").start()

    def _greet(self, connection: socket.socket) -> None:
        """One peer, from its header to its end."""
        try:
            connection.settimeout(self._timeout_s)
            prepare(connection, silence_s=self._timeout_s)
            header = read_header(connection)
            self._partner(header).serve(connection, header)
        except WireError as error:
            LOG.debug("%s", error)
            with contextlib.suppress(OSError):
                connection.sendall(encode_header({"error": str(error)}))
        except OSError:
            pass  # it hung up, or never spoke
        finally:
            hang_up(connection)

    def _partner(self, header: dict[str, str]) -> Publisher | ServiceServer:
        topic, service = header.get("topic"), header.get("service")
        found: Publisher | ServiceServer | None = None
        if topic is not None:
            found = self._publishers.get(topic)
        elif service is not None:
            found = self._services.get(service)
        if found is None:
            raise WireError(f"{self.name} offers neither topic {topic!r} nor service {service!r}")
        return found

    def _slave_methods(self) -> dict[str, Callable[..., Any]]:
        def done(value: Any, message: str = "") -> tuple[int, str, Any]:
            return SUCCESS, message, value

        return {
            "getPid": lambda caller: done(os.getpid()),
            "getMasterUri": lambda caller: done(self.master_uri),
            "getBusStats": lambda caller: done([[], [], []]),
            "getBusInfo": lambda caller: done([]),
            "getSubscriptions": lambda caller: done([[t, s.kind._type] for t, s in list(self._subscriptions.items())]),
            "getPublications": lambda caller: done([[t, p.kind._type] for t, p in list(self._publishers.items())]),
            "paramUpdate": lambda caller, key, value: done(0),
            "publisherUpdate": self._on_publishers,
            "requestTopic": self._on_request,
            "shutdown": self._on_shutdown,
        }

    def _on_publishers(self, caller: str, topic: str, uris: list[str]) -> tuple[int, str, int]:
        subscription = self._subscriptions.get(topic)
        if subscription is not None:
            subscription.updates += 1
            subscription.update(uris)
        return SUCCESS, "", 0

    def _on_request(self, caller: str, topic: str, protocols: list[list[Any]]) -> tuple[int, str, Any]:
        if topic not in self._publishers:
            return 0, f"{self.name} does not publish {topic}", 0
        if not any(protocol[:1] == ["TCPROS"] for protocol in protocols):
            return 0, f"{self.name} speaks TCPROS only, {protocols} were offered", 0
        return SUCCESS, "", ["TCPROS", self._host, self._port]

    def _on_shutdown(self, caller: str, reason: str = "") -> tuple[int, str, int]:
        """On a thread that the process waits for, as what ends a script may have an arm to stop."""
        threading.Thread(target=self._end, args=(f"{caller} asked for it: {reason}",), daemon=False).start()
        return SUCCESS, "", 0
