"""The point maze and its short walks: iql.md, section 8."""

from __future__ import annotations

import tempfile
from itertools import pairwise

import numpy as np
import pytest

from tenon.environments.maze import MazeConfig, MazeEnv, MazeScriptConfig, maze_walks

START, GOAL = (1, 1), (6, 6)


@pytest.fixture(scope="module")
def env():
    env = MazeEnv()
    yield env
    env.close()


@pytest.fixture(scope="module")
def walks(env):
    return list(maze_walks(env, 150, np.random.default_rng(0), MazeScriptConfig(), "test"))


def goal_distance(env, state):
    return np.linalg.norm(state[:2] - env.maze.centre_m(GOAL))


def cell_of(env, state):
    return min(env.maze.cells, key=lambda cell: np.linalg.norm(env.maze.centre_m(cell) - state[:2]))


def test_the_test_route_is_ten_cells_long(env):
    path = env.maze.path(START, GOAL)
    assert len(path) - 1 == env.maze.distances(START)[GOAL] == 10
    for (row, column), (next_row, next_column) in pairwise(path):
        assert abs(row - next_row) + abs(column - next_column) == 1
        assert (next_row, next_column) in env.maze.cells


def test_an_episode_starts_at_rest_near_the_corner(env):
    starts = np.array([env.reset(seed=seed)[0] for seed in range(100)])
    np.testing.assert_array_equal(starts[:, 2:], 0.0)
    offset = starts[:, :2] - env.maze.centre_m(START)
    assert 0.2 < np.abs(offset).max() <= 0.25


def test_the_goal_pays_zero_and_ends_the_episode_and_all_else_costs_one(env):
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(np.zeros(2, np.float32))
    assert (reward, terminated, truncated, info["success"]) == (-1.0, False, False, False)
    env.maze.place(env.maze.centre_m(GOAL) + 0.3)
    _, reward, terminated, truncated, info = env.step(np.zeros(2, np.float32))
    assert (reward, terminated, truncated, info["success"]) == (0.0, True, False, True)


def test_time_runs_out_after_250_steps(env):
    env.reset(seed=0)
    truncated = [env.step(np.zeros(2, np.float32))[3] for _ in range(250)]
    assert truncated == [False] * 249 + [True]


def test_walls_hold(env):
    env.reset(seed=0)
    for _ in range(40):
        observation, *_ = env.step(np.array((-1.0, 1.0), np.float32))
    assert cell_of(env, observation) == START


def test_weaker_actuators_move_it_less():
    moved = []
    for gain in (1.0, 0.6):
        env = MazeEnv(MazeConfig(actuator_gain=gain))
        start, _ = env.reset(seed=0)
        observation, *_ = env.step(np.array((1.0, 0.0), np.float32))
        moved.append(observation[0] - start[0])
    assert moved[1] == pytest.approx(0.6 * moved[0], rel=0.02)


def test_nothing_stays_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    MazeEnv().close()
    assert list(tmp_path.iterdir()) == []


def test_a_wall_is_no_place_for_the_goal():
    with pytest.raises(ValueError, match="goal_cell \\(0, 0\\) is no free cell"):
        MazeEnv(MazeConfig(goal_cell=(0, 0)))


def test_walks_are_short_and_about_as_many_steps_as_specified(env, walks):
    """1,500 walks: 33,738 transitions, 2 % at the goal."""
    steps = [transition for walk in walks for transition in walk.transitions]
    assert 19.0 <= len(steps) / len(walks) <= 26.0
    assert 0.005 <= np.mean([step.terminated for step in steps]) <= 0.05
    for walk in walks:
        start = cell_of(env, walk.transitions[0].observation.state)
        end = cell_of(env, walk.transitions[-1].next_observation.state)
        assert 1 <= env.maze.distances(start)[end] <= 4


def test_a_transition_into_the_goal_is_terminal_and_what_follows_is_another_episode(env, walks):
    seen = [transition for walk in walks for transition in walk.transitions]
    for transition in seen:
        at_goal = goal_distance(env, transition.next_observation.state) < 0.5
        assert (transition.terminated, transition.success) == (at_goal, at_goal)
        assert transition.reward == (0.0 if at_goal else -1.0)
    for before, after in pairwise(seen):
        follows = not before.ended
        assert (after.episode, after.step) == (
            (before.episode, before.step + 1) if follows else (before.episode + 1, 0)
        )
        if follows:
            np.testing.assert_array_equal(before.next_observation.state, after.observation.state)


def test_within_a_walk_each_step_begins_where_the_last_one_ended(walks):
    for walk in walks:
        for before, after in pairwise(walk.transitions):
            np.testing.assert_array_equal(before.next_observation.state, after.observation.state)
        assert walk.transitions[-1].ended
