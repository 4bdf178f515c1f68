"""The insertion environment: the Gymnasium contract, fixed draws, rewards, what the baselines reach."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError, load_yaml, parse
from tenon.configuration.resolve import ConfigKind, load_named, resolve
from tenon.environments import INSERT_ID
from tenon.environments.insertion import InsertionEnv, make_insertion
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.tasks import InsertionTaskConfig

STILL = np.zeros(3, np.float32)
DRAWS = 30


def environment(*, robot="ur5", reward="electrical", **task):
    changed = {**load_yaml(resolve(ConfigKind.TASKS, "hard")), **task}
    return InsertionEnv(
        load_named(ArmConfig, ConfigKind.ARMS, robot),
        load_named(ConnectorConfig, ConfigKind.CONNECTORS, "hard"),
        parse(InsertionTaskConfig, changed, where="task"),
        reward=reward,
    )


def run_episode(env, policy, seed, scale):
    observation, _ = env.reset(seed=seed, options={"goal_error_scale": scale})
    truncated, info = False, {}
    while not truncated:
        observation, _, terminated, truncated, info = env.step(policy(observation))
        assert not terminated
    return info


def success_rate(env, policy, scale):
    infos = [run_episode(env, policy, seed, scale) for seed in range(DRAWS)]
    assert max(info["peak_force_n"] for info in infos) < env.task.force_limit_n
    return np.mean([info["success"] for info in infos])


def test_it_is_a_proper_gymnasium_environment():
    env = gymnasium.make(INSERT_ID, robot="ur5", task="hard")
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("connector", ["nema15_01", "usb_c_02"])
def test_with_pictures_it_is_one_too_and_tells_a_learner_their_size(connector):
    env = make_insertion(task="job-far", connector=connector, observation="image")
    learners_spec, env.spec = env.spec, None  # the checker takes ``spec`` for Gymnasium's own
    check_env(env, skip_render_check=True)
    observation, _ = env.reset(seed=1)
    assert observation["image"].shape == learners_spec.observation.image.shape == (64, 64, 3)
    assert observation["state"].shape == (4,)
    assert env.connector.name == connector
    env.close()


def test_a_picture_belongs_to_its_state_and_the_same_seed_gives_the_same_pictures():
    env = make_insertion(task="job-near", connector="deutsch_01", observation="image")
    runs = []
    for _ in range(2):
        start, _ = env.reset(seed=4)
        runs.append([start["image"], env.step(np.array((1.0, 0.0, -1.0), np.float32))[0]["image"]])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][0] != runs[0][1]).any()
    env.close()


def test_a_connector_of_a_user_takes_the_place_of_the_tasks_own(tmp_path):
    text = resolve(ConfigKind.CONNECTORS, "banana_01").read_text().replace("name: banana_01", "name: mine")
    (tmp_path / "mine.yaml").write_text(text)
    assert make_insertion(task="job-far", connector=tmp_path / "mine.yaml").connector.name == "mine"


@pytest.mark.parametrize(("task", "nearest_m", "farthest_m"), [("job-near", 0.0, 0.010), ("job-far", 0.010, 0.020)])
def test_on_the_job_the_socket_is_shown_within_a_ring_on_all_sides(task, nearest_m, farthest_m):
    env = make_insertion(task=task)
    errors = np.array([env.draw(seed).goal_error_m for seed in range(300)])
    radius = np.hypot(errors[:, 0], errors[:, 1])
    assert nearest_m <= radius.min() < nearest_m + 0.001
    assert farthest_m - 0.001 < radius.max() <= farthest_m
    middle = np.sqrt((nearest_m**2 + farthest_m**2) / 2)
    assert 0.42 < (radius < middle).mean() < 0.58, "uniform in area"
    assert np.abs(errors.mean(axis=0)).max() < 0.15 * farthest_m
    assert not errors[:, 2].any()


@pytest.mark.parametrize("connector", ["aux_01", "europlug_02", "dt12_03"])
def test_on_the_job_one_who_knows_the_socket_is_home_well_before_the_horizon(connector):
    env = make_insertion(task="job-far", connector=connector)
    depth_m, authority_m = env.connector.depth_m, np.array(env.task.residual.authority_m)
    for seed in range(5):
        observation, info = env.reset(seed=seed)
        successes, truncated = 0, False
        while not truncated:
            offset = observation[:3] + info["draw"].goal_error_m
            over = np.hypot(*offset[:2]) < (0.001 if offset[2] < depth_m else 0.0004)
            way = np.append(-1.3 * offset[:2], -1.0 if over else depth_m + 0.0015 - offset[2])
            observation, _, _, truncated, step = env.step(np.clip(way / authority_m, -1, 1).astype(np.float32))
            successes += step["success"]
        assert step["success"]
        assert successes >= 2
        assert step["peak_force_n"] < env.task.force_limit_n


def test_unknown_names_are_refused_with_what_there_is():
    with pytest.raises(ConfigurationError, match="hard"):
        make_insertion(task="hrad")


def test_an_episode_is_truncated_at_the_horizon_and_never_terminated():
    env = environment(horizon_steps=5)
    env.reset(seed=0)
    outcomes = [env.step(STILL)[2:4] for _ in range(5)]
    assert outcomes == [(False, False)] * 4 + [(False, True)]


def test_the_observation_is_the_offset_from_the_estimated_goal_and_the_press():
    env = environment()
    observation, info = env.reset(seed=3)
    offset = env.simulation.start_in_base.position_m - env.simulation.estimated_goal_in_base.position_m
    np.testing.assert_allclose(observation, np.append(offset, 0.0), atol=1e-5)
    assert np.abs(info["draw"].goal_error_m).max() > 0, "the error itself must not show"


def test_the_tare_takes_the_sensors_bias_out():
    env = environment(force_sensor={"force_bias_n": 5.0, "force_noise_n": 0.05})
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        assert abs(env.simulation._sensor_bias[2]) > 0.0
        assert abs(observation[3]) < 0.2


def test_the_same_seed_is_the_same_episode_to_the_last_bit():
    first, second = environment(), environment()
    second.reset(seed=99)
    generator = np.random.default_rng(0)
    actions = generator.uniform(-1, 1, (20, 3)).astype(np.float32)
    observations = []
    for env in (first, second):
        start, _ = env.reset(seed=5)
        observations.append([start, *(env.step(action)[0] for action in actions)])
    np.testing.assert_array_equal(observations[0], observations[1])


def test_without_a_seed_episodes_differ_but_the_sequence_is_that_of_the_first_seed():
    env = environment()
    sequences = []
    for _ in range(2):
        env.reset(seed=1)
        sequences.append([env.reset()[1]["episode"] for _ in range(3)])
    assert sequences[0] == sequences[1]
    assert len(set(sequences[0])) == 3


def test_a_draw_is_what_the_episode_gets():
    env = environment()
    _, info = env.reset(seed=11)
    np.testing.assert_array_equal(env.draw(11).goal_error_m, info["draw"].goal_error_m)
    assert env.draw(11).retention_n == info["draw"].retention_n


def test_the_command_of_a_tick_is_applied_from_that_tick_on():
    """In lockstep the ROS graph does the same: the answer to observation t moves the arm before observation t + 1."""
    env = environment()
    env.reset(seed=0)
    before = env.simulation.tcp_in_base().position_m.copy()
    env.step(np.array((1.0, 0.0, 0.0), np.float32))
    moved = env.simulation.tcp_in_base().position_m - before
    assert moved[2] < -0.001
    np.testing.assert_allclose(env.command.target_m, before + env.command.step_m)


@pytest.mark.parametrize("robot", ["ur5", "sawyer"])
def test_the_hard_socket_is_hard_for_the_p_controller_even_with_a_perfect_goal(robot):
    env = environment(robot=robot)
    assert 0.2 <= success_rate(env, lambda _: STILL, 0.0) <= 0.6
    assert 0.0 < success_rate(env, lambda _: STILL, 1.0) <= 0.45, "hard, but not out of reach"


def test_random_dither_helps_but_does_not_solve_it():
    generator = np.random.default_rng(0)
    rate = success_rate(environment(), lambda _: generator.uniform(-1, 1, 3), 1.0)
    assert 0.35 <= rate <= 0.75


def test_one_who_knows_the_error_solves_it_within_the_residuals_authority():
    """So the rest is for learning, and neither force nor clearance stands in the way."""
    env = environment()
    rate = []
    for seed in range(DRAWS):
        error = env.draw(seed).goal_error_m
        correction = np.clip(-error / env.task.residual.authority_m, -1, 1)

        def policy(observation, correction=correction):
            near = observation[2] < env.connector.depth_m - 0.001
            return np.array((*correction[:2], -1.0 if near else 0.0), np.float32)

        rate.append(run_episode(env, policy, seed, 1.0)["success"])
    assert np.mean(rate) >= 0.95


def test_the_electrical_reward_pays_each_step_on_which_the_connection_stands():
    env = environment(goal_error_m=0.0)
    for seed in range(10):
        env.reset(seed=seed)
        rewards, connected = [], []
        for _ in range(50):
            _, reward, _, _, info = env.step(np.array((0.0, 0.0, -1.0), np.float32))
            rewards.append(reward)
            connected.append(float(info["success"]))
        assert rewards == connected
        if sum(rewards) > 10:
            return
    pytest.fail("pressing down never connected")


def test_the_dense_environment_pays_the_repaired_dense_reward():
    env = environment(reward="dense")
    env.reset(seed=0)
    observation, reward, _, _, _ = env.step(STILL)
    error, press = observation[:3].astype(float), float(observation[3])
    by_hand = -100 * np.abs(error).sum() + 0.002 / (np.linalg.norm(error) + 0.001) - 0.1 * press
    assert reward == pytest.approx(by_hand, rel=1e-4)


def test_a_learner_is_told_the_scale_of_what_it_sees():
    spec = environment().spec
    assert spec.observation.state_scale == (0.001, 0.001, 0.01, 5.0)
    assert (spec.observation.state_size, spec.action_size) == (4, 3)


def test_a_frame_can_be_drawn():
    env = environment()
    env.reset(seed=0)
    assert env.render().shape == (480, 640, 3)
    env.close()
