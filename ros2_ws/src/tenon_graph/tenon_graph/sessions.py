"""A session's values as messages."""

from __future__ import annotations

from array import array

import numpy as np
from tenon_msgs.action import RunSession
from tenon_msgs.msg import EpisodeSummary as EpisodeSummaryMsg
from tenon_msgs.msg import Transition

from tenon.data.transitions import ObservationSpec
from tenon.session.machine import SessionPlan
from tenon.session.statistics import EpisodeSummary, SessionStatistics
from tenon.session.transitions import AssembledTransition
from tenon_graph.conversions import to_stamp


def plan_of(goal: RunSession.Goal) -> SessionPlan:
    return SessionPlan(
        controller=goal.controller,
        episodes=goal.episodes,
        train=goal.train,
        deterministic=goal.deterministic,
        goal_error_m=goal.goal_error_m,
        seed=goal.seed,
        stop_at_success=goal.stop_at_success,
        record=goal.record,
    )


def result_of(statistics: SessionStatistics, stop_reason: str) -> RunSession.Result:
    return RunSession.Result(
        episodes=statistics.episodes,
        successes=statistics.successes,
        peak_force_n=float(statistics.peak_force_n),
        force_violations=statistics.force_violations,
        stop_reason=stop_reason,
    )


def transition_to_msg(
    transition: AssembledTransition, session: str, spec: ObservationSpec, *, train: bool
) -> Transition:
    """spec: of the learner: a picture that is there for the reward alone is left out."""
    msg = Transition(session=session, episode=transition.episode, step=transition.step, train=train)
    msg.header.stamp = to_stamp(transition.next_observation.stamp_ns)
    msg.header.frame_id = "base"
    msg.state = transition.observation.payload.state
    msg.next_state = transition.next_observation.payload.state
    if spec.image is not None:
        msg.image = transition.observation.payload.image
        msg.next_image = transition.next_observation.payload.image
    msg.action = array("f", transition.action.action)
    msg.reward = float(transition.reward)
    msg.terminated, msg.truncated = transition.terminated, transition.truncated
    msg.success, msg.saturated = transition.success, transition.action.saturated
    msg.policy_version = transition.action.policy_version
    return msg


def summary_to_msg(summary: EpisodeSummary, session: str, stamp_ns: int) -> EpisodeSummaryMsg:
    msg = EpisodeSummaryMsg(
        session=session,
        episode=summary.episode,
        controller=summary.controller,
        outcome=summary.outcome.value,
        detail=summary.detail,
        success=summary.success,
        steps=summary.steps,
        steps_to_success=summary.steps_to_success,
        total_reward=float(summary.total_reward),
        peak_force_n=float(summary.peak_force_n),
        seed=summary.seed,
        policy_version=summary.policy_version,
    )
    msg.header.stamp = to_stamp(stamp_ns)
    msg.goal_error_m = np.asarray(summary.goal_error_m, dtype=np.float32)
    return msg
