"""`tenon topic`: which topics there are, what is said on one, how often."""

from __future__ import annotations

import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from tenon.cli.console import note, write_line
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon_session.introspection import Rate, RateMeter

NODE_NAME = "_tenon_topic"
REPORT_PERIOD_S = 1.0
POLL_S = 0.2
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class List:
    """List the topics that are on the graph now.

    types: with the type, the number of publishers and of subscriptions.
    """

    types: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Also show types, publishers and subscriptions."""

    def run(self) -> int:
        from tenon.cli.running import joined_graph
        from tenon_session import introspection

        with joined_graph(_create_node) as node:
            introspection.settle(node)
            topics = introspection.list_topics(node)
        for topic in topics:
            counts = f"{topic.publishers} pub, {topic.subscriptions} sub"
            write_line(f"{topic.name}  {', '.join(topic.types)}  {counts}" if self.types else topic.name)
        if not topics:
            note("no topics: no node runs on this domain. A session starts with: tenon session run")
        return SUCCESS


@dataclass(frozen=True)
class Echo:
    """Show the messages of a topic."""

    topic: tyro.conf.Positional[str]
    """Name of the topic; it is waited for."""
    once: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Stop after the first message."""
    field: str | None = None
    """Show this field only; dots lead into nested messages (header.stamp)."""

    def run(self) -> int:
        from tenon.cli.running import joined_graph
        from tenon_session import introspection

        received: SimpleQueue[Any] = SimpleQueue()
        with joined_graph(_create_node) as node:
            type_name = _wait_for_type(node, self.topic)
            _usage(introspection.subscribe, node, self.topic, type_name, received.put, raw=False)
            while True:
                message = _next(received)
                if self.field is not None:
                    self._show(_usage(introspection.field_of, message, self.field))
                else:
                    self._show(message)
                if self.once:
                    return SUCCESS

    def _show(self, value: Any) -> None:
        from tenon_session.introspection import message_lines, plain

        is_message = hasattr(value, "get_fields_and_field_types")
        for line in message_lines(value) if is_message else [plain(value)]:
            write_line(line)
        write_line("---")


@dataclass(frozen=True)
class Hz:
    """Measure how often a topic is published.

    Messages that carry a stamp are measured twice: in the session's own time (their stamps, which simulation may run
    faster than the clock on the wall) and by arrival. The contract's rates are in the session's time.
    """

    topic: tyro.conf.Positional[str]
    """Name of the topic; it is waited for."""
    window: int = 100
    """Number of newest messages that count."""
    wall: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """By arrival only."""
    duration: float | None = None
    """Stop after so many seconds; exit 1 if no rate could be measured. Without it: until Ctrl-C."""

    def run(self) -> int:
        from tenon.cli.running import joined_graph
        from tenon_session import introspection

        if self.window < 2:
            raise UsageError(f"--window {self.window}: a rate needs 2 messages or more")
        with joined_graph(_create_node) as node:
            type_name = _wait_for_type(node, self.topic, self.duration)
            stamped = not self.wall and _usage(introspection.has_header, type_name)
            meters = _Meters(introspection.RateMeter(self.window), introspection.RateMeter(self.window), stamped)
            _usage(introspection.subscribe, node, self.topic, type_name, meters.on_message, raw=True)
            return self._report(meters)

    def _report(self, meters: _Meters) -> int:
        end_s = None if self.duration is None else time.monotonic() + self.duration
        while True:
            time.sleep(REPORT_PERIOD_S if end_s is None else max(0.0, min(REPORT_PERIOD_S, end_s - time.monotonic())))
            line = meters.line()
            write_line(line or f"no messages on {self.topic} yet")
            if end_s is not None and time.monotonic() >= end_s:
                return SUCCESS if line is not None else FAILURE


@dataclass(frozen=True)
class _Meters:
    wall: RateMeter
    stamps: RateMeter
    stamped: bool

    def on_message(self, serialized: bytes) -> None:
        from tenon_session.introspection import stamp_ns_of

        self.wall.add(time.monotonic_ns())
        if self.stamped:
            self.stamps.add(stamp_ns_of(serialized))

    def line(self) -> str | None:
        wall, stamps = self.wall.rate(), self.stamps.rate()
        if stamps is not None and wall is not None:
            return f"{_rate_text(stamps)}; {wall.rate_hz:.2f} Hz by arrival"
        return _rate_text(wall) if wall is not None else None


def _rate_text(rate: Rate) -> str:
    return (
        f"average rate {rate.rate_hz:.3f} Hz, period min {rate.shortest_s:.4f} s max {rate.longest_s:.4f} s "
        f"std dev {rate.deviation_s:.5f} s, window {rate.samples}"
    )


def _create_node() -> Any:
    from rclpy.node import Node

    return Node(NODE_NAME, start_parameter_services=False, enable_rosout=False)


def _wait_for_type(node: Any, topic: str, at_most_s: float | None = None) -> str:
    """at_most_s: once the graph is known. Raises CommandError when the topic has not come by then."""
    from tenon_session import introspection

    known_s: list[float] = []

    def say() -> None:
        known_s.append(time.monotonic())
        note(f"{introspection.absolute_name(topic)} is not on the graph yet; waiting (tenon topic list shows what is)")

    def is_over() -> bool:
        return at_most_s is not None and bool(known_s) and time.monotonic() >= known_s[0] + at_most_s

    type_name = _usage(introspection.resolve_topic, node, topic, say, is_over)
    if type_name is None:
        raise CommandError(f"{introspection.absolute_name(topic)} has not come within the time that was given")
    return str(type_name)


def _usage(function: Any, *arguments: Any, **options: Any) -> Any:
    """Calls a function whose ValueError is a message for the operator."""
    try:
        return function(*arguments, **options)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _next(queue: SimpleQueue[Any]) -> Any:
    # Short waits, so that Ctrl-C is not held up.
    while True:
        try:
            return queue.get(timeout=POLL_S)
        except Empty:
            continue
