"""A policy and a reward that see pictures, end to end: the wires, what is stored, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
import yaml
from builtin_interfaces.msg import Time
from tenon_msgs.action import RunSession
from tenon_msgs.msg import SessionState

from tenon.algorithms.localise import Localiser, LocaliserConfig
from tenon.configuration import ConfigurationError
from tenon.data.decode import image_to_array
from tenon.data.store import EpisodeStore
from tenon.data.transitions import ImageSpec
from tenon.environments.insertion import IMAGE_PX, InsertionEnv
from tenon.rewards.daib.free_plug import FREE_STEPS
from tenon.session.plans import configured_plan
from tenon.session.recordings import Recordings
from tenon.session.setup import load_setup
from tenon.simulation.scene import WRIST_CAMERA
from tenon.training.trainer import Trainer
from tenon_graph import contract
from tenon_graph.contract import Topic
from tenon_graph.conversions import to_ns
from tenon_session.testing.one_process import one_process
from tenon_session.testing.probe import Probe
from tenon_session.testing.sessions import PICTURE_PX, constant_classifier, picture_session

EPISODES, HORIZON_STEPS, LOGIT = 3, 5, 2.5
STEPS = EPISODES * HORIZON_STEPS
PAID_STEPS = HORIZON_STEPS + 1 - FREE_STEPS
RUN_TIMEOUT_S = 120.0

pytestmark = [pytest.mark.session, pytest.mark.timeout(300)]


def goal(episodes: int = EPISODES, **changes: Any) -> RunSession.Goal:
    return RunSession.Goal(
        controller="policy", episodes=episodes, train=True, goal_error_m=0.001, record=True, **changes
    )


@dataclass(frozen=True)
class Practised:
    """What a few episodes of practice left: messages by topic, and the run directory."""

    heard: dict[str, list[Any]]
    run_directory: Path


@pytest.fixture(scope="module")
def practised(tmp_path_factory: pytest.TempPathFactory) -> Practised:
    """Episodes that a classifier paid for."""
    directory = tmp_path_factory.mktemp("pictures")
    paid = {"reward": "daib", "reward_checkpoint": str(constant_classifier(directory / "daib", LOGIT))}
    topics = (contract.OBSERVATION, contract.REWARD, contract.CAMERA_IMAGE, contract.EPISODE_SUMMARY)
    with one_process(picture_session(directory, **paid), directory) as probe:
        probe.listen(*topics)
        result = probe.finish_run(probe.start_run(goal()), RUN_TIMEOUT_S)
        assert (result.stop_reason, result.episodes) == ("done", EPISODES)
        store = EpisodeStore(directory / "run" / "episodes")
        probe.wait_for(lambda: len(store.episodes()) == EPISODES, "the last episode on disk")
        probe.wait_for(lambda: probe.trainer_state().transitions == STEPS, "the last transition at the trainer")
        return Practised({topic.name: probe.heard(topic) for topic in topics}, directory / "run")


def test_every_observation_holds_the_picture_of_its_own_tick(practised: Practised) -> None:
    pictures = {to_ns(msg.header.stamp) for msg in practised.heard[contract.CAMERA_IMAGE.name]}
    seen = [msg for msg in practised.heard[contract.OBSERVATION.name] if msg.phase == SessionState.RUNNING]
    assert len(seen) >= EPISODES * (HORIZON_STEPS + 1)
    for msg in seen:
        assert to_ns(msg.image.header.stamp) == to_ns(msg.header.stamp)
        assert (msg.image.height, msg.image.width) == (PICTURE_PX, PICTURE_PX)
        assert to_ns(msg.header.stamp) in pictures


def test_every_reward_says_which_classifier_it_is_and_what_it_saw(practised: Practised) -> None:
    paid = practised.heard[contract.REWARD.name]
    assert {msg.source for msg in paid} == {"daib"}
    assert {msg.logit for msg in paid} == {LOGIT}
    assert len({msg.version for msg in paid}) == 1
    for episode in {msg.episode for msg in paid}:
        values = [msg.reward for msg in paid if msg.episode == episode][: HORIZON_STEPS + 1]
        assert values == [*[0.0] * FREE_STEPS, *[1.0] * PAID_STEPS], (
            "anew in every episode, once the plug was seen free"
        )


def test_summary_tells_the_reward_and_the_detector_apart(practised: Practised) -> None:
    summaries = practised.heard[contract.EPISODE_SUMMARY.name]
    assert len(summaries) == EPISODES
    for msg in summaries:
        assert msg.success and not msg.connected
        assert msg.false_steps == PAID_STEPS


def test_recording_and_replay_hold_the_same_pictures_and_judgements(practised: Practised) -> None:
    trained, numbers = Trainer.resume(practised.run_directory / "trainer"), torch.arange(STEPS)
    assert trained.updates > 0
    batch, rows = trained.replay.gather(numbers), trained.replay.rows(numbers)
    store = EpisodeStore(practised.run_directory / "episodes")
    recorded = [step for episode in store.episodes() for step in store.transitions(episode)]
    assert len(recorded) == STEPS
    for i, step in enumerate(recorded):
        assert batch.observation.image is not None and batch.next_observation.image is not None
        np.testing.assert_array_equal(batch.observation.image[i].numpy(), step.observation.image)
        np.testing.assert_array_equal(batch.next_observation.image[i].numpy(), step.next_observation.image)
        assert rows["reward_logit"][i] == step.reward_logit == LOGIT
        assert trained.replay.reward_version(int(rows["reward_version"][i])) == step.reward_version != ""
    trained.replay.close()


def test_trials_are_read_back_from_the_recordings(practised: Practised) -> None:
    setup = load_setup(practised.run_directory.parent / "session.yaml", {"episodes": EPISODES})
    plan = configured_plan(setup)
    recordings = Recordings(EpisodeStore(practised.run_directory / "episodes"))
    assert (recordings.done(plan), recordings.steps_for_training(setup.environment_spec)) == (EPISODES, STEPS)
    trials = recordings.trials(plan)
    assert [trial.summary.seed for trial in trials] == [0, 1, 2]
    assert all(trial.exploits and trial.summary.false_steps == PAID_STEPS for trial in trials)
    assert [len(version) for version in recordings.reward_versions(setup.environment_spec)] == [16]


def blind_localiser(folder: Path) -> Path:
    """Says of every picture that the socket is 1 cm away along x."""
    image = ImageSpec(height=PICTURE_PX, width=PICTURE_PX, channels=3)
    localiser = Localiser(image, LocaliserConfig())
    with torch.no_grad():
        last = localiser.network[1]
        last.weights[-1].zero_()
        last.last_bias.copy_(torch.tensor([1.0, 0.0]))
    localiser.save(folder)
    return folder


def test_picture_is_to_the_pixel_the_one_that_the_environment_draws(tmp_path: Path) -> None:
    """Data are collected in the environment and used on the graph: the same pose must look the same."""
    session = {**picture_session(tmp_path), "observation_image": {"width": IMAGE_PX, "height": IMAGE_PX}}
    with one_process(session, tmp_path) as probe:
        probe.listen(contract.OBSERVATION, contract.JOINT_STATES)
        seen = probe.wait_for(lambda: probe.heard(contract.OBSERVATION), "an observation")[-1]
        joints = probe.wait_for(lambda: _at(probe, contract.JOINT_STATES, seen.header.stamp), "its joints")
    setup = load_setup(tmp_path / "session.yaml")
    env = InsertionEnv(setup.arm, setup.connector, setup.task, observation="image")
    env.simulation.data.qpos[: len(joints.position)] = joints.position
    mujoco.mj_forward(env.simulation.model, env.simulation.data)
    drawn = env.simulation.render(WRIST_CAMERA, IMAGE_PX, IMAGE_PX)
    env.close()
    np.testing.assert_array_equal(image_to_array(seen.image), drawn)


def _at(probe: Probe, topic: Topic, stamp: Time) -> Any:
    return next((msg for msg in probe.heard(topic) if msg.header.stamp == stamp), None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cameras": []}, "observation 'image' needs a camera"),
        ({"camera_rate_hz": 5.0}, "observation 'image' needs control_rate_hz"),
        ({"controller": "residual"}, "choose one of policy, teleop, localise, down, random, spiral"),
        ({"reward": "daib"}, "reward 'daib' needs reward_checkpoint"),
        ({"controller": "localise"}, "controller 'localise' needs localiser"),
        ({"localiser": "none"}, "localiser none: none that can be used"),
        ({"reward": "daib", "reward_checkpoint": "none"}, "no classifier that can be used"),
    ],
)
def test_session_that_cannot_see_or_judge_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told), one_process({**picture_session(tmp_path), **change}, tmp_path):
        pass


def test_classifier_that_says_nan_stops_the_session_and_names_the_reward_node(tmp_path: Path) -> None:
    broken = constant_classifier(tmp_path / "daib", float("nan"))
    session = {**picture_session(tmp_path), "reward": "daib", "reward_checkpoint": str(broken), "stream_timeout_s": 0.5}
    with one_process(session, tmp_path) as probe:
        probe.listen(contract.REWARD, contract.TRANSITION)
        probe.start_run(goal())
        probe.wait_for(lambda: probe.session.phase == SessionState.FAULT, "the session's FAULT")
        assert "look at reward_node" in probe.session.detail
        assert probe.heard(contract.REWARD) == [] and probe.heard(contract.TRANSITION) == []


def test_unknown_controller_of_a_goal_is_refused(tmp_path: Path) -> None:
    with one_process(picture_session(tmp_path), tmp_path) as probe:
        result = probe.finish_run(probe.start_run(RunSession.Goal(controller="p_controller", episodes=1)))
    assert "controller 'p_controller' cannot act in this task: choose one of policy" in result.stop_reason


def test_search_acts_without_a_policy(tmp_path: Path) -> None:
    session = {**picture_session(tmp_path), "observation": "state", "cameras": []}
    with one_process(session, tmp_path) as probe:
        probe.listen(contract.RESIDUAL_COMMAND)
        run = RunSession.Goal(controller="spiral", episodes=2, goal_error_m=0.002)
        assert probe.finish_run(probe.start_run(run), RUN_TIMEOUT_S).episodes == 2
        commands = probe.heard(contract.RESIDUAL_COMMAND)
    assert {msg.source for msg in commands} == {"spiral"}
    assert min(msg.action[2] for msg in commands) < 0.0, "it goes down"


def test_far_goal_error_of_a_goal_lies_in_its_ring(tmp_path: Path) -> None:
    session = {**picture_session(tmp_path), "observation": "state", "cameras": []}
    with one_process(session, tmp_path) as probe:
        probe.listen(contract.EPISODE_SUMMARY)
        run = RunSession.Goal(controller="down", episodes=3, goal_error_m=0.006, goal_error_in_ring=True)
        run.goal_error_min_m = 0.004
        probe.finish_run(probe.start_run(run), RUN_TIMEOUT_S)
        errors_m = [float(np.linalg.norm(msg.goal_error_m)) for msg in probe.heard(contract.EPISODE_SUMMARY)]
    assert len(errors_m) == 3 and all(0.004 <= error_m <= 0.006 for error_m in errors_m)


def test_connector_of_the_session_takes_the_place_of_the_tasks(tmp_path: Path) -> None:
    """A person's own connector, half as deep as the task's: straight down it goes in, and the stand says so."""
    own = tmp_path / "own.yaml"
    plug = {"shape": "round", "diameter_m": 0.009}
    own.write_text(yaml.safe_dump({"name": "mine", "plug": plug, "depth_m": 0.008, "clearance_m": 0.0006}))
    session = {**picture_session(tmp_path), "observation": "state", "cameras": [], "connector": str(own)}
    task = Path(session["task"])
    task.write_text(yaml.safe_dump({**yaml.safe_load(task.read_text()), "horizon_steps": 25}))
    with one_process(session, tmp_path) as probe:
        probe.listen(contract.EPISODE_SUMMARY)
        run = RunSession.Goal(controller="down", episodes=1, goal_error_m=0.0)
        assert probe.finish_run(probe.start_run(run), RUN_TIMEOUT_S).successes == 1
        assert probe.heard(contract.EPISODE_SUMMARY)[0].connected


def test_search_begins_where_the_localiser_sees_the_socket(tmp_path: Path) -> None:
    """A localiser that always says the same sends the arm the same way, whatever the goal's error."""
    session = picture_session(tmp_path, controller="localise", localiser=str(blind_localiser(tmp_path / "localiser")))
    with one_process(session, tmp_path) as probe:
        probe.listen(contract.RESIDUAL_COMMAND)
        run = RunSession.Goal(controller="localise", episodes=1, goal_error_m=0.001)
        assert probe.finish_run(probe.start_run(run), RUN_TIMEOUT_S).episodes == 1
        commands = probe.heard(contract.RESIDUAL_COMMAND)
    assert {msg.source for msg in commands} == {"localise"}
    assert commands[0].action[0] == pytest.approx(-1.0) and abs(commands[0].action[2]) < 1e-6, "sideways first"
