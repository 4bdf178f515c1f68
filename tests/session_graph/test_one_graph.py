"""A session as a graph of processes: topics and their rates, who may speak where, and what stays on disk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from tenon.data.decode import float32_array, image_to_array
from tenon.data.mcap_check import check_mcap
from tenon.data.store import Episode, EpisodeStore
from tenon.data.transition_messages import transition_from_message
from tenon_graph import contract
from tenon_graph.contract import Topic
from tenon_graph.conversions import to_ns
from tenon_session.testing.sessions import HORIZON_STEPS, learning_session, training_goal
from tenon_session.testing.stage import Stage

EPISODES = 4
ARM = {"arm_driver"}
MANAGER = {"session_manager"}
WIRES: dict[str, tuple[set[str], set[str]]] = {
    contract.CAMERA_IMAGE.name: (ARM, {"safety_supervisor"}),
    contract.JOINT_STATES.name: (ARM, {"safety_supervisor", "observation_node"}),
    contract.TCP_POSE.name: (ARM, {"safety_supervisor", "observation_node"}),
    contract.TCP_WRENCH.name: (ARM, {"safety_supervisor", "observation_node"}),
    contract.TASK_ELECTRICAL.name: (ARM, {"observation_node"}),
    contract.OBSERVATION.name: (
        {"observation_node"},
        {"policy_node", "reward_node", "residual_controller", "session_manager"},
    ),
    contract.POLICY_ACTION.name: ({"policy_node"}, {"residual_controller"}),
    contract.POLICY_WEIGHTS.name: ({"trainer_node"}, {"policy_node"}),
    contract.REWARD.name: ({"reward_node"}, MANAGER),
    contract.RESIDUAL_COMMAND.name: ({"residual_controller"}, MANAGER),
    contract.RESIDUAL_REFERENCE.name: ({"residual_controller"}, {"command_mux"}),
    contract.SESSION_REFERENCE.name: (MANAGER, {"command_mux"}),
    contract.TELEOP_REFERENCE.name: (set(), {"command_mux"}),
    contract.TELEOP_TWIST.name: (set(), set()),
    contract.TELEOP_STATE.name: (set(), set()),
    contract.COMMAND_REFERENCE.name: ({"command_mux"}, {"safety_supervisor"}),
    contract.COMMAND_SAFE.name: ({"safety_supervisor"}, {"impedance_controller"}),
    contract.JOINT_COMMAND.name: ({"impedance_controller"}, set()),
    contract.ARM_STATE.name: (ARM, {"safety_supervisor"}),
    contract.SAFETY_STATE.name: ({"safety_supervisor"}, {"impedance_controller", "session_manager"}),
    contract.SESSION_STATE.name: (
        MANAGER,
        {"observation_node", "command_mux", "residual_controller", "policy_node"},
    ),
    contract.TRANSITION.name: (MANAGER, {"trainer_node"}),
    contract.EPISODE_SUMMARY.name: (MANAGER, set()),
    contract.TRAINER_STATE.name: ({"trainer_node"}, MANAGER),
}
"""Who publishes and who (at least) subscribes, as docs/architecture.md draws it; the recorder takes all but weights."""
PERIODS_NS = {
    contract.JOINT_STATES.name: 10_000_000,
    contract.TCP_POSE.name: 10_000_000,
    contract.TCP_WRENCH.name: 10_000_000,
    contract.JOINT_COMMAND.name: 10_000_000,
    contract.TASK_ELECTRICAL.name: 100_000_000,
    contract.CAMERA_IMAGE.name: 100_000_000,
    contract.OBSERVATION.name: 100_000_000,
}
HEARTBEAT_PERIOD_NS = 20_000_000
SENSORS = (contract.CAMERA_IMAGE, contract.JOINT_STATES, contract.TCP_POSE, contract.TCP_WRENCH)
SHARE_ON_TIME = 0.95

pytestmark = [pytest.mark.session, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A graph after a run of a few training episodes; the probe has heard all of it."""
    directory = tmp_path_factory.mktemp("learning")
    with Stage(learning_session(directory), directory).open() as opened:
        probe = opened.probe
        probe.listen(*contract.TOPICS)
        result = probe.finish_run(probe.start_run(training_goal(EPISODES)), timeout_s=180.0)
        assert (result.stop_reason, result.episodes) == ("done", EPISODES)
        if probe.recoveries:
            pytest.skip("the machine is too busy for a run without a fault")
        yield opened


@pytest.fixture(scope="module")
def episodes(stage: Stage) -> tuple[Episode, ...]:
    store = EpisodeStore(stage.run_directory / "episodes")
    stage.probe.wait_for(lambda: len(store.episodes()) == EPISODES, "the last episode on disk")
    return store.episodes()


def test_every_topic_of_the_contract_is_wired_as_designed(stage: Stage) -> None:
    probe = stage.probe
    assert set(WIRES) == {topic.name for topic in contract.TOPICS}
    for topic, (publishers, subscribers) in WIRES.items():
        name = probe.resolve_topic_name(topic)
        speaking = {info.node_name for info in probe.get_publishers_info_by_topic(name)}
        listening = {info.node_name for info in probe.get_subscriptions_info_by_topic(name)} - {probe.get_name()}
        recorder = set() if topic == contract.POLICY_WEIGHTS.name else {"recorder_node"}
        assert speaking == publishers, topic
        assert listening == subscribers | recorder, topic


@pytest.mark.parametrize("topic", [t for t in contract.TOPICS if t.name in PERIODS_NS], ids=lambda topic: topic.name)
def test_topic_comes_at_its_rate_in_session_time(stage: Stage, topic: Topic) -> None:
    stamps_ns = [to_ns(msg.header.stamp) for msg in stage.probe.heard(topic)]
    gaps_ns = [after - before for before, after in pairwise(stamps_ns)]
    assert len(gaps_ns) > HORIZON_STEPS
    assert np.mean(np.array(gaps_ns) == PERIODS_NS[topic.name]) >= SHARE_ON_TIME


def test_heartbeat_keeps_its_pace_though_time_comes_in_bursts(stage: Stage) -> None:
    stamps_ns = [to_ns(msg.header.stamp) for msg in stage.probe.heard(contract.SAFETY_STATE)]
    assert np.median(np.diff(stamps_ns)) == HEARTBEAT_PERIOD_NS


def test_every_motion_passed_the_supervisor(stage: Stage) -> None:
    probe = stage.probe
    asked = {to_ns(msg.header.stamp): msg for msg in probe.heard(contract.COMMAND_REFERENCE) if msg.mode}
    moved = [msg for msg in probe.heard(contract.COMMAND_SAFE) if msg.mode]
    assert len(moved) >= EPISODES * HORIZON_STEPS
    for msg in moved:
        assert msg.tcp_in_base == asked[to_ns(msg.header.stamp)].tcp_in_base
        assert msg.source in ("residual", "session")


def test_every_step_of_an_episode_has_all_of_its_messages(stage: Stage) -> None:
    probe = stage.probe
    transitions = probe.heard(contract.TRANSITION)
    assert [(msg.episode, msg.step) for msg in transitions] == [
        (episode, step) for episode in range(EPISODES) for step in range(HORIZON_STEPS)
    ]
    answered = {to_ns(msg.header.stamp) for msg in transitions}
    for topic in (contract.REWARD, contract.OBSERVATION):
        assert answered <= {to_ns(msg.header.stamp) for msg in probe.heard(topic)}
    for episode in range(EPISODES):
        stamps_ns = [to_ns(msg.header.stamp) for msg in transitions if msg.episode == episode]
        assert {after - before for before, after in pairwise(stamps_ns)} == {100_000_000}


def test_policy_is_the_newest_that_was_published(stage: Stage) -> None:
    probe = stage.probe
    published = {msg.version for msg in probe.heard(contract.POLICY_WEIGHTS)}
    acted = [msg.version for msg in probe.heard(contract.POLICY_ACTION)]
    assert acted == sorted(acted)
    assert set(acted) <= published
    assert acted[-1] > 0


def test_episodes_open_with_rosbags_and_pass_every_check(episodes: tuple[Episode, ...]) -> None:
    for episode in episodes:
        assert check_mcap(episode.file) == []
        with AnyReader([episode.path]) as reader:
            for connection, _, data in reader.messages():
                reader.deserialize(data, connection.msgtype)


def test_episode_holds_every_topic_but_those_that_were_silent(episodes: tuple[Episode, ...]) -> None:
    teleoperation = (contract.TELEOP_REFERENCE, contract.TELEOP_TWIST, contract.TELEOP_STATE)
    # The arm says how it is when that changes, which was before the first episode.
    silent = {f"/{topic.name}" for topic in (*teleoperation, contract.TRAINER_STATE, contract.ARM_STATE)}
    for episode in episodes:
        expected = {f"/{topic.name}" for topic in contract.TOPICS if topic is not contract.POLICY_WEIGHTS}
        held = {topic for topic, count in episode.counts.items() if count}
        assert expected - silent - held <= {f"/{contract.SESSION_REFERENCE.name}"}
        assert episode.counts["/transition"] == HORIZON_STEPS
        assert episode.counts["/session/episode"] == 1
        assert episode.outcome.complete
        assert (episode.contract.train, episode.contract.session_episode) == (True, episode.number)


def test_live_observation_and_bag_decode_to_the_same_arrays(stage: Stage, episodes: tuple[Episode, ...]) -> None:
    live = {to_ns(msg.header.stamp): msg for msg in stage.probe.heard(contract.OBSERVATION)}
    store = EpisodeStore(episodes[0].path.parent)
    compared = 0
    for message in store.decoded(episodes[0], ["/observation"]):
        heard = live[message.content.header.stamp.sec * 10**9 + message.content.header.stamp.nanosec]
        np.testing.assert_array_equal(float32_array(message.content.state), float32_array(heard.state))
        np.testing.assert_array_equal(image_to_array(message.content.image), image_to_array(heard.image))
        compared += 1
    assert compared >= HORIZON_STEPS


def test_live_transitions_and_bag_decode_to_the_same_arrays(stage: Stage, episodes: tuple[Episode, ...]) -> None:
    live = [transition_from_message(msg) for msg in stage.probe.heard(contract.TRANSITION)]
    store = EpisodeStore(episodes[0].path.parent)
    recorded = [transition for episode in episodes for transition in store.transitions(episode)]
    assert len(live) == len(recorded)
    for ours, theirs in zip(live, recorded, strict=True):
        np.testing.assert_array_equal(ours.observation.state, theirs.observation.state)
        np.testing.assert_array_equal(ours.action, theirs.action)
        assert (ours.reward, ours.truncated, ours.stamp_ns) == (theirs.reward, theirs.truncated, theirs.stamp_ns)


@pytest.mark.parametrize(
    "topic",
    [contract.CAMERA_IMAGE, contract.JOINT_STATES, contract.TCP_POSE, contract.TCP_WRENCH],
    ids=lambda t: t.name,
)
def test_sensors_live_and_from_the_bag_are_the_same_bit_for_bit(
    stage: Stage, episodes: tuple[Episode, ...], topic: Topic
) -> None:
    live = {to_ns(msg.header.stamp): msg for msg in stage.probe.heard(topic)}
    compared = 0
    store = EpisodeStore(episodes[0].path.parent)
    for message in chain.from_iterable(store.decoded(episode, [f"/{topic.name}"]) for episode in episodes):
        heard = live.get(message.content.header.stamp.sec * 10**9 + message.content.header.stamp.nanosec)
        if heard is None:  # Sensors are best effort: the probe may have missed one that the recorder got.
            continue
        for ours, theirs in zip(arrays(heard), arrays(message.content), strict=True):
            assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()
        compared += 1
    assert compared >= HORIZON_STEPS


def arrays(message: Any) -> list[np.ndarray[Any, np.dtype[Any]]]:
    """The numbers of a sensor's message, whoever decoded it."""
    if hasattr(message, "encoding"):
        return [image_to_array(message)]
    if hasattr(message, "effort"):
        return [np.array(field, np.float64) for field in (message.position, message.velocity, message.effort)]
    parts = (
        (message.pose.position, message.pose.orientation)
        if hasattr(message, "pose")
        else (message.wrench.force, message.wrench.torque)
    )
    return [np.array([getattr(part, axis) for axis in "xyzw" if hasattr(part, axis)]) for part in parts]


def test_the_audit_of_each_episode_agrees_with_its_file(episodes: tuple[Episode, ...]) -> None:
    for episode in episodes:
        audit = episode.outcome.audit
        assert {topic: count.written for topic, count in audit.items()} == {
            topic: count for topic, count in episode.counts.items() if count
        }
        assert all(count.received == count.written for count in audit.values()) and not episode.outcome.dropped
        published = audit["/joint_states"].published
        assert published is not None and published >= audit["/joint_states"].received
