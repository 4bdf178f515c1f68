"""Looking at a graph from outside: its topics, what is said on one, and how often."""

from __future__ import annotations

import importlib
import struct
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node, NodeNameNonExistentError
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription

NS_PER_S = 1_000_000_000
SETTLE_S = 0.3
"""The graph counts as known once it has not changed for this long."""
SETTLE_LIMIT_S = 3.0
DISCOVERY_S = 2.0
"""A middleware without a router knows nobody at first, which looks like a graph that does not change."""
POLL_S = 0.05
SPIN_S = 0.1
"""How soon a thread that spins notices that it shall end."""
FAILED_S = 0.1
"""The pause after a callback that failed: one that always does shall not fill the log, nor take a core."""
SEQUENCE_SHOWN = 64
"""Longer arrays are cut when a message is shown."""
SUBSCRIPTION_DEPTH = 100
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PROBE_TIMEOUT_MS = 2000


def uses_embedded_ros() -> bool:
    """Whether ``import rclpy`` gives the embedded one."""
    return "embedded_ros2" in Path(rclpy.__file__).parts


@contextmanager
def spinning_node(create: Callable[[], Node]) -> Iterator[Node]:
    """A node whose callbacks run on a thread of their own until the context ends; signals stay the caller's.

    May be nested: the outermost brings up ROS for all of them.
    """
    is_outermost = not rclpy.ok()
    if is_outermost:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = create()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        ended = threading.Event()
        thread = threading.Thread(
            target=_spin, args=(node, executor, ended), name=f"{node.get_name()} executor", daemon=True
        )
        thread.start()
        try:
            yield node
        finally:
            ended.set()
            thread.join()
            executor.shutdown()  # rclpy's does not wait for a spin that is under way
            node.destroy_node()
    finally:
        if is_outermost:
            rclpy.try_shutdown()


def _spin(node: Node, executor: SingleThreadedExecutor, ended: threading.Event) -> None:
    """A callback that fails is told and costs its own message alone: a console must still stop the arm afterwards."""
    while not ended.is_set() and rclpy.ok():
        try:
            executor.spin_once(timeout_sec=SPIN_S)
        except ExternalShutdownException:
            return
        except Exception:
            node.get_logger().error(f"a callback failed:\n{traceback.format_exc()}")
            ended.wait(FAILED_S)


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic that is on the graph now."""

    name: str
    types: tuple[str, ...]
    publishers: int
    subscriptions: int


def settle(node: Node, limit_s: float = SETTLE_LIMIT_S) -> None:
    """Waits until what the node knows of the graph has stopped changing."""
    begin_s = since_s = time.monotonic()
    known_s = begin_s if uses_embedded_ros() else begin_s + DISCOVERY_S
    seen = _graph_of(node)
    while (now_s := time.monotonic()) < begin_s + limit_s and (now_s < since_s + SETTLE_S or now_s < known_s):
        time.sleep(POLL_S)
        graph = _graph_of(node)
        if graph != seen:
            seen, since_s = graph, time.monotonic()


def _graph_of(node: Node) -> tuple[Any, Any]:
    return sorted(node.get_topic_names_and_types()), sorted(other_nodes(node))


def other_nodes(node: Node) -> list[str]:
    """Full names of all nodes on the graph but this one and those that hide behind an underscore."""
    names = []
    for name, namespace in node.get_node_names_and_namespaces():
        if not name.startswith("_") and (name, namespace) != (node.get_name(), node.get_namespace()):
            names.append(f"{namespace.rstrip('/')}/{name}")
    return names


def list_topics(node: Node) -> list[TopicInfo]:
    """All topics, by name; the node's own endpoints do not count."""
    try:
        own = {name for name, _ in node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace())}
    except NodeNameNonExistentError:  # a graph that does not know even the node that asks
        own = set()
    infos = []
    for name, types in node.get_topic_names_and_types():
        if "/_" in name:  # hidden by convention, such as the topics of actions
            continue
        publishers = node.count_publishers(name) - (name in own)
        subscriptions = node.count_subscribers(name)
        if publishers > 0 or subscriptions > 0:
            infos.append(TopicInfo(name, tuple(types), publishers, subscriptions))
    return sorted(infos, key=lambda info: info.name)


def resolve_topic(node: Node, topic: str, on_wait: Callable[[], None], is_cancelled: Callable[[], bool]) -> str | None:
    """The type of the topic, as "pkg/msg/Name"; waits for it to appear, None when cancelled while waiting.

    on_wait is called once, as soon as it is clear that waiting is needed. Raises ValueError if the topic has several
    types, for then nobody can say which one is meant.
    """
    name = absolute_name(topic)
    settled = False
    while not is_cancelled():
        types = dict(node.get_topic_names_and_types()).get(name)
        if types and len(types) > 1:
            raise ValueError(f"{name} has several types: {', '.join(types)}. Its nodes do not understand each other")
        if types:
            return str(types[0])
        if not settled:
            settle(node)
            settled = True
            if name not in dict(node.get_topic_names_and_types()):
                on_wait()
        time.sleep(POLL_S)
    return None


def absolute_name(topic: str) -> str:
    return topic if topic.startswith("/") else f"/{topic}"


def message_class(type_name: str) -> Any:
    """The class of "pkg/msg/Name". Raises ValueError when its package is not installed."""
    package, kind, name = type_name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"type {type_name} is not known here: install or build the package {package!r}") from error


def qos_like_publishers(node: Node, topic: str) -> QoSProfile:
    """A profile that every present publisher of the topic can serve, as `ros2 topic echo` picks it."""
    profiles = [info.qos_profile for info in node.get_publishers_info_by_topic(absolute_name(topic))]
    reliable = bool(profiles) and all(p.reliability == ReliabilityPolicy.RELIABLE for p in profiles)
    latched = bool(profiles) and all(p.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in profiles)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=SUBSCRIPTION_DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def subscribe(node: Node, topic: str, type_name: str, callback: Callable[[Any], None], *, raw: bool) -> Subscription:
    """Subscribes with the publishers' quality of service. raw: the callback gets the serialized bytes."""
    qos = qos_like_publishers(node, topic)
    return node.create_subscription(message_class(type_name), absolute_name(topic), callback, qos, raw=raw)


def has_header(type_name: str) -> bool:
    """Whether a message of this type begins with a std_msgs/Header."""
    fields: Mapping[str, str] = message_class(type_name).get_fields_and_field_types()
    return next(iter(fields.values()), "") == "std_msgs/Header"


def stamp_ns_of(serialized: bytes | memoryview) -> int:
    """The stamp of a serialized message that begins with a header: it lies right behind the encapsulation."""
    order = "<" if serialized[1] & 1 else ">"
    seconds, nanoseconds = struct.unpack_from(f"{order}iI", serialized, 4)
    return int(seconds) * NS_PER_S + int(nanoseconds)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the embedded ROS 2 looks for its router."""

    host: str
    port: int


def router_endpoint() -> Endpoint | None:
    """The router's address on this machine; None where a real ROS 2 is in use, or the router is on another machine."""
    if not uses_embedded_ros():
        return None
    from embedded_ros2.rmw.zenoh.configuration import router_endpoints, session_config

    for endpoint in router_endpoints(session_config()):
        host, _, port = endpoint.rpartition("/")[2].rpartition(":")
        if host in LOOPBACK and port.isdecimal():
            return Endpoint(host, int(port))
    return None


def is_router(port: int) -> bool:
    """Whether what listens on a port of this machine speaks Zenoh."""
    import zenoh

    from embedded_ros2.rmw.zenoh.configuration import session_config

    config = session_config()
    for key, value in {
        "mode": '"client"',
        "connect/endpoints": f'["tcp/localhost:{port}"]',
        "connect/timeout_ms": str(PROBE_TIMEOUT_MS),
        "connect/exit_on_failure": "true",
        "transport/unicast/open_timeout": str(PROBE_TIMEOUT_MS),
    }.items():
        config.insert_json5(key, value)
    try:
        zenoh.open(config).close()
    except zenoh.ZError:
        return False
    return True


def nodes_on_graph() -> list[str]:
    """Full names of the nodes on this domain now."""
    with spinning_node(lambda: Node("_tenon_look", start_parameter_services=False, enable_rosout=False)) as node:
        settle(node)
        return other_nodes(node)


@dataclass(frozen=True, slots=True)
class Rate:
    """What a window of samples says. The periods are those between neighbours, in seconds."""

    rate_hz: float
    shortest_s: float
    longest_s: float
    deviation_s: float
    samples: int


class RateMeter:
    """Rate over the last ``window`` times. A time that jumps back (a new simulation) starts it anew."""

    def __init__(self, window: int) -> None:
        if window < 2:
            raise ValueError(f"window of {window} samples: a rate needs 2 or more")
        self._times_ns: deque[int] = deque(maxlen=window)

    def add(self, time_ns: int) -> None:
        if self._times_ns and time_ns < self._times_ns[-1]:
            self._times_ns.clear()
        self._times_ns.append(time_ns)

    def rate(self) -> Rate | None:
        """None until two different times are known."""
        times = list(self._times_ns)
        if len(times) < 2 or times[-1] == times[0]:
            return None
        periods = [(b - a) / NS_PER_S for a, b in pairwise(times)]
        mean_s = sum(periods) / len(periods)
        deviation_s = (sum((p - mean_s) ** 2 for p in periods) / len(periods)) ** 0.5
        return Rate(1.0 / mean_s, min(periods), max(periods), deviation_s, len(times))


def message_lines(message: Any, indent: int = 0) -> Iterator[str]:
    """The message as YAML lines, in the manner of `ros2 topic echo`; long arrays are cut."""
    pad = "  " * indent
    for name in message.get_fields_and_field_types():
        value = getattr(message, name)
        if hasattr(value, "get_fields_and_field_types"):
            yield f"{pad}{name}:"
            yield from message_lines(value, indent + 1)
        elif _is_sequence(value) and len(value) > 0 and hasattr(value[0], "get_fields_and_field_types"):
            yield f"{pad}{name}:"
            for item in value:
                first, *rest = message_lines(item, indent + 1)
                yield f"{pad}- {first.strip()}"
                yield from rest
        else:
            yield f"{pad}{name}: {plain(value)}"


def field_of(message: Any, path: str) -> Any:
    """A field by its dotted path. Raises ValueError that names the fields there are."""
    value = message
    for part in path.split("."):
        fields = value.get_fields_and_field_types() if hasattr(value, "get_fields_and_field_types") else {}
        if part not in fields:
            raise ValueError(f"no field {part!r} in {path!r}. There is: {', '.join(fields) or 'nothing below'}")
        value = getattr(value, part)
    return value


def plain(value: Any) -> str:
    """A leaf as text: strings quoted, arrays cut."""
    if isinstance(value, str):
        return f"'{value}'"
    if _is_sequence(value):
        shown = ", ".join(plain(item) for item in value[:SEQUENCE_SHOWN])
        return f"[{shown}{', ...' if len(value) > SEQUENCE_SHOWN else ''}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)
