"""A node for tests: publishes a stamped and an unstamped topic, and a picture."""

from __future__ import annotations

import sys

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool

PERIOD_S = 0.02
STAMP_STEP_NS = 100_000_000


class Talker(Node):
    def __init__(self) -> None:
        super().__init__("talker")
        self._joints = self.create_publisher(JointState, "joint_states", 10)
        self._flag = self.create_publisher(Bool, "flag", 10)
        self._camera = self.create_publisher(Image, "camera/image_raw", qos_profile_sensor_data)
        self._count = 0
        self.create_timer(PERIOD_S, self._speak)

    def _speak(self) -> None:
        self._count += 1
        seconds, nanoseconds = divmod(self._count * STAMP_STEP_NS, 1_000_000_000)
        message = JointState(name=["shoulder", "elbow"], position=[0.5, 1.5])
        message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
        self._joints.publish(message)
        self._flag.publish(Bool(data=True))
        self._camera.publish(Image(height=1, width=2, encoding="rgb8", step=6, data=[250, 0, 0, 0, 0, 250]))


def main() -> None:
    rclpy.init()
    node = Talker()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return


if __name__ == "__main__":
    main()
