"""Block assembly: residual-rl.md, sections 2.3 and 4."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.environments.blocks import STATE_SIZE, BlocksConfig, BlocksEnv
from tenon.simulation.blocks import HELD, STANDING

STRAIGHT = BlocksConfig(rotation_rad=0.0)
HELD_POSE, LEFT_POSE, RIGHT_POSE = slice(3, 9), slice(9, 15), slice(15, 21)


def controller_alone(env, yaws_rad=None, seed=0):
    """One episode of the hand-written controller; the last observation, all rewards, the last info."""
    observation, _ = env.reset(seed=seed)
    if yaws_rad is not None:
        env.blocks.place(np.array((0.0, 0.0, env.config.start_height_m)), np.array(yaws_rad))
    rewards, truncated = [], False
    while not truncated:
        observation, reward, terminated, truncated, info = env.step(np.zeros(3, np.float32))
        rewards.append(reward)
        assert not terminated
    return observation, rewards, info


def test_the_controller_alone_sets_the_block_between_two_that_stand_straight():
    env = BlocksEnv(STRAIGHT)
    observation, rewards, info = controller_alone(env)
    assert info["success"] and len(rewards) == env.config.horizon_steps
    assert observation.shape == (STATE_SIZE,) == (21,)
    np.testing.assert_allclose(observation[HELD_POSE], 0.0, atol=0.005)
    np.testing.assert_allclose(observation[LEFT_POSE], 0.0, atol=0.001)


def test_the_controller_alone_ends_on_top_of_two_that_stand_turned():
    observation, _, info = controller_alone(BlocksEnv(), yaws_rad=(0.3, -0.3))
    assert not info["success"]
    assert observation[2] > 0.05, "the held block is above the others, which are 0.08 m high"


def test_the_blocks_are_turned_by_up_to_r_and_the_same_in_an_episode_of_the_same_number():
    env = BlocksEnv()
    yaws = np.array([env.reset(seed=seed)[1]["yaws_rad"] for seed in range(200)])
    assert np.abs(yaws).max() <= 0.3
    np.testing.assert_allclose((yaws.min(axis=0), yaws.max(axis=0)), [[-0.3] * 2, [0.3] * 2], atol=0.02)
    observation, _ = env.reset(seed=7)
    np.testing.assert_allclose(observation[[14, 20]], yaws[7], atol=1e-3)
    np.testing.assert_array_equal(env.reset(seed=7)[0], observation)


def test_the_reward_is_minus_the_distance_and_what_the_others_suffered():
    env = BlocksEnv(BlocksConfig(rotation_rad=0.3, place_weight=2.0, tilt_weight_m_rad=0.3, yaw_weight_m_rad=0.05))
    env.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(30):
        _, reward, _, _, info = env.step(rng.uniform(-1, 1, 3).astype(np.float32))
    held_m, _ = env.blocks.block(HELD)
    poses = [env.blocks.block(name) for name in STANDING]
    apart_m = env.config.model.width_m + env.config.model.clearance_m
    expected = np.linalg.norm(held_m - np.array((0.0, 0.0, 0.04)))
    for (middle_m, turned), side in zip(poses, (-1, 1), strict=True):
        expected += 2.0 * np.linalg.norm(middle_m - np.array((side * apart_m, 0.0, 0.04)))
        expected += 0.3 * np.linalg.norm(turned[:2]) + 0.05 * abs(turned[2])
    assert reward == pytest.approx(-env.config.reward_scale_per_m * expected)
    assert info["distance_m"] == pytest.approx(np.linalg.norm(held_m - np.array((0.0, 0.0, 0.04))))


def test_a_block_that_was_knocked_over_is_no_success():
    """It is pushed from its outer side, high up: it tips, whatever becomes of the gap."""
    env = BlocksEnv(STRAIGHT)
    env.reset(seed=0)
    for target_m in ((0.12, 0.0, 0.12), (0.12, 0.0, 0.05), (0.03, 0.0, 0.05)):
        env.blocks.step(np.array(target_m), 1000)
    _, _, _, _, info = env.step(np.zeros(3, np.float32))
    assert info["tilt_rad"] > env.config.upright_rad or info["moved_m"] > env.config.in_place_m
    assert not info["success"]


def test_the_command_is_the_controllers_step_and_the_residual_of_bounded_size():
    env = BlocksEnv(STRAIGHT)
    env.reset(seed=0)
    here_m = env.blocks.tcp_m
    env.step(np.array((1.0, 0.0, 0.0), np.float32))
    authority_m = env.config.residual.authority_m[0]
    assert env.command is not None
    np.testing.assert_allclose(env.command.base_m[:2], np.clip(-here_m[:2], -0.01, 0.01))
    assert env.command.step_m[0] == pytest.approx(
        np.clip(
            env.command.base_m[0] + authority_m, -env.config.residual.step_limit_m, env.config.residual.step_limit_m
        )
    )


def test_a_gap_out_of_the_arms_reach_is_refused():
    model = STRAIGHT.model.model_copy(update={"gap_in_base_m": (3.0, 0.0, 0.0)})
    with pytest.raises(ValueError, match=r"cannot reach .* move gap_in_base_m"):
        BlocksEnv(BlocksConfig(model=model)).reset(seed=0)
