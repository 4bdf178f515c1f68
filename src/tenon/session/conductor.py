"""Conducts a session: what arrives goes in, what is to be sent comes out. The session manager's node is its wires.

An episode's reset is: wait, without a motion, for the policy that the episode needs; drive to the start pose, have the
stand reset itself (clear its detector), have the force zeroed, begin. While the two services work, the start pose is
commanded on, so that the arm is held in place and, in lockstep, time goes on.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tenon.configuration.session import LEARNED
from tenon.control.mux import TELEOP
from tenon.control.phase import SessionPhase
from tenon.control.safety import SafetyLevel
from tenon.control.types import Pose, Reference
from tenon.session.job import StartMotion
from tenon.session.machine import Answer, EpisodeEnded, Mark, PhaseChanged, RunEnded, SessionMachine, SessionPlan
from tenon.session.reset import ResetStage, hold
from tenon.session.setup import SessionSetup
from tenon.session.statistics import EpisodeSummary
from tenon.session.transitions import (
    ActionSample,
    AssembledTransition,
    AssemblyError,
    ObservationSample,
    RewardSample,
    TransitionAssembler,
)

SILENT_PERIODS = 2
"""Control periods beyond the arm's own time-out for the supervisor after which the session takes it for dead."""
NODES_TIMEOUT_NS = 60_000_000_000
"""Session time that a reset waits for nodes that come up, and for the first policy while the trainer is silent. The
updates on prior data, which it tells of, take as long as they take."""
FAULT_HELD = "the supervisor holds a fault"
"""How the refusal of a start begins while it does."""
FIRST_EPISODE_ATTEMPTS = 3
"""A graph that has just come up may still be wiring itself: its first episode may find a stream without its reader."""


class Service(enum.Enum):
    """What a reset asks of other nodes."""

    RESET_TASK = "the stand's reset"
    TARE = "zeroing the force"


@dataclass(frozen=True, slots=True)
class StateOut:
    """/session/state is to be published. stamp_ns: session time from which it holds."""

    stamp_ns: int


@dataclass(frozen=True, slots=True)
class ReferenceOut:
    """/command/session."""

    reference: Reference


@dataclass(frozen=True, slots=True)
class TransitionOut:
    """/transition."""

    transition: AssembledTransition
    train: bool


@dataclass(frozen=True, slots=True)
class SummaryOut:
    """/session/episode."""

    summary: EpisodeSummary


@dataclass(frozen=True, slots=True)
class CallOut:
    """A service is to be called; its end is reported to ``on_service`` with the same ticket."""

    service: Service
    seed: int
    ticket: int


@dataclass(frozen=True, slots=True)
class RunOut:
    """The run has ended."""

    stop_reason: str


StepKey = tuple[int, int]
"""Episode and step."""
Output = StateOut | ReferenceOut | TransitionOut | SummaryOut | CallOut | RunOut


class Conductor:
    """Feed it what arrives, then carry out what ``take`` returns, in order."""

    def __init__(self, setup: SessionSetup, *, first_episode: int) -> None:
        self._setup = setup
        self.machine = SessionMachine(
            horizon_steps=setup.job.horizon_steps,
            success_ticks=setup.config.success_ticks,
            reset_attempts=setup.config.reset.attempts,
            force_limit_n=setup.job.force_limit_n,
            first_episode=first_episode,
            teleop_horizon_steps=setup.config.teleop_horizon_steps,
        )
        self._assembler = TransitionAssembler(
            control_period_ns=setup.config.control_period_ns,
            timeout_ns=setup.config.stream_timeout_ns,
        )
        config = setup.config
        self._heartbeat_limit_ns = config.heartbeat_timeout_ns + SILENT_PERIODS * config.control_period_ns
        self._motion: StartMotion | None = None
        self._is_at_start = False
        self._waiting: Service | None = None
        self._ready_ns: int | None = None
        self._policy_is_there = False
        self._silent_stream = ""
        self._awaited_ns: int | None = None
        self._updates = 0
        self._why_no_training = ""
        self._last_sent: StepKey | None = None
        self._done_with: StepKey | None = None
        self._held_fault = ""
        self._heartbeat_ns: int | None = None
        self._heartbeat_steady_ns = 0
        self._steady_ns = 0
        self._progress_steady_ns = 0
        self._attempts_to_begin = 1
        self._ticket = 0
        self._now_ns = 0
        self._outputs: list[Output] = []

    @property
    def goal_in_base(self) -> Pose:
        """The estimated goal of the current episode."""
        return self._setup.job.goal_in_base(self.machine.seed, self.machine.goal_error_m)

    def take(self) -> list[Output]:
        """What is to be sent since the last call, in order."""
        self._collect()
        outputs, self._outputs = self._outputs, []
        return outputs

    def start(self, plan: SessionPlan, *, episodes_done: int = 0) -> Answer:
        """Refuses what the task cannot have; nothing has moved then."""
        if plan.controller not in (fitting := self._setup.job.controllers):
            message = f"controller {plan.controller!r} cannot act in this task: choose one of {', '.join(fitting)}"
            return Answer(accepted=False, message=message)
        if plan.controller == TELEOP and self._setup.config.teleop is None:
            message = "nobody can drive: the session names no device under teleop (tenon record --teleop keyboard)"
            return Answer(accepted=False, message=message)
        if self._held_fault:
            # Else its next heartbeat would end the run, and the one after the clearance leave it paused for good.
            message = f"{FAULT_HELD} ({self._held_fault}): clear it first, then start"
            return Answer(accepted=False, message=message)
        return self.machine.start(plan, episodes_done=episodes_done)

    def pause(self) -> Answer:
        return self.machine.pause()

    def resume(self) -> Answer:
        """A person's decision to go on; it clears a fault of the session's own, never one of the supervisor's."""
        if self.machine.phase is SessionPhase.FAULT and not self._held_fault:
            silence = self._silence_of_supervisor()
            if silence:
                return Answer(accepted=False, message=f"the supervisor {silence}")
            ran = self.machine.plan is not None
            self.machine.clear()
            if ran and self.machine.plan is None:
                return Answer(accepted=True, message="the fault was in the last episode: the run is over")
        return self.machine.resume()

    def stop(self) -> Answer:
        return self.machine.stop()

    def mark(self, word: str, who: str) -> Answer:
        """A person's word on the episode that runs. who: where it is empty, whoever the session says runs it."""
        if word not in list(Mark):
            return Answer(accepted=False, message=f"{word!r} is no mark: say {', '.join(Mark)}")
        answer = self.machine.mark(Mark(word), who or self._setup.config.operator)
        if answer.accepted:
            self._assembler.finish()
        return answer

    def on_observation(self, sample: ObservationSample, *, phase: int, tcp_in_base: Pose, peak_force_n: float) -> None:
        """phase: the session's phase that the observation was made under; one of another phase or episode is late."""
        self._now_ns = sample.stamp_ns
        machine = self.machine
        if phase != machine.phase or sample.episode != machine.episode:
            return
        silence = self._silence_of_supervisor()
        if silence:
            machine.on_fault("supervisor", silence)
        elif phase == SessionPhase.RESETTING:
            self._drive(tcp_in_base, sample)
        elif phase == SessionPhase.RUNNING:
            machine.on_force(peak_force_n)
            self._assembler.on_observation(sample)
            self._assemble()

    def on_action(self, sample: ActionSample) -> None:
        self._assembler.on_action(sample)
        self._assemble()

    def on_reward(self, sample: RewardSample) -> None:
        self._assembler.on_reward(sample)
        self._assemble()

    def on_safety(self, level: SafetyLevel, fault: str, detail: str, *, stamp_ns: int, steady_ns: int) -> None:
        """The supervisor's heartbeat. stamp_ns: session time at which it was sent. steady_ns: as for ``on_time``."""
        self._heartbeat_ns = stamp_ns
        self._heartbeat_steady_ns = self._steady_ns = steady_ns
        if level is SafetyLevel.FAULT:
            self._held_fault = f"{fault}: {detail}"
            self.machine.on_fault(fault, detail)
        elif self._held_fault:
            # A person has cleared it there. Faults of the session itself are cleared by resume or stop here.
            self._held_fault = ""
            self.machine.clear()

    def on_service(self, ticket: int, *, success: bool, message: str) -> None:
        """A service that was called has answered, or has not in time."""
        if ticket != self._ticket or self._waiting is None:
            return
        service, self._waiting = self._waiting, None
        if not success:
            self._motion = None
            self.machine.reset_failed(f"{service.value} failed: {message}")
        elif service is Service.RESET_TASK and self._setup.job.zeroes_force:
            self._call(Service.TARE)
        else:
            # With the next observation, so that the phase changes at a tick and the tick is answered.
            self._ready_ns = self._now_ns

    def on_policy(self) -> None:
        """A policy has been published: episodes that need one may begin."""
        self._policy_is_there = True

    def on_senders(self, missing: str) -> None:
        """missing: a stream of an episode that nobody offers to send yet; empty where all have their senders."""
        self._silent_stream = missing

    def on_training(self, updates: int, fault: str, *, done_with: StepKey | None = None) -> None:
        """The trainer has told how far it is: while it gets on, it is waited for. fault: why it has stopped.

        done_with: the newest step that it holds, where nothing is due any more.
        """
        self._why_no_training = fault
        self._done_with = done_with
        if updates != self._updates:
            self._updates = updates
            self._awaited_ns = None

    def on_time(self, now_ns: int, *, steady_ns: int) -> None:
        """To be called a few times a second: finds streams that have stopped. steady_ns: a steady clock's reading."""
        self._now_ns = max(self._now_ns, now_ns)
        self._steady_ns = steady_ns
        self._assemble()

    def _silence_of_supervisor(self) -> str:
        """How long no heartbeat has come; empty while they do. The arm's process has stopped the arm long before.

        Stamps are compared, so that a session manager that lags behind the graph sees no silence where there was none.
        And the steady clock is: a simulation may run on by half a second while a heartbeat is under way.
        """
        if self._heartbeat_ns is None:
            return "has not been heard yet: see whether it runs"
        silent_ns = self._now_ns - self._heartbeat_ns
        if min(silent_ns, self._steady_ns - self._heartbeat_steady_ns) <= self._heartbeat_limit_ns:
            return ""
        return f"has been silent for {silent_ns / 1e6:.0f} ms: see why it ended and start it, then resume"

    def _drive(self, tcp_in_base: Pose, sample: ObservationSample) -> None:
        """One tick on the way to the start pose, or of standing there."""
        if self._ready_ns is not None:
            self.machine.reset_done()
            return
        lacking = self._lacks()
        if lacking:
            self._await_nodes(sample.stamp_ns, lacking)
            return
        if not self._is_at_start:
            self._step_motion(tcp_in_base, sample)
        if self._is_at_start and self._motion is not None:
            self._outputs.append(ReferenceOut(self._motion.stay(sample.stamp_ns)))

    def _lacks(self) -> str:
        """What the episode needs of other nodes and is not there; empty where it may begin."""
        if self._silent_stream:
            return f"nobody offers {self._silent_stream}"
        plan = self.machine.plan
        if plan is None or plan.controller not in LEARNED:
            return ""
        if not self._policy_is_there:
            return "no policy was published"
        waits = plan.train and self._setup.config.wait_for_training
        if not waits or self._last_sent is None or self._done_with == self._last_sent:
            return ""
        return "the last episode was not trained on"

    def _await_nodes(self, stamp_ns: int, lacking: str) -> None:
        """A tick on which nothing moves: a trainer that refuses its data, say, will never have a policy."""
        if self._awaited_ns is None:
            self._awaited_ns = stamp_ns
        waited_ns = stamp_ns - self._awaited_ns
        if self._silent_stream:
            if waited_ns > NODES_TIMEOUT_NS:
                self.machine.on_fault("stream", f"{lacking} within {waited_ns * 1e-9:.0f} s: see which node is missing")
        elif self._why_no_training:
            self.machine.on_fault("policy", f"none will come, the trainer has stopped: {self._why_no_training}")
        elif waited_ns > NODES_TIMEOUT_NS:
            detail = f"{lacking} within {waited_ns * 1e-9:.0f} s: see whether trainer_node runs"
            self.machine.on_fault("policy", detail)

    def _step_motion(self, tcp_in_base: Pose, sample: ObservationSample) -> None:
        if self._motion is None:
            # What acted before may have asked for a pose out of reach, pressing: the way begins where the arm is.
            self._motion = self._setup.job.begin_start_motion(self.goal_in_base, sample.stamp_ns)
            self._outputs.append(ReferenceOut(hold(sample.stamp_ns, self._setup.config.command_validity_ns)))
            return
        step = self._motion.step(tcp_in_base, sample.state, sample.stamp_ns)
        if step.stage is ResetStage.DONE:
            self._is_at_start = True
            self._call(Service.RESET_TASK)
            return
        self._outputs.append(ReferenceOut(step.reference))
        if step.stage is ResetStage.FAILED:
            self._motion = None
            self.machine.reset_failed(step.message)

    def _call(self, service: Service) -> None:
        self._ticket += 1
        self._waiting = service
        self._outputs.append(CallOut(service, self.machine.seed, self._ticket))

    def _assemble(self) -> None:
        if self.machine.phase is not SessionPhase.RUNNING:
            return
        try:
            transitions = self._assembler.take(self._now_ns)
        except AssemblyError as error:
            # A fast simulation leaves the reward's way behind: a stream is dead only if real time has passed as well.
            if self._steady_ns - self._progress_steady_ns > self._setup.config.stream_timeout_ns:
                self._on_dead_stream(str(error))
            return
        if transitions:
            self._progress_steady_ns = self._steady_ns
        plan = self.machine.plan
        train = plan is not None and plan.train
        for transition in transitions:
            self._outputs.append(TransitionOut(transition, train=train))
            if train:
                self._last_sent = (transition.episode, transition.step)
            self.machine.on_transition(transition)

    def _on_dead_stream(self, what: str) -> None:
        nothing_has_come = self._assembler.counters.transitions == 0
        if nothing_has_come and self._attempts_to_begin < FIRST_EPISODE_ATTEMPTS:
            self._attempts_to_begin += 1
            self.machine.begin_again(what)
        else:
            self.machine.on_fault("stream", what)

    def _collect(self) -> None:
        """Turns what happened in the machine into outputs, and follows its phase."""
        for event in self.machine.take_events():
            if isinstance(event, PhaseChanged):
                self._follow(event.phase)
                self._outputs.append(StateOut(self._now_ns))
            elif isinstance(event, EpisodeEnded):
                self._outputs.append(SummaryOut(event.summary))
            elif isinstance(event, RunEnded):
                self._outputs.append(RunOut(event.stop_reason))

    def _follow(self, phase: SessionPhase) -> None:
        self._motion = self._waiting = None
        self._is_at_start = False
        self._ready_ns = self._awaited_ns = None
        if phase is SessionPhase.RUNNING:
            # The observation that ended the reset belongs to the reset: the episode begins with the next one.
            self._progress_steady_ns = self._steady_ns
            self._assembler.begin(self.machine.episode, self.machine.end_rule, self._now_ns + 1)
        elif self._assembler.running:
            self._assembler.end()
