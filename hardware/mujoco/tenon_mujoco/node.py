"""The simulated arm on the topics of a real one, with its impedance controller in the same process.

Time is the driver's: it publishes /clock, runs at real_time_factor or as fast as the graph answers (see pacing).
"""

from __future__ import annotations

import sys
import time

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool
from tenon_msgs.msg import ArmState, ElectricalState
from tenon_msgs.srv import GuideHand, Push, ResetTask

from tenon.control.drivers import DriverError
from tenon.control.loop import InnerLoopConfig, SetPoint
from tenon.control.types import ControlMode, Reference, RobotState
from tenon.simulation.insertion import SimulationError
from tenon.simulation.rendering import RenderingError
from tenon_control.impedance_controller import ImpedanceController
from tenon_graph import contract
from tenon_graph.conversions import to_stamp
from tenon_graph.node import GraphNode, run
from tenon_graph.states import StatePublisher
from tenon_mujoco.cameras import SimulatedCameras
from tenon_mujoco.config import MujocoDriverConfig
from tenon_mujoco.driver import MujocoDriver
from tenon_mujoco.guiding import guide
from tenon_mujoco.pacing import REAL_TIME, Beat, Lockstep, Pacer

NS_PER_S = 1_000_000_000


class MujocoArm(GraphNode):
    """Driver node: sensor topics out, set points from the inner loop in, by direct calls."""

    def __init__(self) -> None:
        super().__init__("arm_driver")
        config = self.setup.config
        self._driver = MujocoDriver(
            MujocoDriverConfig(arm=self.setup.robot.arm, task=config.task, connector=config.connector, seed=config.seed)
        )
        self._period_ns = round(NS_PER_S / config.state_rate_hz)
        self._control_beat = Beat(config.control_period_ns)
        self._camera_beat = Beat(round(NS_PER_S / config.camera_rate_hz))
        self._impedance = ImpedanceController(
            InnerLoopConfig(
                period_s=1.0 / config.state_rate_hz,
                ramp_s=self.setup.task.reference_ramp_s,
                heartbeat_timeout_s=config.heartbeat_timeout_s,
            )
        )
        self._pacer = Pacer(config.real_time_factor)
        self._lockstep = Lockstep(config.lockstep_timeout_s)
        self._timeouts_told = 0
        self._states = StatePublisher(self, self._driver.joint_names)
        self._clock_publisher = self.create_publisher(Clock, "/clock", 1)
        tells = self.setup.robot.detector == "driver"
        self._electrical_publisher = self.advertise(contract.TASK_ELECTRICAL) if tells else None
        self._cameras = SimulatedCameras(self, self.setup, self._driver.frame)
        self.create_service(ResetTask, contract.RESET_TASK_SERVICE, self._on_reset_task)
        self.create_service(Push, contract.SIMULATION_PUSH_SERVICE, self._on_push)
        self.create_service(SetBool, contract.FREEDRIVE_SERVICE, self._on_freedrive)
        self.create_service(GuideHand, contract.SIMULATION_HAND_SERVICE, self._on_hand)
        self.create_service(SetBool, contract.SIMULATION_CAMERA_SERVICE, self._on_camera_switch)
        self._executor_of_both = SingleThreadedExecutor()
        self._executor_of_both.add_node(self)
        self._executor_of_both.add_node(self._impedance)
        self._driver.configure()
        self._driver.activate()
        self.advertise(contract.ARM_STATE).publish(ArmState(device=f"{self.setup.arm.name} in MuJoCo"))

    def destroy_node(self) -> None:
        self._executor_of_both.shutdown()
        self._impedance.destroy_node()
        self._driver.close()
        super().destroy_node()

    def spin(self) -> None:
        """Turn by turn until the context ends: let time pass, publish, then serve the graph until time may go on."""
        state = self._driver.read()
        while rclpy.ok():
            begun_ns = state.stamp_ns
            state = self._turn(state)
            self._publish(state)
            self._serve_until_time_may_go_on(state.stamp_ns - begun_ns)

    def _turn(self, state: RobotState) -> RobotState:
        """One period of the inner loop: from the newest reading to the next."""
        now_ns = state.stamp_ns
        set_point = self._impedance.set_point(state, now_ns)
        self._impedance.publish_command(set_point, state.joint_effort_nm, now_ns)
        self._driver.write(self._reference(set_point, now_ns))
        self._driver.step(self._period_ns / NS_PER_S)
        return self._driver.read()

    def _reference(self, set_point: SetPoint, now_ns: int) -> Reference:
        """The set point for this turn only: a loop that stops leaves an arm that holds."""
        joints = set_point.joint_position_rad
        mode = ControlMode.CARTESIAN if joints is None else ControlMode.JOINT
        return Reference(now_ns, mode, "inner_loop", 2 * self._period_ns, set_point.tcp_in_base, joints)

    def _publish(self, state: RobotState) -> None:
        now_ns = state.stamp_ns
        stamp = to_stamp(now_ns)
        self._clock_publisher.publish(Clock(clock=stamp))
        if self._camera_beat.is_due(now_ns):
            self._cameras.publish(now_ns)
        self._states.publish(state)
        if self._control_beat.is_due(now_ns):
            if self._electrical_publisher is not None:
                electrical = ElectricalState(connected=self._driver.electrical())
                electrical.header.stamp = stamp
                self._electrical_publisher.publish(electrical)
            self._lockstep.on_tick(now_ns, time.monotonic())

    def _serve_until_time_may_go_on(self, advanced_ns: int) -> None:
        """advanced_ns: by which time went on. Physics has steps of its own, so a turn may be longer than its period."""
        wall_s = time.monotonic()
        pace = None if self._lockstep.engaged else REAL_TIME
        go_on_s = wall_s + self._pacer.delay_s(advanced_ns, wall_s, factor=pace)
        executor = self._executor_of_both
        executor.spin_once(timeout_sec=0.0)
        while rclpy.ok():
            self._lockstep.on_answer(self._impedance.moved_ns, moves=True)
            self._lockstep.on_answer(self._impedance.answered_ns, moves=False)
            wall_s = time.monotonic()
            wait_s = max(go_on_s - wall_s, self._lockstep.remaining_s(wall_s))
            self._tell_of_timeouts()
            if wait_s <= 0.0:
                return
            executor.spin_once(timeout_sec=wait_s)

    def _tell_of_timeouts(self) -> None:
        timeouts = self._lockstep.counters.timeouts
        if timeouts > self._timeouts_told:
            self._timeouts_told = timeouts
            self.get_logger().warning(
                f"nobody has answered the tick of {self._driver.time_ns} ns within lockstep_timeout_s: time goes on as "
                f"on a real arm"
            )

    def _on_reset_task(self, request: ResetTask.Request, response: ResetTask.Response) -> ResetTask.Response:
        self._driver.prepare_episode(request.seed)
        response.success = True
        return response

    def _on_push(self, request: Push.Request, response: Push.Response) -> Push.Response:
        force = request.force_n
        try:
            self._driver.push(np.array((force.x, force.y, force.z)), request.duration_s)
        except DriverError as error:
            response.message = str(error)
        response.success = not response.message
        response.began = to_stamp(self._driver.time_ns)
        return response

    def _on_freedrive(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._driver.set_freedrive(on=request.data)
        self._impedance.loop.forget()  # it holds where the hand leaves the arm
        response.success = True
        return response

    def _on_hand(self, request: GuideHand.Request, response: GuideHand.Response) -> GuideHand.Response:
        try:
            return guide(request, response, self._driver.simulation.goal_in_base, self._driver.guide)
        except DriverError as error:
            response.success, response.message = False, str(error)
            return response

    def _on_camera_switch(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._cameras.works = request.data
        response.success = True
        return response


def main(args: list[str] | None = None) -> int:
    return run(MujocoArm, args, spin=MujocoArm.spin, errors=(RenderingError, SimulationError))


if __name__ == "__main__":
    sys.exit(main())
