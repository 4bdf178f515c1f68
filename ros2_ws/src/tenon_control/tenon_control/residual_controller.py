"""Adds the learned residual to the hand-written controller, u = clip(pi_H + k a), once per observation."""

from __future__ import annotations

import sys
from array import array

import numpy as np
from tenon_msgs.msg import Observation, PolicyAction, ResidualCommand, SessionState

from tenon.control.residual import ResidualController
from tenon.control.types import ControlMode, Pose, Reference
from tenon.session.draws import Dither
from tenon_graph import contract
from tenon_graph.conversions import pose_from_msg, reference_to_msg, to_ns
from tenon_graph.node import GraphNode, run

ACTION_SIZE = 3
NOWHERE_M = np.full(3, np.nan)
"""Target of a command that cannot be computed."""


class ResidualControllerNode(GraphNode):
    """/observation + /policy/action -> /command/residual, and the log of how each command came about.

    The session's phase says which residual is added: the policy's, a dither's (a baseline) or none.
    """

    def __init__(self) -> None:
        super().__init__("residual_controller")
        self._controller = ResidualController(self.setup.task.residual)
        self._valid_for_ns = self.setup.config.command_validity_ns
        self._state: SessionState | None = None
        self._dither: Dither | None = None
        self._observation: Observation | None = None
        self._action: PolicyAction | None = None
        self._reference_publisher = self.advertise(contract.RESIDUAL_REFERENCE)
        self._log_publisher = self.advertise(contract.RESIDUAL_COMMAND)
        self.subscribe(contract.SESSION_STATE, self._on_state)
        self.subscribe(contract.OBSERVATION, self._on_observation)
        self.subscribe(contract.POLICY_ACTION, self._on_action)

    def _on_state(self, msg: SessionState) -> None:
        self._state = msg
        self._dither = Dither(msg.seed, ACTION_SIZE)

    def _on_observation(self, msg: Observation) -> None:
        if msg.phase != SessionState.RUNNING or self._state is None or self._state.episode != msg.episode:
            return
        if self._state.controller == "residual":
            self._observation = msg
            self._answer_if_complete()
        elif self._state.controller == "p_dither" and self._dither is not None:
            self._answer(msg, self._dither.draw(), "dither", 0)
        else:
            self._answer(msg, np.zeros(ACTION_SIZE), "zero", 0)

    def _on_action(self, msg: PolicyAction) -> None:
        self._action = msg
        self._answer_if_complete()

    def _answer_if_complete(self) -> None:
        observation, action = self._observation, self._action
        if observation is None or action is None or observation.header.stamp != action.header.stamp:
            return
        self._observation = self._action = None
        self._answer(observation, np.array(action.action, dtype=np.float64), action.source, action.version)

    def _answer(self, observation: Observation, action: np.ndarray, source: str, version: int) -> None:
        assert self._state is not None
        pose, goal = pose_from_msg(observation.tcp_in_base), pose_from_msg(self._state.goal_in_base)
        try:
            command = self._controller.command(pose.position_m, goal.position_m, action, press_n=observation.force_n.z)
        except ValueError as error:
            # Not silence: the supervisor is the judge, and shall name what is wrong.
            self.get_logger().error(f"{source}: {error}", throttle_duration_sec=1.0)
            self._ask_for(NOWHERE_M, observation, goal)
            return
        self._ask_for(command.target_m, observation, goal)
        log = ResidualCommand(header=observation.header, episode=observation.episode, source=source, version=version)
        log.action = array("f", command.action)
        log.u_h_m = array("d", command.base_m)
        log.u_m = array("d", command.step_m)
        log.saturated = command.saturated
        log.controller_version = self._controller.config.version
        self._log_publisher.publish(log)

    def _ask_for(self, target_m: np.ndarray, observation: Observation, goal: Pose) -> None:
        target = Pose(target_m, goal.quaternion_xyzw)
        stamp_ns = to_ns(observation.header.stamp)
        reference = Reference(stamp_ns, ControlMode.CARTESIAN, "residual", self._valid_for_ns, tcp_in_base=target)
        self._reference_publisher.publish(reference_to_msg(reference))


def main(args: list[str] | None = None) -> int:
    return run(ResidualControllerNode, args)


if __name__ == "__main__":
    sys.exit(main())
