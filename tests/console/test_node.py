"""The console on the graph: which topics of images it takes for cameras."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from tenon.console.config import ConsoleConfig
from tenon.console.model import ConsoleModel
from tenon_console.node import ConsoleNode
from tenon_graph import contract
from tenon_graph.cameras import CameraPublisher

TIMEOUT_S = 30.0
PERIOD_S = 0.05


class Bench:
    """The console and an RGB-D camera in one process."""

    def __init__(self) -> None:
        config = ConsoleConfig()
        self.model = ConsoleModel(config)
        self.camera = Node("camera")
        self.console = ConsoleNode(config, self.model)
        self._publisher = CameraPublisher(self.camera, "wrist")
        self._executor = SingleThreadedExecutor()
        for node in (self.camera, self.console):
            self._executor.add_node(node)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """The camera sees something all the while."""
        rgb, depth_mm = np.zeros((24, 32, 3), np.uint8), np.full((24, 32), 500, np.uint16)
        deadline_s = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline_s
            self._publisher.publish(time.monotonic_ns(), rgb, depth_mm=depth_mm)
            self._executor.spin_once(timeout_sec=PERIOD_S)

    def close(self) -> None:
        for node in (self.camera, self.console):
            node.destroy_node()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    rclpy.init()
    opened = Bench()
    yield opened
    opened.close()
    rclpy.shutdown()


def test_hand_is_taken_while_a_teleop_node_is_there(bench: Bench) -> None:
    """The console's own topic has a listener in every session: the recorder."""
    bench.camera.create_subscription(contract.TELEOP_TWIST.type, contract.TELEOP_TWIST.name, lambda _: None, 1)
    topic = contract.TELEOP_STATE
    bench.wait_for(lambda: contract.CAMERA_IMAGE.name in bench.model.cameras())
    assert not bench.model.view().takes_hand
    publisher = bench.camera.create_publisher(topic.type, topic.name, topic.qos)
    bench.wait_for(lambda: bench.model.view().takes_hand)
    bench.camera.destroy_publisher(publisher)
    bench.wait_for(lambda: not bench.model.view().takes_hand)


def test_depth_is_no_camera_and_is_not_listened_to(bench: Bench) -> None:
    depth = contract.CAMERA_DEPTH.name
    bench.wait_for(lambda: contract.CAMERA_IMAGE.name in bench.model.cameras())
    bench.wait_for(lambda: bench.camera.count_subscribers(depth) == 1)  # until it is known for what it is
    bench.wait_for(lambda: bench.camera.count_subscribers(depth) == 0)
    assert bench.model.cameras() == [contract.CAMERA_IMAGE.name]
