"""The node of the policy: the first observation is answered, in whatever order what that takes comes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rclpy
import yaml
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from tenon_msgs.msg import Observation, PolicyAction, SessionState

from tenon.algorithms import create
from tenon.session.setup import load_setup
from tenon.training.snapshot import take_snapshot
from tenon_graph import contract
from tenon_graph.conversions import image_to_msg
from tenon_graph.learning import snapshot_to_msg
from tenon_graph.node import GraphNode
from tenon_learning.policy_node import PolicyNode
from tenon_session.testing.sessions import PICTURE_PX, picture_session

IDLE_TURNS = 20
EPISODE = 4


class Bench:
    """The policy's node, and everybody else."""

    def __init__(self, run_directory: Path, session: str = "demo") -> None:
        rclpy.init(args=["--ros-args", "-p", f"session:={session}", "-p", f"run_directory:={run_directory}"])
        self._session = session
        self._policy, self._others = PolicyNode(), GraphNode("others")
        topics = (contract.OBSERVATION, contract.POLICY_WEIGHTS, contract.SESSION_STATE)
        self._publishers = {topic.name: self._others.advertise(topic) for topic in topics}
        self.actions: list[PolicyAction] = []
        self._others.subscribe(contract.POLICY_ACTION, self.actions.append)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._policy)
        self._executor.add_node(self._others)

    def say(self, what: str, *, episode: int = EPISODE, image: Image | None = None) -> None:
        """One of the three messages, served at once. image: of the observation."""
        if what == "weights":
            learner = create("sac", {}, load_setup(self._session).environment_spec, 0)
            self._publishers[contract.POLICY_WEIGHTS.name].publish(snapshot_to_msg(take_snapshot(learner)))
        elif what == "state":
            state = SessionState(phase=SessionState.RUNNING, episode=episode, controller="residual")
            self._publishers[contract.SESSION_STATE.name].publish(state)
        else:
            seen = Observation(episode=episode, phase=SessionState.RUNNING, state=[0.0] * 4)
            seen.image = image or seen.image
            self._publishers[contract.OBSERVATION.name].publish(seen)
        for _ in range(IDLE_TURNS):
            self._executor.spin_once(timeout_sec=0.0)

    def close(self) -> None:
        self._executor.shutdown()
        self._others.destroy_node()
        self._policy.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    running = Bench(tmp_path / "run")
    yield running
    running.close()


@pytest.mark.parametrize("order", list(itertools.permutations(("weights", "state", "observation"))))
def test_first_observation_is_answered_once_whatever_comes_last(bench: Bench, order: tuple[str, ...]) -> None:
    for what in order:
        assert bench.actions == []
        bench.say(what)
    assert [action.episode for action in bench.actions] == [EPISODE]
    bench.say("state")
    bench.say("weights")
    assert len(bench.actions) == 1


def test_observation_of_an_episode_that_is_over_stays_unanswered(bench: Bench) -> None:
    bench.say("weights")
    bench.say("observation", episode=EPISODE - 1)
    bench.say("state")
    assert bench.actions == []


def test_picture_that_nobody_reads_is_not_answered_and_the_next_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    session = tmp_path / "session.yaml"
    session.write_text(yaml.safe_dump(picture_session(tmp_path)))
    with closing(Bench(tmp_path / "run", str(session))) as bench:
        for what in ("weights", "state"):
            bench.say(what)
        bench.say("observation", image=Image(height=2, width=2, encoding="16UC1"))
        assert bench.actions == []
        bench.say("observation", image=image_to_msg(np.zeros((PICTURE_PX, PICTURE_PX, 3), np.uint8), 0, "camera"))
        assert len(bench.actions) == 1
