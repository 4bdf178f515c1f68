"""Judges each observation of a running episode by the reward that the session names."""

from __future__ import annotations

import json
import sys

from tenon_msgs.msg import Observation, Reward, SessionState

from tenon.data.decode import DecodeError
from tenon.rewards import RewardError, RewardSession
from tenon.session.rewards import create_reward
from tenon.session.setup import SessionSetup
from tenon_graph import contract
from tenon_graph.learning import reward_input
from tenon_graph.node import GraphNode, run

MEMORY = "reward.safetensors"
"""In the run directory: what the session has taught its reward."""


class RewardNode(GraphNode):
    """/observation -> /reward, stamped as the observation that it judges."""

    def __init__(self) -> None:
        super().__init__("reward_node")
        self._reward = create_reward(self.setup)
        known = self._reward.begin_session(reward_session(self.setup))
        if known:
            self.get_logger().info(f"goes on with what {known} episodes of this session have taught the reward")
        self._episode: int | None = None
        self._running = False
        self._publisher = self.advertise(contract.REWARD)
        self.subscribe(contract.OBSERVATION, self._on_observation)

    def _on_observation(self, msg: Observation) -> None:
        try:
            self._judge(msg)
        except (DecodeError, RewardError) as error:
            # Silence is found by the session manager, which names this node.
            self.get_logger().error(str(error), throttle_duration_sec=1.0)

    def _judge(self, msg: Observation) -> None:
        was_running, self._running = self._running, msg.phase == SessionState.RUNNING
        if was_running and not self._running:
            self._reward.end_episode()
        if not self._running:
            return
        if msg.episode != self._episode:
            self._episode = msg.episode
            self._reward.begin_episode()
        result = self._reward.reward(reward_input(msg))
        answer = Reward(header=msg.header, episode=msg.episode, reward=result.value, success=result.success)
        answer.source, answer.version, answer.logit = self._reward.name, result.version, result.logit
        self._publisher.publish(answer)


def reward_session(setup: SessionSetup) -> RewardSession:
    """What the reward is told of its session."""
    cameras = setup.stand.cameras
    parts = [part.model_dump(mode="json") for part in (*setup.job.parts, *cameras)]
    return RewardSession(
        memory=setup.run_directory / MEMORY,
        of=json.dumps([*parts, setup.calibration_labels], sort_keys=True),
        live_camera=any(camera.live for camera in cameras),
    )


def main(args: list[str] | None = None) -> int:
    return run(RewardNode, args)


if __name__ == "__main__":
    sys.exit(main())
