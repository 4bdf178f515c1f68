"""What the console says of a run that was asked for: that it has started only once it has."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, get_args

import pytest
from nicegui import ui

from tenon.configuration.session import ControllerName
from tenon.console.operator import OperatorError
from tenon.console.web import parts
from tenon.console.web.context import Context
from tenon.console.web.parts import CONTROLLERS
from tenon.session.machine import SessionPlan
from tenon_console.operator import RobotOperator
from tenon_session.client import RunResult

if TYPE_CHECKING:
    from nicegui.testing import User

Simulate = Callable[[Callable[[Context], None], Context, Callable[["User"], Awaitable[None]]], None]
REFUSAL = "controller 'gait' cannot act in this task: choose one of residual, policy"
TIMEOUT_S = 0.2
PLAN = SessionPlan(
    controller="gait",
    episodes=5,
    train=False,
    deterministic=True,
    goal_error_m=0.0,
    seed=0,
    stop_at_success=True,
    record=False,
)


class Run:
    """One that the session manager has accepted. looks: so often it is asked before it is done."""

    def __init__(self, stop_reason: str, looks: int) -> None:
        self._stop_reason, self._looks = stop_reason, looks

    @property
    def done(self) -> bool:
        self._looks -= 1
        return self._looks < 0

    def result(self) -> RunResult:
        return RunResult(0, 0, 0.0, 0, self._stop_reason)


class Node:
    """A session that takes every goal, as the action server does."""

    def __init__(self, *, under_way: bool, stop_reason: str = "", looks: int = 1000, fault: str = "") -> None:
        self._under_way, self._run, self._fault = under_way, Run(stop_reason, looks), fault

    def start(self, plan: SessionPlan, *, timeout_s: float) -> Run:
        return self._run

    def run_is_under_way(self) -> bool:
        return self._under_way

    def fault(self) -> str:
        return self._fault


def operator(node: Node) -> RobotOperator:
    return RobotOperator(node, goal_timeout_s=TIMEOUT_S)  # type: ignore[arg-type] - all that is asked of it


def test_run_that_is_accepted_and_then_refused_is_not_said_to_have_started() -> None:
    with pytest.raises(OperatorError, match="choose one of residual"):
        operator(Node(under_way=False, stop_reason=REFUSAL, looks=3)).start_run(PLAN)


def test_run_that_the_session_is_in_has_started() -> None:
    assert operator(Node(under_way=True)).start_run(PLAN) == "started: 5 episodes with gait"


def test_run_that_was_over_before_anybody_looked_has_started() -> None:
    assert "started" in operator(Node(under_way=False, stop_reason="done", looks=2)).start_run(PLAN)


def test_run_that_neither_begins_nor_ends_is_complained_of() -> None:
    with pytest.raises(OperatorError, match="has not begun it within"):
        operator(Node(under_way=False)).start_run(PLAN)


def test_run_that_meets_a_fault_before_it_begins_is_told_with_the_fault() -> None:
    with pytest.raises(OperatorError, match="camera: wrist delivers nothing: mend its cause, then resume"):
        operator(Node(under_way=False, fault="camera: wrist delivers nothing")).start_run(PLAN)


def test_run_is_begun_once_however_often_the_button_is_pressed(context: Context, simulate: Simulate) -> None:
    asked: list[SessionPlan] = []
    over = threading.Event()

    def start_run(plan: SessionPlan) -> str:
        asked.append(plan)
        assert over.wait(TIMEOUT_S * 50)
        raise OperatorError("it did not begin")

    busy = dataclasses.replace(context, operator=SimpleNamespace(start_run=start_run))  # type: ignore[arg-type]

    async def act(user: User) -> None:
        begin = next(iter(user.find(kind=ui.button, content="Begin").elements))
        user.find(kind=ui.button, content="Begin").click()
        while not asked:
            await asyncio.sleep(0.01)
        assert not begin.enabled
        user.find(kind=ui.button, content="Begin").click()
        over.set()
        while not begin.enabled:
            await asyncio.sleep(0.01)
        assert len(asked) == 1

    simulate(parts._start_dialog, busy, act)


def test_every_controller_that_a_session_may_have_can_be_chosen() -> None:
    assert set(CONTROLLERS) == set(get_args(ControllerName))
