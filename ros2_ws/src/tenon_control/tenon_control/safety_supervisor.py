"""The only publisher of /command/safe: a process of its own that does not trust the learner, nor anyone else."""

from __future__ import annotations

import sys

from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from tenon_msgs.msg import ArmState, SafetyState
from tenon_msgs.msg import Reference as ReferenceMsg

from tenon.control.safety import SafetyLevel, SafetyStatus, SafetySupervisor
from tenon.control.types import Reference, RobotState
from tenon_graph import contract
from tenon_graph.conversions import reference_from_msg, reference_to_msg, to_ns, to_stamp
from tenon_graph.node import GraphNode, run
from tenon_graph.states import StateJoiner

TICKS_PER_CONTROL_PERIOD = 10


class SafetySupervisorNode(GraphNode):
    """/command/reference -> /command/safe; /safety/state is the heartbeat; /safety/clear and stop are for a person."""

    def __init__(self) -> None:
        super().__init__("safety_supervisor")
        setup, session = self.setup, self.setup.config
        self._supervisor = SafetySupervisor(
            setup.safety,
            name=setup.stand.safety_name,
            control_period_ns=session.control_period_ns,
            image_needed=session.image_needed,
            kinematics=setup.job.kinematics(),
            overtaken=self._is_image_overtaken,
        )
        self._is_simulated = bool(self.get_parameter("use_sim_time").value)
        self._image_timeout_ns = round(setup.safety.image_timeout_periods * session.control_period_ns)
        self._image_steady_ns = 0
        self._newest_ns = 0
        self._early: tuple[Reference, int] | None = None
        self._safe_publisher = self.advertise(contract.COMMAND_SAFE)
        self._state_publisher = self.advertise(contract.SAFETY_STATE)
        self._joiner = StateJoiner(self, self._on_state, newest_only=True)
        self.subscribe(contract.ARM_STATE, self._on_arm)
        self.subscribe(contract.CAMERA_IMAGE, self._on_image)
        self.subscribe(contract.COMMAND_REFERENCE, self._on_reference, depth=1)
        self.create_service(Trigger, contract.CLEAR_FAULT_SERVICE, self._on_clear)
        self.create_service(Trigger, contract.SAFETY_STOP_SERVICE, self._on_stop)
        self.create_timer(session.control_period_s / TICKS_PER_CONTROL_PERIOD, self._on_tick)
        self.create_timer(1.0 / session.heartbeat_rate_hz, self._publish_state)
        self._told = (SafetyLevel.HOLD, "", False)

    def _time_ns(self) -> int:
        """Session time. A simulated arm is its own clock, and /clock may come after the reading of the same moment."""
        now_ns = self.now_ns()
        return max(now_ns, self._newest_ns) if self._is_simulated else now_ns

    def _on_state(self, state: RobotState) -> None:
        self._newest_ns = state.stamp_ns
        self._publish(self._supervisor.on_state(state, self._time_ns()))
        if self._early is not None and self._early[0].stamp_ns <= state.stamp_ns:
            self._judge_early()

    def _on_arm(self, msg: ArmState) -> None:
        self._publish(self._supervisor.on_arm(msg.fault, msg.detail, self._time_ns()))

    def _is_image_overtaken(self) -> bool:
        """A fast simulation may run on by two periods while a picture is under way: real time must have passed too."""
        silent_ns = self.steady_clock.now().nanoseconds - self._image_steady_ns
        return self._is_simulated and silent_ns <= self._image_timeout_ns

    def _on_image(self, msg: Image) -> None:
        self._image_steady_ns = self.steady_clock.now().nanoseconds
        self._publish(self._supervisor.on_image(to_ns(msg.header.stamp), self._time_ns()))

    def _on_reference(self, msg: ReferenceMsg) -> None:
        try:
            reference = reference_from_msg(msg)
        except ValueError as error:
            self._publish(self._supervisor.on_undecodable(f"{msg.source!r}: {error}", self._time_ns()))
            return
        if self._is_simulated and reference.stamp_ns > self._newest_ns:
            # A fast simulation's command may overtake the reading that it answers: it is judged with that reading. It
            # takes the place of one that waits: answering that one first would let time run on ahead of the readings.
            self._early = (reference, self._early[1] if self._early else self._time_ns())
            return
        self._early = None
        self._publish(self._supervisor.on_reference(reference, self._time_ns()))

    def _judge_early(self) -> None:
        """Judges the reference that waited for its reading, if there is one."""
        if self._early is None:
            return
        (reference, _), self._early = self._early, None
        self._publish(self._supervisor.on_reference(reference, self._time_ns()))

    def _on_tick(self) -> None:
        if self._early is not None and self._time_ns() - self._early[1] >= self.setup.config.control_period_ns:
            self._judge_early()
        self._publish(self._supervisor.tick(self._time_ns()))

    def _on_clear(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        result = self._supervisor.clear(self._time_ns())
        response.success, response.message = result.cleared, result.message
        self._publish_state()
        return response

    def _on_stop(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._publish(self._supervisor.stop(self._time_ns()))
        response.success, response.message = True, "the supervisor holds the arm until a person clears it"
        return response

    def _publish(self, reference: Reference | None) -> None:
        status = self._supervisor.status(self._time_ns())
        if self._situation(status) != self._told:
            # Before the reference: the arm follows none of a supervisor that it has not heard say OK.
            self._publish_state()
        if reference is not None:
            self._safe_publisher.publish(reference_to_msg(reference))

    def _situation(self, status: SafetyStatus) -> tuple[SafetyLevel, str, bool]:
        """What the graph is told of at once; and whether the arm holds for something late, which the log is told."""
        return status.level, status.fault, self._supervisor.late

    def _publish_state(self) -> None:
        status = self._supervisor.status(self._time_ns())
        (_, fault, late), self._told = self._told, self._situation(status)
        if status.fault and status.fault != fault:
            self.get_logger().error(f"{status.fault}: {status.detail}")
        elif self._supervisor.late and not late:
            self.get_logger().warning(status.detail)
        msg = SafetyState(state=int(status.level), fault=status.fault, detail=status.detail)
        msg.header.stamp = to_stamp(status.stamp_ns)
        msg.fault_stamp = to_stamp(status.fault_stamp_ns)
        msg.faults_total = status.faults_total
        self._state_publisher.publish(msg)


def main(args: list[str] | None = None) -> int:
    return run(SafetySupervisorNode, args)


if __name__ == "__main__":
    sys.exit(main())
