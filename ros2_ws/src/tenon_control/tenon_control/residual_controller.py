"""Adds the learned residual to the hand-written controller, u = clip(pi_H + k a), once per observation.

In a task without a hand-written controller the action is all there is: of a policy, or of a scripted search. Where a
person may drive, the log of a step waits until the step is over: what they did is told in the terms of the action.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from tenon_msgs.msg import Observation, PolicyAction, ResidualCommand, SessionState
from tenon_msgs.msg import Reference as ReferenceMsg

from tenon.configuration.session import LEARNED
from tenon.control.geometry import distance
from tenon.control.mux import TELEOP
from tenon.control.residual import ResidualCommand as Command
from tenon.control.residual import ResidualController, within_reach
from tenon.control.step_log import StepLog
from tenon.control.types import ControlMode, Pose, Reference
from tenon.data.decode import DecodeError, image_to_array
from tenon.data.transitions import Observation as Seen
from tenon.session.draws import Dither
from tenon.session.stand import residual_of
from tenon_graph import contract
from tenon_graph.conversions import pose_from_msg, reference_from_msg, reference_to_msg, to_ns
from tenon_graph.node import GraphNode, run

if TYPE_CHECKING:
    from tenon.environments.baselines import BaselinePolicy

ACTION_SIZE = 3
QUEUED_ACTIONS = 10
"""A node that was held up for some control periods still answers every observation; the supervisor judges their age."""
QUEUED_REFERENCES = 50
"""What passed the mux, in a second of a person's driving: none may be missed, or a step would be told of wrongly."""
REACH = 0.9
"""Of the way that the supervisor allows a set point in one control period."""
NOWHERE_M = np.full(3, np.nan)
"""Target of a command that cannot be computed."""


class ResidualControllerNode(GraphNode):
    """/observation + /policy/action -> /command/residual, and the log of how each command came about.

    The session's state says whose action counts: the policy's, a dither's or a search's (baselines) or none.
    """

    def __init__(self) -> None:
        super().__init__("residual_controller")
        self._controller = ResidualController(self.setup.task.residual)
        self._steps: StepLog[Observation, ResidualCommand] | None = None
        self._valid_for_ns = self.setup.config.command_validity_ns
        self._patience_ns = self.setup.command_lost_ns
        setup = self.setup
        self._reach_m = REACH * setup.safety.tcp_speed_max_m_s * setup.config.control_period_s
        self._before_m: np.ndarray | None = None
        self._state: SessionState | None = None
        self._dither: Dither | None = None
        self._searches = self._create_searches()
        self._search: BaselinePolicy | None = None
        self._observations: dict[int, Observation] = {}
        self._actions: dict[int, PolicyAction] = {}
        self._reference_publisher = self.advertise(contract.RESIDUAL_REFERENCE)
        self._log_publisher = self.advertise(contract.RESIDUAL_COMMAND)
        self.subscribe(contract.SESSION_STATE, self._on_state)
        self.subscribe(contract.OBSERVATION, self._on_observation)
        self.subscribe(contract.POLICY_ACTION, self._on_action, depth=QUEUED_ACTIONS)
        if self.setup.config.teleop is not None:
            self._steps = StepLog()
            self.subscribe(contract.COMMAND_REFERENCE, self._on_passed, depth=QUEUED_REFERENCES)

    def _create_searches(self) -> Mapping[str, BaselinePolicy]:
        """Imported where a task may need them: they take a second to come up."""
        if self.setup.task.residual.base is not None:
            return {}
        from tenon.environments.session_searches import create_searches

        return create_searches(self.setup)

    def _on_state(self, msg: SessionState) -> None:
        self._state = msg
        self._controller = ResidualController(residual_of(self.setup.task, msg.controller))
        self._before_m = None
        if self._steps is not None:
            self._steps.begin()
        self._dither = Dither(msg.seed, ACTION_SIZE)
        self._search = self._searches.get(msg.controller)
        if self._search is not None:
            self._search.begin(msg.seed)

    def _on_observation(self, msg: Observation) -> None:
        if msg.phase != SessionState.RUNNING or self._state is None or self._state.episode != msg.episode:
            return
        if self._steps is not None:
            self._steps.on_observation(to_ns(msg.header.stamp), msg)
            self._tell_of_steps()
        if self._state.controller in LEARNED:
            self._match(self._observations, msg)
        elif self._search is not None:
            self._follow(self._search, self._state.controller, msg)
        elif self._state.controller == TELEOP:
            self._tell(msg, self._what_was_done(msg, pose_from_msg(msg.tcp_in_base)), "hold", 0)
        elif self._state.controller == "p_dither" and self._dither is not None:
            self._answer(msg, self._dither.draw(), "dither", 0)
        else:
            self._answer(msg, np.zeros(ACTION_SIZE), "zero", 0)

    def _follow(self, search: BaselinePolicy, name: str, msg: Observation) -> None:
        try:
            picture = image_to_array(msg.image) if msg.image.height else None
        except DecodeError as error:
            # Silence makes the supervisor hold the arm.
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        self._answer(msg, search.act(Seen(np.array(msg.state, dtype=np.float32), picture)), name, 0)

    def _on_action(self, msg: PolicyAction) -> None:
        self._match(self._actions, msg)

    def _match(self, waiting: dict[int, Any], msg: Any) -> None:
        """Answers once observation and action of one stamp are there; they wait until silence would be a fault."""
        stamp_ns = to_ns(msg.header.stamp)
        waiting[stamp_ns] = msg
        for old_ns in [other_ns for other_ns in waiting if other_ns < stamp_ns - self._patience_ns]:
            del waiting[old_ns]
        if stamp_ns not in self._observations or stamp_ns not in self._actions:
            return
        observation, action = self._observations.pop(stamp_ns), self._actions.pop(stamp_ns)
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
        command = within_reach(command, self._before_m, self._reach_m)
        self._before_m = command.target_m
        self._ask_for(command.target_m, observation, goal)
        self._tell(observation, command, source, version)

    def _tell(
        self, observation: Observation, command: Command, source: str, version: int, *, human: bool = False
    ) -> None:
        """Publishes how a command came about, or keeps it until it is known whether it was carried out."""
        log = ResidualCommand(header=observation.header, episode=observation.episode, source=source, version=version)
        log.action = array("f", command.action)
        log.u_h_m = array("d", command.base_m)
        log.u_m = array("d", command.step_m)
        log.saturated, log.human = command.saturated, human
        log.controller_version = self._controller.config.version
        if self._steps is not None and not human:
            self._steps.on_command(to_ns(observation.header.stamp), log)
            self._tell_of_steps()
        else:
            self._log_publisher.publish(log)

    def _on_passed(self, msg: ReferenceMsg) -> None:
        """What the mux let pass, of a controller or of a person; what cannot be decoded is the supervisor's affair."""
        assert self._steps is not None
        if msg.mode in list(ControlMode):
            self._steps.on_passed(reference_from_msg(msg))
            self._tell_of_steps()

    def _tell_of_steps(self) -> None:
        """Publishes the steps that are over, each with the word of who acted in it."""
        assert self._steps is not None
        for step in self._steps.take():
            if step.driven is not None:
                done = self._what_was_done(step.observation, step.driven)
                self._tell(step.observation, done, TELEOP, 0, human=True)
            elif step.command is not None:
                self._log_publisher.publish(step.command)

    def _what_was_done(self, observation: Observation, target: Pose) -> Command:
        assert self._state is not None
        pose, goal = pose_from_msg(observation.tcp_in_base), pose_from_msg(self._state.goal_in_base)
        return self._controller.explain(
            pose.position_m,
            goal.position_m,
            target.position_m,
            turned_rad=distance(goal, target)[1],
            press_n=observation.force_n.z,
        )

    def _ask_for(self, target_m: np.ndarray, observation: Observation, goal: Pose) -> None:
        target = Pose(target_m, goal.quaternion_xyzw)
        stamp_ns = to_ns(observation.header.stamp)
        reference = Reference(stamp_ns, ControlMode.CARTESIAN, "residual", self._valid_for_ns, tcp_in_base=target)
        self._reference_publisher.publish(reference_to_msg(reference))


def main(args: list[str] | None = None) -> int:
    return run(ResidualControllerNode, args)


if __name__ == "__main__":
    sys.exit(main())
