"""Transitions from streams in any order; nothing is dropped in silence."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenon.session.transitions import (
    GAP_PERIODS,
    ActionSample,
    AssembledTransition,
    AssemblyError,
    EndRule,
    ObservationSample,
    RewardSample,
    TransitionAssembler,
)

MS = 1_000_000
PERIOD_NS = 100 * MS
TIMEOUT_NS = 1000 * MS
START_NS = 5_000 * MS
RULE = EndRule(horizon_steps=10, success_ticks=None)

Sample = ObservationSample | ActionSample | RewardSample


def stamp(tick: int) -> int:
    """Of the tick-th observation; the first comes 40 ms after the start."""
    return START_NS + 40 * MS + tick * PERIOD_NS


def observation(tick: int, episode: int = 1) -> ObservationSample:
    return ObservationSample(episode, stamp(tick), np.full(4, float(tick)))


def action(tick: int, episode: int = 1) -> ActionSample:
    return ActionSample(episode, stamp(tick), np.full(3, 0.1 * tick), saturated=tick == 2, policy_version=tick)


def reward(tick: int, *, success: bool = False, episode: int = 1) -> RewardSample:
    return RewardSample(episode, stamp(tick), float(10 * tick), success)


def streams(ticks: int) -> list[Sample]:
    """All that a graph sends in an episode of so many observations."""
    return [sample for tick in range(ticks) for sample in (observation(tick), action(tick), reward(tick))]


def feed(assembler: TransitionAssembler, *samples: Sample) -> None:
    for sample in samples:
        if isinstance(sample, ObservationSample):
            assembler.on_observation(sample)
        elif isinstance(sample, ActionSample):
            assembler.on_action(sample)
        else:
            assembler.on_reward(sample)


@pytest.fixture
def assembler() -> TransitionAssembler:
    return started()


def started(rule: EndRule = RULE) -> TransitionAssembler:
    made = TransitionAssembler(control_period_ns=PERIOD_NS, timeout_ns=TIMEOUT_NS)
    made.begin(1, rule, START_NS)
    return made


def check(taken: list[AssembledTransition], steps: int) -> None:
    assert [item.step for item in taken] == list(range(steps))
    for item in taken:
        tick = item.step
        assert item.observation.stamp_ns == item.action.stamp_ns == stamp(tick)
        assert item.next_observation.stamp_ns == stamp(tick + 1)
        assert item.reward.reward == 10 * (tick + 1), "the reward judges the next observation"
        assert not item.late


def test_in_order_each_transition_comes_with_its_reward(assembler: TransitionAssembler) -> None:
    feed(assembler, observation(0), action(0), reward(0), observation(1))
    assert assembler.take(stamp(1)) == []
    feed(assembler, reward(1))
    check(assembler.take(stamp(1)), 1)
    assert assembler.take(stamp(1)) == []


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_order_of_the_streams_gives_the_same_episode(seed: int) -> None:
    """Each topic keeps its own order, and any may run ahead of the others."""
    assembler, taken = started(), []
    topics = [streams(11)[first::3] for first in range(3)]
    chance = random.Random(seed)
    while topics:
        topic = chance.choice(topics)
        feed(assembler, topic.pop(0))
        topics = [topic for topic in topics if topic]
        taken += assembler.take(stamp(9))  # so early that nothing is overdue yet
    check(taken, 10)
    assert taken[-1].truncated and not any(item.truncated for item in taken[:-1])
    assert not any(item.terminated for item in taken)
    assert not assembler.running


def test_horizon_truncates_and_what_follows_is_counted(assembler: TransitionAssembler) -> None:
    feed(assembler, *streams(12))
    check(assembler.take(stamp(12)), 10)
    feed(assembler, observation(12))
    assert assembler.counters.surplus == 3 + 1
    assert assembler.counters.transitions == 10


def test_success_that_holds_terminates_where_the_rule_says_so() -> None:
    marks = [False, True, False, True, True, True]
    assembler = started(EndRule(horizon_steps=10, success_ticks=2))
    for tick, success in enumerate(marks):
        feed(assembler, observation(tick), action(tick), reward(tick, success=success))
    taken = assembler.take(stamp(6))
    assert len(taken) == 4
    assert taken[-1].terminated and not taken[-1].truncated


def test_success_at_the_horizon_is_termination_not_both() -> None:
    assembler = started(EndRule(horizon_steps=2, success_ticks=1))
    for tick in range(3):
        feed(assembler, observation(tick), action(tick), reward(tick, success=tick == 2))
    last = assembler.take(stamp(3))[-1]
    assert (last.terminated, last.truncated) == (True, False)


@pytest.mark.parametrize(
    ("lost", "node"),
    [
        (reward(3), "reward_node"),
        (action(3), "policy_node and residual_controller"),
        (observation(3), "observation_node"),
    ],
)
def test_lost_sample_is_an_error_that_names_the_node(lost: Sample, node: str) -> None:
    assembler, kind = started(), type(lost)
    feed(assembler, *(s for s in streams(8) if not (isinstance(s, kind) and s.stamp_ns == lost.stamp_ns)))
    assert len(assembler.take(stamp(8))) in (2, 3), "what is complete before the gap is not lost"
    overdue_ns = stamp(4) + TIMEOUT_NS
    assert assembler.take(lost.stamp_ns + TIMEOUT_NS) == []
    with pytest.raises(AssemblyError, match=node):
        assembler.take(overdue_ns)


def test_silence_is_an_error_that_names_the_observation_node(assembler: TransitionAssembler) -> None:
    assert assembler.take(START_NS + TIMEOUT_NS) == []
    with pytest.raises(AssemblyError, match="observation_node"):
        assembler.take(START_NS + TIMEOUT_NS + 1)


def test_tick_that_fell_out_makes_a_late_transition(assembler: TransitionAssembler) -> None:
    """No observation, hence no action and no reward: nobody lost anything, the tick was late."""
    for tick in (0, 1, 3):
        feed(assembler, observation(tick), action(tick), reward(tick))
    assert len(assembler.take(stamp(3))) == 1
    patience_ns = round(GAP_PERIODS * PERIOD_NS)
    assert assembler.take(stamp(3) + patience_ns) == []
    taken = assembler.take(stamp(3) + patience_ns + 1)
    assert len(taken) == 1 and taken[0].late
    assert (taken[0].observation.stamp_ns, taken[0].next_observation.stamp_ns) == (stamp(1), stamp(3))
    assert assembler.counters.late == 1


def test_dropped_tick_does_not_let_the_policy_act_long_past_the_horizon() -> None:
    """However long the streams' time-out is: an arm would press on for all of it."""
    patient = TransitionAssembler(control_period_ns=PERIOD_NS, timeout_ns=50 * PERIOD_NS)
    patient.begin(1, RULE, START_NS)
    ticks = 0
    for tick in range(60):
        if tick != 6:
            feed(patient, observation(tick), action(tick), reward(tick))
        patient.take(stamp(tick))
        ticks = tick
        if not patient.running:
            break
    assert ticks <= RULE.horizon_steps + 1


def test_samples_of_other_episodes_and_times_are_counted_not_used(assembler: TransitionAssembler) -> None:
    feed(assembler, observation(0, episode=0), action(0, episode=2), reward(-1))
    assert assembler.counters.surplus == 3
    feed(assembler, *streams(11))
    check(assembler.take(stamp(11)), 10)


def test_nothing_is_assembled_between_episodes(assembler: TransitionAssembler) -> None:
    feed(assembler, observation(0), action(0))
    assembler.end()
    assert assembler.counters.surplus == 2
    feed(assembler, *streams(3))
    assert assembler.take(stamp(100)) == []
    assembler.begin(2, RULE, stamp(20))
    feed(assembler, ObservationSample(2, stamp(21), np.zeros(4)))
    assert assembler.take(stamp(21)) == []


def test_episode_that_a_person_ends_is_truncated_with_its_next_step(assembler: TransitionAssembler) -> None:
    feed(assembler, *streams(3))
    check(assembler.take(stamp(2)), 2)
    assembler.finish()
    feed(assembler, observation(3), action(3), reward(3))
    last = assembler.take(stamp(3))
    assert [(item.step, item.terminated, item.truncated) for item in last] == [(2, False, True)]
    assert not assembler.running


def test_end_that_was_asked_for_is_of_one_episode(assembler: TransitionAssembler) -> None:
    assembler.finish()
    assembler.begin(2, RULE, START_NS)
    feed(
        assembler,
        *(sample for tick in range(2) for sample in (observation(tick, 2), action(tick, 2), reward(tick, episode=2))),
    )
    assert not assembler.take(stamp(1))[0].truncated
