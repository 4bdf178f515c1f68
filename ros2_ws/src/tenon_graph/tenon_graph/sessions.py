"""A session's values as messages."""

from __future__ import annotations

from array import array
from dataclasses import asdict

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
        goal_error_min_m=goal.goal_error_min_m if goal.goal_error_in_ring else None,
        seed=goal.seed,
        stop_at_success=goal.stop_at_success,
        record=goal.record,
    )


def goal_of(plan: SessionPlan, *, resume: bool) -> RunSession.Goal:
    """resume: recorded episodes of the plan count as done."""
    values = asdict(plan)
    minimum_m = values.pop("goal_error_min_m")
    goal = RunSession.Goal(**values, resume=resume, goal_error_in_ring=minimum_m is not None)
    goal.goal_error_min_m = 0.0 if minimum_m is None else minimum_m
    return goal


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
    tcp = transition.next_observation.payload.tcp_in_base.position
    msg.next_tcp_in_base_m = array("f", (tcp.x, tcp.y, tcp.z))
    if spec.image is not None:
        msg.image = transition.observation.payload.image
        msg.next_image = transition.next_observation.payload.image
    msg.action = array("f", transition.action.action)
    reward = transition.reward
    msg.reward, msg.success = float(reward.reward), reward.success
    msg.reward_logit, msg.reward_version = float(reward.logit), reward.version
    msg.terminated, msg.truncated = transition.terminated, transition.truncated
    action = transition.action
    msg.saturated, msg.human, msg.policy_version = action.saturated, action.human, action.policy_version
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
        connected=bool(summary.connected),
        no_detector=summary.connected is None,
        false_steps=summary.false_steps,
        mark=summary.mark,
        who=summary.who,
        human_steps=summary.human_steps,
        lowest_policy_version=min(summary.policy_versions, default=summary.policy_version),
    )
    msg.header.stamp = to_stamp(stamp_ns)
    msg.goal_error_m = np.asarray(summary.goal_error_m, dtype=np.float32)
    return msg
