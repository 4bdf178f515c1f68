"""Chooses which controller's references go on to the safety supervisor, by the session's phase."""

from __future__ import annotations

import sys

from tenon_msgs.msg import Reference as ReferenceMsg
from tenon_msgs.msg import SessionState

from tenon.control.mux import TELEOP, CommandMux
from tenon.control.phase import SessionPhase
from tenon.control.types import Reference
from tenon_graph import contract
from tenon_graph.conversions import reference_from_msg, reference_to_msg, to_ns
from tenon_graph.node import GraphNode, run

TURNS_WITH_TELEOP = 5
"""Per control period."""


class CommandMuxNode(GraphNode):
    """/command/residual, /command/session, /teleop/command -> /command/reference."""

    def __init__(self) -> None:
        super().__init__("command_mux")
        config = self.setup.config
        # The session's first word of a way to the start is to hold, and the next one moves.
        self._mux = CommandMux(teleop_timeout_ns=config.teleop_timeout_ns, hold_after_ns=3 * config.control_period_ns)
        self._publisher = self.advertise(contract.COMMAND_REFERENCE)
        self.subscribe(contract.SESSION_STATE, self._on_state)
        for topic in (contract.RESIDUAL_REFERENCE, contract.SESSION_REFERENCE, contract.TELEOP_REFERENCE):
            self.subscribe(topic, self._on_reference)
        # Where a person may fall silent, the arm goes back before the supervisor misses their commands.
        turns = 1 if config.teleop is None else TURNS_WITH_TELEOP
        self.create_timer(config.control_period_s / turns, self._on_timer)

    def _on_state(self, msg: SessionState) -> None:
        teleoperated = msg.controller == TELEOP
        self._publish(self._mux.on_phase(SessionPhase(msg.phase), to_ns(msg.header.stamp), teleoperated=teleoperated))

    def _on_reference(self, msg: ReferenceMsg) -> None:
        try:
            reference = reference_from_msg(msg)
        except ValueError:
            # The supervisor is the judge of what cannot be decoded: it faults by name.
            self.get_logger().error(f"{msg.source!r} sends mode {msg.mode}, which does not exist")
            self._publisher.publish(msg)
            return
        self._publish(self._mux.on_reference(reference, self.now_ns()))

    def _on_timer(self) -> None:
        self._publish(self._mux.tick(self.now_ns()))

    def _publish(self, reference: Reference | None) -> None:
        if reference is not None:
            self._publisher.publish(reference_to_msg(reference))


def main(args: list[str] | None = None) -> int:
    return run(CommandMuxNode, args)


if __name__ == "__main__":
    sys.exit(main())
