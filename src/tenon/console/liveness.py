"""Which nodes are there, which are silent, which are gone, and what that means for whoever stands beside the robot.

A node is *gone* when the graph has lost it, *silent* when the graph has it and what it should say does not come (it
hangs). Nothing is expected of nodes that were never seen: sessions differ in what they start.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tenon.control.phase import SessionPhase

ARM = "arm"
"""Stands for the driver, whose name depends on the arm: whoever publishes the joint states."""
ARM_TOPIC = "joint_states"
_ACTIVE = frozenset({SessionPhase.RUNNING})
_ALWAYS = frozenset(SessionPhase)


class NodeState(enum.Enum):
    """UP: there, and says what it should. SILENT: there, and hangs. GONE: the graph has lost it."""

    UP = "up"
    SILENT = "silent"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Duty:
    """What a node must say in some phases. slow: about once a second only."""

    topic: str
    phases: frozenset[SessionPhase] = _ALWAYS
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """What is known of a node by its name. without: what its loss means."""

    duties: tuple[Duty, ...]
    without: str


ROLES: Mapping[str, Role] = {
    ARM: Role(
        (Duty(ARM_TOPIC), Duty("joint_command")),
        "Nothing is known of the arm. Look at it: its controller should hold it, or has lost power.",
    ),
    "safety_supervisor": Role(
        (Duty("safety/state"),),
        "The arm holds by itself: its driver hears no supervisor. Stop by the arm's own emergency stop if it moves.",
    ),
    "session_manager": Role(
        (Duty("transition", _ACTIVE),),
        "No episode begins or ends, and a run cannot end in order: Stop has the safety supervisor hold the arm.",
    ),
    "observation_node": Role((Duty("observation"),), "No observation: policy and session stand still, the arm holds."),
    "command_mux": Role((Duty("command/reference", _ACTIVE),), "No command reaches the supervisor: the arm holds."),
    "residual_controller": Role((Duty("residual/command", _ACTIVE),), "No command is made: the arm holds."),
    "policy_node": Role((), "No learned action: the episode ends with a fault."),
    "reward_node": Role((Duty("reward", _ACTIVE),), "No reward: the episode ends with a fault, nothing is learned."),
    "trainer_node": Role(
        (Duty("trainer/state", slow=True),),
        "Training stands still; the robot goes on with the last policy. Its replay is on the disk.",
    ),
    "recorder_node": Role((), "Episodes are not recorded: what happens now is lost for training later."),
    "teleop_node": Role((), "The operator's devices and the on-screen control have no effect."),
}
UNKNOWN = Role((), "What it does is not known to the console.")
RESTART = "Its log is log/{node}.log in the run directory. End the session and go on with tenon session run --resume."


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node. since_s: how long it has been silent or gone. without: what that means; remedy: what to do."""

    name: str
    state: NodeState
    since_s: float
    without: str
    remedy: str


class Roster:
    """Remembers the nodes of a session. Times are of one monotonic clock; not thread-safe."""

    def __init__(self, *, silent_after_s: float, slow_silent_after_s: float) -> None:
        self._silent_after_s = silent_after_s
        self._slow_silent_after_s = slow_silent_after_s
        self._seen_s: dict[str, float] = {}
        self._present: frozenset[str] = frozenset()
        self._present_since_s: dict[str, float] = {}
        self._heard_s: dict[str, float] = {}
        self._phase = SessionPhase.IDLE
        self._phase_s = 0.0
        self._arm = ""

    def on_graph(self, nodes: Collection[str], arm: str | None, now_s: float) -> None:
        """The nodes that the graph has now; arm: which of them publishes the joint states, if any does."""
        if self.is_empty:
            self._seen_s.clear()  # what is there now belongs to another session
        self._arm = arm or self._arm
        self._present = frozenset(nodes)
        self._seen_s |= dict.fromkeys(nodes, now_s)
        self._present_since_s = {name: self._present_since_s.get(name, now_s) for name in nodes}

    def on_heard(self, topic: str, time_s: float) -> None:
        """The newest message of a topic came then."""
        self._heard_s[topic] = time_s

    def on_phase(self, phase: SessionPhase, now_s: float) -> None:
        if phase is not self._phase:
            self._phase, self._phase_s = phase, now_s

    @property
    def is_empty(self) -> bool:
        """Whether the graph has no node of a session now: none runs, or all of it has ended."""
        return not any(name in ROLES or name == self._arm for name in self._present)

    def statuses(self, now_s: float) -> list[NodeStatus]:
        """All nodes of the session, those with something wrong first, then by name. Empty without a session."""
        if self.is_empty:
            return []
        found = [self._status(name, now_s) for name in self._seen_s]
        return sorted(found, key=lambda status: (status.state is NodeState.UP, status.name))

    def _status(self, name: str, now_s: float) -> NodeStatus:
        role = ROLES.get(ARM if name == self._arm else name, UNKNOWN)
        remedy = RESTART.format(node=name)
        if name not in self._present:
            return NodeStatus(name, NodeState.GONE, now_s - self._seen_s[name], role.without, remedy)
        silent_s = max((self._overdue_s(duty, name, now_s) for duty in role.duties), default=0.0)
        if silent_s > 0.0:
            return NodeStatus(name, NodeState.SILENT, silent_s, role.without, remedy)
        return NodeStatus(name, NodeState.UP, 0.0, "", "")

    def _overdue_s(self, duty: Duty, name: str, now_s: float) -> float:
        """How long a duty has not been done, where that is too long; else 0."""
        if self._phase not in duty.phases:
            return 0.0
        began_s = max(self._present_since_s[name], self._phase_s if duty.phases != _ALWAYS else 0.0)
        silent_s = now_s - max(self._heard_s.get(duty.topic, 0.0), began_s)
        return silent_s if silent_s > (self._slow_silent_after_s if duty.slow else self._silent_after_s) else 0.0
