"""The camera's node: pictures with their lens in the camera's optical frame, and its health for people to see."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from tenon.configuration.camera import CameraConfig, IntrinsicsConfig
from tenon.data.decode import image_to_array
from tenon_camera.frame import CameraError, CameraFault, Clock, Frame
from tenon_camera.sources import create_camera
from tenon_graph import contract
from tenon_graph.cameras import CameraPublisher, camera_info_to_msg, lens_from_msg
from tenon_perception.camera_node import CameraNode

WIDTH, HEIGHT = 32, 24
TIMEOUT_S = 60.0
LENS = {"width": WIDTH, "height": HEIGHT, "fx": 40.0, "fy": 41.0, "cx": 15.5, "cy": 11.5}
HEARD = (contract.CAMERA_IMAGE, contract.CAMERA_INFO, contract.CAMERA_DEPTH, contract.DIAGNOSTICS)


class Bench:
    """A node and somebody who listens, in one process."""

    def __init__(self) -> None:
        self.executor = SingleThreadedExecutor()
        self.listener = Node("listener")
        self.heard: dict[str, list[Any]] = {topic.name: [] for topic in HEARD}
        for topic in HEARD:
            self.listener.create_subscription(topic.type, topic.name, self.heard[topic.name].append, topic.qos)
        self.executor.add_node(self.listener)
        self.nodes: list[Node] = [self.listener]

    def add(self, node: Node) -> None:
        self.executor.add_node(node)
        self.nodes.append(node)

    def wait_for(self, condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline_s, {name: len(messages) for name, messages in self.heard.items()}
            self.executor.spin_once(timeout_sec=0.05)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    benches: list[Bench] = []

    def start(*arguments: str) -> Bench:
        rclpy.init(args=["--ros-args", *arguments])
        benches.append(Bench())
        return benches[-1]

    yield start
    for bench in benches:
        bench.executor.shutdown()
        for node in reversed(bench.nodes):
            node.destroy_node()
    rclpy.try_shutdown()


def write_camera(tmp_path: Path, **changes: Any) -> Path:
    video = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (WIDTH, HEIGHT))
    for index in range(6):
        writer.write(np.full((HEIGHT, WIDTH, 3), (0, 40 * index, 250), np.uint8))
    writer.release()
    keys = {"name": "side", "source": "file", "file": str(video), "width": WIDTH, "height": HEIGHT, "rate_hz": 50.0}
    path = tmp_path / "side.yaml"
    path.write_text(yaml.safe_dump({**keys, "intrinsics": LENS, **changes}))
    return path


def test_every_picture_comes_with_its_lens_in_the_cameras_optical_frame(
    start: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = start("-p", f"camera:={write_camera(tmp_path)}")
    bench.add(CameraNode())
    images, infos = bench.heard[contract.CAMERA_IMAGE.name], bench.heard[contract.CAMERA_INFO.name]
    bench.wait_for(lambda: len(images) >= 8 and len(infos) >= 8)
    for image, info in zip(images, infos, strict=False):
        assert image.header.frame_id == info.header.frame_id == "side_camera_optical_frame"
        assert image.header.stamp == info.header.stamp
    assert image_to_array(images[0])[0, 0, 0] > 200, "red comes first"
    assert lens_from_msg(infos[0]) == IntrinsicsConfig(**LENS)
    assert list(infos[0].p)[:3] == [40.0, 0.0, 15.5]


def test_health_is_published_with_the_faults_name(start: Callable[..., Bench], tmp_path: Path) -> None:
    bench = start("-p", f"camera:={write_camera(tmp_path)}")
    node = CameraNode()
    bench.add(node)
    said = bench.heard[contract.DIAGNOSTICS.name]
    bench.wait_for(lambda: said)
    assert (said[0].status[0].level, said[0].status[0].name) == (DiagnosticStatus.OK, "camera: side")

    def lost(_clock: Clock) -> Frame:
        raise CameraError(CameraFault.UNPLUGGED, "camera 'side' delivers no frame: check its cable")

    driver = node._camera._camera
    driver.read = lost
    bench.wait_for(lambda: said[-1].status[0].level == DiagnosticStatus.ERROR)
    assert said[-1].status[0].message.startswith("unplugged: camera 'side' delivers no frame")
    silent_from = len(bench.heard[contract.CAMERA_IMAGE.name])
    del driver.read
    bench.wait_for(lambda: said[-1].status[0].level == DiagnosticStatus.OK)
    bench.wait_for(lambda: len(bench.heard[contract.CAMERA_IMAGE.name]) > silent_from)


def test_depth_is_published_in_millimetres(start: Callable[..., Bench]) -> None:
    bench = start()
    publisher = CameraPublisher(bench.listener, "wrist")
    depth = np.array(((0, 500), (801, 65535)), np.uint16)
    rgb = np.zeros((2, 2, 3), np.uint8)
    publisher.publish(5, rgb, None, depth)  # the first makes the topic
    bench.wait_for(lambda: publisher.publish(5, rgb, None, depth) or bench.heard[contract.CAMERA_DEPTH.name])
    msg = bench.heard[contract.CAMERA_DEPTH.name][0]
    assert (msg.encoding, msg.height, msg.width, msg.step) == ("16UC1", 2, 2, 4)
    assert np.frombuffer(bytes(msg.data), "<u2").tolist() == [0, 500, 801, 65535]


def test_a_lens_survives_the_way_over_the_wire() -> None:
    lens = IntrinsicsConfig(**LENS, distortion=(0.1, -0.2, 0.001, 0.002, 0.05))
    assert lens_from_msg(camera_info_to_msg(lens, 7, "frame")) == lens


def test_a_realsense_gets_its_own_driver() -> None:
    pytest.importorskip("pyrealsense2", exc_type=ImportError)
    config = CameraConfig(name="wrist", source="realsense_recording", file="no.db3", width=8, height=8, rate_hz=30)
    with pytest.raises(CameraError, match=r"no\.db3: no such file"):
        create_camera(config).configure()
