"""Runs episodes: reset, run, sum up. The wires of tenon.session.conductor."""

from __future__ import annotations

import sys
import time

import numpy as np
from rclpy.task import Future
from std_srvs.srv import Trigger
from tenon_msgs.msg import EpisodeSummary as EpisodeSummaryMsg
from tenon_msgs.msg import Observation, ResidualCommand, Reward, SafetyState, SessionState, TrainerState, Transition
from tenon_msgs.srv import MarkEpisode, ResetTask

from tenon.configuration.session import LEARNED
from tenon.control.phase import SessionPhase
from tenon.control.safety import SafetyLevel
from tenon.data.episodes import next_number
from tenon.data.store import EpisodeStore
from tenon.session.conductor import (
    CallOut,
    Conductor,
    Output,
    ReferenceOut,
    RunOut,
    Service,
    StateOut,
    SummaryOut,
    TransitionOut,
)
from tenon.session.machine import Answer
from tenon.session.plans import configured_plan
from tenon.session.taught import check_goal_is_taught
from tenon.session.transitions import ActionSample, ObservationSample, RewardSample
from tenon_graph import contract
from tenon_graph.conversions import electrical_from_msg, pose_from_msg, pose_to_msg, reference_to_msg, to_ns, to_stamp
from tenon_graph.node import GraphNode, run
from tenon_graph.sessions import summary_to_msg, transition_to_msg
from tenon_session.run_action import RunAction

WATCH_PERIOD_S = 0.1


class SessionManager(GraphNode):
    """Services start, pause, resume, stop, mark; action session/run; everything else is topics."""

    def __init__(self) -> None:
        super().__init__("session_manager")
        check_goal_is_taught(self.setup)  # a graph may come up without `tenon session run`
        self._conductor = Conductor(self.setup, first_episode=next_number(self.setup.episodes_directory))
        self._name = f"{self.setup.config.name}-{time.strftime('%Y%m%dT%H%M%S')}-{time.time_ns() % 10**6:06d}"
        self._outputs = {
            topic.name: self.advertise(topic)
            for topic in (
                contract.SESSION_STATE,
                contract.SESSION_REFERENCE,
                contract.TRANSITION,
                contract.EPISODE_SUMMARY,
            )
        }
        self._service_clients = {
            Service.RESET_TASK: self.create_client(ResetTask, contract.RESET_TASK_SERVICE),
            Service.TARE: self.create_client(Trigger, contract.TARE_SERVICE),
        }
        self.subscribe(contract.OBSERVATION, self._on_observation)
        self.subscribe(contract.RESIDUAL_COMMAND, self._on_action)
        self.subscribe(contract.REWARD, self._on_reward)
        self.subscribe(contract.SAFETY_STATE, self._on_safety)
        self.subscribe(contract.TRAINER_STATE, self._on_trainer)
        weights = contract.POLICY_WEIGHTS
        self._weights = self.create_subscription(weights.type, weights.name, self._on_weights, weights.qos, raw=True)
        for name, answer in (
            (contract.START_SERVICE, self._start_as_configured),
            (contract.PAUSE_SERVICE, self._conductor.pause),
            (contract.RESUME_SERVICE, self._conductor.resume),
            (contract.STOP_SERVICE, self._conductor.stop),
        ):
            self._offer(name, answer)
        self.create_service(MarkEpisode, contract.MARK_EPISODE_SERVICE, self._on_mark)
        store = EpisodeStore(self.setup.episodes_directory)
        self._action = RunAction(self, self._conductor, store, self._carry_out)
        self.create_timer(WATCH_PERIOD_S, self._on_time)
        self._publish_state(0)

    # --- what arrives -------------------------------------------------------------------------------------------------

    def _on_observation(self, msg: Observation) -> None:
        stamp_ns, state = to_ns(msg.header.stamp), np.array(msg.state)
        sample = ObservationSample(msg.episode, stamp_ns, state, payload=msg, connected=electrical_from_msg(msg))
        self._conductor.on_observation(
            sample, phase=msg.phase, tcp_in_base=pose_from_msg(msg.tcp_in_base), peak_force_n=msg.peak_force_n
        )
        self._carry_out()

    def _on_action(self, msg: ResidualCommand) -> None:
        stamp_ns = to_ns(msg.header.stamp)
        action = np.array(msg.action)
        sample = ActionSample(msg.episode, stamp_ns, action, msg.saturated, msg.version, human=msg.human)
        self._conductor.on_action(sample)
        self._carry_out()

    def _on_reward(self, msg: Reward) -> None:
        stamp_ns = to_ns(msg.header.stamp)
        self._conductor.on_reward(
            RewardSample(msg.episode, stamp_ns, msg.reward, msg.success, logit=msg.logit, version=msg.version)
        )
        self._carry_out()

    def _on_weights(self, _data: bytes) -> None:
        """That there are some is all that the session has to know."""
        self.destroy_subscription(self._weights)
        self._conductor.on_policy()

    def _on_trainer(self, msg: TrainerState) -> None:
        self._conductor.on_training(msg.updates, msg.fault, done_with=None if msg.behind else (msg.episode, msg.step))

    def _on_safety(self, msg: SafetyState) -> None:
        level, stamp_ns = SafetyLevel(msg.state), to_ns(msg.header.stamp)
        self._conductor.on_safety(level, msg.fault, msg.detail, stamp_ns=stamp_ns, steady_ns=self._steady_ns())
        self._carry_out()

    def _steady_ns(self) -> int:
        return int(self.steady_clock.now().nanoseconds)

    def _on_time(self) -> None:
        if self._action.is_cancelled:
            self._conductor.stop()
        if self._conductor.machine.phase is SessionPhase.RESETTING:
            self._conductor.on_senders(self._stream_without_sender())
        self._conductor.on_time(self.now_ns(), steady_ns=self._steady_ns())
        self._carry_out()

    def _stream_without_sender(self) -> str:
        """A node is on the graph before it has read which session is: until it offers its stream it hears nothing."""
        plan = self._conductor.machine.plan
        learned = plan is not None and plan.controller in LEARNED
        streams = (contract.RESIDUAL_COMMAND, contract.REWARD, *((contract.POLICY_ACTION,) if learned else ()))
        return next((stream.name for stream in streams if not self.count_publishers(stream.name)), "")

    def _offer(self, name: str, answer) -> None:
        def serve(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            result: Answer = answer()
            response.success, response.message = result.accepted, result.message
            self._carry_out()
            return response

        self.create_service(Trigger, name, serve)

    def _on_mark(self, request: MarkEpisode.Request, response: MarkEpisode.Response) -> MarkEpisode.Response:
        answer = self._conductor.mark(request.mark, request.who)
        response.success, response.message = answer.accepted, answer.message
        self._carry_out()
        return response

    def _start_as_configured(self) -> Answer:
        return self._conductor.start(configured_plan(self.setup))

    # --- what is sent -------------------------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        for output in self._conductor.take():
            self._send(output)

    def _send(self, output: Output) -> None:
        if isinstance(output, StateOut):
            self._publish_state(output.stamp_ns)
        elif isinstance(output, ReferenceOut):
            self._outputs[contract.SESSION_REFERENCE.name].publish(reference_to_msg(output.reference))
        elif isinstance(output, TransitionOut):
            spec = self.setup.environment_spec.observation
            msg: Transition = transition_to_msg(output.transition, self._name, spec, train=output.train)
            self._outputs[contract.TRANSITION.name].publish(msg)
        elif isinstance(output, SummaryOut):
            self._publish_summary(summary_to_msg(output.summary, self._name, self.now_ns()))
        elif isinstance(output, CallOut):
            self._call(output)
        elif isinstance(output, RunOut):
            self._action.end(output.stop_reason)

    def _publish_state(self, stamp_ns: int) -> None:
        machine = self._conductor.machine
        plan = machine.plan
        msg = SessionState(session=self._name, phase=int(machine.phase), episode=machine.episode, seed=machine.seed)
        msg.header.stamp = to_stamp(stamp_ns)
        msg.header.frame_id = "base"
        msg.goal_in_base = pose_to_msg(self._conductor.goal_in_base)
        msg.detail = machine.detail
        if plan is not None:
            msg.controller, msg.deterministic = plan.controller, plan.deterministic
            msg.record, msg.train = plan.record, plan.train
        self._outputs[contract.SESSION_STATE.name].publish(msg)

    def _publish_summary(self, msg: EpisodeSummaryMsg) -> None:
        self._outputs[contract.EPISODE_SUMMARY.name].publish(msg)
        self._action.tell(msg)

    def _call(self, output: CallOut) -> None:
        client = self._service_clients[output.service]
        is_reset = output.service is Service.RESET_TASK
        request = ResetTask.Request(seed=output.seed) if is_reset else Trigger.Request()
        timeout_s = self.setup.config.service_timeout_s
        if not client.service_is_ready():
            reason = f"no node offers {client.srv_name}"
            self._conductor.on_service(output.ticket, success=False, message=reason)
            return
        timer = self.create_timer(timeout_s, lambda: self._on_late(output, timer), clock=self.steady_clock)

        def on_answer(future: Future) -> None:
            timer.cancel()
            self.destroy_timer(timer)
            answer = future.result()
            self._conductor.on_service(output.ticket, success=answer.success, message=answer.message)
            self._carry_out()

        client.call_async(request).add_done_callback(on_answer)

    def _on_late(self, output: CallOut, timer) -> None:
        timer.cancel()
        timeout_s = self.setup.config.service_timeout_s
        self._conductor.on_service(output.ticket, success=False, message=f"no answer within {timeout_s:g} s")
        self._carry_out()


def main(args: list[str] | None = None) -> int:
    return run(SessionManager, args)


if __name__ == "__main__":
    sys.exit(main())
