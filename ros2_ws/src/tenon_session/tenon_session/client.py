"""A session seen from outside: sends goals to the session manager, hands what the session says to an observer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.task import Future
from std_srvs.srv import Trigger
from tenon_msgs.action import RunSession
from tenon_msgs.msg import PolicyWeights
from tenon_msgs.srv import MarkEpisode

from tenon.session.machine import SessionPlan
from tenon_graph import contract
from tenon_graph.contract import Topic
from tenon_graph.recording import recorder_error_of
from tenon_graph.sessions import goal_of
from tenon_session.introspection import RateMeter, other_nodes, stamp_ns_of

SERVICE_TIMEOUT_S = 10.0
GOAL_TIMEOUT_S = 30.0
POLL_S = 0.02
SAMPLE_PERIOD_S = 1.0
"""How long one topic is looked at before the next one's turn."""
SAMPLE_WINDOW = 1000


class SessionError(RuntimeError):
    """The session manager is not there, or refuses. The message says what to do."""


class Observer(Protocol):
    """Takes what the session says, on the thread of the executor; must return soon."""

    def on_session_state(self, message: Any) -> None: ...

    def on_safety_state(self, message: Any) -> None: ...

    def on_trainer_state(self, message: Any) -> None: ...

    def on_reward(self, message: Any) -> None: ...

    def on_episode(self, message: Any) -> None:
        """An episode has ended. May be called twice for the same one."""
        ...

    def on_rate(self, topic: str, rate_hz: float | None) -> None:
        """The rate of a topic in the session's time; None: nothing came."""
        ...


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of ``RunSession``. stop_reason: "done", "canceled", "fault: ..."."""

    episodes: int
    successes: int
    peak_force_n: float
    force_violations: int
    stop_reason: str


class SessionRun:
    """A run that the session manager has accepted."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._result: Future = handle.get_result_async()

    @property
    def done(self) -> bool:
        return bool(self._result.done())

    def result(self) -> RunResult:
        """Raises SessionError while the run goes on, and when it was aborted without a reason."""
        if not self.done:
            raise SessionError("the run has not ended yet")
        answer = self._result.result()
        result = answer.result
        aborted = answer.status == GoalStatus.STATUS_ABORTED
        return RunResult(
            episodes=result.episodes,
            successes=result.successes,
            peak_force_n=result.peak_force_n,
            force_violations=result.force_violations,
            stop_reason=result.stop_reason or ("aborted" if aborted else "done"),
        )

    def cancel(self) -> None:
        """Asks the session manager to end the run after the step that it is in."""
        self._handle.cancel_goal_async()


class SessionClient(Node):
    """Subscribes to what the session says of itself. Its callbacks run on an executor that the caller spins."""

    def __init__(
        self,
        name: str,
        observer: Observer,
        *,
        sampled: Sequence[Topic] = (),
        service_timeout_s: float = SERVICE_TIMEOUT_S,
    ) -> None:
        super().__init__(name, start_parameter_services=False)
        self._observer = observer
        self._service_timeout_s = service_timeout_s
        self._run = ActionClient(self, RunSession, contract.RUN_SESSION_ACTION)
        self._listen(contract.SESSION_STATE, observer.on_session_state)
        self._listen(contract.SAFETY_STATE, observer.on_safety_state)
        self._listen(contract.TRAINER_STATE, observer.on_trainer_state)
        self._listen(contract.EPISODE_SUMMARY, observer.on_episode)
        self._listen(contract.REWARD, observer.on_reward)
        self._sampler = RateSampler(self, sampled, observer.on_rate) if sampled else None
        self._weights: Publisher | None = None

    def _listen(self, topic: Topic, callback: Callable[[Any], None]) -> None:
        self.create_subscription(topic.type, topic.name, callback, topic.qos)

    def on_recorder_error(self, tell: Callable[[str], None]) -> None:
        """``tell`` hears, once a second, why an episode could not be kept; it must return soon."""

        def read(message: Any) -> None:
            if error := recorder_error_of(message):
                tell(error)

        self._listen(contract.DIAGNOSTICS, read)

    def nodes(self) -> list[str]:
        """Full names of the other nodes on the graph."""
        return other_nodes(self)

    def start(self, plan: SessionPlan, *, resume: bool = False, timeout_s: float = GOAL_TIMEOUT_S) -> SessionRun:
        """Sends a goal and waits until it is accepted. Raises SessionError.

        resume: episodes of the plan that are recorded already count as done.
        """
        if not self._run.wait_for_server(timeout_sec=timeout_s):
            raise SessionError(
                f"no session manager answers on {contract.RUN_SESSION_ACTION} within {timeout_s:.0f} s: is the graph "
                "up (tenon topic list)?"
            )
        accepted = self._run.send_goal_async(
            goal_of(plan, resume=resume),
            feedback_callback=lambda said: self._on_feedback(said.feedback),
        )
        handle = _wait(accepted, timeout_s, "the session manager does not answer the goal; its log says why. No answer")
        if not handle.accepted:
            raise SessionError(
                "the session manager refuses the goal: it is busy with another run (tenon session stop ends it)"
            )
        return SessionRun(handle)

    def _on_feedback(self, feedback: Any) -> None:
        if feedback.last.outcome:
            self._observer.on_episode(feedback.last)

    def publish_weights(self, weights: PolicyWeights) -> None:
        """Hands a policy to the policy node, in place of a trainer. Latched for as long as this node is there."""
        topic = contract.POLICY_WEIGHTS
        if self._weights is None:
            self._weights = self.create_publisher(topic.type, topic.name, topic.qos)
        self._weights.publish(weights)

    def pause(self) -> str:
        return self._trigger(contract.PAUSE_SERVICE)

    def resume(self) -> str:
        return self._trigger(contract.RESUME_SERVICE)

    def stop(self) -> str:
        return self._trigger(contract.STOP_SERVICE)

    def clear_fault(self) -> str:
        return self._trigger(contract.CLEAR_FAULT_SERVICE)

    def hand_back(self) -> str:
        """Gives the arm back after a person took over. Raises SessionError where nobody did."""
        return self._trigger(contract.HAND_BACK_SERVICE)

    def mark(self, mark: str, who: str = "") -> str:
        """An operator's word on the episode that runs: "success", "failure" or "discard". Raises SessionError."""
        answer = self._ask(MarkEpisode, contract.MARK_EPISODE_SERVICE, MarkEpisode.Request(mark=mark, who=who))
        if not answer.success:
            raise SessionError(f"{contract.MARK_EPISODE_SERVICE}: {answer.message}")
        return str(answer.message)

    def save_training(self) -> Path | None:
        """Has the trainer write a checkpoint and publish its weights; None while it has updates to do first.

        Raises SessionError when there is no trainer.
        """
        answer = self._call(contract.SAVE_TRAINING_SERVICE)
        return Path(answer.message) if answer.success else None

    def _trigger(self, service: str) -> str:
        """Calls a service and returns what it says. Raises SessionError when it is not there or refuses."""
        answer = self._call(service)
        if not answer.success:
            raise SessionError(f"{service}: {answer.message}")
        return str(answer.message)

    def _call(self, service: str) -> Trigger.Response:
        return self._ask(Trigger, service, Trigger.Request())

    def _ask(self, kind: Any, service: str, request: Any) -> Any:
        timeout_s = self._service_timeout_s
        client = self.create_client(kind, service)
        try:
            if not client.wait_for_service(timeout_sec=timeout_s):
                raise SessionError(f"no node offers {service} within {timeout_s:.0f} s: no session runs on this domain")
            return _wait(client.call_async(request), timeout_s, f"{service} does not answer")
        finally:
            self.destroy_client(client)


class RateSampler:
    """Measures the rates of topics one after the other, so that looking costs one subscription at a time."""

    def __init__(self, node: Node, topics: Sequence[Topic], report: Callable[[str, float | None], None]) -> None:
        self._node = node
        self._topics = tuple(topics)
        self._report = report
        self._index = -1
        self._meter = RateMeter(SAMPLE_WINDOW)
        self._subscription: Subscription | None = None
        self._timer = node.create_timer(SAMPLE_PERIOD_S, self._next)

    def _next(self) -> None:
        if self._subscription is not None:
            rate = self._meter.rate()
            self._report(self._topics[self._index].name, rate.rate_hz if rate is not None else None)
            self._node.destroy_subscription(self._subscription)
        self._index = (self._index + 1) % len(self._topics)
        topic = self._topics[self._index]
        self._meter = RateMeter(SAMPLE_WINDOW)
        qos = QoSProfile(depth=SAMPLE_WINDOW, reliability=topic.qos.reliability, durability=topic.qos.durability)
        self._subscription = self._node.create_subscription(topic.type, topic.name, self._on_message, qos, raw=True)

    def _on_message(self, serialized: bytes) -> None:
        self._meter.add(stamp_ns_of(serialized))


MAIN_TOPICS = (
    contract.CAMERA_IMAGE,
    contract.JOINT_STATES,
    contract.OBSERVATION,
    contract.RESIDUAL_COMMAND,
    contract.COMMAND_SAFE,
)
"""What the live view shows the rates of."""


def _wait(future: Future, timeout_s: float, complaint: str) -> Any:
    deadline = time.monotonic() + timeout_s
    while not future.done():
        if time.monotonic() > deadline:
            raise SessionError(f"{complaint} within {timeout_s:.0f} s")
        time.sleep(POLL_S)
    return future.result()
