"""A recorded episode in a person's place: its references -> /teleop/command, one per observation."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node
from tenon_msgs.msg import Observation

from tenon.control.phase import SessionPhase
from tenon.session.replaying import Replayer, ReplayStep
from tenon_graph import contract
from tenon_graph.conversions import reference_to_msg, to_ns


class ReplayNode(Node):
    """For a run with the controller "teleop". Its callbacks run on an executor that the caller spins."""

    def __init__(self, steps: Sequence[ReplayStep], *, validity_ns: int) -> None:
        super().__init__("replay_node", start_parameter_services=False)
        self._replayer = Replayer(steps, validity_ns=validity_ns)
        topic = contract.TELEOP_REFERENCE
        self._publisher = self.create_publisher(topic.type, topic.name, topic.qos)
        seen = contract.OBSERVATION
        self.create_subscription(seen.type, seen.name, self._on_observation, seen.qos)

    @property
    def is_done(self) -> bool:
        """Whether all references have been played."""
        return self._replayer.is_done

    def _on_observation(self, msg: Observation) -> None:
        reference = self._replayer.on_observation(SessionPhase(msg.phase), to_ns(msg.header.stamp))
        if reference is not None:
            self._publisher.publish(reference_to_msg(reference))
