"""Joins arm, camera and session into /observation, one message per control tick, with the force zeroed."""

from __future__ import annotations

import sys
from array import array

import numpy as np
from geometry_msgs.msg import Vector3
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from tenon_msgs.msg import ElectricalState, Observation, SessionState

from tenon.control.frames import optical_frame
from tenon.control.observer import Observer, Tick
from tenon.control.tare import TareError, WrenchTare
from tenon.control.types import RobotState
from tenon.data.decode import DecodeError, image_to_array
from tenon.data.images import resize
from tenon.simulation.scene import WRIST_CAMERA
from tenon_graph import contract
from tenon_graph.conversions import image_to_msg, pose_from_msg, pose_to_msg, to_ns, to_stamp
from tenon_graph.node import GraphNode, run
from tenon_graph.states import StateJoiner


class ObservationNode(GraphNode):
    """Sensor topics and /session/state -> /observation. The service observation/tare zeroes the force."""

    def __init__(self) -> None:
        super().__init__("observation_node")
        session = self.setup.config
        tolerance_ns = session.image_tolerance_ns if session.image_needed else None
        self._observer = Observer(
            period_ns=session.control_period_ns,
            image_tolerance_ns=tolerance_ns,
            detector=self.setup.job.awaits_electrical,
        )
        measured = None if self.setup.stand.calibration is None else self.setup.stand.calibration.tare
        if measured is not None:  # until the first episode zeroes the force
            self._observer.bias_n = np.array(measured.wrench[:3])
        self._tare: tuple[WrenchTare, Future] | None = None
        self._state = SessionState()
        self._missed = 0
        self._publisher = self.advertise(contract.OBSERVATION)
        self._joiner = StateJoiner(self, self._on_robot_state)
        self.subscribe(contract.TASK_ELECTRICAL, self._on_electrical)
        self.subscribe(contract.SESSION_STATE, self._on_session_state)
        if session.image_needed:
            self.subscribe(contract.CAMERA_IMAGE, self._on_image)
        group = ReentrantCallbackGroup()
        self.create_service(Trigger, contract.TARE_SERVICE, self._on_tare, callback_group=group)

    def _on_session_state(self, msg: SessionState) -> None:
        self._state = msg

    def _on_electrical(self, msg: ElectricalState) -> None:
        self._observer.on_electrical(to_ns(msg.header.stamp), msg.connected)
        self._publish_if_complete()

    def _on_image(self, msg: Image) -> None:
        try:
            rgb = image_to_array(msg)
        except DecodeError as error:  # what the arm does about pictures that stay away is the supervisor's affair
            self.get_logger().error(f"a picture was left out: {error}", throttle_duration_sec=5.0)
            return
        self._observer.on_image(to_ns(msg.header.stamp), rgb)
        self._publish_if_complete()

    def _on_robot_state(self, state: RobotState) -> None:
        self._feed_tare(state)
        self._observer.on_force(state.stamp_ns, state.wrench_in_base[:3])
        self._observer.on_joints(state.joint_position_rad, state.joint_velocity_rad_s)
        self._observer.on_pose(state.stamp_ns, state.tcp_in_base)
        self._publish_if_complete()
        missed = sum(self._observer.missed.values())
        if missed > self._missed:
            self._missed = missed
            worst = self._observer.missed.most_common(1)[0][0]
            self.get_logger().warning(
                f"{missed} control ticks were dropped so far, most for want of {worst}: look at its rate "
                f"(tenon topic hz {worst})",
                throttle_duration_sec=5.0,
            )

    async def _on_tare(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._tare is not None:
            response.message = "the force is being zeroed already"
            return response
        done = Future()
        self._tare = (WrenchTare(self.setup.config.tare), done)
        response.message = await done
        response.success = not response.message
        return response

    def _feed_tare(self, state: RobotState) -> None:
        if self._tare is None:
            return
        tare, done = self._tare
        try:
            tare.add(state)
            if not tare.done:
                return
            self._observer.bias_n = tare.bias()[:3]
        except TareError as error:
            done.set_result(str(error))
        else:
            done.set_result("")
        self._tare = None

    def _publish_if_complete(self) -> None:
        tick = self._observer.take()
        if tick is not None:
            self._publisher.publish(self._message(tick))

    def _message(self, tick: Tick) -> Observation:
        session, force_n = self._state, tick.force_n
        goal = pose_from_msg(session.goal_in_base)
        done = self.setup.job.is_done(tick, goal)
        msg = Observation(episode=session.episode, phase=session.phase, electrical=bool(done), no_detector=done is None)
        msg.header.stamp = to_stamp(tick.stamp_ns)
        msg.header.frame_id = "base"
        msg.tcp_in_base = pose_to_msg(tick.tcp_in_base)
        msg.force_n = Vector3(x=float(force_n[0]), y=float(force_n[1]), z=float(force_n[2]))
        msg.peak_force_n = tick.peak_force_n
        msg.state = array("f", self.setup.job.observe(tick, goal))
        if tick.rgb is not None:
            size = self.setup.config.observation_image
            msg.image = image_to_msg(
                resize(tick.rgb, size.height, size.width), tick.rgb_stamp_ns, optical_frame(WRIST_CAMERA)
            )
        return msg


def main(args: list[str] | None = None) -> int:
    return run(ObservationNode, args)


if __name__ == "__main__":
    sys.exit(main())
