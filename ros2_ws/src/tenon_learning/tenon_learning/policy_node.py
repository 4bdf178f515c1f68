"""Runs the newest policy on each observation of an episode."""

from __future__ import annotations

import sys
from array import array

import numpy as np
import torch
from tenon_msgs.msg import Observation, PolicyAction, PolicyWeights, SessionState

from tenon.algorithms.actor import Actor
from tenon.configuration.session import LEARNED
from tenon.data.decode import DecodeError
from tenon.data.transitions import TransitionError
from tenon.training.snapshot import SnapshotError, load_actor
from tenon_graph import contract
from tenon_graph.learning import observation_from_msg, snapshot_from_msg
from tenon_graph.node import GraphNode, run

EXPLORATION_STREAM = 3
"""Number of this node's stream among those that an episode's seed gives."""


class PolicyNode(GraphNode):
    """/observation + /policy/weights -> /policy/action."""

    def __init__(self) -> None:
        super().__init__("policy_node")
        torch.set_num_threads(1)  # one observation at a time: more threads only take cores from the other nodes
        self._actor: Actor | None = None
        self._version = 0
        self._state: SessionState | None = None
        self._unanswered: Observation | None = None
        self._rng = np.random.default_rng(self.setup.config.seed)
        self._publisher = self.advertise(contract.POLICY_ACTION)
        self.subscribe(contract.POLICY_WEIGHTS, self._on_weights)
        self.subscribe(contract.SESSION_STATE, self._on_state)
        self.subscribe(contract.OBSERVATION, self._on_observation)

    def _on_weights(self, msg: PolicyWeights) -> None:
        try:
            self._actor = load_actor(snapshot_from_msg(msg), spec=self.setup.environment_spec, rng=self._rng)
        except SnapshotError as error:
            # The last good policy goes on; what came is not run.
            self.get_logger().error(f"weights {msg.version} of {msg.method!r} are refused: {error}")
            return
        self._version = msg.version
        self._answer_late()

    def _on_state(self, msg: SessionState) -> None:
        if self._state is None or msg.seed != self._state.seed or msg.episode != self._state.episode:
            self._rng.bit_generator.state = np.random.default_rng((msg.seed, EXPLORATION_STREAM)).bit_generator.state
        self._state = msg
        self._answer_late()

    def _answer_late(self) -> None:
        """The first observation may come before what is needed to answer it: latched topics take longer."""
        waiting = self._unanswered
        if waiting is not None and self._state is not None and self._state.episode == waiting.episode:
            self._on_observation(waiting)

    def _on_observation(self, msg: Observation) -> None:
        self._unanswered = msg if msg.phase == SessionState.RUNNING else None
        state = self._state
        if self._unanswered is None or state is None or state.controller not in LEARNED:
            return
        if self._actor is None:
            self.get_logger().warning("no weights have come yet: is the trainer running?", throttle_duration_sec=5.0)
            return
        self._unanswered = None
        try:
            observation = observation_from_msg(msg, self.setup.environment_spec.observation)
            action = self._actor.act(observation, deterministic=state.deterministic)
        except (DecodeError, TransitionError) as error:
            # Silence makes the supervisor hold the arm.
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        answer = PolicyAction(header=msg.header, episode=msg.episode, version=self._version, source="policy")
        answer.action = array("f", action)
        self._publisher.publish(answer)


def main(args: list[str] | None = None) -> int:
    return run(PolicyNode, args)


if __name__ == "__main__":
    sys.exit(main())
