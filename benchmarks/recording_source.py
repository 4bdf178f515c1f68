"""What is recorded in the recording benchmarks: one process that publishes a camera or an arm's state, on time.

    python benchmarks/recording_source.py camera --topic camera/image_raw --seconds 10
    python benchmarks/recording_source.py state --seconds 10

Waits for the session to run, publishes exactly seconds times rate messages (late ones are made up for, never left out),
and writes one line of JSON: how many on each topic, how late, at what cost.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
import psutil
import rclpy
import tyro
from geometry_msgs.msg import PoseStamped, WrenchStamped
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, JointState
from tenon_msgs.msg import SessionState, Transition

from tenon_graph import contract

WIDTH_PX, HEIGHT_PX, CAMERA_HZ = 640, 480, 30
STATE_HZ, TRANSITION_HZ = 500, 10
JOINTS = 6
LEARNER_PX = 64
"""Height and width of the pictures in transitions."""
NOISE_LEVELS = 2.0
"""Standard deviation of a camera's noise, in grey levels of 255."""
PICTURES = 15
START_TIMEOUT_S = 120.0
READY = "ready"
"""A source's first line."""


@dataclass(frozen=True)
class Camera:
    """Pictures of 640 x 480 at 30 Hz: smooth surfaces that move, under noise."""

    topic: str
    seconds: float


@dataclass(frozen=True)
class State:
    """Joint states, TCP pose and wrench of an arm, each at 500 Hz, and a transition with two pictures at 10 Hz.

    begin_when: a recorder hears all of it, a console what it shows.
    """

    seconds: float
    rate_hz: float = STATE_HZ
    begin_when: Literal["all-heard", "any-heard"] = "all-heard"


Source = Annotated[Camera, tyro.conf.subcommand("camera")] | Annotated[State, tyro.conf.subcommand("state")]


@dataclass(frozen=True, slots=True)
class Report:
    """What a source did. late_most_s: behind its schedule, at worst. cpu_s: of the process while it published."""

    published: dict[str, int]
    late_most_s: float
    cpu_s: float


class SourceNode(Node):
    """Publishes; hears from the session when to begin."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.is_running = False
        self.made: list[Publisher] = []
        self.session, self.episode = "", 0
        topic = contract.SESSION_STATE
        self.create_subscription(topic.type, topic.name, self._on_state, topic.qos)

    def _on_state(self, msg: SessionState) -> None:
        self.is_running = msg.phase == SessionState.RUNNING
        self.session, self.episode = msg.session, msg.episode

    def wait_for_readers(self, how_many: Callable[[Iterable[int]], bool]) -> None:
        """how_many: any or all of what this node publishes must be heard."""
        self._wait(lambda: how_many(publisher.get_subscription_count() for publisher in self.made), "a reader")

    def wait_for_session(self) -> None:
        self._wait(lambda: self.is_running, "the session")

    def advertise(self, msg_type: Any, topic: str, qos: QoSProfile) -> Publisher:
        self.made.append(self.create_publisher(msg_type, topic, qos))
        return self.made[-1]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not condition():
            rclpy.spin_once(self, timeout_sec=0.1)
            if time.monotonic() > deadline_s:
                raise SystemExit(f"{self.get_name()}: {what} did not come within {START_TIMEOUT_S:g} s")


Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def pictures(height_px: int, width_px: int, rng: np.random.Generator) -> list[Pixels]:
    """(height, width, 3) each."""
    rows, columns = np.mgrid[0:height_px, 0:width_px] * (HEIGHT_PX / height_px)
    found = []
    for k in range(PICTURES):
        shade = 90 + 60 * np.sin((rows + k) / 40.0) * np.cos((columns - k) / 60.0)
        pixels = shade[..., None] * np.array([1.0, 0.8, 0.6])
        noise = rng.normal(0.0, NOISE_LEVELS, pixels.shape)
        found.append((pixels + noise).clip(0, 255).astype(np.uint8))
    return found


def image(pixels: Pixels) -> Image:
    height, width, channels = pixels.shape
    return Image(height=height, width=width, encoding="rgb8", step=width * channels, data=pixels.tobytes())


def camera(node: SourceNode, source: Camera) -> Callable[[int], tuple[str, ...]]:
    """What publishes picture number k and tells on which topics."""
    publisher = node.advertise(Image, source.topic, contract.CAMERA_IMAGE.qos)
    messages = [image(pixels) for pixels in pictures(HEIGHT_PX, WIDTH_PX, np.random.default_rng(0))]

    def publish(k: int) -> tuple[str, ...]:
        message = messages[k % len(messages)]
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        return (source.topic,)

    return publish


def state(node: SourceNode, source: State) -> Callable[[int], tuple[str, ...]]:
    """What publishes state number k and tells on which topics."""
    topics = (contract.JOINT_STATES, contract.TCP_POSE, contract.TCP_WRENCH)
    every = round(source.rate_hz / TRANSITION_HZ)
    last = (round(source.seconds * source.rate_hz) - 1) // every
    publishers = {topic.name: node.advertise(topic.type, topic.name, topic.qos) for topic in topics}
    learning = contract.TRANSITION
    transitions = node.advertise(learning.type, learning.name, learning.qos)
    joints = JointState(name=[f"joint_{number}" for number in range(JOINTS)])
    pose, wrench = PoseStamped(), WrenchStamped()
    rng = np.random.default_rng(0)
    angles, seen = rng.normal(size=(STATE_HZ, JOINTS)), [image(p) for p in pictures(LEARNER_PX, LEARNER_PX, rng)]

    def publish(k: int) -> tuple[str, ...]:
        now = angles[k % STATE_HZ].tolist()
        joints.position, joints.velocity, joints.effort = now, now, now
        pose.pose.position.x = wrench.wrench.force.z = now[0]
        stamp = node.get_clock().now().to_msg()
        for topic, message in zip(topics, (joints, pose, wrench), strict=True):
            message.header.stamp = stamp
            publishers[topic.name].publish(message)
        if k % every:
            return tuple(publishers)
        transition = _transition(k // every, now, seen)
        transition.truncated = transition.step == last
        transition.session, transition.episode = node.session, node.episode
        transition.header.stamp = stamp
        transitions.publish(transition)
        return (*publishers, learning.name)

    return publish


def _transition(step: int, values: list[float], seen: list[Image]) -> Transition:
    return Transition(
        step=step,
        state=values,
        action=[0.0] * 3,
        next_state=values,
        image=seen[step % len(seen)],
        next_image=seen[(step + 1) % len(seen)],
        train=True,
    )


def play(publish: Callable[[int], tuple[str, ...]], count: int, rate_hz: float) -> Report:
    """Calls ``publish`` for 0 to count - 1, each at its time or, when late, at once."""
    published: Counter[str] = Counter()
    late_most_s = 0.0
    begin_s, cpu = time.monotonic(), psutil.Process().cpu_times()
    for k in range(count):
        wait_s = begin_s + k / rate_hz - time.monotonic()
        if wait_s > 0.0:
            time.sleep(wait_s)
        late_most_s = max(late_most_s, -wait_s)
        published.update(publish(k))
    after = psutil.Process().cpu_times()
    return Report(dict(published), late_most_s, after.user + after.system - cpu.user - cpu.system)


def main(source: Source) -> None:
    rclpy.init()
    how_many: Callable[[Iterable[int]], bool] = all
    if isinstance(source, Camera):
        node = SourceNode(f"source_{source.topic.replace('/', '_')}")
        publish, rate_hz = camera(node, source), float(CAMERA_HZ)
    else:
        node = SourceNode("source_state")
        publish, rate_hz = state(node, source), source.rate_hz
        how_many = all if source.begin_when == "all-heard" else any
    node.wait_for_readers(how_many)
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    node.wait_for_session()
    report = play(publish, round(source.seconds * rate_hz), rate_hz)
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # The publishers live on until the session has ended: what is under way arrives.
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main(tyro.cli(Source, description=__doc__))  # type: ignore[arg-type]
