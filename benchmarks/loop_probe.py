"""The node that measures a running session from outside.

Every sample carries the time at which its publisher sent it, and all processes read the clock of one machine: so the
hops between other nodes are measured without a part in them, and only the last one ends at this node.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from loop_chain import CHAIN, Seen, Window
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger
from tenon_msgs.msg import Reference as ReferenceMsg
from tenon_msgs.msg import SafetyState, SessionState, TrainerState

from tenon.control.safety import SOURCE as SUPERVISOR
from tenon.control.types import ControlMode, Pose, Reference
from tenon.training.snapshot import PolicySnapshot
from tenon_graph import contract
from tenon_graph.contract import Topic
from tenon_graph.conversions import reference_to_msg, to_ns
from tenon_graph.learning import snapshot_to_msg
from tenon_session.introspection import other_nodes, stamp_ns_of

NS_PER_S = 1_000_000_000
DEPTH = 1000
PATIENCE_S = 10.0
ANSWER_TIMEOUT_S = 2.0
STARTS = 3
DECIDED = (SessionState.RUNNING, SessionState.FAULT)
"""What a start comes to, sooner or later."""
RESET_PATIENCE_S = 60.0
RESIDUAL = "residual"


@dataclass(frozen=True, slots=True)
class Reaction:
    """From before a bad reference is published until HOLD and FAULT are here, in seconds."""

    hold_s: float
    fault_s: float


class ProbeError(RuntimeError):
    """The graph did not answer as it must. The message says to what."""


class Unprovoked(RuntimeError):  # noqa: N818 (no error of the graph)
    """A provocation that tells nothing: /command/reference keeps the newest only, and the mux sends on it too."""


class LoopProbe(Node):
    """Listens to the chain of a session, and provokes its supervisor. Its callbacks run on an executor's own thread."""

    def __init__(self) -> None:
        super().__init__("_loop_probe", start_parameter_services=False, enable_rosout=False)
        self._window: Window | None = None
        self._changed = threading.Condition()
        self._level: int | None = None
        self.fault_detail = ""
        self._fault: tuple[SafetyState, Seen] | None = None
        self._trainer = TrainerState()
        self._session_phase = SessionState.IDLE
        self._time_ns = 0
        self._safe: list[Seen] = []
        self._weights = self.create_publisher(*_endpoint(contract.POLICY_WEIGHTS))
        self._reference = self.create_publisher(*_endpoint(contract.COMMAND_REFERENCE))
        self._clear = self.create_client(Trigger, contract.CLEAR_FAULT_SERVICE)
        self.create_subscription(TrainerState, contract.TRAINER_STATE.name, self._on_trainer, contract.LATCHED)

    def listen(self) -> None:
        """Subscribes to the graph; before that the node costs nothing."""
        for topic in (*(topic for _, topic in CHAIN[:-1]), contract.CAMERA_IMAGE):
            qos = QoSProfile(depth=DEPTH, reliability=topic.qos.reliability)
            self.create_subscription(topic.type, topic.name, self._recorder(topic), qos, raw=True)
        self.create_subscription(ReferenceMsg, contract.COMMAND_SAFE.name, self._on_safe, QoSProfile(depth=DEPTH))
        self.create_subscription(SafetyState, contract.SAFETY_STATE.name, self._on_safety, contract.LATCHED)
        self.create_subscription(SessionState, contract.SESSION_STATE.name, self._on_session, contract.LATCHED)
        self.create_subscription(Clock, "/clock", self._on_clock, 1)

    def nodes(self) -> list[str]:
        return other_nodes(self)

    def publish_weights(self, policy: PolicySnapshot) -> None:
        self._weights.publish(snapshot_to_msg(policy))

    def updates_per_s(self) -> float:
        """What the trainer said last; 0 before it trains, and after ``forget_trainer``."""
        return float(self._trainer.updates_per_s)

    def forget_trainer(self) -> None:
        self._trainer = TrainerState()

    @property
    def has_fault(self) -> bool:
        return self._level == SafetyState.FAULT

    def begin(self) -> None:
        self._window = Window()

    def end(self) -> Window:
        """What was seen since ``begin``."""
        window, self._window = self._window, None
        assert window is not None
        return window

    def provoke(self, position_m: Sequence[float], expected_fault: str) -> Reaction:
        """Sends a reference that must not pass, waits for HOLD and FAULT, clears. The session must not be running.

        Raises Unprovoked when the mux was in the way or something else was at fault, ProbeError when the supervisor is
        silent for long.
        """
        self._wait(lambda: self._level == SafetyState.OK, "the question whether motion would pass")
        self._safe.clear()
        self._fault = None
        message = self._message(ControlMode.CARTESIAN, Pose(np.array(position_m), np.array((1.0, 0.0, 0.0, 0.0))))
        begin_ns = time.time_ns()
        self._reference.publish(message)
        if not self._happens(lambda: self._fault is not None, ANSWER_TIMEOUT_S):
            raise Unprovoked("no fault was found")
        assert self._fault is not None
        state, fault = self._fault
        # The supervisor sends the FAULT and then, in the same turn, the HOLD; an earlier HOLD answers the mux.
        self._wait(lambda: self._holds_since(fault.sent_ns), "HOLD")
        hold = self._holds_since(fault.sent_ns)[0]
        self.clear_fault()
        if state.fault != expected_fault:
            raise Unprovoked(f"{expected_fault} was provoked, the supervisor found {state.fault}: {state.detail}")
        return Reaction((hold.arrived_ns - begin_ns) / NS_PER_S, (fault.arrived_ns - begin_ns) / NS_PER_S)

    def start_session(self) -> None:
        """Begins an endless run and waits for its first episode. Raises ProbeError.

        On a machine with too much to do the supervisor may find a fault on the way: then it begins anew.
        """
        for _ in range(STARTS):
            self._wait(
                lambda: self._level == SafetyState.OK, "the question whether motion would pass", RESET_PATIENCE_S
            )
            self._call(contract.START_SERVICE)
            self._wait(lambda: self._session_phase in DECIDED, "session/start", RESET_PATIENCE_S)
            if self._session_phase == SessionState.RUNNING:
                return
            self.stop_session()
            self.clear_fault()
        raise ProbeError(f"no episode began in {STARTS} tries, at last for {self.fault_detail}")

    def stop_session(self) -> None:
        """Ends the run. Raises ProbeError."""
        self._call(contract.STOP_SERVICE)
        self._wait(lambda: self._session_phase == SessionState.FINISHED, "session/stop")

    def clear_fault(self) -> None:
        """Takes the request for motion back and clears. Raises ProbeError when the supervisor refuses for long."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self._reference.publish(self._message(ControlMode.HOLD, None))
            answer = self._clear.call(Trigger.Request(), timeout_sec=PATIENCE_S)
            if answer.success:
                return
            if time.monotonic() > deadline:
                raise ProbeError(f"the fault cannot be cleared: {answer.message}")

    def _holds_since(self, sent_ns: int) -> list[Seen]:
        return [seen for seen in self._safe if seen.sent_ns >= sent_ns]

    def _message(self, mode: ControlMode, pose: Pose | None) -> ReferenceMsg:
        return reference_to_msg(Reference(self._time_ns, mode, RESIDUAL, NS_PER_S, tcp_in_base=pose))

    def _call(self, name: str) -> None:
        client = self.create_client(Trigger, name)
        try:
            if not client.wait_for_service(timeout_sec=PATIENCE_S):
                raise ProbeError(f"no node offers {name}")
            answer = client.call(Trigger.Request(), timeout_sec=PATIENCE_S)
        finally:
            self.destroy_client(client)
        if not answer.success:
            raise ProbeError(f"{name}: {answer.message}")

    def _wait(self, condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        if not self._happens(condition, patience_s):
            raise ProbeError(f"no answer to {what} within {patience_s:.0f} s: see the logs of the nodes")

    def _happens(self, condition: Callable[[], object], timeout_s: float) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(condition, timeout_s))

    def _recorder(self, topic: Topic) -> Callable[[bytes, dict[str, int]], None]:
        is_kept = topic in (contract.CAMERA_IMAGE, contract.OBSERVATION)

        def record(serialized: bytes, info: dict[str, int]) -> None:
            if self._window is not None:
                self._window.add(topic.name, _seen(stamp_ns_of(serialized), info, serialized if is_kept else b""))

        return record

    def _on_safe(self, msg: ReferenceMsg, info: dict[str, int]) -> None:
        seen = _seen(to_ns(msg.header.stamp), info)
        if msg.source == SUPERVISOR:
            with self._changed:
                self._safe.append(seen)
                self._changed.notify_all()
        elif msg.source == RESIDUAL and self._window is not None:
            self._window.add(contract.COMMAND_SAFE.name, seen)

    def _on_safety(self, msg: SafetyState, info: dict[str, int]) -> None:
        with self._changed:
            self._level = msg.state
            self.fault_detail = f"{msg.fault}: {msg.detail}" if msg.fault else self.fault_detail
            if msg.state == SafetyState.FAULT and self._fault is None:
                self._fault = msg, _seen(to_ns(msg.header.stamp), info)
            self._changed.notify_all()

    def _on_clock(self, msg: Clock) -> None:
        with self._changed:
            self._time_ns = to_ns(msg.clock)
            self._changed.notify_all()

    def _on_session(self, msg: SessionState) -> None:
        with self._changed:
            self._session_phase = msg.phase
            self._changed.notify_all()

    def _on_trainer(self, msg: TrainerState) -> None:
        self._trainer = msg


def _endpoint(topic: Topic) -> tuple[Any, str, QoSProfile]:
    return topic.type, topic.name, topic.qos


def _seen(stamp_ns: int, info: dict[str, int], serialized: bytes = b"") -> Seen:
    number = info["publication_sequence_number"]
    return Seen(stamp_ns, info["source_timestamp"], info["received_timestamp"], number, serialized)
