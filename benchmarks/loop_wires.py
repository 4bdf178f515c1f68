"""The ways from one process to another that are compared: our rclpy, what lies below it, what could be in its place.

All of them run over the same Zenoh configuration and router; they differ in what a program does above Zenoh.
"""

from __future__ import annotations

import enum
import struct
import threading
from array import array
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import rclpy
import zenoh
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Int64

from embedded_ros2.interfaces import deserialize, serialize
from embedded_ros2.rmw.zenoh.configuration import session_config

JOINTS, WIDTH, HEIGHT, CHANNELS = 6, 640, 480, 3
JOINT_STATE_BYTES = 356
IMAGE_BYTES = WIDTH * HEIGHT * CHANNELS

Callback = Callable[[Any], None]


class Kind(enum.Enum):
    """What a message holds. TIME: one int64, nanoseconds or a count."""

    JOINTS = "joints"
    IMAGE = "image"
    TIME = "time"


class Codec(Protocol):
    """Messages as a program has them in hand, and as bytes."""

    def message(self, kind: Kind, value: int = 0) -> Any:
        """A typical message; value counts for TIME."""
        ...

    def value(self, message: Any) -> int:
        """Of a TIME message."""
        ...

    def encode(self, kind: Kind, message: Any) -> bytes | bytearray: ...

    def decode(self, kind: Kind, data: bytes) -> Any: ...


class PlainBytes:
    """No messages at all: the floor."""

    def message(self, kind: Kind, value: int = 0) -> bytes:
        if kind is Kind.TIME:
            return struct.pack("<q", value)
        return bytes(JOINT_STATE_BYTES if kind is Kind.JOINTS else IMAGE_BYTES)

    def value(self, message: bytes) -> int:
        return int(struct.unpack("<q", message)[0])

    def encode(self, kind: Kind, message: bytes) -> bytes:
        return message

    def decode(self, kind: Kind, data: bytes) -> bytes:
        return data


class EmbeddedCodec:
    """The codec of the embedded ROS 2."""

    classes: ClassVar = {Kind.JOINTS: JointState, Kind.IMAGE: Image, Kind.TIME: Int64}

    def message(self, kind: Kind, value: int = 0) -> Any:
        if kind is Kind.TIME:
            return Int64(data=value)
        if kind is Kind.IMAGE:
            image = Image(width=WIDTH, height=HEIGHT, step=WIDTH * CHANNELS, encoding="rgb8")
            image.data = array("B", bytes(IMAGE_BYTES))
            return image
        numbers = {name: [0.1 * joint for joint in range(JOINTS)] for name in ("position", "velocity", "effort")}
        return JointState(name=[f"joint_{joint}" for joint in range(JOINTS)], **numbers)

    def value(self, message: Any) -> int:
        return int(message.data)

    def encode(self, kind: Kind, message: Any) -> bytearray:
        return serialize(message)

    def decode(self, kind: Kind, data: bytes) -> Any:
        return deserialize(data, self.classes[kind])


class RosbagsCodec:
    """The codec of the ``rosbags`` library, on the same messages."""

    names: ClassVar = {
        Kind.JOINTS: "sensor_msgs/msg/JointState",
        Kind.IMAGE: "sensor_msgs/msg/Image",
        Kind.TIME: "std_msgs/msg/Int64",
    }

    def __init__(self) -> None:
        from rosbags.typesys import Stores, get_typestore

        self._store = get_typestore(Stores.ROS2_JAZZY)
        self._embedded = EmbeddedCodec()

    def message(self, kind: Kind, value: int = 0) -> Any:
        return self.decode(kind, bytes(self._embedded.encode(kind, self._embedded.message(kind, value))))

    def value(self, message: Any) -> int:
        return int(message.data)

    def encode(self, kind: Kind, message: Any) -> bytes:
        return bytes(self._store.serialize_cdr(message, self.names[kind]))

    def decode(self, kind: Kind, data: bytes) -> Any:
        return self._store.deserialize_cdr(data, self.names[kind])


class Wire(Protocol):
    """Publishes and subscribes by name. every: nothing is dropped, the publisher waits; else the newest counts."""

    codec: Codec

    def publisher(self, name: str, kind: Kind, *, every: bool = False) -> Callback: ...

    def subscribe(self, name: str, kind: Kind, callback: Callback, *, every: bool = False) -> None: ...

    def close(self) -> None: ...


class RclpyWire:
    """Plain rclpy, with an executor on a thread of its own."""

    def __init__(self, label: str, end: str) -> None:
        self.codec: Codec = EmbeddedCodec()
        rclpy.init(args=[])
        self._node = Node(f"{label}_{end}", namespace=f"/{label}", start_parameter_services=False, enable_rosout=False)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def publisher(self, name: str, kind: Kind, *, every: bool = False) -> Callback:
        publish: Callback = self._node.create_publisher(EmbeddedCodec.classes[kind], name, _qos(every=every)).publish
        return publish

    def subscribe(self, name: str, kind: Kind, callback: Callback, *, every: bool = False) -> None:
        self._node.create_subscription(EmbeddedCodec.classes[kind], name, callback, _qos(every=every))

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        rclpy.try_shutdown()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return


class ZenohWire:
    """Zenoh itself: callbacks run on its own thread, without an executor."""

    def __init__(self, label: str, codec: Codec) -> None:
        self.codec = codec
        self._label = label
        self._session = zenoh.open(session_config())
        self._subscribers: list[Any] = []

    def publisher(self, name: str, kind: Kind, *, every: bool = False) -> Callback:
        congestion = zenoh.CongestionControl.BLOCK if every else zenoh.CongestionControl.DROP
        publisher = self._session.declare_publisher(
            f"{self._label}/{name}", congestion_control=congestion, express=True
        )
        encode = self.codec.encode
        return lambda message: publisher.put(encode(kind, message))

    def subscribe(self, name: str, kind: Kind, callback: Callback, *, every: bool = False) -> None:
        decode = self.codec.decode

        def on_sample(sample: zenoh.Sample) -> None:
            callback(decode(kind, sample.payload.to_bytes()))

        handler = zenoh.handlers.Callback(on_sample, indirect=False)
        self._subscribers.append(self._session.declare_subscriber(f"{self._label}/{name}", handler))

    def close(self) -> None:
        self._session.close()


def _qos(*, every: bool) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_ALL) if every else QoSProfile(depth=1)


class WireName(enum.StrEnum):
    """What is compared."""

    RCLPY = "rclpy"
    ZENOH = "zenoh bytes"
    ZENOH_EMBEDDED = "zenoh, our codec"
    ZENOH_ROSBAGS = "zenoh, rosbags codec"


def open_wire(name: WireName, label: str, end: str) -> Wire:
    """label: common to both ends, unique on the graph. end: "near" or "far"."""
    if name is WireName.RCLPY:
        return RclpyWire(label, end)
    codecs = {
        WireName.ZENOH: PlainBytes,
        WireName.ZENOH_EMBEDDED: EmbeddedCodec,
        WireName.ZENOH_ROSBAGS: RosbagsCodec,
    }
    return ZenohWire(label, codecs[name]())
