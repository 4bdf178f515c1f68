"""What the pages ask of the robot, as calls of the services of the session."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tenon.console.operator import Mark, OperatorError
from tenon.session.machine import DONE, SessionPlan
from tenon_console.node import ConsoleNode
from tenon_session.client import SessionError, SessionRun

Answer = TypeVar("Answer")
POLL_S = 0.02


class RobotOperator:
    """Implements ``tenon.console.operator.Operator`` by a node that is spun on another thread."""

    def __init__(self, node: ConsoleNode, *, goal_timeout_s: float) -> None:
        self._node = node
        self._goal_timeout_s = goal_timeout_s

    def start(self) -> str:
        return _explained(self._node.start_as_configured) or "started as configured"

    def start_run(self, plan: SessionPlan) -> str:
        run = _explained(lambda: self._node.start(plan, timeout_s=self._goal_timeout_s))
        self._see_it_begin(run)
        return f"started: {plan.episodes} episodes with {plan.controller}"

    def pause(self) -> str:
        return _explained(self._node.pause)

    def resume(self) -> str:
        return _explained(self._node.resume)

    def clear_fault(self) -> str:
        return _explained(self._node.clear_fault)

    def mark(self, mark: Mark) -> str:
        return _explained(lambda: self._node.mark(mark))

    def hand_back(self) -> str:
        return _explained(self._node.hand_back)

    def save_training(self) -> Path | None:
        return _explained(self._node.save_training)

    def drive(self, velocity: Sequence[float]) -> None:
        self._node.say_twist(velocity)

    def stop(self) -> str:
        """Through the session manager; where it does not end a run at once, the supervisor holds the arm."""
        answer = self._node.stop_in_order()
        if answer is not None and answer.success:
            return "the run is stopped, the arm holds"
        why = "the session manager does not answer" if answer is None else str(answer.message)
        held = self._node.hold()
        if held is not None and held.success:
            return f"{why}: {held.message}"
        raise OperatorError(
            f"{why}, and no safety supervisor answers. Without it a driver holds its arm by itself: use the arm's own "
            "emergency stop if it moves"
        )

    def _see_it_begin(self, run: SessionRun) -> None:
        """An accepted goal may still be refused, which ends the run at once, or meet a fault. Raises OperatorError."""
        deadline_s = time.monotonic() + self._goal_timeout_s
        while not run.done and not self._node.run_is_under_way():
            if fault := self._node.fault():
                raise OperatorError(f"the run stands in a fault before it began: {fault}: mend its cause, then resume")
            if time.monotonic() > deadline_s:
                raise OperatorError(
                    f"the session manager took the run and has not begun it within {self._goal_timeout_s:g} s: "
                    "its log says why"
                )
            time.sleep(POLL_S)
        if run.done and (reason := _explained(run.result).stop_reason) != DONE:
            raise OperatorError(f"the run was not done: {reason}")


def _explained(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except SessionError as error:
        raise OperatorError(str(error)) from error
