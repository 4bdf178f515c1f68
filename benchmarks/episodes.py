"""What recording costs: CPU time, size and time to close per compression, and how long a node's callback is held.

    python benchmarks/episodes.py [--seconds 60]

One episode as a session records it: joint states at 100 Hz; image, observation (with image) and transition (with two
images) at 10 Hz, images of 64 x 64 pixels. Pictures are smooth surfaces with camera noise of 2 grey levels.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from embedded_ros2 import ament
from embedded_ros2.interfaces import get_message, serialize
from tenon.configuration.recording import WriterConfig
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeOutcome, TopicSpec
from tenon.data.recorder import Recorder
from tenon.data.schemas import full_definition

STATE_HZ, CONTROL_HZ, PIXELS, NOISE = 100, 10, 64, 2.0
REAL_TIME_FACTOR = 20
TYPES = {
    "/joint_states": "sensor_msgs/msg/JointState",
    "/camera/image_raw": "sensor_msgs/msg/Image",
    "/observation": "tenon_msgs/msg/Observation",
    "/transition": "tenon_msgs/msg/Transition",
}
SUCCESS = EpisodeOutcome(result="success")


@dataclass(frozen=True, slots=True)
class Sample:
    topic: str
    data: bytes
    time_ns: int


def find_share(package: str) -> Path:
    return Path(ament.get_package_share_directory(package))


def picture(step: int, rng: np.random.Generator) -> bytes:
    rows, columns = np.mgrid[0:PIXELS, 0:PIXELS]
    shade = 90 + 60 * np.sin((rows + step) / 9.0) * np.cos((columns - step) / 13.0)
    pixels = shade[..., None] * np.array([1.0, 0.8, 0.6]) + rng.normal(0, NOISE, (PIXELS, PIXELS, 3))
    return bytes(pixels.clip(0, 255).astype(np.uint8))


def image(step: int, rng: np.random.Generator) -> object:
    size = {"height": PIXELS, "width": PIXELS, "step": 3 * PIXELS}
    return get_message(TYPES["/camera/image_raw"])(encoding="rgb8", data=picture(step, rng), **size)


def samples(seconds: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    classes = {topic: get_message(type_) for topic, type_ in TYPES.items()}
    found = []
    following = image(0, rng)
    for k in range(seconds * STATE_HZ):
        time_ns = 10**9 + k * 10**9 // STATE_HZ
        numbers = {name: rng.normal(size=6).tolist() for name in ("position", "velocity", "effort")}
        messages = {"/joint_states": classes["/joint_states"](name=[f"joint_{i}" for i in range(6)], **numbers)}
        if k % (STATE_HZ // CONTROL_HZ) == 0:
            current, following = following, image(k, rng)
            state = rng.normal(size=12).astype(np.float32)
            messages["/camera/image_raw"] = current
            messages["/observation"] = classes["/observation"](state=state, image=current)
            messages["/transition"] = classes["/transition"](
                state=state, action=state[:3], next_state=state, image=current, next_image=following
            )
        found += [Sample(topic, bytes(serialize(message)), time_ns) for topic, message in messages.items()]
    return found


def measure_writer(recorded: list[Sample], topics: list[TopicSpec], config: WriterConfig, directory: Path) -> str:
    writer = EpisodeWriter(directory, EpisodeContract(number=0, robot="ur5", task="usb"), topics, config)
    cpu_s = time.process_time()
    for sample in recorded:
        writer.write(sample.topic, sample.data, log_time_ns=sample.time_ns, publish_time_ns=sample.time_ns)
    cpu_s = time.process_time() - cpu_s
    close_s = time.perf_counter()
    path = writer.finish(SUCCESS)
    close_s = time.perf_counter() - close_s
    raw = sum(len(sample.data) for sample in recorded)
    size = sum(file.stat().st_size for file in path.iterdir())
    return (
        f"{config.compression:5} {config.chunk_bytes >> 10:5} KiB chunks: {raw / 1e6 / cpu_s:5.0f} MB per CPU second, "
        f"{cpu_s / len(recorded) * 1e6:5.1f} us a message, {size / raw:4.0%} of the size, "
        f"closed in {close_s * 1e3:.0f} ms"
    )


def measure_recorder(recorded: list[Sample], topics: list[TopicSpec], directory: Path) -> str:
    recorder = Recorder(directory, topics)
    recorder.begin(EpisodeContract(number=0, robot="ur5", task="usb"))
    held_s = []
    begin_s, first_ns = time.perf_counter(), recorded[0].time_ns
    for sample in recorded:
        due_s = begin_s + (sample.time_ns - first_ns) / 1e9 / REAL_TIME_FACTOR
        time.sleep(max(0.0, due_s - time.perf_counter()))
        before_s = time.perf_counter()
        recorder.write(sample.topic, sample.data, log_time_ns=sample.time_ns, publish_time_ns=sample.time_ns)
        held_s.append(time.perf_counter() - before_s)
    before_s = time.perf_counter()
    recorder.end(SUCCESS).result()
    durable_s = time.perf_counter() - before_s
    recorder.close(timeout_s=10.0)
    p50, p99, p999 = np.percentile(np.array(held_s) * 1e6, [50, 99, 99.9])
    return (
        f"Recorder.write at {REAL_TIME_FACTOR} x real time: p50 {p50:.0f}, p99 {p99:.0f}, p99.9 {p999:.0f}, "
        f"max {max(held_s) * 1e6:.0f} us; durable {durable_s * 1e3:.0f} ms after the end; "
        f"{recorder.status().dropped} dropped"
    )


def main(seconds: int = 60) -> None:
    """seconds: length of the episode."""
    recorded = samples(seconds)
    topics = [TopicSpec(topic, type_, full_definition(type_, find_share)) for topic, type_ in TYPES.items()]
    raw = sum(len(sample.data) for sample in recorded)
    sys.stdout.write(f"{len(recorded)} messages, {raw / 1e6:.1f} MB, {seconds} s\n")
    for compression in ("none", "lz4", "zstd"):
        for chunk_bytes in (1 << 18, 1 << 20, 1 << 22):
            config = WriterConfig(compression=compression, chunk_bytes=chunk_bytes)
            with tempfile.TemporaryDirectory() as directory:
                sys.stdout.write(measure_writer(recorded, topics, config, Path(directory)) + "\n")
    with tempfile.TemporaryDirectory() as directory:
        sys.stdout.write(measure_recorder(recorded, topics, Path(directory)) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
