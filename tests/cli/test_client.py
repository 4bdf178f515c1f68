"""The client of a session, and the commands that steer one, against a stand-in for the session manager."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger
from tenon_msgs.action import RunSession
from tenon_msgs.msg import EpisodeSummary, SessionState

from embedded_ros2.router import RouterProcess
from tenon.cli.running import RunningSession
from tenon.control.phase import SessionPhase
from tenon.session.machine import SessionPlan
from tenon.session.watching import SessionProgress
from tenon_graph import contract
from tenon_session.client import SessionClient, SessionError
from tenon_session.introspection import spinning_node

Tenon = Callable[..., subprocess.CompletedProcess[str]]
TIMEOUT_S = 30.0
PLAN = SessionPlan(
    controller="p_dither",
    episodes=4,
    train=False,
    deterministic=True,
    goal_error_m=0.001,
    seed=17,
    stop_at_success=True,
    record=False,
)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


class StandIn(Node):
    """Runs episodes at once: every second one succeeds. With ``is_endless`` a run goes on until it is cancelled."""

    def __init__(self, context: Context) -> None:
        super().__init__("session_manager", context=context)
        self.is_endless = self.is_busy = False
        self.goals: list[Any] = []
        self.triggered: list[str] = []
        group = ReentrantCallbackGroup()
        topic = contract.EPISODE_SUMMARY
        self._summaries = self.create_publisher(topic.type, topic.name, topic.qos)
        topic = contract.SESSION_STATE
        self.create_publisher(topic.type, topic.name, topic.qos).publish(SessionState(phase=SessionState.RESETTING))
        for name in (contract.PAUSE_SERVICE, contract.CLEAR_FAULT_SERVICE):
            self.create_service(Trigger, name, lambda _, answer, name=name: self._trigger(name, answer))
        self._action = ActionServer(
            self,
            RunSession,
            contract.RUN_SESSION_ACTION,
            self._execute,
            goal_callback=lambda _: GoalResponse.REJECT if self.is_busy else GoalResponse.ACCEPT,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )

    def _trigger(self, name: str, answer: Trigger.Response) -> Trigger.Response:
        self.triggered.append(name)
        answer.success = name == contract.PAUSE_SERVICE
        answer.message = "paused" if answer.success else "there is no fault"
        return answer

    def _execute(self, handle: Any) -> RunSession.Result:
        goal = handle.request
        self.goals.append(goal)
        result = RunSession.Result(stop_reason="done")
        while self.is_endless and not handle.is_cancel_requested:
            time.sleep(0.01)
        if self.is_endless:
            handle.canceled()
            result.stop_reason = "canceled"
            return result
        for index in range(goal.episodes):
            wins = index % 2 == 1
            summary = EpisodeSummary(episode=index, controller=goal.controller, seed=goal.seed + index, success=wins)
            summary.outcome = "success" if wins else "timeout"
            self._summaries.publish(summary)
            handle.publish_feedback(RunSession.Feedback(last=summary, episode=index))
            result.episodes, result.successes = index + 1, result.successes + wins
        handle.succeed()
        return result


@pytest.fixture
def manager(router: None) -> Iterator[StandIn]:
    context = Context()
    context.init(args=[])
    node = StandIn(context)
    executor = MultiThreadedExecutor(num_threads=4, context=context)
    executor.add_node(node)

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    thread = threading.Thread(target=spin)
    thread.start()
    yield node
    executor.shutdown()
    thread.join()
    node.destroy_node()
    context.try_shutdown()


@pytest.fixture
def session(manager: StandIn) -> Iterator[RunningSession]:
    """A running session without a graph of processes and without a screen."""
    progress = SessionProgress()
    with ExitStack() as stack:
        client: Any = stack.enter_context(spinning_node(lambda: SessionClient("client", progress)))
        quiet: Any = SimpleNamespace(check=lambda: None, requested=False, show=lambda view: None)
        yield RunningSession(quiet, client, progress, quiet, quiet, watched=False)


def test_run_brings_its_episodes_and_its_result(session: RunningSession, manager: StandIn) -> None:
    outcome = session.run(PLAN, "a run")
    assert (outcome.result.episodes, outcome.result.successes, outcome.result.stop_reason) == (4, 2, "done")
    assert [(e.episode, e.success, e.seed) for e in outcome.episodes] == [
        (0, False, 17),
        (1, True, 18),
        (2, False, 19),
        (3, True, 20),
    ]


def test_goal_carries_the_plan(session: RunningSession, manager: StandIn) -> None:
    session.run(PLAN, "a run", done_before=1)
    goal = manager.goals[0]
    assert (goal.controller, goal.episodes, goal.train, goal.deterministic) == ("p_dither", 4, False, True)
    assert (goal.goal_error_m, goal.seed, goal.stop_at_success, goal.record, goal.resume) == (
        0.001,
        17,
        True,
        False,
        True,
    )


def test_latched_state_reaches_a_late_client(session: RunningSession) -> None:
    wait_until(lambda: session.progress.view().phase is SessionPhase.RESETTING, "the latched state")


def test_refused_goal_says_what_to_do(session: RunningSession, manager: StandIn) -> None:
    manager.is_busy = True
    with pytest.raises(SessionError, match="busy with another run"):
        session.client.start(PLAN)


def test_cancelled_run_ends(session: RunningSession, manager: StandIn) -> None:
    manager.is_endless = True
    run = session.client.start(PLAN)
    with pytest.raises(SessionError, match="not ended yet"):
        run.result()
    run.cancel()
    wait_until(lambda: run.done, "the end")
    assert run.result().stop_reason == "canceled"


def test_pause_command_calls_the_service(tenon: Tenon, manager: StandIn) -> None:
    run = tenon("session", "pause")
    assert run.returncode == 0
    assert "paused" in run.stderr
    assert manager.triggered == [contract.PAUSE_SERVICE]


def test_refusal_of_a_service_is_shown_and_exits_1(tenon: Tenon, manager: StandIn) -> None:
    run = tenon("session", "clear-fault")
    assert run.returncode == 1
    assert "there is no fault" in run.stderr


def test_session_whose_router_ended_with_a_console_that_was_there_first_can_still_be_steered(
    tenon: Tenon, manager: StandIn, router: RouterProcess
) -> None:
    router.close()
    run = tenon("session", "pause")
    assert run.returncode == 0, run.stderr
    assert manager.triggered == [contract.PAUSE_SERVICE]
