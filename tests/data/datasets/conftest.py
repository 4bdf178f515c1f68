"""Recorded episodes for the tests of this folder: transitions and a camera at 10 Hz, joints at 50 Hz."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenon.configuration.recording import WriterConfig
from tenon.data.encode import MessageEncoder, header_fields, image_fields, transition_fields
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, QosProfile, Reliability, TopicSpec
from tenon.data.schemas import find_share_under, full_definition
from tenon.data.store import Episode, EpisodeStore
from tenon.data.transitions import Observation, Transition

ROOT = Path(__file__).parents[3]
SHARE = find_share_under(ROOT / "ros2_ws/src", ROOT / "src/embedded_ros2/embedded_ros2/share")
PERIOD_NS, JOINT_PERIOD_NS, BEGIN_NS = 100_000_000, 20_000_000, 5_000_000_000
TRANSITION, CAMERA, JOINTS = "/transition", "/camera/image_raw", "/joint_states"
SENSOR = QosProfile(reliability=Reliability.BEST_EFFORT).to_yaml()


def topic_specs() -> list[TopicSpec]:
    types = {
        TRANSITION: "tenon_msgs/msg/Transition",
        CAMERA: "sensor_msgs/msg/Image",
        JOINTS: "sensor_msgs/msg/JointState",
    }
    return [
        TopicSpec(name, type_, full_definition(type_, SHARE), SENSOR if name != TRANSITION else QosProfile().to_yaml())
        for name, type_ in types.items()
    ]


@dataclass(frozen=True)
class Sample:
    topic: str
    data: bytes
    log_ns: int


@dataclass
class Runs:
    """Makes episodes. image: (height, width) of those in transitions, or None."""

    root: Path
    image: tuple[int, int] | None = None
    state_size: int = 4
    action_size: int = 2

    def __post_init__(self) -> None:
        self.topics = topic_specs()
        self.encoders = {topic.name: MessageEncoder(topic) for topic in self.topics}

    def observation(self, rng: np.random.Generator) -> Observation:
        state = rng.normal(size=self.state_size).astype(np.float32)
        return Observation(state, None if self.image is None else picture(rng, *self.image))

    def transitions(
        self, number: int, steps: int = 10, *, success: bool = True, session: str = "monday"
    ) -> list[Transition]:
        """Observations chain; the last step is truncated and, with success, paid."""
        rng = np.random.default_rng((number, steps))
        seen = [self.observation(rng) for _ in range(steps + 1)]
        return [
            Transition(
                session=session,
                episode=number,
                step=step,
                observation=seen[step],
                action=np.tanh(rng.normal(size=self.action_size)).astype(np.float32),
                reward=float(success and step == steps - 1),
                next_observation=seen[step + 1],
                terminated=False,
                truncated=step == steps - 1,
                success=success and step == steps - 1,
                policy_version=3,
                stamp_ns=BEGIN_NS + (step + 1) * PERIOD_NS,
            )
            for step in range(steps)
        ]

    def samples(self, transitions: Sequence[Transition]) -> list[Sample]:
        """In order of time; every message is recorded 2 ms after its stamp."""
        begin, end = transitions[0].stamp_ns - PERIOD_NS, transitions[-1].stamp_ns
        rng = np.random.default_rng(begin)
        joints = [
            (JOINTS, t, {"name": ["a"], "position": [rng.normal()]}) for t in range(begin, end + 1, JOINT_PERIOD_NS)
        ]
        images = [(CAMERA, t, image_fields(picture(rng, 8, 8), t)) for t in range(begin, end + 1, PERIOD_NS)]
        steps = [(TRANSITION, step.stamp_ns, transition_fields(step, train=True)) for step in transitions]
        ordered = sorted([*joints, *images, *steps], key=lambda entry: entry[1])
        return [
            Sample(topic, self.encoders[topic]({"header": header_fields(stamp), **fields}), stamp + 2_000_000)
            for topic, stamp, fields in ordered
        ]

    def writer(self, run: str, number: int, **contract: Any) -> EpisodeWriter:
        known = {"robot": "ur5", "task": "usb", "session": run, "session_episode": number, "controller": "teleop"}
        versions = {"versions": {"tenon": "0.1.0"}}
        made = EpisodeContract(**{"number": number, "seed": number, **known, **versions, **contract})
        return EpisodeWriter(self.root / run, made, self.topics, WriterConfig(chunk_bytes=8192))

    def record(
        self,
        run: str,
        number: int,
        *,
        steps: int = 10,
        success: bool = True,
        samples: Sequence[Sample] | None = None,
        outcome: EpisodeOutcome | None = None,
        **contract: Any,
    ) -> Episode:
        """A finished episode of the run's folder."""
        writer = self.writer(run, number, **contract)
        transitions = self.transitions(number, steps, success=success, session=run)
        for sample in self.samples(transitions) if samples is None else samples:
            writer.write(sample.topic, sample.data, log_time_ns=sample.log_ns, publish_time_ns=sample.log_ns)
        writer.finish(outcome or EpisodeOutcome(result="success" if success else "timeout"))
        return self.store(run).episode(number)

    def store(self, run: str) -> EpisodeStore:
        return EpisodeStore(self.root / run)


def picture(rng: np.random.Generator, height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Smooth, as cameras see, with a little noise: H.264 has something to work with, and something to lose."""
    ramp = np.linspace(0, 200, width)[None, :, None] * np.ones((height, 1, 3)) * rng.uniform(0.5, 1.0, 3)
    return np.clip(ramp + rng.normal(20.0, 2.0, ramp.shape), 0, 255).astype(np.uint8)


def contents(episode: Episode) -> list[tuple[str, bytes, int, int]]:
    """All messages in order, byte by byte."""
    store = EpisodeStore(episode.path.parent)
    return [(m.topic, m.data, m.log_time_ns, m.publish_time_ns) for m in store.messages(episode)]


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, to see that nothing in it changed."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_same_steps(found: Sequence[Transition], expected: Sequence[Transition], ignore: Sequence[str] = ()) -> None:
    """Every field bit by bit; NaN equals NaN."""
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        for field in dataclasses.fields(Transition):
            if field.name in ignore:
                continue
            left, right = getattr(one, field.name), getattr(two, field.name)
            if isinstance(left, Observation):
                pairs = [(getattr(left, n), getattr(right, n)) for n in ("state", "image", "achieved_goal")]
            else:
                pairs = [(left, right)]
            for a, b in pairs:
                if isinstance(a, np.ndarray):
                    assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes(), field.name
                else:
                    assert a == b or (a != a and b != b), field.name


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")
