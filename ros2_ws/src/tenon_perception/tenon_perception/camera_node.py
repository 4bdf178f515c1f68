"""Publishes a real camera, or a recorded one, and says what is wrong with it; one that was lost is opened anew."""

from __future__ import annotations

import sys

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from tenon.configuration.camera import CameraConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon_camera.frame import CameraError, CameraFault
from tenon_camera.sources import create_camera
from tenon_camera.watched import CameraHealth, WatchedCamera
from tenon_graph import contract
from tenon_graph.cameras import CameraPublisher, health_to_msg
from tenon_graph.node import run, text_parameter

DIAGNOSTICS_PERIOD_S = 1.0


class CameraNode(Node):
    """A camera -> camera/image_raw, camera/camera_info, camera/depth/image_raw, /diagnostics."""

    def __init__(self) -> None:
        super().__init__("camera_node")
        name = text_parameter(self, "camera", "wrist", "name of a file in config/cameras, or a path")
        config = load_named(CameraConfig, ConfigKind.CAMERAS, name)
        self._name = config.name
        self._camera = WatchedCamera(create_camera(config), config)
        self._camera.open()
        self._told: CameraHealth | None = None
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._pictures = CameraPublisher(self, config.name)
        topic = contract.DIAGNOSTICS
        self._diagnostics = self.create_publisher(topic.type, topic.name, topic.qos)
        self.create_timer(1.0 / config.rate_hz, self._on_time, clock=self._steady)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_health, clock=self._steady)

    def destroy_node(self) -> None:
        self._camera.close()
        super().destroy_node()

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_time(self) -> None:
        frame = self._camera.poll(self._now_ns, self._steady.now().nanoseconds)
        if frame is not None:
            self._pictures.publish(frame.stamp_ns, frame.rgb, self._camera.intrinsics, frame.depth_mm)
        if self._told is None or self._camera.health.fault is not self._told.fault:
            self._tell(self._camera.health)
            self._publish_health()

    def _tell(self, health: CameraHealth) -> None:
        """Once for every change; what the arm does about a picture that stays away is the supervisor's affair."""
        if health.fault is None and self._told is not None:
            self.get_logger().info(f"camera {self._name!r} delivers again")
        elif health.fault is CameraFault.SLOW:
            self.get_logger().warning(f"{health.fault}: {health.detail}")
        elif health.fault is not None:
            self.get_logger().error(f"{health.fault}: {health.detail}")
        self._told = health

    def _publish_health(self) -> None:
        health = self._camera.health
        levels = {None: DiagnosticStatus.OK, CameraFault.SLOW: DiagnosticStatus.WARN}
        level = levels.get(health.fault, DiagnosticStatus.ERROR)
        detail = f"{health.fault}: {health.detail}" if health.fault else ""
        self._diagnostics.publish(health_to_msg(self._name, detail, self._now_ns(), level=level))


def main(args: list[str] | None = None) -> int:
    return run(CameraNode, args, errors=(CameraError,), spin=rclpy.spin)


if __name__ == "__main__":
    sys.exit(main())
