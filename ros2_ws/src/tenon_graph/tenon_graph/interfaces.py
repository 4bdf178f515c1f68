"""Names and hashes of message types, as bags and tools write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from tenon.data.episodes import QosProfile, TopicSpec
from tenon.data.schemas import full_definition
from tenon_graph.contract import Topic


def type_name(cls: Any) -> str:
    """``sensor_msgs.msg.Image`` -> "sensor_msgs/msg/Image"."""
    package, kind = cls.__module__.split(".")[:2]
    return f"{package}/{kind}/{cls.__name__}"


def type_hash(cls: Any) -> str:
    """RIHS01 hash where the installation tells it, else empty: a real ROS 2 has it beside the definition, as JSON."""
    try:
        from embedded_ros2.interfaces import interface_id

        return str(interface_id(cls).type_hash)
    except (ImportError, TypeError, AttributeError):
        return _stored_hash(type_name(cls))


def _stored_hash(kind: str) -> str:
    package, folder, name = kind.split("/")
    try:
        description = Path(get_package_share_directory(package)) / folder / f"{name}.json"
        return str(json.loads(description.read_text())["type_hashes"][0]["hash_string"])
    except (PackageNotFoundError, OSError, ValueError, LookupError, TypeError):
        return ""


def topic_spec(topic: Topic, name: str) -> TopicSpec:
    """What a recording says of a topic of the graph. name: the one it is recorded under."""
    kind = type_name(topic.type)
    qos = QosProfile(reliability=topic.qos.reliability, durability=topic.qos.durability, depth=topic.qos.depth)
    definition = full_definition(kind, lambda package: Path(get_package_share_directory(package)))
    return TopicSpec(name, kind, definition, qos.to_yaml(), type_hash(topic.type))
