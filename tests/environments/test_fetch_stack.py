"""Towers of blocks, their demonstrations, and episodes that begin in these: demos-her.md, sections 2.5, 4 and 8."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tenon.configuration import ConfigurationError
from tenon.environments.demonstration_resets import DemonstrationResets
from tenon.environments.fetch import FetchConfig, FetchEnv
from tenon.environments.registry import make_environment, scripted_episodes
from tenon.environments.scripted import ScriptError, run_script
from tenon.environments.stack_script import StackScript, StackScriptConfig, stack_demonstrations, stacked_m
from tenon.training.loop import observation_from_gym


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


def played(env, script, seed):
    return run_script(env, script.act, session="test", episode=0, seed=seed)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_block_that_is_let_go_on_its_way_is_picked_up_again(share):
    env = FetchEnv(FetchConfig(task="stack", blocks=3))
    script = StackScript(StackScriptConfig(), 3, np.random.default_rng(0), (1, share))
    shown = played(env, script, seed=0)
    opened = [transition.action[3] > 0.5 for transition in shown.transitions]
    released = sum(not before and after for before, after in pairwise(opened))
    assert released == 3, "once on the way, and twice on the tower"
    assert script.has_dropped
    assert shown.success


@pytest.mark.parametrize("blocks", [2, 4, 6])
def test_most_towers_stand_well_before_time_runs_out(blocks):
    env = FetchEnv(FetchConfig(task="stack", blocks=blocks))
    shown = [played(env, StackScript(StackScriptConfig(), blocks, np.random.default_rng(i), None), i) for i in range(4)]
    assert sum(episode.success for episode in shown) >= 3
    first = [next(t.step for t in episode.transitions if t.success) for episode in shown if episode.success]
    assert np.median(first) < 0.85 * env.horizon_steps


def test_a_tower_that_is_knocked_down_is_built_again():
    env = FetchEnv(FetchConfig(task="stack", blocks=2, horizon_steps=120))
    script = StackScript(StackScriptConfig(noise=0.0), 2, np.random.default_rng(0), None)
    observation = observation_from_gym(env.reset(seed=0)[0])
    seen = []
    for step in range(120):
        raw, _, _, _, info = env.step(script.act(observation))
        seen.append(info["success"])
        if step == 55:
            assert info["success"], "the tower stands"
            joint = env.fetch._env.data.joint("object1:joint")
            joint.qpos[:3] += (0.0, 0.12, -0.05)
        observation = observation_from_gym(raw)
    assert not all(seen[56:70])
    assert seen[-1]


def test_a_wanted_share_of_the_demonstrations_drops_a_block(tower):
    config = StackScriptConfig(drop_share=1.0)
    for shown in stack_demonstrations(tower, 3, np.random.default_rng(3), config, "test"):
        closed = [transition.action[3] < -0.5 for transition in shown.transitions]
        assert sum(not before and after for before, after in pairwise(closed)) >= 3, "one of two blocks twice"
        assert shown.success


def test_only_demonstrations_of_the_tower_are_kept(demonstrations, tower):
    assert [shown.success for shown in demonstrations] == [True] * 4
    hasty = FetchEnv(FetchConfig(task="stack", blocks=3, horizon_steps=20))
    with pytest.raises(
        ScriptError, match=r"ended without the tower of 3 blocks: give more steps \(horizon_steps is 20\)"
    ):
        next(stack_demonstrations(hasty, 1, np.random.default_rng(0), StackScriptConfig(tries=2), "test"))
    with pytest.raises(ScriptError, match="has no blocks to stack"):
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
    places = []
    for reset in inside:
        (shown,) = (
            d
            for d in demonstrations
            if np.array_equal(reset.options["goal"], d.transitions[-1].next_observation.achieved_goal)
        )
        places.append(
            (id(shown), [np.array_equal(reset.options["state"], state) for state in shown.states].index(True))
        )
    assert len({shown for shown, _ in places}) == len(demonstrations), "all demonstrations are begun in"
    assert len(set(places)) > 60, "and everywhere in them"
    observation, _ = tower.reset(seed=inside[0].seed, options=inside[0].options)
    np.testing.assert_array_equal(observation["state"][-9:], inside[0].options["goal"])


def test_how_an_episode_begins_depends_on_its_number_alone(demonstrations):
    """So a practice that was interrupted goes on with the starts that it would have had."""
    forwards, backwards = (DemonstrationResets(demonstrations, 0.5, seed=5) for _ in range(2))
    first = [forwards(episode) for episode in range(20)]
    second = [backwards(episode) for episode in reversed(range(20))][::-1]
    for a, b in zip(first, second, strict=True):
        assert a.seed == b.seed
        assert (a.options is None) == (b.options is None)
        if a.options is not None:
            np.testing.assert_array_equal(a.options["state"], b.options["state"])


def test_what_cannot_be_reset_to_is_refused(demonstrations):
    with pytest.raises(ScriptError, match=r"share 1\.5 of the episodes"):
        DemonstrationResets(demonstrations, 1.5, seed=0)
    with pytest.raises(ScriptError, match="no demonstration"):
        DemonstrationResets([], 0.5, seed=0)
    with pytest.raises(ScriptError, match="no simulator states or no goals"):
        DemonstrationResets(list(scripted_episodes("drawer", 1, np.random.default_rng(0))), 0.5, seed=0)


def test_options_of_towers_are_refused_elsewhere():
    with pytest.raises(ConfigurationError, match="blocks: of the task stack alone, this one is pick"):
        make_environment("fetch-pick", blocks=3)
    with pytest.raises(ConfigurationError, match="fetch-stack-6"):
        make_environment("fetch-stack-7")
    assert FetchConfig.model_validate(FetchConfig(task="pick").model_dump()) == FetchConfig(task="pick")
    assert make_environment("fetch-stack-4", stack_reward="per_part").config.blocks == 4
