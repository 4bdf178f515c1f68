"""Control ticks followed through the graph, from what a probe has seen of them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from tenon_msgs.msg import Observation

from tenon.data.decode import image_to_array
from tenon.data.images import resize
from tenon_graph import contract
from tenon_graph.contract import Topic

NS_PER_S = 1_000_000_000

CHAIN: tuple[tuple[str, Topic], ...] = (
    ("reading of the arm", contract.JOINT_STATES),
    ("observation", contract.OBSERVATION),
    ("policy action", contract.POLICY_ACTION),
    ("residual command", contract.RESIDUAL_REFERENCE),
    ("mux reference", contract.COMMAND_REFERENCE),
    ("safe command", contract.COMMAND_SAFE),
)
"""What one control tick passes through; all of it carries the stamp of the tick."""


PICTURES_LOOKED_AT = 5
"""No observation takes an older one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One message: its stamp in session time; when it was sent and when it arrived here, by the wall clock.

    number: as its publisher counts. serialized: kept of pictures and observations only.
    """

    stamp_ns: int
    sent_ns: int
    arrived_ns: int
    number: int
    serialized: bytes = b""


@dataclass(slots=True)
class Window:
    """What was seen in a stretch of a session. by_topic: name of a topic -> its messages in order of arrival."""

    by_topic: dict[str, list[Seen]] = field(default_factory=dict)

    def add(self, topic: str, seen: Seen) -> None:
        self.by_topic.setdefault(topic, []).append(seen)

    def of(self, topic: Topic) -> list[Seen]:
        return self.by_topic.get(topic.name, [])


@dataclass(frozen=True, slots=True)
class Latencies:
    """In seconds. hops: name -> one duration per control tick that came through whole."""

    hops: dict[str, list[float]]
    reading_to_command_s: list[float]
    image_to_command_s: list[float]


def latencies(window: Window) -> Latencies:
    """Follows every control tick by its stamp.

    reading: from the publication of the arm's reading; image: from the publication of the picture that the observation
    holds; both until the safe command is here.
    """
    by_stamp = [{seen.stamp_ns: seen for seen in reversed(window.of(topic))} for _, topic in CHAIN]
    names = [name for name, _ in CHAIN]
    hops: dict[str, list[float]] = {f"{a} -> {b}": [] for a, b in pairwise(names)}
    hops["safe command -> its receiver"] = []
    reading_s: list[float] = []
    image_s: list[float] = []
    pictures = _Pictures(window.of(contract.CAMERA_IMAGE))
    for stamp_ns in by_stamp[-1]:
        ticks = [found[stamp_ns] for found in by_stamp if stamp_ns in found]
        if len(ticks) < len(CHAIN):
            continue
        times_ns = [*(seen.sent_ns for seen in ticks), ticks[-1].arrived_ns]
        for name, (a_ns, b_ns) in zip(hops, pairwise(times_ns), strict=True):
            hops[name].append((b_ns - a_ns) / NS_PER_S)
        reading_s.append((times_ns[-1] - times_ns[0]) / NS_PER_S)
        picture = pictures.held_by(ticks[names.index("observation")])
        if picture is not None:
            image_s.append((times_ns[-1] - picture.sent_ns) / NS_PER_S)
    return Latencies(hops, reading_s, image_s)


class _Pictures:
    """Finds the picture that an observation was made of. Its stamp does not tell: it may lie before the tick."""

    def __init__(self, seen: list[Seen]) -> None:
        self._seen = seen
        self._sent_ns = [one.sent_ns for one in seen]

    def held_by(self, observation: Seen) -> Seen | None:
        """The newest that was sent before and has the same pixels; None for one of before the window."""
        held = image_to_array(deserialize_message(observation.serialized, Observation).image)
        height, width, _ = held.shape
        before = bisect_left(self._sent_ns, observation.sent_ns)
        for one in reversed(self._seen[max(0, before - PICTURES_LOOKED_AT) : before]):
            pixels = image_to_array(deserialize_message(one.serialized, Image))
            if np.array_equal(resize(pixels, height, width), held):
                return one
        return None


def turn_periods_s(window: Window) -> list[float]:
    """Wall time from one turn of the arm's process to the next, where no message between them was lost."""
    return [
        (b.sent_ns - a.sent_ns) / NS_PER_S
        for a, b in pairwise(window.of(contract.JOINT_STATES))
        if b.number == a.number + 1
    ]
