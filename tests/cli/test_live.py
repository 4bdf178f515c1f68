"""The live view, drawn from messages as a session sends them."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from tenon_msgs.msg import EpisodeSummary, Reward, SafetyState, SessionState, TrainerState

from tenon.cli.live import PlainScreen, duration, render, screen, status_line
from tenon.control.phase import SessionPhase
from tenon.session.watching import SessionProgress, View


def summary(episode: int, *, success: bool, **fields: Any) -> EpisodeSummary:
    outcome = "success" if success else "timeout"
    steps = 12 if success else 0
    message = EpisodeSummary(
        episode=episode, controller="residual", outcome=outcome, success=success, steps=50, steps_to_success=steps
    )
    message.total_reward, message.peak_force_n = 38.0 if success else 0.0, 6.5
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def recorded_session() -> SessionProgress:
    """What a session had said in its thirtieth episode."""
    progress = SessionProgress({"observation": 10.0, "joint_states": 100.0})
    progress.begin("sim: hard", 300)
    progress.on_session_state(SessionState(phase=SessionState.RUNNING, episode=29, controller="residual"))
    progress.on_safety_state(SafetyState(state=SafetyState.OK))
    state = TrainerState(method="sac", transitions=1450, updates=950, updates_per_s=41.2, durable_updates=500)
    state.metric_names, state.metric_values = ["critic_loss", "temperature"], [0.125, 0.5]
    progress.on_trainer_state(state)
    progress.on_reward(Reward(reward=1.0))
    for episode in range(29):
        progress.on_episode(summary(episode, success=episode >= 14))
    progress.on_rate("observation", 10.0)
    progress.on_rate("joint_states", 61.0)
    progress.on_rate("camera/image_raw", None)
    return progress


def drawn(view: View) -> str:
    console = Console(file=io.StringIO(), width=140, force_terminal=True, color_system=None)
    console.print(render(view))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    "shown",
    [
        "sim: hard",
        "episode 30/300",
        "running",
        "residual",
        "success, last 20  75 %",
        "success, all      52 %",
        "steps to success  12.0",
        "last return       38.0",
        "last reward       1.00",
        "peak force        6.5 N",
        "trainer sac",
        "950 (41/s)",
        "1450",
        "critic_loss   0.125",
        "observation       10.0 Hz  of 10",
        "joint_states      61.0 Hz  of 100",
        "camera/image_raw  silent",
        "to go",
    ],
)
def test_view_shows_what_the_session_said(shown: str) -> None:
    picture = " ".join(drawn(recorded_session().view()).split())
    assert " ".join(shown.split()) in picture


def test_view_without_any_message_can_be_drawn() -> None:
    progress = SessionProgress()
    progress.begin("sim: hard", 10)
    assert "episode 1/10" in drawn(progress.view())


def test_fault_is_shown_with_detail_and_remedy_until_it_is_cleared() -> None:
    progress = recorded_session()
    detail = "force 61.2 N, allowed 50 N: free the tool"
    progress.on_safety_state(SafetyState(state=SafetyState.FAULT, fault="force", detail=detail, faults_total=1))
    picture = drawn(progress.view())
    assert "fault: force" in picture
    assert detail in picture
    assert "tenon session clear-fault" in picture
    progress.on_safety_state(SafetyState(state=SafetyState.OK, faults_total=1))
    assert "fault: force" not in drawn(progress.view())


def test_episode_that_is_reported_twice_counts_once() -> None:
    progress = recorded_session()
    progress.on_episode(summary(28, success=True))
    assert progress.view().done == 29


def test_stopped_episode_proves_nothing() -> None:
    progress = recorded_session()
    progress.on_episode(summary(29, success=False, outcome="stopped"))
    view = progress.view()
    assert view.done == 29
    assert view.success_rate(20) == 0.75


def test_new_run_starts_from_nothing() -> None:
    progress = recorded_session()
    progress.begin("evaluate", 100)
    view = progress.view()
    assert (view.title, view.total, view.done, view.success_rate()) == ("evaluate", 100, 0, None)


def test_remaining_time_follows_the_pace() -> None:
    view = replace(recorded_session().view(), started_s=0.0, now_s=58.0)
    assert view.remaining_s == pytest.approx(2.0 * 271)


def plain(views: list[View]) -> list[str]:
    console = Console(file=io.StringIO(), width=40)
    shown = PlainScreen(console)
    for view in views:
        shown.show(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_plain_view_writes_each_episode_once() -> None:
    progress = SessionProgress()
    progress.begin("sim: hard", 3)
    views = [progress.view()]
    for episode in range(3):
        progress.on_episode(summary(episode, success=episode > 0))
        views += [progress.view(), progress.view()]
    lines = plain(views)
    assert len(lines) == 4
    assert lines[0] == "sim: hard: 3 episodes"
    assert lines[1] == "episode 1/3 residual: timeout, return 0.0, peak 6.5 N, last 20: 0 %"
    assert lines[3] == "episode 3/3 residual: success in 12 steps, return 38.0, peak 6.5 N, last 20: 67 %"


def test_plain_view_names_a_fault_once() -> None:
    fault = SimpleNamespace(fault="jump", detail="target 80 mm away", faults_total=1)
    progress = SessionProgress()
    progress.begin("sim: hard", 3)
    progress.on_session_state(SessionState(phase=SessionState.RUNNING))
    progress.on_safety_state(fault)
    lines = plain([progress.view(), progress.view()])
    assert [line for line in lines if "FAULT" in line] == [
        "FAULT jump: target 80 mm away. Then: tenon session clear-fault, then tenon session resume"
    ]


def test_between_runs_there_is_nothing_to_resume() -> None:
    progress = SessionProgress()
    progress.begin("sim: hard", 3)
    progress.on_safety_state(SimpleNamespace(fault="arm", detail="out of reach", faults_total=1))
    assert [line for line in plain([progress.view()]) if "FAULT" in line] == [
        "FAULT arm: out of reach. Then: tenon session clear-fault"
    ]


def test_output_that_is_no_terminal_gets_plain_lines() -> None:
    assert isinstance(screen(Console(file=io.StringIO())), PlainScreen)


def test_phase_comes_from_the_message() -> None:
    progress = SessionProgress()
    progress.on_session_state(SessionState(phase=SessionState.PAUSED, detail="paused by a person"))
    assert progress.view().phase is SessionPhase.PAUSED


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (59.2, "1:00"), (754, "12:34"), (3723, "1:02:03")])
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_training_that_has_stopped_is_shown_with_its_reason() -> None:
    progress = recorded_session()
    progress.on_trainer_state(TrainerState(method="sac", updates=950, fault="the replay cannot be written: disk full"))
    view = progress.view()
    assert "training has stopped: the replay cannot be written" in status_line(view)
    assert "disk full" in drawn(view)
