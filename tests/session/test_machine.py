"""The session's state machine: phases, episodes, seeds, retries, faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tenon.control.phase import SessionPhase
from tenon.session.draws import draw_goal_error
from tenon.session.machine import EpisodeEnded, Event, Mark, PhaseChanged, RunEnded, SessionMachine, SessionPlan
from tenon.session.statistics import EpisodeSummary, Outcome
from tenon.session.transitions import ActionSample, AssembledTransition, ObservationSample, RewardSample

HORIZON = 5
TRAINING = SessionPlan(
    controller="residual",
    episodes=3,
    train=True,
    deterministic=False,
    goal_error_m=0.001,
    seed=100,
    stop_at_success=False,
    record=True,
)
EVALUATION = replace(TRAINING, train=False, stop_at_success=True)


@pytest.fixture
def machine() -> SessionMachine:
    return SessionMachine(horizon_steps=HORIZON, success_ticks=2, reset_attempts=3, force_limit_n=20.0)


def transition(
    machine: SessionMachine,
    step: int,
    *,
    success: bool = False,
    terminated: bool = False,
    horizon: int = HORIZON,
    connected: bool | None = None,
) -> AssembledTransition:
    sample = ObservationSample(machine.episode, step, np.zeros(4), connected=connected)
    return AssembledTransition(
        episode=machine.episode,
        step=step,
        observation=sample,
        next_observation=sample,
        action=ActionSample(machine.episode, step, np.zeros(3), saturated=False, policy_version=7 + step),
        reward=RewardSample(machine.episode, step, float(success), success),
        terminated=terminated,
        truncated=not terminated and step + 1 == horizon,
        late=False,
    )


def run_episode(machine: SessionMachine, successes: str = ".....") -> EpisodeSummary:
    """Resets and runs an episode; ``x`` is a step with success."""
    machine.reset_done()
    machine.take_events()
    for step, mark in enumerate(successes):
        machine.on_transition(transition(machine, step, success=mark == "x"))
    return summary_of(machine.take_events())


def summary_of(events: list[Event]) -> EpisodeSummary:
    summaries = [event.summary for event in events if isinstance(event, EpisodeEnded)]
    assert len(summaries) == 1
    return summaries[0]


def test_run_goes_through_all_phases_and_finishes(machine: SessionMachine) -> None:
    assert machine.phase is SessionPhase.IDLE
    assert machine.start(TRAINING).accepted
    phases: list[SessionPhase] = []
    for _ in range(3):
        machine.reset_done()
        for step in range(HORIZON):
            machine.on_transition(transition(machine, step))
    events = machine.take_events()
    phases = [event.phase for event in events if isinstance(event, PhaseChanged)]
    assert phases == [SessionPhase.RESETTING, SessionPhase.RUNNING] * 3 + [SessionPhase.FINISHED]
    assert events[-1] == RunEnded("done")
    assert [event.summary.episode for event in events if isinstance(event, EpisodeEnded)] == [0, 1, 2]
    assert machine.statistics.episodes == 3


def test_seed_counts_up_and_draws_the_goal_error(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    first = run_episode(machine)
    second = run_episode(machine)
    assert (first.seed, second.seed) == (100, 101)
    np.testing.assert_array_equal(second.goal_error_m, draw_goal_error(101, 0.001))
    assert not np.array_equal(first.goal_error_m, second.goal_error_m)


def test_same_machine_runs_again_with_new_episode_numbers_and_the_same_draws(machine: SessionMachine) -> None:
    machine.start(replace(TRAINING, episodes=1))
    first = run_episode(machine)
    assert machine.start(replace(TRAINING, episodes=1)).accepted
    again = run_episode(machine)
    assert (again.episode, again.seed) == (first.episode + 1, first.seed)


def test_restarted_run_goes_on_with_the_next_seed_and_number() -> None:
    machine = SessionMachine(
        horizon_steps=HORIZON, success_ticks=2, reset_attempts=3, force_limit_n=20.0, first_episode=2
    )
    assert machine.start(TRAINING, episodes_done=2).accepted
    summary = run_episode(machine)
    assert (summary.episode, summary.seed) == (2, 102)
    assert machine.phase is SessionPhase.FINISHED
    assert not machine.start(TRAINING, episodes_done=3).accepted


@pytest.mark.parametrize(
    ("marks", "outcome", "steps_to_success"),
    [
        (".....", Outcome.TIMEOUT, 0),
        ("..xx.", Outcome.SUCCESS, 3),
        ("x.xxx", Outcome.SUCCESS, 3),
        ("x....", Outcome.TIMEOUT, 0),
        ("....x", Outcome.SUCCESS, 5),
        ("xx..x", Outcome.SUCCESS, 1),
    ],
)
def test_success_counts_once_held_or_at_the_end(
    machine: SessionMachine, marks: str, outcome: Outcome, steps_to_success: int
) -> None:
    machine.start(TRAINING)
    summary = run_episode(machine, marks)
    assert (summary.outcome, summary.steps_to_success) == (outcome, steps_to_success)
    assert summary.success == (outcome is Outcome.SUCCESS)
    assert (summary.steps, summary.total_reward) == (HORIZON, marks.count("x"))
    assert summary.policy_version == 7 + HORIZON - 1


def test_training_runs_on_after_success_and_evaluation_ends(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    assert machine.end_rule.success_ticks is None
    machine.stop()
    machine.start(EVALUATION)
    assert (machine.end_rule.horizon_steps, machine.end_rule.success_ticks) == (HORIZON, 2)
    machine.reset_done()
    machine.take_events()
    machine.on_transition(transition(machine, 0, success=True))
    machine.on_transition(transition(machine, 1, success=True, terminated=True))
    summary = summary_of(machine.take_events())
    assert (summary.outcome, summary.steps) == (Outcome.SUCCESS, 2)


def test_training_that_stops_at_success_is_refused(machine: SessionMachine) -> None:
    answer = machine.start(replace(TRAINING, stop_at_success=True))
    assert not answer.accepted and "horizon" in answer.message
    assert machine.phase is SessionPhase.IDLE


def test_second_start_is_refused(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    assert "stop it first" in machine.start(TRAINING).message


def test_reset_is_tried_three_times_and_then_a_person_is_asked(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    machine.reset_failed("the plug does not come out")
    machine.reset_failed("the plug does not come out")
    assert (machine.phase, machine.reset_attempt) == (SessionPhase.RESETTING, 3)
    machine.reset_failed("the plug does not come out")
    assert machine.phase is SessionPhase.FAULT
    assert "failed 3 times" in machine.detail and "clear and resume" in machine.detail
    assert "clear the fault first" in machine.resume().message
    assert machine.clear().accepted
    assert machine.resume().accepted
    assert (machine.phase, machine.reset_attempt, machine.episode) == (SessionPhase.RESETTING, 1, 0)


def test_fault_ends_the_episode_as_failed_and_the_next_one_has_the_next_seed(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    machine.reset_done()
    machine.on_transition(transition(machine, 0, success=True))
    machine.take_events()
    machine.on_fault("force", "60 N")
    summary = summary_of(machine.take_events())
    assert (summary.outcome, summary.detail, summary.success) == (Outcome.FAULT, "force", False)
    machine.on_fault("jump", "later")
    assert machine.detail == "force: 60 N", "the first fault keeps its name"
    machine.clear()
    machine.resume()
    assert (machine.seed, machine.episode) == (101, 1)


def test_run_is_done_once_the_fault_in_its_last_episode_is_cleared(machine: SessionMachine) -> None:
    machine.start(replace(TRAINING, episodes=1))
    machine.reset_done()
    machine.on_fault("stale_command", "nothing for 210 ms")
    assert machine.phase is SessionPhase.FAULT
    assert summary_of(machine.take_events()).outcome is Outcome.FAULT
    machine.clear()
    assert machine.take_events()[-1] == RunEnded("done")


def test_stop_in_a_fault_says_fault(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    machine.on_fault("force", "60 N")
    machine.stop()
    assert machine.take_events()[-1] == RunEnded("fault: force: 60 N")


def test_fault_between_runs_is_not_the_sessions(machine: SessionMachine) -> None:
    machine.on_fault("force", "60 N")
    assert machine.phase is SessionPhase.IDLE


def test_pause_ends_the_episode_and_its_draws_are_used_again(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    machine.reset_done()
    machine.on_transition(transition(machine, 0))
    machine.take_events()
    assert machine.pause().accepted
    assert summary_of(machine.take_events()).outcome is Outcome.STOPPED
    assert machine.statistics.episodes == 0
    assert machine.resume().accepted
    assert (machine.seed, machine.episode) == (100, 1)


def test_pause_during_a_reset_repeats_the_reset_of_the_same_episode(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    machine.pause()
    machine.reset_done()
    assert machine.phase is SessionPhase.PAUSED, "what a reset says after the pause does not count"
    machine.resume()
    assert (machine.phase, machine.episode) == (SessionPhase.RESETTING, 0)


def test_stop_ends_run_and_episode(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    machine.reset_done()
    machine.take_events()
    assert machine.stop().accepted
    events = machine.take_events()
    assert summary_of(events).outcome is Outcome.STOPPED
    assert events[-1] == RunEnded("canceled")


@pytest.mark.parametrize("request_name", ["pause", "resume", "stop", "clear"])
def test_request_that_does_not_fit_is_refused_with_the_phase(machine: SessionMachine, request_name: str) -> None:
    answer = getattr(machine, request_name)()
    assert not answer.accepted and "IDLE" in answer.message
    assert machine.take_events() == []


def test_transition_of_an_old_episode_is_ignored(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    run_episode(machine)
    machine.reset_done()
    old = replace(transition(machine, HORIZON - 1), episode=0)
    machine.on_transition(old)
    assert machine.phase is SessionPhase.RUNNING


@pytest.mark.parametrize(
    ("detector", "connected", "false_steps"),
    [((False, False, True, True, True), True, 1), ((False,) * HORIZON, False, 4), ((None,) * HORIZON, None, 0)],
    ids=["it agrees at last", "it never does", "there is none"],
)
def test_summary_holds_the_detectors_word_or_that_there_was_none(
    machine: SessionMachine, detector: tuple[bool | None, ...], connected: bool | None, false_steps: int
) -> None:
    machine.start(TRAINING)
    machine.reset_done()
    machine.take_events()
    for step, word in enumerate(detector):
        machine.on_transition(transition(machine, step, success=step > 0, connected=word))
    summary = summary_of(machine.take_events())
    assert summary.success
    assert (summary.connected, summary.false_steps) == (connected, false_steps)


def test_statistics_cover_the_last_twenty_and_the_force(machine: SessionMachine) -> None:
    machine.start(replace(TRAINING, episodes=30))
    for episode in range(30):
        machine.reset_done()
        machine.on_force(25.0 if episode == 3 else 5.0)
        for step in range(HORIZON):
            machine.on_transition(transition(machine, step, success=episode >= 15))
    statistics = machine.statistics
    assert (statistics.episodes, statistics.successes) == (30, 15)
    assert statistics.success_recent == 15 / 20
    assert (statistics.peak_force_n, statistics.force_violations) == (25.0, 1)


BY_HAND = replace(TRAINING, controller="teleop", train=False)


@pytest.mark.parametrize(
    ("mark", "successes", "outcome", "success"),
    [
        (Mark.SUCCESS, "..", Outcome.SUCCESS, True),
        (Mark.FAILURE, "xx", Outcome.FAILURE, False),
    ],
)
def test_persons_word_ends_the_episode_and_stands_above_the_rewards(
    machine: SessionMachine, mark: Mark, successes: str, outcome: Outcome, success: bool
) -> None:
    machine.start(BY_HAND)
    machine.reset_done()
    for step, seen in enumerate(successes):
        machine.on_transition(transition(machine, step, success=seen == "x"))
    assert machine.mark(mark, "ada").accepted
    assert machine.phase is SessionPhase.RUNNING, "the step that is under way belongs to it"
    machine.on_transition(transition(machine, 2, horizon=3))
    summary = summary_of(machine.take_events())
    assert (summary.outcome, summary.success, summary.mark, summary.who) == (outcome, success, mark, "ada")
    assert summary.steps_to_success == (3 if success else 0)
    assert (machine.index, machine.phase) == (1, SessionPhase.RESETTING)


def test_discarded_episode_is_done_again_with_its_own_draws(machine: SessionMachine) -> None:
    machine.start(BY_HAND)
    machine.reset_done()
    machine.on_transition(transition(machine, 0, success=True))
    seed = machine.seed
    assert machine.mark(Mark.DISCARD, "ada").accepted
    summary = summary_of(machine.take_events())
    assert (summary.outcome, summary.mark, summary.who) == (Outcome.STOPPED, "discard", "ada")
    assert (machine.seed, machine.episode, machine.statistics.episodes) == (seed, 1, 0)
    assert run_episode(machine).mark == "", "a mark is for one episode"


def test_mark_is_for_the_episode_that_runs_alone(machine: SessionMachine) -> None:
    assert not machine.mark(Mark.SUCCESS, "ada").accepted
    machine.start(BY_HAND)
    answer = machine.mark(Mark.SUCCESS, "ada")
    assert not answer.accepted
    assert "resetting" in answer.message


def test_last_word_counts(machine: SessionMachine) -> None:
    machine.start(BY_HAND)
    machine.reset_done()
    machine.mark(Mark.SUCCESS, "ada")
    machine.mark(Mark.FAILURE, "bob")
    machine.on_transition(transition(machine, 0, horizon=1))
    assert (summary_of(machine.take_events()).mark, machine.statistics.successes) == ("failure", 0)


def test_fault_fails_an_episode_whatever_its_mark(machine: SessionMachine) -> None:
    machine.start(BY_HAND)
    machine.reset_done()
    machine.mark(Mark.SUCCESS, "ada")
    machine.on_fault("force", "too much")
    summary = summary_of(machine.take_events())
    assert (summary.outcome, summary.success) == (Outcome.FAULT, False)


def test_episode_that_a_person_drives_has_a_horizon_of_its_own() -> None:
    machine = SessionMachine(
        horizon_steps=HORIZON, success_ticks=2, reset_attempts=3, force_limit_n=20.0, teleop_horizon_steps=99
    )
    machine.start(BY_HAND)
    assert machine.end_rule.horizon_steps == 99
    machine.stop()
    machine.start(TRAINING)
    assert machine.end_rule.horizon_steps == HORIZON


def test_episode_in_which_the_weights_changed_tells_lowest_and_highest_version(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    assert run_episode(machine).policy_versions == {7, 7 + HORIZON - 1}
    machine.reset_done()
    machine.on_fault("force", "60 N")
    assert summary_of(machine.take_events()).policy_versions == set(), "before the first step none has acted"


def test_steps_in_which_a_person_drove_are_counted(machine: SessionMachine) -> None:
    machine.start(TRAINING)
    machine.reset_done()
    for step in range(HORIZON):
        own = transition(machine, step)
        machine.on_transition(replace(own, action=replace(own.action, human=step in (1, 2))))
    assert summary_of(machine.take_events()).human_steps == 2
