"""Turning a valve with a claw, and the script that shows how: awac.md, section 4."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tenon.environments.claw_valve import ClawValveEnv, ValveScript, ValveScriptConfig, valve_demonstrations
from tenon.environments.registry import make_environment, scripted_names
from tenon.environments.scripted import run_script
from tenon.simulation.valve_task import distance_rad


@pytest.fixture(scope="module")
def env():
    return ClawValveEnv()


@pytest.fixture(scope="module")
def shown(env):
    return list(valve_demonstrations(env, 6, np.random.default_rng(0), ValveScriptConfig(), "test"))


def angle(sine_cosine):
    return math.atan2(*sine_cosine)


def test_demonstrations_turn_the_valve_by_half_a_turn(shown):
    """But for one now and then: a finger slips off a prong in about one of twelve."""
    successes = [episode for episode in shown if episode.success]
    assert len(successes) >= len(shown) - 1
    for episode in successes:
        first, last = episode.transitions[0].observation.state, episode.transitions[-1].next_observation.state
        assert distance_rad(angle(first[18:20]), angle(last[18:20])) > math.pi - 0.25


def test_they_turn_it_counter_clockwise_all_the_way(shown):
    angles = np.unwrap([angle(t.next_observation.state[18:20]) for t in shown[0].transitions])
    assert angles[-1] - angles[0] > 2.5


def test_the_reward_is_zero_within_a_quarter_radian_and_the_episode_goes_on_to_its_horizon(env, shown):
    transitions = shown[0].transitions
    assert len(transitions) == env.config.horizon_steps
    assert [t.truncated for t in transitions] == [False] * (len(transitions) - 1) + [True]
    assert not any(t.terminated for t in transitions)
    for t in transitions:
        state = t.next_observation.state
        turned = distance_rad(angle(state[18:20]), angle(state[20:22])) < 0.25
        assert (t.success, t.reward) == (turned, 0.0 if turned else -1.0)
    assert {t.reward for t in transitions} == {0.0, -1.0}


def test_the_state_holds_joints_speeds_valve_and_target(env):
    state, _ = env.reset(seed=3)
    np.testing.assert_allclose(state[:9], env.claw.joint_position_rad, atol=1e-6)
    np.testing.assert_allclose(state[9:18], 0.0)
    assert angle(state[18:20]) == pytest.approx(env.claw.valve_rad, abs=1e-6)
    assert distance_rad(angle(state[20:22]), env.claw.valve_rad + math.pi) < 1e-6
    env.step(np.zeros(9, np.float32))
    assert np.abs(env.claw.joint_velocity_rad_s).max() > 0.5
    np.testing.assert_allclose(env._observation()[9:18], env.claw.joint_velocity_rad_s, rtol=1e-6)


def test_an_action_is_a_joint_position_approached_no_faster_than_allowed(env):
    env.reset(seed=0)
    wanted = np.zeros(9, np.float32)
    wanted[0] = 1.0
    before = env.claw.joint_position_rad[0]
    env.step(wanted)
    assert env.claw.joint_position_rad[0] - before <= 0.2 + 0.02
    for _ in range(15):
        env.step(wanted)
    assert env.claw.joint_position_rad[0] == pytest.approx(env.config.swing_rad[1], abs=0.03)


@pytest.mark.parametrize("action", [np.zeros(8), np.full(9, np.nan)])
def test_an_action_that_is_none_is_refused(env, action):
    env.reset(seed=0)
    with pytest.raises(ValueError, match="9 finite numbers"):
        env.step(action)


def test_doing_nothing_and_noise_do_not_turn_it(env):
    rng = np.random.default_rng(0)
    for policy in (lambda o: env.task.action(env.task.start_rad), lambda o: rng.uniform(-1, 1, 9)):
        assert not run_script(env, policy, session="test", episode=0, seed=1).success


def test_an_episodes_number_is_the_episode(env):
    one, other = (env.task.draw(7), env.task.draw(7))
    assert one.valve_rad == other.valve_rad
    assert one.valve_rad != env.task.draw(8).valve_rad
    np.testing.assert_array_equal(env.reset(seed=7)[0], env.reset(seed=7)[0])


def test_the_script_remembers_nothing(env):
    """What it does on one state does not depend on what it saw before, so that it can be cloned."""
    still = ValveScriptConfig(noise=0.0, stroke_spread_rad=0.0)
    script, fresh = (ValveScript(env.task, still, np.random.default_rng(0)) for _ in range(2))
    episode = run_script(env, script.act, session="test", episode=0, seed=0)
    for transition in reversed(episode.transitions[:30]):
        np.testing.assert_array_equal(fresh.act(transition.observation), transition.action)


def test_it_is_known_by_name_with_its_options():
    assert make_environment("claw-valve", horizon_steps=7).config.horizon_steps == 7
    assert "claw-valve" in scripted_names()
