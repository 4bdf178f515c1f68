"""Judges each observation of a running episode by the reward that the session names."""

from __future__ import annotations

import sys

from tenon_msgs.msg import Observation, Reward, SessionState

from tenon.rewards import RewardError
from tenon.session.rewards import create_reward
from tenon_graph import contract
from tenon_graph.learning import reward_input
from tenon_graph.node import GraphNode, run


class RewardNode(GraphNode):
    """/observation -> /reward, stamped as the observation that it judges."""

    def __init__(self) -> None:
        super().__init__("reward_node")
        self._reward = create_reward(self.setup)
        self._episode: int | None = None
        self._publisher = self.advertise(contract.REWARD)
        self.subscribe(contract.OBSERVATION, self._on_observation)

    def _on_observation(self, msg: Observation) -> None:
        if msg.phase != SessionState.RUNNING:
            return
        if msg.episode != self._episode:
            self._episode = msg.episode
            self._reward.begin_episode()
        try:
            result = self._reward.reward(reward_input(msg))
        except RewardError as error:
            # Silence is found by the session manager, which names this node.
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        answer = Reward(header=msg.header, episode=msg.episode, reward=result.value, success=result.success)
        answer.source, answer.version, answer.logit = self._reward.name, result.version, result.logit
        self._publisher.publish(answer)


def main(args: list[str] | None = None) -> int:
    return run(RewardNode, args)


if __name__ == "__main__":
    sys.exit(main())
