"""Names and hashes of message types, as bags and tools write them."""

from __future__ import annotations

from typing import Any


def type_name(cls: Any) -> str:
    """``sensor_msgs.msg.Image`` -> "sensor_msgs/msg/Image"."""
    package, kind = cls.__module__.split(".")[:2]
    return f"{package}/{kind}/{cls.__name__}"


def type_hash(cls: Any) -> str:
    """RIHS01 hash where the installation tells it, else empty."""
    try:
        from embedded_ros2.interfaces import interface_id

        return str(interface_id(cls).type_hash)
    except (ImportError, TypeError, AttributeError):
        return ""
