"""What the console knows of a session, and what of it an operator is told first."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tenon.console.alerts import Level, alerts, can_clear
from tenon.console.config import ConsoleConfig
from tenon.console.model import SUCCESS, ConsoleModel
from tenon.control.phase import SessionPhase
from tenon.control.types import Pose, RobotState

NODES = ("arm_driver", "safety_supervisor", "session_manager", "trainer_node")


def state(session: str = "a", *, phase: SessionPhase = SessionPhase.IDLE, detail: str = "") -> Any:
    return SimpleNamespace(
        session=session, phase=int(phase), detail=detail, episode=3, controller="residual", record=True, train=False
    )


def safety(fault: str = "", detail: str = "") -> Any:
    return SimpleNamespace(fault=fault, detail=detail, faults_total=int(bool(fault)))


def reward(value: float, logit: float = math.nan) -> Any:
    return SimpleNamespace(reward=value, logit=logit)


def episode(number: int, *, success: bool, outcome: str = "") -> Any:
    return SimpleNamespace(
        episode=number,
        controller="residual",
        outcome=outcome or ("success" if success else "timeout"),
        detail="",
        success=success,
        steps=10,
        steps_to_success=5,
        total_reward=1.0,
        peak_force_n=2.0,
        goal_error_m=(0.0, 0.0, 0.0),
        seed=number,
        policy_version=1,
        connected=success,
        false_steps=0,
        mark="",
        who="",
        human_steps=0,
    )


def trainer(updates: int, loss: float, fault: str = "") -> Any:
    return SimpleNamespace(
        method="sac",
        transitions=100,
        updates=updates,
        updates_per_s=10.0,
        durable_updates=0,
        metric_names=["loss"],
        metric_values=[loss],
        fault=fault,
    )


@pytest.fixture
def model() -> ConsoleModel:
    """Of a session that has come up."""
    model = ConsoleModel(ConsoleConfig())
    model.on_graph(NODES, "arm_driver")
    model.on_session_state(state())
    model.on_safety_state(safety())
    return model


def test_hand_that_nobody_listens_to_any_more_drives_nothing(model: ConsoleModel) -> None:
    assert not model.view().takes_hand
    model.on_teleop_node(is_there=True)
    model.on_teleop("console drives", engaged=True)
    assert (model.view().takes_hand, model.view().is_driven, model.view().teleop) == (True, True, "console drives")
    model.on_teleop_node(is_there=False)
    assert (model.view().takes_hand, model.view().is_driven, model.view().teleop) == (False, False, "")


def test_classifiers_logit_is_shown_as_a_probability(model: ConsoleModel) -> None:
    for logit in (math.nan, 0.0, 1000.0, -1000.0):
        model.on_reward(reward(1.0, logit))
    values = [value for _, value in model.view().reward["probability"]]
    assert math.isnan(values[0])
    assert values[1:] == pytest.approx([0.5, 1.0, 0.0])


def test_success_is_the_share_of_the_last_twenty_episodes_and_each_counts_once(model: ConsoleModel) -> None:
    for number in range(30):
        for _ in range(2):  # by topic, and as feedback of the action
            model.on_episode(episode(number, success=number >= 20))
    model.on_episode(episode(30, success=False, outcome="stopped"))
    curve = model.view().curves[SUCCESS]
    assert curve[0] == (1.0, 0.0)
    assert curve[-1] == (30.0, 0.5)
    assert len(curve) == 30


def test_learner_curves_leave_out_what_is_no_number(model: ConsoleModel) -> None:
    for updates, loss in ((10, 1.0), (20, math.nan), (30, 0.5)):
        model.on_trainer_state(trainer(updates, loss))
    assert model.view().curves["loss"] == [(10.0, 1.0), (30.0, 0.5)]


def test_another_session_begins_with_a_clean_sheet(model: ConsoleModel) -> None:
    model.on_episode(episode(0, success=True))
    model.on_session_state(state("b"))
    assert model.view().progress.episodes == ()
    model.on_episode(episode(0, success=False))
    assert model.view().curves[SUCCESS] == [(1.0, 0.0)]


def test_console_without_a_session_says_how_to_start_one() -> None:
    (only,) = alerts(ConsoleModel(ConsoleConfig()).view())
    assert only.level is Level.NOTE
    assert "tenon session run" in only.seen


def test_session_in_order_raises_no_alert(model: ConsoleModel) -> None:
    assert alerts(model.view()) == []


def test_fault_comes_first_with_its_remedy_and_can_be_cleared(model: ConsoleModel) -> None:
    model.on_safety_state(safety("force", "61 N seen, 50 N allowed: look at the plug"))
    model.on_trainer_state(trainer(10, 1.0, fault="the disk is full"))
    model.on_graph([name for name in NODES if name != "trainer_node"], "arm_driver")
    found = alerts(model.view())
    assert (found[0].level, found[0].subject) == (Level.FAULT, "force")
    assert "61 N" in found[0].seen
    assert "clear" in found[0].remedy
    assert [alert.subject for alert in found[1:]] == ["trainer_node", "trainer_node"]
    assert "the disk is full" in found[2].seen
    assert can_clear(model.view())


def test_episode_that_was_not_recorded_is_told_until_another_session(model: ConsoleModel) -> None:
    model.on_recorder_error("episode 3: no space left on the device")
    (alert,) = alerts(model.view())
    assert (alert.level, alert.subject) == (Level.WARNING, "recorder_node")
    assert "episode 3: no space left" in alert.seen
    model.on_session_state(state("b"))
    assert alerts(model.view()) == []


def test_reading_that_is_no_longer_renewed_is_shown_no_more(model: ConsoleModel) -> None:
    still = np.zeros(1)
    where = Pose(np.zeros(3), np.array((0.0, 0.0, 0.0, 1.0)))
    model.on_arm(["only"], RobotState(1, still, still, still, where, wrench_in_base=np.ones(6)))
    assert model.view().arm is not None
    model.on_no_arm()
    assert model.view().arm is None
    assert len(model.view().wrench["x"]) == 1, "what was measured stays in the plot"


def test_fault_of_the_session_alone_needs_no_clearing(model: ConsoleModel) -> None:
    assert model.fault() == ""
    model.on_session_state(state(phase=SessionPhase.FAULT, detail="stream: no reward for 1 s"))
    assert model.fault() == "stream: no reward for 1 s"
    view = model.view()
    assert alerts(view)[0].subject == "stream"
    assert not can_clear(view)


def test_only_cameras_that_gave_a_picture_are_listed(model: ConsoleModel) -> None:
    model.picture("camera/side")
    model.picture("camera/image_raw").put(lambda: pytest.fail("nobody looks"))
    assert model.cameras() == ["camera/image_raw"]
