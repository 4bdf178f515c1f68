"""A physical arm on the graph: its driver and the inner loop in one process, at the device's own rate and in real time.

A device's node is this one with its driver. What the device reports as a fault is told to the supervisor, which holds
the session until a person clears it; the device is tried again meanwhile, and never moves by itself when it is back.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import SetBool
from tenon_msgs.msg import ArmState, ElectricalState
from tenon_msgs.srv import ResetTask

from tenon.control.drivers import (
    START_ANEW_STATUS,
    ArmDriver,
    ArmFaultError,
    ArmProcessError,
    DriverError,
    GuidedArm,
    LingeringArm,
)
from tenon.control.loop import InnerLoopConfig
from tenon.control.types import RobotState
from tenon.session.setup import SessionSetup
from tenon_control.impedance_controller import ImpedanceController
from tenon_graph import contract
from tenon_graph.conversions import to_stamp
from tenon_graph.node import GraphNode, run
from tenon_graph.scheduling import ARM_PRIORITY, prefer_realtime
from tenon_graph.states import StatePublisher

NS_PER_S = 1_000_000_000
HANG_S = 30.0
"""A turn, or activating the device, that takes longer never ends: connecting anew to a device that answers slowly is
quicker."""
CONFIGURE_HANG_S = 120.0
"""The same for reaching it, which may wait for a device that starts."""
RETRY_S = 0.5
"""Between two tries to get a device back."""
SERVED_SHARE, TURN_SHARE = 0.6, 0.2
"""Of a period, for what the graph says and for one turn of it; the rest is for waiting on the device, whose reading
must not be late. Turns are of one length: with another time-out rclpy begins its round anew, at a waiting coroutine."""


class RealArm(GraphNode):
    """Sensor topics out, set points from the inner loop in, by direct calls."""

    def __init__(self, create_driver: Callable[[SessionSetup], ArmDriver]) -> None:
        """Reaches the device and makes it ready. Raises DriverError or ArmFaultError, with what to do."""
        super().__init__("arm_driver")
        config = self.setup.config
        self._driver = create_driver(self.setup)
        check_detector(self._driver, self.setup)
        signal.setitimer(signal.ITIMER_REAL, CONFIGURE_HANG_S)
        self._driver.configure()
        self._impedance = ImpedanceController(
            InnerLoopConfig(
                period_s=self._driver.period_s,
                ramp_s=self.setup.job.reference_ramp_s,
                heartbeat_timeout_s=config.heartbeat_timeout_s,
            )
        )
        self._state_period_ns = round(NS_PER_S / config.state_rate_hz)
        self._published_ns = 0
        self._fault: ArmFaultError | None = None
        self._retry_at_s = 0.0
        self._states = StatePublisher(self, self._driver.joint_names)
        self._arm_publisher = self.advertise(contract.ARM_STATE)
        tells = self.setup.robot.detector == "driver"
        self._electrical_publisher = self.advertise(contract.TASK_ELECTRICAL) if tells else None
        if self.setup.robot.emulator is None:  # an emulated stand does that itself
            self.create_service(ResetTask, contract.RESET_TASK_SERVICE, self._on_reset_task)
        if isinstance(self._driver, GuidedArm):
            self.create_service(SetBool, contract.FREEDRIVE_SERVICE, self._on_freedrive)
        self._executor_of_both = SingleThreadedExecutor()
        self._executor_of_both.add_node(self)
        self._executor_of_both.add_node(self._impedance)
        if not prefer_realtime(ARM_PRIORITY):
            self.get_logger().warning(
                "this user may not ask for real-time scheduling: on a busy machine the arm may be late, and stop. Give "
                "it `rtprio 20` in /etc/security/limits.conf"
            )
        signal.setitimer(signal.ITIMER_REAL, HANG_S)  # a device that falls silent here hangs its library too, see spin
        self._driver.activate()
        self._tell()

    @property
    def impedance(self) -> ImpedanceController:
        """The inner loop, whose counters tell how late it was."""
        return self._impedance

    def destroy_node(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
        self._executor_of_both.shutdown()
        self._impedance.destroy_node()
        self._driver.close()
        super().destroy_node()

    def spin(self) -> None:
        """Turn by turn until the context ends."""
        while rclpy.ok():
            begun_s = time.monotonic()
            # By default this signal ends the process: a vendor's library that hangs holds the interpreter, so nothing
            # else here could; tenon_session.arm_driver starts another one.
            signal.setitimer(signal.ITIMER_REAL, HANG_S)
            try:
                if self._fault is None:
                    self._turn()
                else:
                    self._recover(begun_s)
            except ArmProcessError as fault:
                self.get_logger().error(f"{fault}")
                os._exit(START_ANEW_STATUS)  # in order it would not end: the library is waited for
            except ArmFaultError as fault:
                self._on_fault(fault)
            self._serve(begun_s + SERVED_SHARE * self._driver.period_s)

    def _turn(self) -> None:
        """One period of the device: its reading, the answer to it, and now and then the word to the graph."""
        state = self._driver.read()
        now_ns = state.stamp_ns
        set_point = self._impedance.set_point(state, now_ns)
        self._driver.write(set_point)
        if now_ns // self._state_period_ns != self._published_ns // self._state_period_ns:
            self._published_ns = now_ns
            self._impedance.publish_command(set_point, state.joint_effort_nm, now_ns)
            self._publish(state)

    def _publish(self, state: RobotState) -> None:
        self._states.publish(state)
        if self._electrical_publisher is not None:
            msg = ElectricalState(connected=bool(self._driver.detector()))
            msg.header.stamp = to_stamp(state.stamp_ns)
            self._electrical_publisher.publish(msg)

    def _on_fault(self, fault: ArmFaultError) -> None:
        self._impedance.loop.forget()
        known, self._fault = self._fault, fault
        self._retry_at_s = time.monotonic() + RETRY_S
        if known is None or (known.kind, str(known)) != (fault.kind, str(fault)):
            self.get_logger().error(f"{fault.kind}: {fault}")
            self._tell()
        if known is None and isinstance(self._driver, LingeringArm):
            self._driver.let_go()

    def _recover(self, now_s: float) -> None:
        if now_s < self._retry_at_s:
            return
        self._driver.recover()
        self._fault = None
        self.get_logger().info(f"{self._driver.description} is back; it holds until the session goes on")
        self._tell()

    def _tell(self) -> None:
        msg = ArmState(device=self._driver.description)
        msg.header.stamp = to_stamp(self.now_ns())
        if self._fault is not None:
            msg.fault, msg.detail = str(self._fault.kind), str(self._fault)
        self._arm_publisher.publish(msg)

    def _serve(self, until_s: float) -> None:
        while rclpy.ok():
            self._executor_of_both.spin_once(timeout_sec=TURN_SHARE * self._driver.period_s)
            if time.monotonic() >= until_s:
                return

    def _on_freedrive(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Where the hand leaves the arm, the inner loop holds it."""
        if request.data and not self._impedance.loop.holding:
            response.message = "the arm is being moved: stop the session first, then guide it by hand"
            return response
        try:
            if self._fault is not None:
                raise self._fault
            assert isinstance(self._driver, GuidedArm)  # else the service is not offered
            self._driver.guide(by_hand=request.data)
        except (DriverError, ArmFaultError) as error:
            response.message = str(error)
        self._impedance.loop.forget()
        response.success = not response.message
        return response

    def _on_reset_task(self, _request: ResetTask.Request, response: ResetTask.Response) -> ResetTask.Response:
        """A real stand draws nothing: socket and plug are where they are."""
        response.success = True
        return response


def check_detector(driver: ArmDriver, setup: SessionSetup) -> None:
    """Raises DriverError where driver and robot's file disagree on the detector: observations would wait for a word
    that never comes, or a word would be ignored."""
    stated, wired = setup.robot.detector, driver.detector() is not None
    if wired == (stated == "driver"):
        return
    if wired:
        seen, remedy = "its driver reads one", "say `detector: driver`, or take the input out of driver.settings"
    else:
        seen, remedy = "its driver reads none", "name the input in driver.settings, or leave `detector` out"
    raise DriverError(f"robot {setup.config.robot!r}: `detector` is {stated or 'null'} in its file, {seen}: {remedy}")


def run_arm(create_driver: Callable[[SessionSetup], ArmDriver], args: list[str] | None = None) -> int:
    """Runs the node of a physical arm, and returns the exit status."""
    return run(lambda: RealArm(create_driver), args, spin=RealArm.spin, errors=(DriverError, ArmFaultError))
