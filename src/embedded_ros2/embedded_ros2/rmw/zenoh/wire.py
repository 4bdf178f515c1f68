"""The names and bytes of rmw_zenoh_cpp: data keys, liveliness tokens, QoS strings, GIDs, attachments.

Pure functions, as read from rmw_zenoh_cpp 0.1.9 (Humble) to 0.12.0 (Rolling) and checked against a real Jazzy.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import xxhash

from embedded_ros2.rmw.api import (
    INFINITE_NS,
    Durability,
    Endpoint,
    EndpointKind,
    History,
    InterfaceId,
    Liveliness,
    Qos,
    Reliability,
)

ADMIN_SPACE = "@ros2_lv"
HASH_OF_HUMBLE = "TypeHashNotSupported"
"""Humble knows no type hashes; this literal stands in their place."""

GID_SIZE = 16
_NODE = "NN"
_DEFAULT_DEPTH = 42
_ATTACHMENT = struct.Struct(f"<qqB{GID_SIZE}s")
_NANOSECONDS = 1_000_000_000
_MAX_INFINITE_S = 9_223_372_036
"""Seconds of RMW_DURATION_INFINITE, which some tokens spell out."""

_NODE_PARTS = 9
_ENDPOINT_PARTS = 13


class WireError(ValueError):
    """Bytes or a key that rmw_zenoh_cpp would not have sent."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """What accompanies each sample, request and reply."""

    sequence_number: int
    source_timestamp_ns: int
    gid: bytes

    def pack(self) -> bytes:
        return _ATTACHMENT.pack(self.sequence_number, self.source_timestamp_ns, GID_SIZE, self.gid)


def unpack_attachment(data: bytes) -> Attachment:
    """The attachment in 33 bytes. Raises WireError for anything else."""
    if len(data) != _ATTACHMENT.size or data[GID_SIZE] != GID_SIZE:
        raise WireError(f"{len(data)} bytes are no attachment of rmw_zenoh_cpp ({_ATTACHMENT.size} bytes)")
    sequence_number, timestamp_ns, _, gid = _ATTACHMENT.unpack(data)
    return Attachment(sequence_number, timestamp_ns, gid)


def data_key(domain_id: int, name: str, interface: InterfaceId) -> str:
    """The key expression of a topic or service: domain, name without outer slashes, DDS type name, hash."""
    return f"{domain_id}/{name.strip('/')}/{dds_type_name(interface.name)}/{interface.type_hash}"


def dds_type_name(name: str) -> str:
    """``std_msgs/msg/String`` as ``std_msgs::msg::dds_::String_``."""
    package, kind, short = name.split("/")
    return f"{package}::{kind}::dds_::{short}_"


def ros_type_name(dds_name: str) -> str:
    """The reverse of ``dds_type_name``; what is no such name comes back as it is."""
    parts = dds_name.split("::")
    if len(parts) != 4 or parts[2] != "dds_" or not parts[3].endswith("_"):
        return dds_name
    return f"{parts[0]}/{parts[1]}/{parts[3][:-1]}"


def gid_of(token: str) -> bytes:
    """The GID of the entity that announces itself with this liveliness token."""
    return xxhash.xxh3_128(token.encode()).intdigest().to_bytes(GID_SIZE, "little")


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """The first half of a token: the session and node that an entity belongs to."""

    domain_id: int
    session_id: str
    node_id: int
    node_name: str
    node_namespace: str
    enclave: str

    def node_token(self) -> str:
        return self._token(self.node_id, _NODE)

    def endpoint_token(self, entity_id: int, kind: EndpointKind, name: str, interface: InterfaceId, qos: Qos) -> str:
        head = self._token(entity_id, kind.value)
        return f"{head}/{_mangle(name)}/{dds_type_name(interface.name)}/{interface.type_hash}/{format_qos(qos)}"

    def _token(self, entity_id: int, kind: str) -> str:
        names = "/".join(map(_mangle, (self.enclave, self.node_namespace, self.node_name)))
        return f"{ADMIN_SPACE}/{self.domain_id}/{self.session_id}/{self.node_id}/{entity_id}/{kind}/{names}"


@dataclass(frozen=True, slots=True)
class NodeName:
    name: str
    namespace: str


def session_of(token: str) -> str:
    """The id of the session that declared a token; empty if it is none."""
    parts = token.split("/", 3)
    return parts[2] if len(parts) == 4 else ""


def parse_token(token: str) -> NodeName | Endpoint:
    """The node or endpoint that a liveliness token announces. Raises WireError. Further parts are passed over."""
    parts = token.split("/")
    if len(parts) < _NODE_PARTS or parts[0] != ADMIN_SPACE:
        raise WireError(f"'{token}' is no liveliness token of rmw_zenoh_cpp")
    kind, namespace, node_name = parts[5], _demangle(parts[7]), _demangle(parts[8])
    if kind == _NODE:
        return NodeName(node_name, namespace)
    if len(parts) < _ENDPOINT_PARTS:
        raise WireError(f"'{token}' has {len(parts)} parts, an endpoint has {_ENDPOINT_PARTS}")
    try:
        endpoint_kind = EndpointKind(kind)
    except ValueError:
        raise WireError(f"'{token}' announces a '{kind}', which is unknown") from None
    interface = InterfaceId(ros_type_name(parts[10]), parts[11])
    qos = parse_qos(parts[12])
    return Endpoint(endpoint_kind, node_name, namespace, _demangle(parts[9]), interface, qos, gid_of(token))


def format_qos(qos: Qos) -> str:
    """A QoS profile as its token has it; fields that equal rmw_zenoh_cpp's default stay empty."""
    reliability = _unless(qos.reliability, Reliability.RELIABLE)
    durability = _unless(qos.durability, Durability.VOLATILE)
    history = f"{_unless(qos.history, History.KEEP_LAST)},{_unless(qos.depth, _DEFAULT_DEPTH)}"
    liveliness = f"{_unless(qos.liveliness, Liveliness.AUTOMATIC)},{_format_duration(qos.liveliness_lease_ns)}"
    durations = f"{_format_duration(qos.deadline_ns)}:{_format_duration(qos.lifespan_ns)}"
    return f"{reliability}:{durability}:{history}:{durations}:{liveliness}"


def parse_qos(text: str) -> Qos:
    """The profile in a token's QoS part. Raises WireError."""
    try:
        reliability, durability, history, deadline, lifespan, liveliness = text.split(":")[:6]
        kind, depth = history.split(",")
        liveliness_kind, lease = liveliness.split(",", 1)
        return Qos(
            Reliability(int(reliability or Reliability.RELIABLE)),
            Durability(int(durability or Durability.VOLATILE)),
            History(int(kind or History.KEEP_LAST)),
            int(depth or _DEFAULT_DEPTH),
            _parse_duration(deadline),
            _parse_duration(lifespan),
            Liveliness(int(liveliness_kind or Liveliness.AUTOMATIC)),
            _parse_duration(lease),
        )
    except ValueError as error:
        raise WireError(f"'{text}' is no QoS of rmw_zenoh_cpp: {error}") from None


def _unless(value: int, default: int) -> str:
    return "" if value == default else str(int(value))


def _format_duration(duration_ns: int) -> str:
    if duration_ns == INFINITE_NS:
        return ","
    seconds, nanoseconds = divmod(duration_ns, _NANOSECONDS)
    return f"{seconds},{nanoseconds}"


def _parse_duration(text: str) -> int:
    seconds, nanoseconds = (int(part) if part else None for part in text.split(","))
    if seconds is None and nanoseconds is None:
        return INFINITE_NS
    if seconds is not None and seconds >= _MAX_INFINITE_S:
        return INFINITE_NS
    return (seconds or 0) * _NANOSECONDS + (nanoseconds or 0)


def _mangle(name: str) -> str:
    return name.replace("/", "%")


def _demangle(name: str) -> str:
    return name.replace("%", "/")
