"""Rewards against their formulas, written out again, and against where their best place must be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tenon.rewards import (
    DenseInsertionConfig,
    DenseInsertionReward,
    ElectricalReward,
    GoalImageConfig,
    GoalImageReward,
    RewardError,
    RewardObservation,
    grey,
)

DENSE = DenseInsertionConfig(inserted_below_m=0.01)


def _dense(x: float, y: float, z: float, force: float, config: DenseInsertionConfig = DENSE) -> float:
    observation = RewardObservation(position_error_m=np.array([x, y, z]), pressing_force_n=force)
    return DenseInsertionReward(config).reward(observation).value


@pytest.mark.parametrize(("connected", "value"), [(True, 1.0), (False, 0.0)])
def test_electrical_pays_one_while_connected(connected: bool, value: float) -> None:
    result = ElectricalReward().reward(RewardObservation(electrical=connected))
    assert (result.value, result.success) == (value, connected)


def test_electrical_without_a_signal_is_refused() -> None:
    with pytest.raises(RewardError, match="contact signal"):
        ElectricalReward().reward(RewardObservation())


def test_dense_reward_by_hand() -> None:
    # Outside: |e|_1 = 0.055 m, |e|_2 = sqrt(0.003^2 + 0.002^2 + 0.05^2) m, pressing with 4 N costs 0.4.
    outside = -100 * 0.055 + 0.002 / (math.sqrt(9e-6 + 4e-6 + 2.5e-3) + 0.001) - 0.1 * 4
    assert _dense(0.003, -0.002, 0.05, 4.0) == pytest.approx(outside)
    # Inserted: |e|_1 = |e|_2 = 0.004 m, pressing with 4 N pays 0.4.
    assert _dense(0.0, 0.0, 0.004, 4.0) == pytest.approx(-0.4 + 0.002 / 0.005 + 0.4)
    assert _dense(0.0, 0.0, 0.0, 0.0) == pytest.approx(2.0)


def test_dense_reward_is_best_at_the_goal() -> None:
    distances = np.linspace(0.0, 0.05, 5001)
    values = [_dense(0.0, 0.0, z, 0.0) for z in distances]
    assert np.argmax(values) == 0
    assert (np.diff(values) < 0).all()


def test_printed_sign_would_put_the_best_place_off_the_goal() -> None:
    """-alpha d - beta / (d + eps) is highest at d = sqrt(beta / alpha) - eps: 4.5 mm away for eps -> 0."""
    literal = DENSE.model_copy(update={"bonus_weight": -0.002, "bonus_softening_m": 1e-9})
    distances = np.linspace(1e-4, 0.02, 2000)
    values = [_dense(0.0, 0.0, z, 0.0, literal) for z in distances]
    best = distances[np.argmax(values)]
    assert best == pytest.approx(math.sqrt(0.002 / 100.0), abs=2e-5)
    assert best == pytest.approx(0.0045, abs=1e-4)


def test_pressing_pays_only_once_inserted() -> None:
    assert _dense(0.0, 0.0, 0.02, 5.0) < _dense(0.0, 0.0, 0.02, 0.0)
    assert _dense(0.0, 0.0, 0.005, 5.0) > _dense(0.0, 0.0, 0.005, 0.0)
    # As low as an inserted plug, but beside the socket.
    assert _dense(0.02, 0.0, 0.005, 5.0) < _dense(0.02, 0.0, 0.005, 0.0)


@pytest.mark.parametrize(("z", "success"), [(0.0019, True), (0.0021, False)])
def test_dense_success_is_within_two_millimetres(z: float, success: bool) -> None:
    observation = RewardObservation(position_error_m=np.array([0.0, 0.0, z]), pressing_force_n=0.0)
    assert DenseInsertionReward(DENSE).reward(observation).success is success


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "not measured"),
        ({"position_error_m": np.zeros(3)}, "not measured"),
        ({"position_error_m": np.zeros(2), "pressing_force_n": 0.0}, "three finite numbers"),
        ({"position_error_m": np.array([0, np.nan, 0]), "pressing_force_n": 0.0}, "three finite numbers"),
        ({"position_error_m": np.zeros(3), "pressing_force_n": math.nan}, "nan N"),
    ],
)
def test_dense_reward_refuses_what_it_cannot_judge(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RewardError, match=message):
        DenseInsertionReward(DENSE).reward(RewardObservation(**fields))


def test_image_reward_is_the_mean_difference_of_grey_values() -> None:
    rng = np.random.default_rng(0)
    goal, seen = (rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(2))

    def grey_by_loop(image: np.ndarray) -> list[float]:
        return [(0.299 * r + 0.587 * g + 0.114 * b) / 255 for r, g, b in image.reshape(-1, 3).tolist()]

    expected = -sum(abs(a - b) for a, b in zip(grey_by_loop(goal), grey_by_loop(seen), strict=True)) / 1024
    result = GoalImageReward(goal, GoalImageConfig()).reward(RewardObservation(image=seen))
    assert result.value == pytest.approx(expected)
    assert not result.success


def test_image_reward_is_zero_at_the_goal_and_minus_one_at_worst() -> None:
    black, white = np.zeros((4, 5, 1), np.uint8), np.full((4, 5), 255, np.uint8)
    reward = GoalImageReward(black, GoalImageConfig(success_above=-0.01))
    at_goal = reward.reward(RewardObservation(image=black))
    assert (at_goal.value, at_goal.success) == (0.0, True)
    assert reward.reward(RewardObservation(image=white)).value == -1.0


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "none was measured"),
        (np.zeros((5, 4), np.uint8), "retake the goal image"),
        (np.zeros((4, 5), np.float32), "of uint8 is needed"),
        (np.full((4, 5), np.nan), "of uint8 is needed"),
        (np.zeros((4, 5, 2), np.uint8), "of uint8 is needed"),
    ],
)
def test_image_reward_refuses_what_it_cannot_judge(image: Any, message: str) -> None:
    reward = GoalImageReward(np.zeros((4, 5), np.uint8), GoalImageConfig())
    with pytest.raises(RewardError, match=message):
        reward.reward(RewardObservation(image=image))


def test_grey_image_is_scaled_only() -> None:
    np.testing.assert_allclose(grey(np.array([[0, 51, 255]], np.uint8)), [[0.0, 0.2, 1.0]])
