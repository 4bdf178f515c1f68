"""What reaching a goal pays, against plain loops."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tenon.data.goals import goal_reward
from tenon.data.transitions import (
    EnvironmentSpec,
    GoalSpec,
    Observation,
    ObservationSpec,
    Transition,
    TransitionError,
    check_transition,
)

REWARDS = ["miss_penalty", "all_reached", "per_part"]


def _by_hand(achieved: np.ndarray, desired: np.ndarray, goal: GoalSpec) -> float:
    """demos-her.md eq. (20), (21), (22), one transition at a time."""
    length = goal.size // goal.parts
    reached = 0
    for part in range(goal.parts):
        a, b = (vector[part * length : (part + 1) * length] for vector in (achieved, desired))
        reached += bool(np.linalg.norm(a - b) < goal.tolerance)
    if goal.reward == "miss_penalty":
        return 0.0 if reached == goal.parts else -1.0
    if goal.reward == "all_reached":
        return 1.0 if reached == goal.parts else 0.0
    return -1.0 + reached


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize(("size", "parts"), [(3, 1), (6, 2), (9, 3), (2, 2)])
def test_reward_is_that_of_the_paper_and_within_its_bounds(reward: str, size: int, parts: int) -> None:
    goal = GoalSpec(size=size, parts=parts, tolerance=0.8, reward=reward)
    rng = np.random.default_rng(size)
    achieved, desired = rng.uniform(0, 1, (2, 400, size)).astype(np.float32)
    found = goal_reward(torch.from_numpy(achieved), torch.from_numpy(desired), goal)
    expected = [_by_hand(a, b, goal) for a, b in zip(achieved, desired, strict=True)]
    assert found.shape == (400,)
    assert found.tolist() == expected
    low, high = goal.reward_bounds
    assert (min(expected), max(expected)) == (low, high), "both bounds are met, and nothing lies beyond them"


def test_reward_of_several_steps_at_once_is_that_of_each() -> None:
    goal = GoalSpec(size=2, parts=1, tolerance=0.5, reward="miss_penalty")
    achieved, desired = torch.rand(5, 3, 2), torch.rand(5, 2)
    found = goal_reward(achieved, desired[:, None], goal)
    assert torch.equal(found, torch.stack([goal_reward(achieved[:, step], desired, goal) for step in range(3)], dim=1))


def test_distance_of_the_tolerance_itself_is_a_miss() -> None:
    goal = GoalSpec(size=1, tolerance=0.25, reward="all_reached")
    assert goal_reward(torch.tensor([[0.25]]), torch.zeros(1, 1), goal).tolist() == [0.0]


def test_goal_that_cannot_be_cut_into_equal_parts_is_refused() -> None:
    with pytest.raises(ValidationError, match="size 5 cannot be 2 equal parts"):
        GoalSpec(size=5, parts=2, tolerance=0.1, reward="per_part")


def test_goal_larger_than_the_state_is_refused() -> None:
    goal = GoalSpec(size=3, tolerance=0.1, reward="miss_penalty")
    with pytest.raises(ValidationError, match="cannot be a part of a state of size 2"):
        ObservationSpec(state_size=2, goal=goal)


GOAL = EnvironmentSpec(
    observation=ObservationSpec(state_size=4, goal=GoalSpec(size=2, tolerance=0.1, reward="miss_penalty")),
    action_size=1,
)
PLAIN = EnvironmentSpec(observation=ObservationSpec(state_size=4), action_size=1)


def _transition(achieved: np.ndarray | None) -> Transition:
    state = np.zeros(4, np.float32)
    return Transition(
        session="s",
        episode=0,
        step=0,
        observation=Observation(state),
        action=np.zeros(1, np.float32),
        reward=0.0,
        next_observation=Observation(state, achieved_goal=achieved),
        terminated=False,
        truncated=False,
    )


def test_next_observation_of_a_goal_task_must_tell_what_was_achieved() -> None:
    check_transition(_transition(np.zeros(2, np.float32)), GOAL)
    with pytest.raises(TransitionError, match=r"holds no achieved goal, \(2,\) is needed"):
        check_transition(_transition(None), GOAL)


@pytest.mark.parametrize(
    ("achieved", "message"),
    [
        (np.zeros(3, np.float32), r"achieved goal has shape \(3,\), \(2,\) is needed"),
        (np.array([0, np.nan], np.float32), "achieved goal is .* every entry must be finite"),
    ],
)
def test_achieved_goal_of_another_size_or_not_finite_is_refused(achieved: np.ndarray, message: str) -> None:
    with pytest.raises(TransitionError, match=message):
        check_transition(_transition(achieved), GOAL)


def test_achieved_goal_where_the_task_has_none_is_refused() -> None:
    with pytest.raises(TransitionError, match="holds an achieved goal, but the task has none"):
        check_transition(_transition(np.zeros(2, np.float32)), PLAIN)
    with pytest.raises(TransitionError, match="step 0: observation: holds an achieved goal"):
        seen = Observation(np.zeros(4, np.float32), achieved_goal=np.zeros(2, np.float32))
        check_transition(dataclasses.replace(_transition(None), observation=seen), PLAIN)
