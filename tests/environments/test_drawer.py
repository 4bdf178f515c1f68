"""The drawer with a hook, and its mixed data: awac.md, section 8."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.environments.drawer import DECIMETRES, DrawerEnv, DrawerScript, DrawerScriptConfig, drawer_episodes
from tenon.environments.scripted import run_script

STEADY = DrawerScriptConfig(noise=0.0)


def run(env, aim_y_m, seed=0):
    script = DrawerScript(env.config, STEADY, aim_y_m, np.random.default_rng(0))
    return run_script(env, script.act, session="test", episode=0, seed=seed)


def drive(env, action, steps):
    for _ in range(steps):
        observation, _, _, _, info = env.step(np.array(action, np.float32))
    return observation, info


def test_a_hook_in_the_slot_pulls_the_drawer_open():
    assert all(run(DrawerEnv(), 0.0, seed).success for seed in range(5))


@pytest.mark.parametrize("side", [-1, 1])
def test_a_hook_beside_the_handle_leaves_it_closed(side):
    episode = run(DrawerEnv(), side * 0.026)
    assert not episode.success
    assert abs(episode.transitions[-1].next_observation.state[3]) < 0.01


def test_the_reward_is_zero_while_it_is_open_and_the_episode_goes_on_to_its_horizon():
    transitions = run(DrawerEnv(), 0.0).transitions
    assert len(transitions) == 60
    assert [t.truncated for t in transitions] == [False] * 59 + [True]
    assert not any(t.terminated for t in transitions)
    for transition in transitions:
        is_open = transition.next_observation.state[3] > 1.0
        assert transition.success == is_open
        assert transition.reward == (0.0 if is_open else -1.0)


def test_the_state_is_in_decimetres_and_action_one_is_fifteen_millimetres_a_step():
    env = DrawerEnv()
    start, _ = env.reset(seed=0)
    np.testing.assert_allclose(start[:3], DECIMETRES * env.drawer.hook_m, rtol=1e-6)
    after, _ = drive(env, (1.0, 0.0, 0.0), 2)
    assert after[0] - start[0] == pytest.approx(0.3, rel=0.05)
    np.testing.assert_allclose(after[1:3], start[1:3], atol=1e-4)


def test_starts_fill_the_box_around_the_hover_pose():
    env = DrawerEnv()
    offsets = np.array([env.reset(seed=seed)[0][:3] for seed in range(300)]) - DECIMETRES * np.array(env.config.hover_m)
    np.testing.assert_allclose(offsets.min(axis=0), (-0.5, -1.2, -0.3), atol=0.05)
    np.testing.assert_allclose(offsets.max(axis=0), (0.5, 1.2, 0.5), atol=0.05)


def test_the_drawer_cannot_be_opened_from_behind_its_face():
    env = DrawerEnv()
    env.reset(seed=0)
    env.drawer.place(np.array((-0.05, 0.0, 0.06)))
    drive(env, (0.0, 0.0, -1.0), 15)
    _, info = drive(env, (1.0, 0.0, -0.2), 20)
    assert info["opened_m"] < 0.10


def test_of_the_mixed_data_a_share_aims_beside_most_of_it_on_one_side():
    episodes = list(drawer_episodes(DrawerEnv(), 40, np.random.default_rng(0), DrawerScriptConfig(), "test"))
    sideways = np.array([episode.transitions[-1].next_observation.state[1] for episode in episodes])
    counts = (np.sum(sideways > 0.14), np.sum(sideways < -0.14), np.sum(np.abs(sideways) < 0.14))
    assert counts == (26, 8, 6), "34 of 40 beside, 26 of these at +y"
    assert [episode.transitions[0].episode for episode in episodes] == list(range(40))


def test_about_as_many_of_the_mixed_data_succeed_as_aim_right():
    episodes = list(drawer_episodes(DrawerEnv(), 60, np.random.default_rng(1), DrawerScriptConfig(), "test"))
    assert 0.10 <= np.mean([episode.success for episode in episodes]) <= 0.20
