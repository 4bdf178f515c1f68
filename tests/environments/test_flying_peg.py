"""The peg without an arm: its baselines are those that were measured for the specification."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tenon.environments import FLYING_PEG_ID
from tenon.environments.flying_peg import FlyingPegConfig, FlyingPegEnv

EPISODES = 40
NOISE_M = 0.0002


def success_rate(config, policy):
    env, successes = FlyingPegEnv(config), []
    for seed in range(EPISODES):
        env.reset(seed=seed)
        truncated, info = False, {}
        while not truncated:
            _, _, _, truncated, info = env.step(policy())
        successes.append(info["success"])
    return np.mean(successes)


def constant(x=0.0):
    return lambda: np.array((x, 0.0, 0.0), np.float32)


def test_it_is_a_proper_gymnasium_environment():
    check_env(gymnasium.make(FLYING_PEG_ID).unwrapped, skip_render_check=True)


def test_the_p_controller_alone_succeeds_without_bias_and_fails_with_it():
    assert success_rate(FlyingPegConfig(command_noise_m=NOISE_M), constant()) >= 0.95
    assert success_rate(FlyingPegConfig(command_noise_m=NOISE_M, command_bias_m=0.0015), constant()) <= 0.05


def test_the_exact_correction_of_the_bias_is_within_the_residuals_authority():
    config = FlyingPegConfig(command_noise_m=NOISE_M, command_bias_m=0.0015)
    assert success_rate(config, constant(-0.75)) >= 0.95


def test_random_actions_do_not_solve_the_biased_peg():
    generator = np.random.default_rng(0)
    config = FlyingPegConfig(command_noise_m=NOISE_M, command_bias_m=0.0015)
    assert success_rate(config, lambda: generator.uniform(-1, 1, 3)) <= 0.5


def test_a_goal_error_can_be_switched_off_for_an_evaluation():
    env = FlyingPegEnv(FlyingPegConfig(goal_error_m=0.001))
    noisy, _ = env.reset(seed=4)
    tip = env.peg.position_m
    perfect, _ = env.reset(seed=4, options={"goal_error_scale": 0.0})
    np.testing.assert_allclose(noisy, perfect, atol=1e-6)
    assert np.abs(tip - env.peg.position_m).max() > 1e-5


def test_the_same_seed_is_the_same_episode():
    env = FlyingPegEnv(FlyingPegConfig(command_noise_m=NOISE_M, goal_error_m=0.001))
    runs = []
    for _ in range(2):
        env.reset(seed=8)
        runs.append([env.step(np.ones(3, np.float32))[0] for _ in range(10)])
    np.testing.assert_array_equal(runs[0], runs[1])


def test_force_is_felt_when_the_peg_stands_on_the_rim():
    env = FlyingPegEnv(FlyingPegConfig(command_bias_m=0.003))
    env.reset(seed=0)
    for _ in range(20):
        observation, _, _, _, info = env.step(np.zeros(3, np.float32))
    assert info["depth_m"] == pytest.approx(0.0, abs=2e-4)
    assert observation[3] == pytest.approx(4.5, rel=0.1)
