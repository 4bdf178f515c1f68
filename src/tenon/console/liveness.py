"""Which nodes are there, which are silent, which are gone, and what that means for whoever stands beside the robot.

A node is *gone* when the graph has lost it, *silent* when the graph has it and it hangs: a topic on which it always
speaks has stopped or, where it has none, it does not answer a question (any service that its executor serves will do).
Nothing is expected of nodes that were never seen: sessions differ in what they start.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

ARM = "arm"
"""Stands for the driver, a lab's own under a name of its own too: whoever publishes the joint states."""
ARM_TOPIC = "joint_states"


class NodeState(enum.Enum):
    """UP: there, and says what it should. SILENT: there, and hangs. GONE: the graph has lost it."""

    UP = "up"
    SILENT = "silent"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Role:
    """What is known of a node by its name. without: what its loss means. topic: on which it always speaks; empty: it is
    asked instead. slow: it speaks about once a second only.
    """

    without: str
    topic: str = ""
    slow: bool = False


ROLES: Mapping[str, Role] = {
    ARM: Role("Nothing is known of the arm. Look at it: its controller should hold it, or has lost power.", ARM_TOPIC),
    "safety_supervisor": Role(
        "The arm holds by itself: its driver hears no supervisor. Use the arm's own emergency stop if it moves.",
        "safety/state",
    ),
    "session_manager": Role(
        "No episode begins or ends, and a run cannot end in order: Stop has the safety supervisor hold the arm."
    ),
    "observation_node": Role("No observation: policy and session stand still, the arm holds.", "observation"),
    "command_mux": Role("No command reaches the supervisor: the arm holds."),
    "residual_controller": Role("No command is made: the arm holds."),
    "joint_controller": Role("No command is made: the hand holds."),
    "policy_node": Role("No learned action: the episode ends with a fault."),
    "reward_node": Role("No reward: the episode ends with a fault, nothing is learned."),
    "trainer_node": Role(
        "Training stands still; the robot goes on with the last policy. Its replay is on the disk.",
        "trainer/state",
        slow=True,
    ),
    "recorder_node": Role("Episodes are not recorded: what happens now is lost for training later."),
    "camera_node": Role("No pictures: where the session needs them, the supervisor holds the arm (lost_image)."),
    "emulated_stand": Role("The emulated robot and its socket are gone: the driver has nothing to talk to."),
    "teleop_node": Role("The operator's devices and the on-screen control have no effect."),
}
UNKNOWN = Role("What it does is not known to the console.")
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
        self._asked_s: dict[str, float] = {}
        self._arm = ""

    def on_graph(self, nodes: Collection[str], arm: str | None, now_s: float) -> None:
        """The nodes that the graph has now; arm: which of them publishes the joint states, if any does."""
        if self.is_empty:
            self._seen_s.clear()  # what is there now belongs to another session
        self._arm = arm or self._arm
        self._present = frozenset(nodes)
        self._seen_s |= dict.fromkeys(nodes, now_s)
        self._present_since_s = {name: self._present_since_s.get(name, now_s) for name in nodes}
        self._asked_s = {name: asked_s for name, asked_s in self._asked_s.items() if name in self._present}

    def on_heard(self, topic: str, time_s: float) -> None:
        """The newest message of a topic came then."""
        self._heard_s[topic] = time_s

    def to_ask(self) -> list[str]:
        """The nodes that are there, speak on no topic always, and have no question open."""
        return [name for name in self._present if not self._role(name).topic and name not in self._asked_s]

    def on_asked(self, node: str, now_s: float) -> None:
        self._asked_s[node] = now_s

    def on_answered(self, node: str) -> None:
        self._asked_s.pop(node, None)

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
        role, remedy = self._role(name), RESTART.format(node=name)
        if name not in self._present:
            return NodeStatus(name, NodeState.GONE, now_s - self._seen_s[name], role.without, remedy)
        silent_s = self._silent_s(role, name, now_s)
        if silent_s > (self._slow_silent_after_s if role.slow else self._silent_after_s):
            return NodeStatus(name, NodeState.SILENT, silent_s, role.without, remedy)
        return NodeStatus(name, NodeState.UP, 0.0, "", "")

    def _silent_s(self, role: Role, name: str, now_s: float) -> float:
        if role.topic:
            return now_s - max(self._heard_s.get(role.topic, 0.0), self._present_since_s[name])
        return now_s - self._asked_s.get(name, now_s)

    def _role(self, name: str) -> Role:
        return ROLES.get(ARM if name == self._arm else name, UNKNOWN)
