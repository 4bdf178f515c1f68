"""What an operator must know at once, worst first, each with what to do."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tenon.console.liveness import NodeState, NodeStatus
from tenon.console.model import ConsoleView

NO_SESSION = "No session runs on this domain. Start one with: tenon session run --task usb"
AFTER_FAULT = "See that the cause is gone, clear the fault, then resume."


class Level(enum.Enum):
    """FAULT: the arm holds until a person acts. WARNING: something is amiss. NOTE: as it should be, good to know."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Alert:
    """subject: a fault's name, or a node's. seen: what is so; remedy: what to do."""

    level: Level
    subject: str
    seen: str
    remedy: str


def alerts(view: ConsoleView) -> list[Alert]:
    """All that is to be said now. The texts hold no running seconds, so that they change only when the matter does."""
    if not view.is_connected:
        return [Alert(Level.NOTE, "no session", NO_SESSION, "")]
    found = []
    fault, trainer = view.progress.latched, view.progress.trainer
    if fault is not None:
        found.append(Alert(Level.FAULT, fault.name, fault.detail, AFTER_FAULT))
    found += [_of_node(node) for node in view.nodes if node.state is not NodeState.UP]
    if trainer is not None and trainer.fault:
        seen = f"training has stopped: {trainer.fault}"
        found.append(Alert(Level.WARNING, "trainer_node", seen, "The robot goes on with the last policy."))
    if view.not_recorded:
        remedy = "See the disk; that episode is lost, the next ones may be kept."
        found.append(Alert(Level.WARNING, "recorder_node", f"not recorded: {view.not_recorded}", remedy))
    if view.teleop:
        found.append(Alert(Level.NOTE, "teleoperation", view.teleop, ""))
    return found


def can_clear(view: ConsoleView) -> bool:
    """Whether the safety supervisor holds a fault."""
    return view.is_connected and view.progress.fault is not None


def _of_node(node: NodeStatus) -> Alert:
    what = "is gone" if node.state is NodeState.GONE else "hangs: it is on the graph, but says nothing"
    return Alert(Level.WARNING, node.name, f"{node.name} {what}. {node.without}", node.remedy)
