"""The seam below the embedded rclpy: what a middleware has to offer, in about a dozen calls.

A backend is chosen by ``RMW_IMPLEMENTATION``, as in a real ROS 2 (``rmw_zenoh_cpp`` is the default). Payloads are
serialized CDR (XCDR1 little endian, with the 4-byte encapsulation header); names are fully qualified and already
remapped; callbacks run on a thread of the middleware (or on the publisher's, within a process), may run before the
call that registers them returns, and must return at once (the executor's queue takes over). A payload belongs to the
middleware once it has been published: it is not copied for subscriptions of the same process.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

INFINITE_NS = 0
"""A duration of zero stands for "infinite", as in rmw's QoS profiles."""


class Reliability(enum.IntEnum):
    """Values are those of ``rmw_qos_reliability_policy_t``; 0 (system default) is resolved before the seam."""

    RELIABLE = 1
    BEST_EFFORT = 2


class Durability(enum.IntEnum):
    """Values are those of ``rmw_qos_durability_policy_t``."""

    TRANSIENT_LOCAL = 1
    VOLATILE = 2


class History(enum.IntEnum):
    """Values are those of ``rmw_qos_history_policy_t``."""

    KEEP_LAST = 1
    KEEP_ALL = 2


class Liveliness(enum.IntEnum):
    """Values are those of ``rmw_qos_liveliness_policy_t``."""

    AUTOMATIC = 1
    MANUAL_BY_TOPIC = 3


@dataclass(frozen=True, slots=True)
class Qos:
    """A resolved QoS profile; durations in nanoseconds, 0 for infinite."""

    reliability: Reliability = Reliability.RELIABLE
    durability: Durability = Durability.VOLATILE
    history: History = History.KEEP_LAST
    depth: int = 10
    deadline_ns: int = INFINITE_NS
    lifespan_ns: int = INFINITE_NS
    liveliness: Liveliness = Liveliness.AUTOMATIC
    liveliness_lease_ns: int = INFINITE_NS


@dataclass(frozen=True, slots=True)
class InterfaceId:
    """What the wire needs of a type: ``sensor_msgs/msg/Image`` (or ``.../srv/...``) and its RIHS01 hash."""

    name: str
    type_hash: str


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """Origin of a received sample: publisher's time and sequence number, local arrival time, 16-byte GID."""

    source_timestamp_ns: int
    received_timestamp_ns: int
    publication_sequence_number: int
    publisher_gid: bytes
    from_intra_process: bool = False


@dataclass(frozen=True, slots=True)
class RequestId:
    """Ties a reply to its request: the client's GID and sequence number. ``token`` belongs to the backend."""

    client_gid: bytes
    sequence_number: int
    source_timestamp_ns: int
    token: object = None


class EndpointKind(enum.Enum):
    PUBLISHER = "MP"
    SUBSCRIPTION = "MS"
    SERVICE = "SS"
    CLIENT = "SC"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An entity of the graph, local or remote. ``name`` is the topic or service name."""

    kind: EndpointKind
    node_name: str
    node_namespace: str
    name: str
    interface: InterfaceId
    qos: Qos
    gid: bytes


MessageCallback = Callable[[bytes | memoryview, MessageInfo], None]
RequestCallback = Callable[[bytes | memoryview, RequestId], None]
ResponseCallback = Callable[[bytes | memoryview, int], None]


class Entity(Protocol):
    """Anything that can be closed; closing twice does nothing."""

    def close(self) -> None: ...


class Publisher(Entity, Protocol):
    gid: bytes

    def publish(self, payload: bytes | bytearray | memoryview) -> None: ...


class Service(Entity, Protocol):
    def send_response(self, request: RequestId, payload: bytes | bytearray) -> None: ...


class Client(Entity, Protocol):
    gid: bytes

    def send_request(self, payload: bytes | bytearray) -> int:
        """Sends a request and returns its sequence number (from 1)."""
        ...


class Node(Entity, Protocol):
    """A node announced on the graph. Closing it closes all of its endpoints."""

    name: str
    namespace: str

    def create_publisher(self, topic: str, interface: InterfaceId, qos: Qos) -> Publisher: ...

    def create_subscription(
        self, topic: str, interface: InterfaceId, qos: Qos, on_message: MessageCallback, *, ignore_local: bool = False
    ) -> Entity: ...

    def create_service(self, name: str, interface: InterfaceId, qos: Qos, on_request: RequestCallback) -> Service: ...

    def create_client(self, name: str, interface: InterfaceId, qos: Qos, on_response: ResponseCallback) -> Client: ...


class Context(Entity, Protocol):
    """One participant of one ROS domain: a session of the middleware, shared by the nodes of a process."""

    domain_id: int

    def create_node(self, name: str, namespace: str, enclave: str = "/") -> Node: ...

    def nodes(self) -> Sequence[tuple[str, str]]:
        """(name, namespace) of every node that is known now, local ones included."""
        ...

    def endpoints(self) -> Sequence[Endpoint]:
        """Every endpoint that is known now, local ones included. All graph queries are filters over this."""
        ...

    def on_graph_change(self, callback: Callable[[], None]) -> Entity:
        """Calls back (from a middleware thread) whenever nodes() or endpoints() changes, until closed."""
        ...


class Backend(Protocol):
    """A middleware. ``identifier`` is the name that ``RMW_IMPLEMENTATION`` selects it by."""

    identifier: str

    def open_context(self, domain_id: int) -> Context: ...
