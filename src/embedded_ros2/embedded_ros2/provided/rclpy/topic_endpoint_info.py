"""What the graph tells about one publisher or subscription, as in rclpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from .qos import QoSProfile, qos_profile_unknown


class TopicEndpointTypeEnum(IntEnum):
    """Kind of an endpoint; values are those of ``rmw_endpoint_type_t``."""

    INVALID = 0
    PUBLISHER = 1
    SUBSCRIPTION = 2


@dataclass
class TypeHash:
    """The version and the 32 bytes of a RIHS hash."""

    version: int = -1
    value: bytes = bytes(32)

    @classmethod
    def from_text(cls, text: str) -> TypeHash:
        """Reads ``RIHS01_<64 hexadecimal digits>``; anything else gives the unset hash."""
        prefix, _, digits = text.partition("_")
        if prefix != "RIHS01":
            return cls()
        return cls(1, bytes.fromhex(digits))

    def __str__(self) -> str:
        return f"RIHS{self.version:02}_{self.value.hex()}" if self.version > 0 else "INVALID"


@dataclass
class TopicEndpointInfo:
    """A publisher or subscription of a topic."""

    node_name: str = ""
    node_namespace: str = ""
    topic_type: str = ""
    topic_type_hash: TypeHash = field(default_factory=TypeHash)
    endpoint_type: TopicEndpointTypeEnum = TopicEndpointTypeEnum.INVALID
    endpoint_gid: list[int] = field(default_factory=list)
    qos_profile: QoSProfile = field(default_factory=lambda: qos_profile_unknown)
