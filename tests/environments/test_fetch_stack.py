"""Towers of blocks, their demonstrations, and episodes that begin in these: demos-her.md, sections 2.5, 4 and 8."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tenon.configuration import ConfigurationError
from tenon.environments.demonstration_resets import DemonstrationResets
from tenon.environments.fetch import FetchConfig, FetchEnv
from tenon.environments.fetch_scripts import StackScript, StackScriptConfig, stack_demonstrations, stacked_m
from tenon.environments.registry import make_environment, scripted_episodes
from tenon.environments.scripted import ScriptError, run_script

STILL = np.zeros(4, np.float32)


@pytest.fixture(scope="module")
def tower():
    env = FetchEnv(FetchConfig(task="stack", blocks=3))
    yield env
    env.close()


@pytest.fixture(scope="module")
def demonstrations(tower):
    return list(stack_demonstrations(tower, 4, np.random.default_rng(0), StackScriptConfig(), "test"))


@pytest.mark.parametrize("blocks", [2, 6])
def test_goals_are_the_storeys_on_the_first_block(blocks):
    env = FetchEnv(FetchConfig(task="stack", blocks=blocks))
    assert env.horizon_steps == 50 * (blocks - 1)
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        state, achieved = observation["state"], observation["achieved_goal"].reshape(-1, 3)
        assert state.shape == (10 + 18 * blocks,)
        np.testing.assert_array_equal(stacked_m(state, blocks), achieved)
        goals = state[-3 * blocks :].reshape(-1, 3)
        np.testing.assert_allclose(goals - achieved[0], [(0, 0, 0.05 * i) for i in range(blocks)], atol=1e-6)
        apart = [np.linalg.norm(a - b) for i, a in enumerate(achieved) for b in achieved[:i]]
        assert min(apart) >= 0.1 - 1e-3, "the gripper goes between"
        assert np.ptp(achieved[:, 2]) < 1e-3, "all lie on the table"


@pytest.mark.parametrize(("reward", "first", "last"), [("all_reached", 0.0, 1.0), ("per_part", 0.0, 2.0)])
def test_the_tower_pays_as_a_whole_or_block_by_block(reward, first, last):
    """Eq. (21), and eq. (22), which is 0 at the start, as the first block is in place."""
    env = FetchEnv(FetchConfig(task="stack", blocks=3, stack_reward=reward))
    script = StackScript(StackScriptConfig(), 3, np.random.default_rng(0), None)
    shown = run_script(env, script.act, session="test", episode=0, seed=0)
    assert shown.transitions[0].reward == first
    assert shown.transitions[-1].reward == last
    assert shown.success
    assert not any(transition.success for transition in shown.transitions if transition.reward != last)
    heights = stacked_m(shown.transitions[-1].next_observation.state, 3)[:, 2]
    np.testing.assert_allclose(np.diff(heights), 0.05, atol=5e-3)


def test_a_block_that_is_let_go_is_picked_up_again():
    env = FetchEnv(FetchConfig(task="stack", blocks=3, horizon_steps=150))
    script = StackScript(StackScriptConfig(), 3, np.random.default_rng(1), (1, 0))
    shown = run_script(env, script.act, session="test", episode=0, seed=1)
    opened = [transition.action[3] > 0.5 for transition in shown.transitions]
    released = sum(not before and after for before, after in pairwise(opened))
    assert released == 3, "once on the way, and twice on the tower"
    assert shown.success


def test_only_demonstrations_of_the_tower_are_kept(demonstrations, tower):
    assert [shown.success for shown in demonstrations] == [True] * 4
    hasty = FetchEnv(FetchConfig(task="stack", blocks=3, horizon_steps=20))
    with pytest.raises(
        ScriptError, match=r"ended without the tower of 3 blocks: give more steps \(horizon_steps is 20\)"
    ):
        next(stack_demonstrations(hasty, 1, np.random.default_rng(0), StackScriptConfig(tries=2), "test"))
    with pytest.raises(ScriptError, match="only fetch-stack"):
        next(stack_demonstrations(FetchEnv(), 1, np.random.default_rng(0), StackScriptConfig(), "test"))


def test_a_state_in_the_middle_continues_to_the_last_bit(demonstrations):
    shown, begin = demonstrations[0], 40
    other = FetchEnv(FetchConfig(task="stack", blocks=3))
    goal = shown.transitions[0].observation.state[-9:]
    other.reset(seed=99, options={"state": shown.states[begin], "goal": goal})
    for transition in shown.transitions[begin:]:
        observation, reward, *_ = other.step(transition.action)
        np.testing.assert_array_equal(observation["state"], transition.next_observation.state)
        assert reward == transition.reward


def test_a_share_of_the_episodes_begins_in_a_demonstration_with_what_it_came_to(demonstrations, tower):
    resets = DemonstrationResets(demonstrations, 0.3, seed=5)
    drawn = [resets(episode) for episode in range(400)]
    inside = [reset for reset in drawn if reset.options is not None]
    assert len(inside) / len(drawn) == pytest.approx(0.3, abs=0.07)
    again = DemonstrationResets(demonstrations, 0.3, seed=5)(7)
    assert again.seed == drawn[7].seed
    ends = [shown.transitions[-1].next_observation.achieved_goal for shown in demonstrations]
    for reset in inside:
        assert any(np.array_equal(reset.options["goal"], end) for end in ends)
    observation, _ = tower.reset(seed=inside[0].seed, options=inside[0].options)
    np.testing.assert_array_equal(observation["state"][-9:], inside[0].options["goal"])
    states = [shown.states[0].size for shown in demonstrations]
    assert {reset.options["state"].size for reset in inside} == set(states)


def test_what_cannot_be_reset_to_is_refused(demonstrations):
    with pytest.raises(ScriptError, match=r"is 1\.5: 0 to 1 is"):
        DemonstrationResets(demonstrations, 1.5, seed=0)
    with pytest.raises(ScriptError, match="no demonstration"):
        DemonstrationResets([], 0.5, seed=0)
    with pytest.raises(ScriptError, match="no simulator states or no goals"):
        DemonstrationResets(list(scripted_episodes("drawer", 1, np.random.default_rng(0))), 0.5, seed=0)


def test_options_of_towers_are_refused_elsewhere():
    with pytest.raises(ConfigurationError, match="blocks: of the task stack alone, this one is pick"):
        make_environment("fetch-pick", blocks=3)
    with pytest.raises(ConfigurationError, match="blocks"):
        make_environment("fetch-stack", blocks=7)
