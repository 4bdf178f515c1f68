"""Turns actions into joint references, once per observation: for a hand, whose actions are desired joint angles."""

from __future__ import annotations

import sys
from array import array

import numpy as np
from tenon_msgs.msg import Observation, PolicyAction, ResidualCommand, SessionState

from tenon.configuration.session import LEARNED
from tenon.control.types import ControlMode, Reference
from tenon.data.transitions import Observation as Seen
from tenon.environments.claw_valve import ValveScript, ValveScriptConfig
from tenon.session.valve_job import ValveJob
from tenon_graph import contract
from tenon_graph.conversions import reference_to_msg, to_ns
from tenon_graph.node import GraphNode, run

QUEUED_ACTIONS = 10
"""A node that was held up for some control periods still answers every observation; the supervisor judges their age."""
SOURCE = "residual"
"""The place of a controller among the sources that the mux chooses from."""


class JointControllerNode(GraphNode):
    """/observation + /policy/action -> /command/residual, and the log of each command. A gait needs no policy."""

    def __init__(self) -> None:
        super().__init__("joint_controller")
        assert isinstance(self.setup.job, ValveJob), f"{self.setup.config.task} is no task of a claw"
        self._job = self.setup.job
        self._valid_for_ns = self.setup.config.command_validity_ns
        self._patience_ns = self.setup.command_lost_ns
        self._state: SessionState | None = None
        self._gait: ValveScript | None = None
        self._observations: dict[int, Observation] = {}
        self._actions: dict[int, PolicyAction] = {}
        self._reference_publisher = self.advertise(contract.RESIDUAL_REFERENCE)
        self._log_publisher = self.advertise(contract.RESIDUAL_COMMAND)
        self.subscribe(contract.SESSION_STATE, self._on_state)
        self.subscribe(contract.OBSERVATION, self._on_observation)
        self.subscribe(contract.POLICY_ACTION, self._on_action, depth=QUEUED_ACTIONS)

    def _on_state(self, msg: SessionState) -> None:
        if self._state is None or msg.seed != self._state.seed or msg.episode != self._state.episode:
            self._gait = ValveScript(self._job.task, ValveScriptConfig(), np.random.default_rng(msg.seed))
        self._state = msg

    def _on_observation(self, msg: Observation) -> None:
        state = self._state
        if msg.phase != SessionState.RUNNING or state is None or state.episode != msg.episode:
            return
        if state.controller in LEARNED:
            self._observations[to_ns(msg.header.stamp)] = msg
            self._match(to_ns(msg.header.stamp))
        elif self._gait is not None:
            self._answer(msg, self._gait.act(Seen(np.array(msg.state, dtype=np.float32))), "gait", 0)

    def _on_action(self, msg: PolicyAction) -> None:
        self._actions[to_ns(msg.header.stamp)] = msg
        self._match(to_ns(msg.header.stamp))

    def _match(self, stamp_ns: int) -> None:
        """Answers once observation and action of one stamp are there; they wait until silence would be a fault."""
        oldest_ns = stamp_ns - self._patience_ns
        for waiting in (self._observations, self._actions):
            for old_ns in [other_ns for other_ns in waiting if other_ns < oldest_ns]:
                del waiting[old_ns]
        if stamp_ns in self._observations and stamp_ns in self._actions:
            action = self._actions.pop(stamp_ns)
            values = np.array(action.action, dtype=np.float64)
            self._answer(self._observations.pop(stamp_ns), values, action.source, action.version)

    def _answer(self, observation: Observation, action: np.ndarray, source: str, version: int) -> None:
        task = self._job.task
        position_rad = np.array(observation.state[: task.joints], dtype=np.float64)
        try:
            target_rad = task.targets(position_rad, action)
        except ValueError as error:
            # Not silence: the supervisor is the judge, and shall name what is wrong.
            self.get_logger().error(f"{source}: {error}", throttle_duration_sec=1.0)
            self._ask_for(np.full(task.joints, np.nan), observation)
            return
        self._ask_for(target_rad, observation)
        log = ResidualCommand(header=observation.header, episode=observation.episode, source=source, version=version)
        log.action = array("f", np.clip(action, -1.0, 1.0))
        log.controller_version = self._job.controller_version(source)
        self._log_publisher.publish(log)

    def _ask_for(self, target_rad: np.ndarray, observation: Observation) -> None:
        stamp_ns = to_ns(observation.header.stamp)
        reference = Reference(stamp_ns, ControlMode.JOINT, SOURCE, self._valid_for_ns, joint_position_rad=target_rad)
        self._reference_publisher.publish(reference_to_msg(reference))


def main(args: list[str] | None = None) -> int:
    return run(JointControllerNode, args)


if __name__ == "__main__":
    sys.exit(main())
