"""Publishes a real camera, or a recorded one, as /camera/image_raw, and says when it falls behind its rate."""

from __future__ import annotations

import sys

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from tenon.configuration.camera import CameraConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.rate import RateWatch
from tenon_camera.driver import CameraDriver, CameraError
from tenon_graph import contract
from tenon_graph.conversions import image_to_msg
from tenon_graph.node import run, text_parameter

RATE_TOLERANCE = 0.9
"""A camera that delivers less than this share of its rate is reported."""


class CameraNode(Node):
    """A camera -> /camera/image_raw."""

    def __init__(self) -> None:
        super().__init__("camera_node")
        name = text_parameter(self, "camera", "wrist", "name of a file in config/cameras, or a path")
        self._config = load_named(CameraConfig, ConfigKind.CAMERAS, name)
        self._camera = CameraDriver(self._config)
        self._camera.configure()
        self._camera.activate()
        self._watch = RateWatch(self._config.rate_hz * RATE_TOLERANCE)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._publisher = self.create_publisher(
            contract.CAMERA_IMAGE.type, contract.CAMERA_IMAGE.name, contract.CAMERA_IMAGE.qos
        )
        self.create_timer(1.0 / self._config.rate_hz, self._on_timer, clock=self._steady)

    def destroy_node(self) -> None:
        self._camera.deactivate()
        super().destroy_node()

    def _on_timer(self) -> None:
        try:
            frame = self._camera.read(self.get_clock().now().nanoseconds)
        except CameraError as error:
            # The supervisor sees the silence; the node goes on trying, a cable may come back.
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        self._publisher.publish(image_to_msg(frame.rgb, frame.stamp_ns, f"{self._config.name}_camera"))
        slow_hz = self._watch.add(self._steady.now().nanoseconds)
        if slow_hz is not None:
            self.get_logger().warning(
                f"{self._config.name} camera delivers {slow_hz:.1f} Hz, its configuration says "
                f"{self._config.rate_hz:g} Hz: check exposure time, USB port and cable, or lower rate_hz in its file",
                throttle_duration_sec=5.0,
            )


def main(args: list[str] | None = None) -> int:
    return run(CameraNode, args, errors=(CameraError,), spin=rclpy.spin)


if __name__ == "__main__":
    sys.exit(main())
