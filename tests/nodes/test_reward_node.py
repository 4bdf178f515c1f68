"""The node of the reward: what a session has taught it outlives the node."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rclpy
import yaml
from rclpy.executors import SingleThreadedExecutor
from tenon_msgs.msg import Observation, Reward, SessionState

from tenon.rewards.daib.free_plug import EPISODES, FREE_STEPS
from tenon.session.setup import load_setup
from tenon_graph import contract
from tenon_graph.conversions import image_to_msg
from tenon_graph.node import GraphNode
from tenon_learning.reward_node import MEMORY, RewardNode, reward_session
from tenon_session.testing.sessions import PICTURE_PX, constant_classifier, picture_session

IDLE_TURNS = 20


class Bench:
    """The reward's node, and everybody else."""

    def __init__(self, session: Path) -> None:
        rclpy.init(args=["--ros-args", "-p", f"session:={session}"])
        self._node, self._others = RewardNode(), GraphNode("others")
        self._publisher = self._others.advertise(contract.OBSERVATION)
        self._rewards: list[Reward] = []
        self._others.subscribe(contract.REWARD, self._rewards.append)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._executor.add_node(self._others)

    def episode(self, number: int, steps: int) -> list[bool]:
        """Which of its observations are successes."""
        self._rewards.clear()
        for phase in (*[SessionState.RUNNING] * steps, SessionState.RESETTING):
            seen = Observation(episode=number, phase=phase, state=[0.0] * 4)
            seen.image = image_to_msg(np.zeros((PICTURE_PX, PICTURE_PX, 3), np.uint8), 0, "camera")
            self._publisher.publish(seen)
            for _ in range(IDLE_TURNS):
                self._executor.spin_once(timeout_sec=0.0)
        return [reward.success for reward in self._rewards]

    def say_unreadable(self) -> None:
        """An observation whose picture is of a kind that nobody reads."""
        seen = Observation(phase=SessionState.RUNNING, state=[0.0] * 4)
        seen.image.height, seen.image.width, seen.image.encoding = 2, 2, "16UC1"
        self._publisher.publish(seen)
        for _ in range(IDLE_TURNS):
            self._executor.spin_once(timeout_sec=0.0)

    def close(self) -> None:
        self._executor.shutdown()
        self._others.destroy_node()
        self._node.destroy_node()
        rclpy.try_shutdown()


def paid_session(folder: Path) -> Path:
    """The file of a session that a classifier pays, which calls every picture the same."""
    checkpoint = constant_classifier(folder / "daib", 1.5, size_px=PICTURE_PX)
    session = folder / "session.yaml"
    wanted = picture_session(folder, reward="daib", reward_checkpoint=str(checkpoint), run_directory=str(folder))
    session.write_text(yaml.safe_dump(wanted))
    return session


def test_node_that_is_started_anew_goes_on_with_what_the_session_has_taught_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    session = paid_session(tmp_path)
    learning = [False] * FREE_STEPS + [True]
    for first in (1, 1 + EPISODES):
        bench = Bench(session)
        seen = [bench.episode(first + number, FREE_STEPS + 1) for number in range(EPISODES)]
        bench.close()
        assert seen == [learning if first == 1 else [False] + [True] * FREE_STEPS] * EPISODES
    assert (tmp_path / MEMORY).is_file()


def test_reward_is_told_whether_a_sensor_makes_the_pictures_and_what_its_memory_must_be_of(tmp_path: Path) -> None:
    sensor = {"source": "device", "device": "/dev/video0", "exposure_us": 8000, "white_balance_k": 4500}
    camera = {"name": "wrist", "width": 64, "height": 64, "rate_hz": 10.0}
    told = []
    for number, source in enumerate(({"source": "simulation"}, sensor)):
        file, session = tmp_path / f"wrist_{number}.yaml", tmp_path / f"session_{number}.yaml"
        file.write_text(yaml.safe_dump({**camera, **source}))
        session.write_text(yaml.safe_dump(picture_session(tmp_path, cameras=[str(file)])))
        told.append(reward_session(load_setup(session)))
    assert [one.live_camera for one in told] == [False, True]
    assert told[0].of != told[1].of
    assert told[0] == reward_session(load_setup(tmp_path / "session_0.yaml"))


def test_picture_that_nobody_reads_pays_nothing_and_the_next_one_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")
    session = paid_session(tmp_path)
    with closing(Bench(session)) as bench:
        bench.say_unreadable()
        assert len(bench.episode(1, 2)) == 2
