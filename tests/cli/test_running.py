"""Runs on a graph that is up: what is waited for before one begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tenon_msgs.msg import SafetyState

from tenon.cli.errors import CommandError
from tenon.cli.live import Screen
from tenon.cli.running import RunningSession
from tenon.session.conductor import FAULT_HELD
from tenon.session.machine import SessionPlan
from tenon.session.watching import SessionProgress, View
from tenon_session.client import RunResult

PLAN = SessionPlan(
    controller="p_controller",
    episodes=1,
    train=False,
    deterministic=False,
    goal_error_m=0.0,
    seed=0,
    stop_at_success=False,
    record=False,
)
DONE = RunResult(0, 0, 0.0, 0, "done")


class Stand:
    """A session manager that refuses so many starts, since it has not heard of the clearance yet, and a screen before
    which a person clears the supervisor's fault."""

    def __init__(self, *, refusals: int = 0) -> None:
        self.progress = SessionProgress({})
        self.faults_at_start: list[bool] = []
        self.shown: list[View] = []
        self._refusals = refusals

    def fail(self) -> None:
        self.progress.on_safety_state(SafetyState(state=SafetyState.FAULT, fault="arm", detail="out of reach"))

    def start(self, plan: SessionPlan, *, resume: bool) -> Any:
        assert plan == PLAN and not resume
        self.faults_at_start.append(self.progress.view().fault is not None)
        refused = len(self.faults_at_start) <= self._refusals
        result = RunResult(0, 0, 0.0, 0, f"{FAULT_HELD} (arm): clear it first, then start") if refused else DONE
        return SimpleNamespace(done=True, result=lambda: result)

    def show(self, view: View) -> None:
        self.shown.append(view)
        if view.fault is not None:
            self.progress.on_safety_state(SafetyState(state=SafetyState.OK))

    def session(self, *, watched: bool) -> RunningSession:
        graph, interrupts = SimpleNamespace(check=lambda: None), SimpleNamespace(check=lambda: None, requested=False)
        screen: Screen = self  # type: ignore[assignment]
        return RunningSession(graph, self, self.progress, interrupts, screen, watched)  # type: ignore[arg-type]


def test_run_waits_until_a_person_has_cleared_the_supervisors_fault() -> None:
    stand = Stand()
    stand.fail()
    assert stand.session(watched=True).run(PLAN, "practise").result == DONE
    assert stand.faults_at_start == [False]
    assert [view.fault is not None for view in stand.shown] == [True, False]


def test_start_that_came_before_the_session_heard_of_the_clearance_is_made_again() -> None:
    stand = Stand(refusals=2)
    assert stand.session(watched=True).run(PLAN, "practise").result == DONE
    assert len(stand.faults_at_start) == 3


def test_fault_before_a_run_that_nobody_watches_ends_the_command() -> None:
    stand = Stand()
    stand.fail()
    with pytest.raises(CommandError, match=r"arm: out of reach.*clear-fault"):
        stand.session(watched=False).run(PLAN, "evaluate")
    assert stand.faults_at_start == []
