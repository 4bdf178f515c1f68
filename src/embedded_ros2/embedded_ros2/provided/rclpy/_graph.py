"""Queries over the graph: filters over the endpoints that the middleware knows."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from embedded_ros2.rmw.api import Endpoint, EndpointKind

from .qos import from_rmw
from .topic_endpoint_info import TopicEndpointInfo, TopicEndpointTypeEnum, TypeHash
from .type_support import check_is_interface

if TYPE_CHECKING:
    from .context import Context

TOPIC_KINDS = (EndpointKind.PUBLISHER, EndpointKind.SUBSCRIPTION)
_ENDPOINT_TYPES = {
    EndpointKind.PUBLISHER: TopicEndpointTypeEnum.PUBLISHER,
    EndpointKind.SUBSCRIPTION: TopicEndpointTypeEnum.SUBSCRIPTION,
}


def endpoints_of(context: Context, kind: EndpointKind, name: str, interface: type | None = None) -> list[Endpoint]:
    """Returns the endpoints of a kind and fully qualified name, and of an interface where one is given."""
    type_name = check_is_interface(interface).name if interface is not None else None
    return [
        endpoint
        for endpoint in context.rmw_context().endpoints()
        if endpoint.kind is kind and endpoint.name == name and type_name in (None, endpoint.interface.name)
    ]


def names_and_types(endpoints: Iterable[Endpoint], kinds: tuple[EndpointKind, ...]) -> list[tuple[str, list[str]]]:
    """Returns sorted names, each with the sorted names of its types."""
    types: defaultdict[str, set[str]] = defaultdict(set)
    for endpoint in endpoints:
        if endpoint.kind in kinds:
            types[endpoint.name].add(endpoint.interface.name)
    return [(name, sorted(names)) for name, names in sorted(types.items())]


def endpoint_info(endpoint: Endpoint) -> TopicEndpointInfo:
    """Returns what rclpy tells about a publisher or subscription."""
    return TopicEndpointInfo(
        node_name=endpoint.node_name,
        node_namespace=endpoint.node_namespace,
        topic_type=endpoint.interface.name,
        topic_type_hash=TypeHash.from_text(endpoint.interface.type_hash),
        endpoint_type=_ENDPOINT_TYPES[endpoint.kind],
        endpoint_gid=list(endpoint.gid),
        qos_profile=from_rmw(endpoint.qos),
    )


def wait_for_graph(context: Context, is_reached: Callable[[], bool], timeout_sec: float | None) -> bool:
    """Waits until a condition of the graph holds.

    :param timeout_sec: None or negative waits without limit.
    :return: False when it does not hold within the time-out or before the context's shutdown.
    """
    deadline_s = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
    waker = _Waker()
    listener = context.rmw_context().on_graph_change(waker.wake)
    context.on_shutdown(waker.wake)
    try:
        while context.ok():
            waker.event.clear()
            if is_reached():
                return True
            remaining_s = None if deadline_s is None else deadline_s - time.monotonic()
            if remaining_s is not None and remaining_s <= 0:
                return False
            waker.event.wait(remaining_s)
        return False
    finally:
        listener.close()


class _Waker:
    """Wakes one wait; a context holds it weakly, so that it goes with the wait."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def wake(self) -> None:
        self.event.set()
