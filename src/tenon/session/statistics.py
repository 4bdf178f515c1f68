"""What a session counts: each episode's outcome, success over the last twenty, peak force."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenon.control.types import Vector
from tenon.session.transitions import AssembledTransition

RECENT_EPISODES = 20


class Outcome(enum.StrEnum):
    """How an episode ended; words of ``tenon_msgs/msg/EpisodeSummary``."""

    SUCCESS = "success"
    TIMEOUT = "timeout"
    FAILURE = "failure"
    FAULT = "fault"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeSummary:
    """One finished episode. steps_to_success: 1 is the first step; 0 without success. detail: name of a fault.

    connected: a success by the stand's own detector (in simulation the truth), whatever the reward says; None where the
    stand has none. false_steps: steps that were rewarded as a success though it saw no connection. mark: a person's
    word (``Mark``), empty without one, and who: that person; it stands above the reward's. human_steps: steps in which
    a person drove. policy_version: the highest that acted; lowest_policy_version: another where the weights changed
    within the episode, None: not known.
    """

    episode: int
    controller: str
    outcome: Outcome
    detail: str
    success: bool
    steps: int
    steps_to_success: int
    total_reward: float
    peak_force_n: float
    goal_error_m: Vector
    seed: int
    policy_version: int
    connected: bool | None = None
    false_steps: int = 0
    mark: str = ""
    who: str = ""
    human_steps: int = 0
    lowest_policy_version: int | None = None

    @property
    def policy_versions(self) -> set[int]:
        """The lowest and the highest that acted; none where the policy did no step."""
        if self.steps == self.human_steps:
            return set()
        lowest = self.policy_version if self.lowest_policy_version is None else self.lowest_policy_version
        return {lowest, self.policy_version}


def summary_from_message(message: Any) -> EpisodeSummary:
    """message: anything with the fields of ``tenon_msgs/msg/EpisodeSummary``."""
    return EpisodeSummary(
        episode=int(message.episode),
        controller=str(message.controller),
        outcome=Outcome(message.outcome),
        detail=str(message.detail),
        success=bool(message.success),
        steps=int(message.steps),
        steps_to_success=int(message.steps_to_success),
        total_reward=float(message.total_reward),
        peak_force_n=float(message.peak_force_n),
        goal_error_m=np.array(message.goal_error_m, dtype=np.float64),
        seed=int(message.seed),
        policy_version=int(message.policy_version),
        # Recordings of before a stand could be without a detector, and a person could mark an episode, lack these.
        connected=None if getattr(message, "no_detector", False) else bool(message.connected),
        false_steps=int(message.false_steps),
        mark=str(getattr(message, "mark", "")),
        who=str(getattr(message, "who", "")),
        human_steps=int(getattr(message, "human_steps", 0)),
        lowest_policy_version=int(getattr(message, "lowest_policy_version", message.policy_version)),
    )


class SuccessRule:
    """An episode is a success if success has held for ``ticks`` steps in a row at some time, or is there at the end."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._step = 0
        self._held = 0
        self._first_held = 0
        self._solved_at = 0

    @property
    def success(self) -> bool:
        return self._solved_at > 0 or self._held > 0

    @property
    def steps_to_success(self) -> int:
        """The step with which the first success that held began."""
        if self._solved_at:
            return self._solved_at
        return self._first_held if self._held else 0

    def on_step(self, *, solved: bool) -> None:
        self._step += 1
        if not solved:
            self._held = 0
            return
        if self._held == 0:
            self._first_held = self._step
        self._held += 1
        if self._held >= self._ticks and not self._solved_at:
            self._solved_at = self._first_held


class EpisodeCounter:
    """Follows one episode: by the reward's word, and by the detector's."""

    def __init__(self, success_ticks: int) -> None:
        self.rewarded = SuccessRule(success_ticks)
        self._connected = SuccessRule(success_ticks)
        self._detector_tells = True
        self.false_steps = 0
        self.human_steps = 0
        self.steps = 0
        self.total_reward = 0.0
        self.peak_force_n = 0.0
        self.policy_version = 0
        self.lowest_policy_version: int | None = None

    @property
    def connected(self) -> bool | None:
        """Success by the detector; None where there was a step without its word."""
        return self._connected.success if self._detector_tells else None

    def on_transition(self, transition: AssembledTransition) -> None:
        solved, connected = transition.reward.success, transition.next_observation.connected
        self.rewarded.on_step(solved=solved)
        self._detector_tells = self._detector_tells and connected is not None
        self._connected.on_step(solved=bool(connected))
        self.false_steps += solved and connected is False
        self.human_steps += transition.action.human
        self.steps += 1
        self.total_reward += transition.reward.reward
        version = transition.action.policy_version
        self.policy_version = max(self.policy_version, version)
        lowest = self.lowest_policy_version
        self.lowest_policy_version = version if lowest is None else min(lowest, version)

    def on_force(self, force_n: float) -> None:
        """force_n: length of the measured force, at any rate."""
        self.peak_force_n = max(self.peak_force_n, force_n)


class SessionStatistics:
    """Counts over the episodes of one run. force_limit_n: an episode whose peak is above it is a violation."""

    def __init__(self, force_limit_n: float) -> None:
        self._force_limit_n = force_limit_n
        self._recent: deque[bool] = deque(maxlen=RECENT_EPISODES)
        self.episodes = 0
        self.successes = 0
        self.force_violations = 0
        self.peak_force_n = 0.0

    @property
    def success_recent(self) -> float:
        """Share of successes in the last twenty counted episodes; 0 before the first."""
        return sum(self._recent) / len(self._recent) if self._recent else 0.0

    def on_episode(self, summary: EpisodeSummary) -> None:
        """A stopped episode counts for the force only: it proves nothing about success."""
        self.peak_force_n = max(self.peak_force_n, summary.peak_force_n)
        self.force_violations += summary.peak_force_n > self._force_limit_n
        if summary.outcome is Outcome.STOPPED:
            return
        self.episodes += 1
        self.successes += summary.success
        self._recent.append(summary.success)
