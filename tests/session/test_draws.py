"""What the session draws is reproducible, and equal to what the simulation draws."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.session.draws import Dither, draw_goal_error, episode_seed
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.tasks import InsertionTaskConfig, draw_episode


def test_goal_error_is_that_of_the_simulation() -> None:
    task = load_named(InsertionTaskConfig, ConfigKind.TASKS, "hard")
    connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, task.connector)
    for seed in range(100):
        np.testing.assert_array_equal(
            draw_goal_error(seed, task.goal_error_m), draw_episode(task, connector, seed).goal_error_m
        )


def test_goal_error_is_bounded_flat_and_scales_with_its_size() -> None:
    errors_m = np.array([draw_goal_error(seed, 0.001) for seed in range(2000)])
    assert (errors_m[:, 2] == 0.0).all()
    assert np.abs(errors_m).max() <= 0.001
    np.testing.assert_allclose(errors_m[:, :2].std(axis=0), 0.001 / np.sqrt(3), rtol=0.05)
    np.testing.assert_allclose(draw_goal_error(5, 0.002), 2 * draw_goal_error(5, 0.001))
    assert not draw_goal_error(5, 0.0).any()


@pytest.mark.parametrize("size_m", [-0.001, np.nan, np.inf])
def test_impossible_size_is_refused(size_m: float) -> None:
    with pytest.raises(ValueError, match="goal error"):
        draw_goal_error(0, size_m)


def test_seeds_count_up() -> None:
    assert [episode_seed(7, index) for index in range(3)] == [7, 8, 9]
    with pytest.raises(ValueError, match="negative"):
        episode_seed(-1, 0)


def test_dither_repeats_for_a_seed_and_is_independent_of_the_goal_error() -> None:
    first, again, other = Dither(4, 3), Dither(4, 3), Dither(5, 3)
    steps = np.array([first.draw() for _ in range(500)])
    np.testing.assert_array_equal(steps, [again.draw() for _ in range(500)])
    assert not np.array_equal(steps[0], other.draw())
    assert np.abs(steps).max() <= 1.0
    starts = np.array([Dither(seed, 3).draw()[:2] for seed in range(500)])
    errors = np.array([draw_goal_error(seed, 1.0)[:2] for seed in range(500)])
    assert abs(np.corrcoef(starts[:, 0], errors[:, 0])[0, 1]) < 0.15


def test_far_goal_error_is_that_of_the_simulation_bit_for_bit() -> None:
    connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, "hard")
    task = InsertionTaskConfig(connector="hard", goal_error_m=0.02, goal_error_min_m=0.01)
    for seed in range(50):
        error = draw_goal_error(seed, 0.02, 0.01)
        assert 0.01 <= np.linalg.norm(error) <= 0.02
        np.testing.assert_array_equal(error, draw_episode(task, connector, seed).goal_error_m)


def test_ring_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0 to 0\.01 m"):
        draw_goal_error(0, 0.01, 0.02)
