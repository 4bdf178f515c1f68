"""Topics listened to undecoded: how often they come, how late, and the newest message where it is asked for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message

from tenon.console.model import TopicStatus
from tenon_session.introspection import NS_PER_S, RateMeter, stamp_ns_of

WINDOW = 100
"""Newest messages that rates and lateness are of."""
QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Whoever looks on never makes a publisher wait."""


class SessionTime:
    """How far session time has gone, by the newest stamp that was heard. A jump back (a new simulation) is followed."""

    def __init__(self) -> None:
        self.newest_ns = 0

    def on_stamp(self, stamp_ns: int) -> None:
        self.newest_ns = stamp_ns


class TopicWatch:
    """Listens to one topic; every message must begin with a header. on_message: called with the newest bytes."""

    def __init__(
        self,
        node: Node,
        name: str,
        kind: Any,
        session_time: SessionTime,
        *,
        leads: bool = False,
        on_message: Callable[[bytes], None] | None = None,
    ) -> None:
        """leads: its stamps are session time, which the lateness of all topics is measured against."""
        self.name = name
        self._kind = kind
        self._time = session_time
        self._leads = leads
        self._on_message = on_message
        self._newest: bytes | None = None
        self._stamps, self._arrivals = RateMeter(WINDOW), RateMeter(WINDOW)
        self._late_ns: deque[int] = deque(maxlen=WINDOW)
        self._heard_s: float | None = None
        self._node = node
        self._subscription = node.create_subscription(kind, name, self._on_bytes, QOS, raw=True)

    def close(self) -> None:
        """Listens no more. Not to be called by ``on_message``."""
        self._node.destroy_subscription(self._subscription)

    def _on_bytes(self, data: bytes) -> None:
        stamp_ns = stamp_ns_of(data)
        if self._leads:
            self._time.on_stamp(stamp_ns)
        self._stamps.add(stamp_ns)
        self._arrivals.add(time.monotonic_ns())
        self._late_ns.append(max(0, self._time.newest_ns - stamp_ns))
        self._heard_s = time.monotonic()
        self._newest = data
        if self._on_message is not None:
            self._on_message(data)

    def newest(self, *, within_s: float) -> Any:
        """The newest message, decoded; None where none has come within this time."""
        if self._newest is None or self._heard_s is None or time.monotonic() - self._heard_s > within_s:
            return None
        return deserialize_message(self._newest, self._kind)

    def status(self, nodes: tuple[str, ...]) -> TopicStatus:
        """nodes: who publishes the topic."""
        stamps, arrivals = self._stamps.rate(), self._arrivals.rate()
        late_ns = sorted(self._late_ns)
        return TopicStatus(
            name=self.name,
            rate_hz=None if stamps is None else stamps.rate_hz,
            wall_hz=None if arrivals is None else arrivals.rate_hz,
            age_s=None if self._heard_s is None else time.monotonic() - self._heard_s,
            late_s=late_ns[len(late_ns) // 2] / NS_PER_S if late_ns else None,
            late_most_s=late_ns[-1] / NS_PER_S if late_ns else None,
            nodes=nodes,
        )
