"""Environments and scripted data by name."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tenon.configuration import ConfigurationError
from tenon.data.transitions import check_transition
from tenon.environments.registry import (
    environment_names,
    make_environment,
    scripted_episodes,
    scripted_names,
    scripted_transitions,
)
from tenon.environments.scripted import ScriptError

CHEAP = [name for name in environment_names() if not name.startswith("insertion-")]


def test_the_tasks_of_the_five_reproductions_are_there():
    reproduced = {"drawer", "fetch-pick", "flying-peg", "flying-peg-hard", "insertion-hard", "maze-medium"}
    assert reproduced <= set(environment_names())
    assert {"drawer", "fetch-pick", "flying-peg-hard", "maze-medium"} <= set(scripted_names())


@pytest.mark.parametrize("name", CHEAP)
def test_each_is_a_proper_gymnasium_environment_with_the_sizes_that_it_names(name):
    env = make_environment(name)
    learners_spec, env.spec = env.spec, None  # the checker takes ``spec`` for Gymnasium's own
    check_env(env, skip_render_check=True)
    observation, info = env.reset(seed=1)
    state = observation["state"] if isinstance(observation, dict) else observation
    assert state.shape == (learners_spec.observation.state_size,)
    assert env.action_space.shape == (learners_spec.action_size,)
    assert info["episode"] == 1
    assert isinstance(env.step(env.action_space.sample())[4]["success"], bool)
    env.close()


@pytest.mark.parametrize("name", CHEAP)
def test_a_seed_is_an_episode_whatever_came_before(name):
    actions = np.random.default_rng(0).uniform(-1, 1, (6, make_environment(name).spec.action_size)).astype(np.float32)
    seen = []
    for earlier in (3, 4):
        env = make_environment(name)
        env.reset(seed=earlier)
        for action in actions[earlier:]:
            env.step(action)
        start, _ = env.reset(seed=7)
        seen.append([start, *(env.step(action)[0] for action in actions)])
        env.close()
    np.testing.assert_equal(seen[0], seen[1])


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean 'drawer'"):
        make_environment("drawre")
    with pytest.raises(ConfigurationError, match="did you mean 'hard'"):
        make_environment("insertion-hrad")


@pytest.mark.parametrize(
    ("name", "option", "nearest"),
    [
        ("drawer", "horizon_step", "horizon_steps"),
        ("insertion-hard", "rewards", "reward"),
        ("flying-peg-easy", "x", ""),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest(name, option, nearest):
    with pytest.raises(ConfigurationError, match=rf"{option}: unknown key.*{nearest}"):
        make_environment(name, **{option: 1})


def test_options_reach_the_environment():
    assert make_environment("drawer", horizon_steps=7).config.horizon_steps == 7
    assert make_environment("insertion-hard", robot="sawyer").simulation.arm.name == "sawyer"


@pytest.mark.parametrize("name", scripted_names())
def test_scripted_data_fit_the_environment_and_are_a_function_of_the_generator(name):
    spec = make_environment(name).spec
    first, second = (list(scripted_transitions(name, 2, np.random.default_rng(5))) for _ in range(2))
    other = list(scripted_transitions(name, 2, np.random.default_rng(6)))
    for transition, again in zip(first, second, strict=True):
        check_transition(transition, spec)
        assert transition.session == f"scripted-{name}"
        np.testing.assert_array_equal(transition.action, again.action)
        np.testing.assert_array_equal(transition.next_observation.state, again.next_observation.state)
    assert not np.array_equal(first[0].action, other[0].action)


def test_what_has_no_script_says_so_at_once():
    with pytest.raises(ScriptError, match=r"fetch-push has no script.*fetch-pick"):
        scripted_episodes("fetch-push", 1, np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match="did you mean 'noise'"):
        scripted_transitions("drawer", 1, np.random.default_rng(0), noize=1.0)
