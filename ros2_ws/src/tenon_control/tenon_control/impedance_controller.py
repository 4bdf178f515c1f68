"""The inner loop's node: lives in the arm driver's process and is called by it directly, at the driver's rate."""

from __future__ import annotations

from array import array

from tenon_msgs.msg import ArmCommand, SafetyState
from tenon_msgs.msg import Reference as ReferenceMsg

from tenon.control.loop import InnerLoop, InnerLoopConfig, SetPoint
from tenon.control.safety import SafetyLevel
from tenon.control.types import ControlMode, RobotState, Vector
from tenon_graph import contract
from tenon_graph.conversions import pose_to_msg, reference_from_msg, to_stamp
from tenon_graph.node import GraphNode

NOT_YET_NS = -1


class ImpedanceController(GraphNode):
    """/command/safe and the supervisor's heartbeat -> set points for the driver; /joint_command is its log.

    ``set_point`` is a call, not a topic: no network hop sits inside the inner loop. answered_ns: newest stamp that a
    reference answered; moved_ns: newest that one answered with motion.
    """

    def __init__(self, config: InnerLoopConfig) -> None:
        super().__init__("impedance_controller")
        self._loop = InnerLoop(config)
        self._reason = ""
        self._now_ns = 0
        self.answered_ns = NOT_YET_NS
        self.moved_ns = NOT_YET_NS
        self._publisher = self.advertise(contract.JOINT_COMMAND)
        self.subscribe(contract.COMMAND_SAFE, self._on_reference)
        self.subscribe(contract.SAFETY_STATE, self._on_heartbeat)

    @property
    def loop(self) -> InnerLoop:
        return self._loop

    def set_point(self, state: RobotState, now_ns: int) -> SetPoint:
        """Where the arm shall be now, by the driver's clock."""
        self._now_ns = now_ns
        set_point = self._loop.step(state, now_ns)
        if set_point.reason != self._reason and not self._reason:
            self.get_logger().info(f"the arm holds: {set_point.reason}")
        self._reason = set_point.reason
        return set_point

    def publish_command(self, set_point: SetPoint, joint_effort_nm: Vector, now_ns: int) -> None:
        """Logs where the arm is sent at this turn. joint_effort_nm (n,): what the impedance law asks for."""
        msg = ArmCommand(holding=set_point.holding, reason=set_point.reason)
        msg.header.stamp = to_stamp(now_ns)
        msg.header.frame_id = "base"
        msg.tcp_in_base = pose_to_msg(set_point.tcp_in_base)
        if set_point.joint_position_rad is not None:
            msg.joint_position_rad = array("d", set_point.joint_position_rad)
        msg.joint_effort_nm = array("d", joint_effort_nm)
        self._publisher.publish(msg)

    def _on_reference(self, msg: ReferenceMsg) -> None:
        reference = reference_from_msg(msg)
        self.answered_ns = max(self.answered_ns, reference.stamp_ns)
        if reference.mode is not ControlMode.HOLD:
            self.moved_ns = max(self.moved_ns, reference.stamp_ns)
        self._loop.on_reference(reference, self._now_ns)

    def _on_heartbeat(self, msg: SafetyState) -> None:
        self._loop.on_heartbeat(SafetyLevel(msg.state), self._now_ns)
