"""Messages and episodes for the tests of this folder. rosbags stands for other programs that read and write ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from tenon.configuration.recording import WriterConfig
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeLayout, EpisodeOutcome, TopicSpec
from tenon.data.schemas import find_share_under, full_definition

ROOT = Path(__file__).parents[2]
TRANSITION, IMAGE, JOINTS = "tenon_msgs/msg/Transition", "sensor_msgs/msg/Image", "sensor_msgs/msg/JointState"
TYPES = {"/transition": TRANSITION, "/camera/image_raw": IMAGE, "/joint_states": JOINTS}
PERIOD_NS = 10_000_000


@dataclass(frozen=True)
class Sample:
    """A message that is to be recorded."""

    topic: str
    data: bytes
    time_ns: int


class Ros:
    """Makes ROS messages as objects of rosbags, and their CDR."""

    def __init__(self) -> None:
        self.find_share = find_share_under(ROOT / "ros2_ws/src", ROOT / "src/embedded_ros2/embedded_ros2/share")
        self.store = get_typestore(Stores.ROS2_JAZZY)
        types = get_types_from_msg(full_definition(TRANSITION, self.find_share), TRANSITION)
        self.store.register({name: fields for name, fields in types.items() if name.startswith("tenon_msgs")})

    def topics(self) -> list[TopicSpec]:
        return [
            TopicSpec(name, type_, full_definition(type_, self.find_share), type_hash=self.store.hash_rihs01(type_))
            for name, type_ in TYPES.items()
        ]

    def new(self, type_: str, *values: Any, **fields: Any) -> Any:
        return self.store.types[type_](*values, **fields)

    def header(self, time_ns: int) -> Any:
        stamp = self.new("builtin_interfaces/msg/Time", time_ns // 10**9, time_ns % 10**9)
        return self.new("std_msgs/msg/Header", stamp, "base")

    def image(self, pixels: NDArray[np.uint8], time_ns: int = 0) -> Any:
        height, width = pixels.shape[:2]
        return self.new(IMAGE, self.header(time_ns), height, width, "rgb8", 0, width * 3, pixels.reshape(-1))

    def transition(self, step: int, rng: np.random.Generator, size: int = 16) -> Any:
        images = [self.image(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)) for _ in range(2)]
        state, action, following = (rng.normal(size=n).astype(np.float32) for n in (4, 2, 4))
        is_last = step == 9
        return self.new(
            TRANSITION,
            header=self.header(step * PERIOD_NS),
            session="s",
            episode=3,
            step=step,
            state=state,
            action=np.tanh(action),
            reward=0.25,
            next_state=following,
            achieved_goal=np.empty(0, np.float32),
            terminated=False,
            truncated=is_last,
            success=is_last,
            train=True,
            saturated=False,
            human=is_last,
            policy_version=7,
            reward_version="daib-3f2a",
            reward_logit=0.5 * step,
            next_tcp_in_base_m=rng.normal(size=3).astype(np.float32),
            image=images[0],
            next_image=images[1],
        )

    def joints(self, time_ns: int, rng: np.random.Generator) -> Any:
        names = [f"joint_{i}" for i in range(6)]
        return self.new(JOINTS, self.header(time_ns), names, *(rng.normal(size=6) for _ in range(3)))

    def cdr(self, message: Any) -> bytes:
        return bytes(self.store.serialize_cdr(message, message.__msgtype__))

    def samples(self, steps: int, seed: int = 0) -> list[Sample]:
        """For each step three joint states, an image and a transition."""
        rng = np.random.default_rng(seed)
        found = []
        for step in range(steps):
            start_ns = 10**9 + 3 * step * PERIOD_NS
            found += [
                Sample("/joint_states", self.cdr(self.joints(t, rng)), t)
                for t in range(start_ns, start_ns + 3 * PERIOD_NS, PERIOD_NS)
            ]
            last_ns = start_ns + 2 * PERIOD_NS
            pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            found.append(Sample("/camera/image_raw", self.cdr(self.image(pixels, last_ns)), last_ns))
            found.append(Sample("/transition", self.cdr(self.transition(step, rng)), last_ns))
        return found


def contract(number: int = 0) -> EpisodeContract:
    return EpisodeContract(
        number=number,
        robot="ur5",
        task="usb",
        session="monday",
        session_episode=number + 40,
        seed=5,
        calibration={"wrist_camera": "3f2a"},
        versions={"tenon": "0.1.0"},
    )


@dataclass
class Recording:
    """Writes episodes into ``directory``."""

    ros: Ros
    directory: Path
    config: WriterConfig = field(default_factory=lambda: WriterConfig(chunk_bytes=8192))

    def writer(self, number: int = 0, layout: EpisodeLayout | None = None) -> EpisodeWriter:
        return EpisodeWriter(self.directory, contract(number), self.ros.topics(), self.config, layout=layout)

    def finished(self, number: int = 0, samples: Sequence[Sample] | None = None) -> Path:
        writer = self.writer(number)
        self.fill(writer, self.ros.samples(10) if samples is None else samples)
        return writer.finish(EpisodeOutcome(result="success"))

    @staticmethod
    def fill(writer: EpisodeWriter, samples: Sequence[Sample]) -> None:
        for sample in samples:
            writer.write(sample.topic, sample.data, log_time_ns=sample.time_ns, publish_time_ns=sample.time_ns)


@pytest.fixture(scope="session")
def ros() -> Ros:
    return Ros()


@pytest.fixture
def recording(ros: Ros, tmp_path: Path) -> Recording:
    return Recording(ros, tmp_path / "episodes")
