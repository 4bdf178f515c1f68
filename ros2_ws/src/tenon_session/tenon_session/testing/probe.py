"""A node that hears what a graph says, keeps it, and speaks in any other node's place."""

from __future__ import annotations

import itertools
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger
from tenon_msgs.action import RunSession
from tenon_msgs.msg import ArmCommand, SafetyState, SessionState, TrainerState

from tenon_graph import contract
from tenon_graph.contract import Topic
from tenon_graph.conversions import to_ns

WAIT_S = 60.0
"""Generous: a condition that is not met by then never will be, however busy the machine."""
KEPT = 20_000
DEPTH = 1000


class NotObservedError(AssertionError):
    """What was waited for did not happen. The message says what the graph said last."""


class Probe(Node):
    """Keeps the messages of the topics that it listens to. Made by the thread of a test, spun on another one.

    It always listens to the session's state, the supervisor's and the inner loop's commands, which are its clock.
    """

    def __init__(self, name: str = "probe") -> None:
        super().__init__(name, start_parameter_services=False)
        self._changed = threading.Condition()
        self._heard: dict[str, deque[Any]] = {}
        self._speakers: dict[str, Publisher] = {}
        self._callers: dict[str, Client] = {}
        self.recoveries = 0
        self._run = ActionClient(self, RunSession, contract.RUN_SESSION_ACTION)
        for topic in (contract.SESSION_STATE, contract.SAFETY_STATE, contract.JOINT_COMMAND):
            self.listen(topic)

    def listen(self, *topics: Topic) -> None:
        """Keeps what is said on these topics from now on."""
        for topic in topics:
            if topic.name not in self._heard:
                heard = self._heard[topic.name] = deque(maxlen=KEPT)
                qos = QoSProfile(depth=DEPTH, reliability=topic.qos.reliability, durability=topic.qos.durability)
                self.create_subscription(topic.type, topic.name, lambda msg, heard=heard: self._keep(heard, msg), qos)

    def heard(self, topic: Topic, *, since_ns: int = 0) -> list[Any]:
        """What was said on a topic, from the first message with a stamp of ``since_ns`` or later on."""
        with self._changed:
            newest_first = itertools.takewhile(
                lambda msg: to_ns(msg.header.stamp) >= since_ns, reversed(self._heard[topic.name])
            )
            return list(newest_first)[::-1]

    def last(self, topic: Topic) -> Any:
        """The newest message of a topic; None before the first."""
        with self._changed:
            heard = self._heard[topic.name]
            return heard[-1] if heard else None

    def wait_for(self, condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
        """Waits until the condition is true, looking at each message, and returns what it gave."""
        deadline_s = time.monotonic() + timeout_s
        while not (value := condition()):
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0.0:
                raise NotObservedError(f"{what} did not happen within {timeout_s:g} s. {self.describe()}")
            with self._changed:
                self._changed.wait(min(remaining_s, 0.1))
        return value

    def wait_until(self, stamp_ns: int, timeout_s: float = WAIT_S) -> None:
        """Waits until session time has reached stamp_ns."""
        self.wait_for(lambda: self.now_ns() >= stamp_ns, f"session time {stamp_ns * 1e-9:.2f} s", timeout_s)

    def now_ns(self) -> int:
        """Session time by the inner loop's newest command; 0 before the first."""
        command = self.last(contract.JOINT_COMMAND)
        return to_ns(command.header.stamp) if command else 0

    @property
    def session(self) -> SessionState:
        return self.last(contract.SESSION_STATE) or SessionState()

    @property
    def safety(self) -> SafetyState:
        return self.last(contract.SAFETY_STATE) or SafetyState()

    def trainer_state(self) -> TrainerState:
        """The next word of the trainer."""
        self.listen(contract.TRAINER_STATE)
        with self._changed:
            self._heard[contract.TRAINER_STATE.name].clear()
        return self.wait_for(lambda: self.last(contract.TRAINER_STATE), "the state of the trainer")

    def commands(self, since_ns: int) -> list[ArmCommand]:
        """What the inner loop made the arm do from since_ns on."""
        return self.heard(contract.JOINT_COMMAND, since_ns=since_ns)

    def describe(self) -> str:
        session, safety = self.session, self.safety
        return (
            f"Session time {self.now_ns() * 1e-9:.2f} s, phase {session.phase} ({session.detail}), episode "
            f"{session.episode}; supervisor {safety.state} {safety.fault} ({safety.detail})"
        )

    def say(self, topic: Topic, message: Any) -> None:
        """Publishes in the place of another node."""
        self.speaker(topic).publish(message)

    def speaker(self, topic: Topic) -> Publisher:
        """A publisher of the topic; kept, so that it is known to its subscribers after the first use."""
        if topic.name not in self._speakers:
            self._speakers[topic.name] = self.create_publisher(topic.type, topic.name, topic.qos)
            count = self._speakers[topic.name].get_subscription_count
            self.wait_for(count, f"a subscriber of {topic.name}")
        return self._speakers[topic.name]

    def trigger(self, service: str) -> Trigger.Response:
        return self.call(Trigger, service, Trigger.Request())

    def switch_camera(self, *, works: bool) -> None:
        self.call(SetBool, contract.SIMULATION_CAMERA_SERVICE, SetBool.Request(data=works))

    def call(self, kind: Any, service: str, request: Any) -> Any:
        """Calls a service and returns its response."""
        client = self._callers.get(service)
        if client is None:
            client = self._callers[service] = self.create_client(kind, service)
        self.wait_for(client.service_is_ready, f"a server of {service}")
        return self._result(client.call_async(request), f"an answer of {service}")

    def start_run(self, goal: RunSession.Goal) -> Future:
        """Sends a goal, sees that it is accepted, and returns the future of its result."""
        self.wait_for(self._run.server_is_ready, "a server of session/run")
        handle = self._result(self._run.send_goal_async(goal), "an answer to the goal")
        if not handle.accepted:
            raise NotObservedError(f"the goal is refused. {self.describe()}")
        return handle.get_result_async()

    def finish_run(self, result: Future, timeout_s: float = WAIT_S) -> RunSession.Result:
        """Waits for the end of a run. A fault that nobody made (a busy machine) is cleared, warned of and counted."""

        def is_done() -> bool:
            if not result.done() and self.session.phase == SessionState.FAULT:
                warnings.warn(f"a session on a busy machine had to be cleared. {self.describe()}", stacklevel=2)
                self.recoveries += 1
                self.recover()
            return bool(result.done())

        self.wait_for(is_done, "the end of the run", timeout_s)
        return result.result().result

    def recover(self) -> None:
        """Clears and resumes until the session runs again."""

        def goes_on() -> bool:
            self.trigger(contract.CLEAR_FAULT_SERVICE)
            self.trigger(contract.RESUME_SERVICE)
            active = (SessionState.RESETTING, SessionState.RUNNING)
            return self.session.phase in active and self.safety.state == SafetyState.OK

        self.wait_for(goes_on, "the session's going on")

    def _result(self, future: Future, what: str, timeout_s: float = WAIT_S) -> Any:
        self.wait_for(future.done, what, timeout_s)
        return future.result()

    def _keep(self, heard: deque[Any], msg: Any) -> None:
        with self._changed:
            heard.append(msg)
            self._changed.notify_all()
