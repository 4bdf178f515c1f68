"""Gazebo's arm on the topics of a real one: what the bridge brings in, states and torques out, at Gazebo's pace."""

from __future__ import annotations

import sys

import numpy as np
import rclpy
from geometry_msgs.msg import WrenchStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64
from tenon_msgs.msg import ElectricalState
from tenon_msgs.srv import ResetTask

from tenon.configuration.base import parse
from tenon.control.drivers import DriverError
from tenon.control.loop import InnerLoopConfig
from tenon.control.types import RobotState
from tenon.session.reset import start_pose
from tenon.simulation.insertion import tcp_in_flange
from tenon_control.impedance_controller import ImpedanceController
from tenon_gazebo.config import DriverSettings
from tenon_gazebo.driver import GazeboDriver, first_posture, is_seated
from tenon_graph import contract
from tenon_graph.conversions import to_ns, to_stamp
from tenon_graph.node import GraphNode, run
from tenon_graph.states import StatePublisher

NS_PER_S = 1_000_000_000
JOINTS, WRENCH, TORQUE = "gazebo/joint_states", "gazebo/wrench", "gazebo/torque"
"""As in hardware/gazebo/bridge.yaml. The camera's topics are bridged as they are."""


class GazeboArm(GraphNode):
    """Every reading of the joints is one turn of the inner loop."""

    def __init__(self) -> None:
        super().__init__("arm_driver")
        setup, config = self.setup, self.setup.config
        tool = tcp_in_flange(setup.connector)
        settings = parse(DriverSettings, setup.robot.driver.settings, where="driver tenon_gazebo: settings")
        start = start_pose(setup.nominal_goal_in_base, setup.task.start_height_m)
        self._driver = GazeboDriver(
            setup.arm, tool, setup.task.scene.impedance, settings, first_posture(setup.arm, tool, start)
        )
        self._impedance = ImpedanceController(
            InnerLoopConfig(
                period_s=1.0 / config.state_rate_hz,
                ramp_s=setup.task.reference_ramp_s,
                heartbeat_timeout_s=config.heartbeat_timeout_s,
            )
        )
        self._last_ns, self._published_ns = 0, 0
        self._state_period_ns = round(NS_PER_S / config.state_rate_hz)
        self._states = StatePublisher(self, self._driver.joint_names)
        tells = setup.robot.detector == "driver"
        self._electrical = self.advertise(contract.TASK_ELECTRICAL) if tells else None
        self._torques = [self.create_publisher(Float64, f"{TORQUE}/{name}", 1) for name in self._driver.joint_names]
        self.create_subscription(JointState, JOINTS, self._on_joints, qos_profile_sensor_data)
        self.create_subscription(WrenchStamped, WRENCH, self._on_wrench, qos_profile_sensor_data)
        self.create_service(ResetTask, contract.RESET_TASK_SERVICE, self._on_reset_task)
        self._executor_of_both = SingleThreadedExecutor()
        self._executor_of_both.add_node(self)
        self._executor_of_both.add_node(self._impedance)

    def destroy_node(self) -> None:
        self._executor_of_both.shutdown()
        self._impedance.destroy_node()
        super().destroy_node()

    def spin(self) -> None:
        """Until the context ends."""
        while rclpy.ok():
            self._executor_of_both.spin_once()

    def _on_wrench(self, msg: WrenchStamped) -> None:
        force, torque = msg.wrench.force, msg.wrench.torque
        self._driver.on_wrench(np.array((force.x, force.y, force.z, torque.x, torque.y, torque.z)))

    def _on_joints(self, msg: JointState) -> None:
        now_ns = to_ns(msg.header.stamp)
        positions, velocities = (dict(zip(msg.name, values, strict=False)) for values in (msg.position, msg.velocity))
        state = self._driver.on_joints(now_ns, positions, velocities)
        was_there = self._driver.arrived
        set_point = self._impedance.set_point(state, now_ns)
        period_s = 1e-9 * (now_ns - self._last_ns) if self._last_ns else 0.0
        self._last_ns = now_ns
        for publisher, torque in zip(self._torques, self._driver.torques(set_point, period_s), strict=True):
            publisher.publish(Float64(data=float(torque)))
        if self._driver.arrived and not was_there:
            self._impedance.loop.forget()  # what it held was the posture in which Gazebo begins
            self.get_logger().info("the arm stands above the socket")
        if self._driver.arrived and now_ns // self._state_period_ns != self._published_ns // self._state_period_ns:
            self._published_ns = now_ns
            self._impedance.publish_command(set_point, state.joint_effort_nm, now_ns)
            self._publish(state)

    def _publish(self, state: RobotState) -> None:
        self._states.publish(state)
        if self._electrical is None:
            return
        msg = ElectricalState(connected=is_seated(state.tcp_in_base, self.setup.nominal_goal_in_base, self.setup.task))
        msg.header.stamp = to_stamp(state.stamp_ns)
        self._electrical.publish(msg)

    def _on_reset_task(self, _request: ResetTask.Request, response: ResetTask.Response) -> ResetTask.Response:
        """Gazebo's socket stands where it stands: there is nothing to draw."""
        response.success = True
        return response


def main(args: list[str] | None = None) -> int:
    return run(GazeboArm, args, spin=GazeboArm.spin, errors=(DriverError,))


if __name__ == "__main__":
    sys.exit(main())
