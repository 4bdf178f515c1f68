"""The inner loop's node: lives in the arm driver's process and is called by it directly, at the driver's rate."""

from __future__ import annotations

from array import array

from sensor_msgs.msg import JointState
from tenon_msgs.msg import Reference as ReferenceMsg
from tenon_msgs.msg import SafetyState

from tenon.control.loop import InnerLoop, InnerLoopConfig, SetPoint
from tenon.control.safety import SafetyLevel
from tenon.control.types import RobotState
from tenon_graph import contract
from tenon_graph.conversions import reference_from_msg, to_stamp
from tenon_graph.node import GraphNode


class ImpedanceController(GraphNode):
    """/command/safe and the supervisor's heartbeat -> set points for the driver; /joint_command is its log.

    ``set_point`` is a call, not a topic: no network hop sits inside the inner loop.
    """

    def __init__(self, config: InnerLoopConfig) -> None:
        super().__init__("impedance_controller")
        self._loop = InnerLoop(config)
        self._reason = ""
        self.answered_ns = 0
        self._publisher = self.advertise(contract.JOINT_COMMAND)
        self.subscribe(contract.COMMAND_SAFE, self._on_reference)
        self.subscribe(contract.SAFETY_STATE, self._on_heartbeat)

    @property
    def loop(self) -> InnerLoop:
        return self._loop

    def set_point(self, state: RobotState, now_ns: int) -> SetPoint:
        """Where the arm shall be now."""
        set_point = self._loop.step(state, now_ns)
        if set_point.reason != self._reason and not self._reason:
            self.get_logger().info(f"the arm holds: {set_point.reason}")
        self._reason = set_point.reason
        return set_point

    def publish_command(self, state: RobotState, joint_names: list[str]) -> None:
        """Logs what the impedance law asked of the joints."""
        msg = JointState(name=joint_names)
        msg.header.stamp = to_stamp(state.stamp_ns)
        msg.position = array("d", state.joint_position_rad)
        msg.effort = array("d", state.joint_effort_nm)
        self._publisher.publish(msg)

    def _on_reference(self, msg: ReferenceMsg) -> None:
        reference = reference_from_msg(msg)
        self.answered_ns = max(self.answered_ns, reference.stamp_ns)
        self._loop.on_reference(reference, self.now_ns())

    def _on_heartbeat(self, msg: SafetyState) -> None:
        self._loop.on_heartbeat(SafetyLevel(msg.state), self.now_ns())
