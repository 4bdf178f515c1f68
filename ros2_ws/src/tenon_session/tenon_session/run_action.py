"""The action session/run: a run of episodes as somebody asks for it, with a word after each, until it has ended."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future
from tenon_msgs.action import RunSession
from tenon_msgs.msg import EpisodeSummary

from tenon.data.store import EpisodeStore
from tenon.session.conductor import Conductor
from tenon.session.progress import episodes_done
from tenon_graph import contract
from tenon_graph.sessions import plan_of, result_of


class RunAction:
    """Starts the conductor's runs. carry_out: sends what the conductor has for the graph."""

    def __init__(self, node: Node, conductor: Conductor, store: EpisodeStore, carry_out: Callable[[], None]) -> None:
        self._conductor, self._store, self._carry_out = conductor, store, carry_out
        self._goal: tuple[ServerGoalHandle, Future] | None = None
        self._server = ActionServer(
            node,
            RunSession,
            contract.RUN_SESSION_ACTION,
            execute_callback=self._execute,
            goal_callback=self._on_goal,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )

    @property
    def is_cancelled(self) -> bool:
        """Whether whoever asked for the run wants it no more."""
        return self._goal is not None and bool(self._goal[0].is_cancel_requested)

    def tell(self, last: EpisodeSummary) -> None:
        """After an episode."""
        if self._goal is not None:
            statistics = self._conductor.machine.statistics
            feedback = RunSession.Feedback(last=last, episode=last.episode, successes=statistics.successes)
            feedback.success_last_20 = float(statistics.success_recent)
            self._goal[0].publish_feedback(feedback)

    def end(self, stop_reason: str) -> None:
        """The run is over."""
        if self._goal is not None:
            self._goal[1].set_result(stop_reason)

    def _on_goal(self, goal: RunSession.Goal) -> GoalResponse:
        return GoalResponse.REJECT if self._goal is not None or self._conductor.machine.plan else GoalResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> RunSession.Result:
        plan = plan_of(handle.request)
        done = episodes_done(self._store, plan) if handle.request.resume else 0
        answer = self._conductor.start(plan, episodes_done=done)
        if not answer.accepted:
            handle.abort()
            return RunSession.Result(stop_reason=answer.message)
        ended = Future()
        self._goal = (handle, ended)
        self._carry_out()
        stop_reason = await ended
        self._goal = None
        result = result_of(self._conductor.machine.statistics, stop_reason)
        if stop_reason == "done":
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result
