"""The state machine of a session: IDLE -> RESETTING -> RUNNING -> (success | timeout | fault) -> RESETTING, FINISHED.

Pure: no clock, no topics. The session manager calls a method for each thing that happens and then acts on the phase and
on the events:

    RESETTING   calls the stand's reset service with ``seed``, drives ResetMotion, zeroes the force, reports
                ``reset_done`` or ``reset_failed``
    RUNNING     feeds transitions and forces in; the episode ends with the transition that is terminated or truncated
    PAUSED      the arm holds; ``resume`` resets and runs the next episode
    FAULT       the arm holds; a person clears, then resumes

A pause, a stop or a fault in RUNNING ends the episode: afterwards the arm is not where the policy had put it. The draws
of an episode that was paused away are used again; one that a fault ended counts as failed.

A person may mark the episode that runs. Success and failure end it with its next transition, as a truncation, and stand
above what the reward says of the episode; what was discarded is done again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tenon.control.mux import TELEOP
from tenon.control.phase import SessionPhase
from tenon.control.types import Vector
from tenon.session.draws import draw_goal_error, episode_seed
from tenon.session.statistics import EpisodeCounter, EpisodeSummary, Outcome, SessionStatistics
from tenon.session.transitions import AssembledTransition, EndRule

DONE = "done"
CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a run is asked to do; fields of the goal of ``tenon_msgs/action/RunSession``.

    goal_error_m, goal_error_min_m: as for ``tenon.session.draws.draw_goal_error``.
    """

    controller: str
    episodes: int
    train: bool
    deterministic: bool
    goal_error_m: float
    seed: int
    stop_at_success: bool
    record: bool
    goal_error_min_m: float | None = None


class Mark(enum.StrEnum):
    """A person's word on an episode; words of ``tenon_msgs/srv/MarkEpisode``."""

    SUCCESS = "success"
    FAILURE = "failure"
    DISCARD = "discard"


_OUTCOME_OF_MARK = {Mark.SUCCESS: Outcome.SUCCESS, Mark.FAILURE: Outcome.FAILURE}


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a request was carried out; message says why not."""

    accepted: bool
    message: str


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The session's state has to be published anew."""

    phase: SessionPhase
    detail: str


@dataclass(frozen=True, slots=True)
class EpisodeEnded:
    """The episode's summary has to be published."""

    summary: EpisodeSummary


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over. stop_reason: "done", "canceled" or "fault: ..."."""

    stop_reason: str


Event = PhaseChanged | EpisodeEnded | RunEnded

_ACTIVE = (SessionPhase.RESETTING, SessionPhase.RUNNING)
_STARTABLE = (SessionPhase.IDLE, SessionPhase.FINISHED)


class SessionMachine:
    """One session, of any number of runs one after the other.

    horizon_steps, success_ticks: see EndRule. teleop_horizon_steps: of an episode that a person drives, None: the same.
    reset_attempts: tries of a reset before the session stops with a fault.
    force_limit_n: of the task, for the count of violations. first_episode: number of the first episode; a session that
    goes on after a restart passes how many it has done, so that numbers never come back.
    """

    def __init__(
        self,
        *,
        horizon_steps: int,
        success_ticks: int,
        reset_attempts: int,
        force_limit_n: float,
        first_episode: int = 0,
        teleop_horizon_steps: int | None = None,
    ) -> None:
        self._horizon_steps = horizon_steps
        self._teleop_horizon_steps = teleop_horizon_steps or horizon_steps
        self._success_ticks = success_ticks
        self._reset_attempts = reset_attempts
        self._force_limit_n = force_limit_n
        self._events: list[Event] = []
        self._plan: SessionPlan | None = None
        self._index = 0
        self._attempt = 0
        self._counter = EpisodeCounter(success_ticks)
        self._mark: Mark | None = None
        self._who = ""
        self._next_episode = first_episode
        self.episode = first_episode
        self.phase = SessionPhase.IDLE
        self.detail = ""
        self.statistics = SessionStatistics(force_limit_n)

    @property
    def plan(self) -> SessionPlan | None:
        """The run that goes on; None between runs."""
        return self._plan

    @property
    def index(self) -> int:
        """Number of the current episode within the run, from 0."""
        return self._index

    @property
    def reset_attempt(self) -> int:
        """Which try of the reset this is, from 1."""
        return self._attempt

    @property
    def seed(self) -> int:
        """Seed of the current episode's draws; 0 between runs."""
        return episode_seed(self._plan.seed, self._index) if self._plan else 0

    @property
    def goal_error_m(self) -> Vector:
        """(3,): estimated minus true goal in the current episode."""
        plan = self._plan
        if plan is None:
            return draw_goal_error(0, 0.0)
        return draw_goal_error(self.seed, plan.goal_error_m, plan.goal_error_min_m)

    @property
    def end_rule(self) -> EndRule:
        """When the current episode ends, for the TransitionAssembler."""
        plan = self._plan
        by_hand = plan is not None and plan.controller == TELEOP
        horizon_steps = self._teleop_horizon_steps if by_hand else self._horizon_steps
        return EndRule(horizon_steps, self._success_ticks if plan is not None and plan.stop_at_success else None)

    def take_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def start(self, plan: SessionPlan, *, episodes_done: int = 0) -> Answer:
        """Begins a run. episodes_done: of this plan, before a restart; their seeds are not used again."""
        refusal = self._why_not_start(plan, episodes_done)
        if refusal:
            return Answer(accepted=False, message=refusal)
        self._plan = plan
        self._index = episodes_done
        self.statistics = SessionStatistics(self._force_limit_n)
        self._begin_reset()
        return Answer(accepted=True, message=f"{plan.episodes - episodes_done} episodes with {plan.controller}")

    def pause(self) -> Answer:
        """Holds the arm. An episode that runs ends as "stopped"; its draws are used again after ``resume``."""
        if self.phase not in _ACTIVE:
            return Answer(accepted=False, message=f"nothing to pause: the session is {self.phase.name}")
        self._abandon(Outcome.STOPPED, "paused")
        self._enter(SessionPhase.PAUSED, "paused by a person: resume or stop")
        return Answer(accepted=True, message="paused")

    def resume(self) -> Answer:
        """Goes on after a pause, with a reset."""
        if self.phase is SessionPhase.FAULT:
            return Answer(accepted=False, message=f"clear the fault first: {self.detail}")
        if self.phase is not SessionPhase.PAUSED:
            return Answer(accepted=False, message=f"nothing to resume: the session is {self.phase.name}")
        self._begin_reset()
        return Answer(accepted=True, message="resumed")

    def stop(self) -> Answer:
        """Ends the run. An episode that runs ends as "stopped"."""
        if self._plan is None:
            return Answer(accepted=False, message=f"nothing to stop: the session is {self.phase.name}")
        self._abandon(Outcome.STOPPED, "stopped")
        self._finish(f"fault: {self.detail}" if self.phase is SessionPhase.FAULT else CANCELED)
        return Answer(accepted=True, message="stopped")

    def clear(self) -> Answer:
        """Leaves FAULT for PAUSED, or FINISHED after the last episode. To be called once the supervisor is clear."""
        if self.phase is not SessionPhase.FAULT:
            return Answer(accepted=False, message=f"no fault to clear: the session is {self.phase.name}")
        if self._plan is None:
            self._finish(f"fault: {self.detail}")
        elif self._index >= self._plan.episodes:
            self._finish(DONE)  # as after a fault in any other episode: that it failed stands in its summary
        else:
            self._enter(SessionPhase.PAUSED, "fault cleared: resume or stop")
        return Answer(accepted=True, message="cleared")

    def mark(self, mark: Mark, who: str) -> Answer:
        """A person's word on the episode that runs. The last one counts, until the episode has ended."""
        if self.phase is not SessionPhase.RUNNING:
            return Answer(accepted=False, message=f"no episode runs that could be marked: {self.phase.name.lower()}")
        self._mark, self._who = mark, who
        if mark is Mark.DISCARD:
            self._abandon(Outcome.STOPPED, "discarded")
            self._begin_reset()
            return Answer(accepted=True, message=f"episode {self.episode - 1} is discarded, and done again")
        return Answer(accepted=True, message=f"episode {self.episode} ends as a {mark}")

    def reset_done(self) -> None:
        """The arm is at its start within the tolerance, the stand is reset, the force is zero."""
        if self.phase is SessionPhase.RESETTING:
            self._counter = EpisodeCounter(self._success_ticks)
            self._mark, self._who = None, ""
            self._enter(SessionPhase.RUNNING, "")

    def reset_failed(self, message: str) -> None:
        """One try has failed. The last one stops the session with a fault that says what to do."""
        if self.phase is not SessionPhase.RESETTING:
            return
        if self._attempt < self._reset_attempts:
            self._attempt += 1
            self._enter(SessionPhase.RESETTING, f"try {self._attempt} of {self._reset_attempts}: {message}")
            return
        self._fail(
            "reset",
            f"failed {self._attempt} times, at last: {message}. Free the tool by hand, see that nothing stands in the "
            "way to the start pose, then clear and resume",
        )

    def begin_again(self, reason: str) -> None:
        """Resets and runs the same draws again, as after a pause: the episode could not even begin."""
        if self.phase is SessionPhase.RUNNING:
            self._abandon(Outcome.STOPPED, reason)
            self._begin_reset()

    def on_transition(self, transition: AssembledTransition) -> None:
        """A step of the running episode. Steps of other episodes are ignored: they have ended."""
        if self.phase is not SessionPhase.RUNNING or transition.episode != self.episode:
            return
        self._counter.on_transition(transition)
        if transition.terminated or transition.truncated:
            seen = Outcome.SUCCESS if self._counter.rewarded.success else Outcome.TIMEOUT
            self._end_episode(seen if self._mark is None else _OUTCOME_OF_MARK[self._mark], "")
            self._index += 1
            self._go_on()

    def on_force(self, force_n: float) -> None:
        """Length of the measured force, tare subtracted, at any rate."""
        if self.phase is SessionPhase.RUNNING:
            self._counter.on_force(force_n)

    def on_fault(self, name: str, detail: str) -> None:
        """A fault of the supervisor, or a stream that did not deliver. Ends the episode, which counts as failed."""
        if self.phase in (*_ACTIVE, SessionPhase.PAUSED):
            self._fail(name, detail)

    def _why_not_start(self, plan: SessionPlan, episodes_done: int) -> str:
        if self.phase not in _STARTABLE:
            return f"a run goes on already ({self.phase.name}): stop it first"
        if plan.episodes <= episodes_done:
            return f"{plan.episodes} episodes are asked for and {episodes_done} are done: ask for more"
        if plan.train and plan.stop_at_success:
            return (
                "train and stop_at_success exclude each other: in training an episode pays every step until its "
                "horizon. Switch one off"
            )
        return ""

    def _begin_reset(self) -> None:
        self.episode = self._next_episode
        self._attempt = 1
        self._enter(SessionPhase.RESETTING, "")

    def _go_on(self) -> None:
        assert self._plan is not None  # an episode has ended
        if self._index < self._plan.episodes:
            self._begin_reset()
        else:
            self._finish(DONE)

    def _abandon(self, outcome: Outcome, detail: str) -> None:
        if self.phase is SessionPhase.RUNNING:
            self._end_episode(outcome, detail)

    def _fail(self, name: str, detail: str) -> None:
        if self.phase is SessionPhase.RUNNING:
            self._end_episode(Outcome.FAULT, name)
            self._index += 1
        self._enter(SessionPhase.FAULT, f"{name}: {detail}")

    def _finish(self, stop_reason: str) -> None:
        self._plan = None
        self._enter(SessionPhase.FINISHED, stop_reason)
        self._events.append(RunEnded(stop_reason))

    def _enter(self, phase: SessionPhase, detail: str) -> None:
        self.phase, self.detail = phase, detail
        self._events.append(PhaseChanged(phase, detail))

    def _end_episode(self, outcome: Outcome, detail: str) -> None:
        assert self._plan is not None  # an episode belongs to a run
        counter = self._counter
        paid = counter.rewarded.success if self._mark is None else self._mark is Mark.SUCCESS
        success = paid and outcome is not Outcome.FAULT
        summary = EpisodeSummary(
            episode=self.episode,
            controller=self._plan.controller,
            outcome=outcome,
            detail=detail,
            success=success,
            steps=counter.steps,
            steps_to_success=(counter.rewarded.steps_to_success or counter.steps) if success else 0,
            total_reward=counter.total_reward,
            peak_force_n=counter.peak_force_n,
            goal_error_m=self.goal_error_m,
            seed=self.seed,
            policy_version=counter.policy_version,
            connected=None if counter.connected is None else counter.connected and outcome is not Outcome.FAULT,
            false_steps=counter.false_steps,
            mark=self._mark or "",
            who=self._who,
            human_steps=counter.human_steps,
            lowest_policy_version=counter.lowest_policy_version,
        )
        self._next_episode += 1
        self.statistics.on_episode(summary)
        self._events.append(EpisodeEnded(summary))
