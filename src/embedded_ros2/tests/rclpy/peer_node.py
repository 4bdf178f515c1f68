"""The other process of the tests over Zenoh: a node with a topic, a service, an action and parameters."""

from __future__ import annotations

import rclpy
from example_interfaces.action import Fibonacci
from example_interfaces.srv import AddTwoInts
from rclpy.action import ActionServer, CancelResponse
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import String


class Peer(Node):
    def __init__(self) -> None:
        super().__init__("peer")
        self.declare_parameter("gain", 1.0)
        self._echo = self.create_publisher(JointState, "echo", 10)
        self.create_subscription(JointState, "joints", self._echo.publish, 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._state = self.create_publisher(String, "state", latched)
        self._state.publish(String(data="latched"))
        self.create_service(AddTwoInts, "add", self._add)
        self._actions = ActionServer(self, Fibonacci, "fibonacci", self._execute, cancel_callback=self._cancel)
        self.get_logger().info("peer is up")

    def _add(self, request: AddTwoInts.Request, response: AddTwoInts.Response) -> AddTwoInts.Response:
        response.sum = request.a + request.b
        return response

    def _cancel(self, goal_handle: object) -> CancelResponse:
        return CancelResponse.ACCEPT

    def _execute(self, goal_handle: object) -> Fibonacci.Result:
        rate = self.create_rate(50.0)
        sequence = [0, 1]
        while len(sequence) < goal_handle.request.order:
            if goal_handle.is_cancel_requested:
                goal_handle.canceled()
                return Fibonacci.Result(sequence=sequence)
            sequence.append((sequence[-1] + sequence[-2]) % 1000)  # stays within int32, however long it takes
            goal_handle.publish_feedback(Fibonacci.Feedback(sequence=sequence))
            rate.sleep()
        goal_handle.succeed()
        return Fibonacci.Result(sequence=sequence)


def main() -> None:
    rclpy.init()
    node = Peer()
    executor = MultiThreadedExecutor(4)
    executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
