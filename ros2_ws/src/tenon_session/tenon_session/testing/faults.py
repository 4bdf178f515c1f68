"""Faults injected into a running session, and whether the arm is held in time, the fault named, latched and cleared.

Every case runs in the same graph: it waits for a random moment of an episode, breaks something, watches, mends it,
clears and resumes. Times are session time, by the inner loop's own commands (/joint_command).
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from geometry_msgs.msg import Vector3
from tenon_msgs.action import RunSession
from tenon_msgs.msg import ArmCommand, Observation, PolicyAction, Reference, SafetyState, SessionState
from tenon_msgs.srv import Push

from tenon.control.types import ControlMode
from tenon_graph import contract
from tenon_graph.contract import Topic
from tenon_graph.conversions import to_ns, to_stamp
from tenon_session.testing.probe import NotObservedError, Probe
from tenon_session.testing.stage import Stage

PERIOD_NS, TURN_NS = 100_000_000, 10_000_000
"""Of the control loop and of the inner loop: a session's defaults."""
BAR_NS = 2 * PERIOD_NS
"""Within this the arm must be held: two control periods."""
WATCH_NS = 5 * PERIOD_NS
"""How long the arm is watched after the fault, and while references try to move it."""
RETREAT_NS = 2 * PERIOD_NS
"""After a fault that a reading showed, the arm goes back to the last safe pose; by then it is there."""
AHEAD_NS = 2 * TURN_NS
"""A bad reference's stamp lies so far ahead, which is allowed: else one of the true controller, sent while this process
was late, would be the newer one, and the order the first thing that is wrong."""
STILL_M = 1e-9
STEPS = range(3, 40)
"""Steps of an episode in which something breaks."""
LATE_STEPS = 3
"""A probe that is held up may find the step this much later; else it waits for the next episode."""
PUSH_N, PUSH_S = 60.0, 2.0
FREE_ABOVE_M = 0.03
"""Of the tip above the seated position; the socket is a third as deep."""
WALLED_TANGENT = 0.5
"""Sideways part of a push of the plug in its socket, per upward part: 53.7 N of 60 N go upwards, the limit is 50 N."""
OUTSIDE_M = 0.9
"""Coordinate of a target outside any workspace."""
RETRIES = 5
NAN_VECTOR = (float("nan"),) * 3
ENDLESS = 1_000_000


class DisturbedError(RuntimeError):
    """The case has to be done again: something broke by itself before it (a busy machine), or it was in vain."""


@dataclass(slots=True)
class CaseResult:
    """One case. held_ms: from the fault until the arm was held. problems: what went wrong, empty for a pass."""

    kind: str
    number: int
    fault: str = ""
    held_ms: float = float("nan")
    problems: list[str] = field(default_factory=list)

    def expect(self, is_so: bool, problem: str) -> None:
        if not is_so:
            self.problems.append(problem)


class Fault(ABC):
    """One way to break a session. kind: its name in tables. named: the fault that must be reported."""

    kind: ClassVar[str]
    named: ClassVar[str]
    lasts: ClassVar[bool] = False
    """Whether the cause is still there after ``begin``, so that clearing must be refused until ``mend``."""
    is_message: ClassVar[bool] = False
    """Whether it is a single message. In a queue of depth 1 a newer one may replace it: then nothing happens at all."""

    def __init__(self, stage: Stage, rng: np.random.Generator) -> None:
        self.stage, self.rng = stage, rng
        self.probe: Probe = stage.probe

    @abstractmethod
    def begin(self) -> int:
        """Breaks it. Returns the session time of the fault, or an earlier one."""

    def began_ns(self, after_ns: int) -> int:
        """The session time of the fault, once its traces are there; no later than it was."""
        return after_ns

    @abstractmethod
    def mend(self) -> None:
        """Takes the cause away; clears nothing."""


class StaleCommand(Fault):
    """The residual controller hangs."""

    kind, named = "stale command", "stale_command"

    def begin(self) -> int:
        self.stage.send("residual_controller", signal.SIGSTOP)
        return self.probe.now_ns()

    def began_ns(self, after_ns: int) -> int:
        return max(after_ns, _last_stamp_ns(self.probe, contract.RESIDUAL_REFERENCE))

    def mend(self) -> None:
        self.stage.send("residual_controller", signal.SIGCONT)


class TargetOutside(Fault):
    """Somebody asks for a point outside the workspace: a controller, or what sits behind the mux."""

    kind, named, is_message = "target outside the box", "workspace", True

    def begin(self) -> int:
        topic = (contract.RESIDUAL_REFERENCE, contract.COMMAND_REFERENCE)[self.rng.integers(2)]
        now_ns = self.probe.now_ns()
        message = motion(self.probe, ahead_ns=AHEAD_NS)
        axis = "xyz"[self.rng.integers(3)]
        setattr(message.tcp_in_base.position, axis, OUTSIDE_M)
        self.probe.say(topic, message)
        return now_ns

    def mend(self) -> None:
        """It was a single message."""


class NotFinite(Fault):
    """NaN, from the policy or in a reference."""

    kind, named, is_message = "NaN", "not_finite", True

    def begin(self) -> int:
        return self._nan_action() if self.rng.integers(2) else self._nan_reference()

    def _nan_reference(self) -> int:
        now_ns = self.probe.now_ns()
        message = motion(self.probe, ahead_ns=AHEAD_NS)
        setattr(message.tcp_in_base.position, "xyz"[self.rng.integers(3)], float("nan"))
        self.probe.say(contract.RESIDUAL_REFERENCE, message)
        return now_ns

    def _nan_action(self) -> int:
        """The true policy is stopped meanwhile: it must not be faster."""
        self.stage.send("policy_node", signal.SIGSTOP)
        now_ns = self.probe.now_ns()
        seen = self.probe.wait_for(
            lambda: self.probe.heard(contract.OBSERVATION, since_ns=now_ns + 1), "the next observation"
        )[0]
        answer = PolicyAction(header=seen.header, episode=seen.episode, source="policy")
        answer.action.extend(NAN_VECTOR)
        self.probe.say(contract.POLICY_ACTION, answer)
        return to_ns(seen.header.stamp)

    def mend(self) -> None:
        self.stage.send("policy_node", signal.SIGCONT)


class PushedArm(Fault):
    """Somebody runs into the tool with 60 N.

    What socket and table take up of a push never reaches the arm, nor its sensor: so never downwards, and with the plug
    in the socket hardly sideways.
    """

    kind, named, lasts = "60 N push", "force", True

    def begin(self) -> int:
        direction = self.rng.normal(size=3)
        direction[2] = abs(direction[2])
        if not self._is_free():
            direction[:2] *= WALLED_TANGENT * direction[2] / np.linalg.norm(direction[:2])
        x, y, z = (PUSH_N * direction / np.linalg.norm(direction)).tolist()
        request = Push.Request(force_n=Vector3(x=x, y=y, z=z), duration_s=PUSH_S)
        began_ns = to_ns(self.probe.call(Push, contract.SIMULATION_PUSH_SERVICE, request).began)
        self._ends_ns = began_ns + round(1e9 * PUSH_S)
        return began_ns

    def _is_free(self) -> bool:
        """Whether the plug is well above the socket, and stays there for as long as a fault may take to be found."""
        tip_m = self.probe.last(contract.OBSERVATION).tcp_in_base.position.z
        return bool(tip_m - self.probe.session.goal_in_base.position.z > FREE_ABOVE_M)

    def mend(self) -> None:
        self.probe.wait_until(self._ends_ns + WATCH_NS)


class LostImage(Fault):
    """The camera's cable is out."""

    kind, named, lasts = "lost image", "lost_image", True

    def begin(self) -> int:
        now_ns = self.probe.now_ns()
        self.probe.switch_camera(works=False)
        return now_ns

    def began_ns(self, after_ns: int) -> int:
        return max(after_ns, _last_stamp_ns(self.probe, contract.CAMERA_IMAGE))

    def mend(self) -> None:
        now_ns = self.probe.now_ns()
        self.probe.switch_camera(works=True)
        self.probe.wait_for(lambda: self.probe.heard(contract.CAMERA_IMAGE, since_ns=now_ns), "an image")


class KilledPolicy(Fault):
    """The policy node dies."""

    kind, named = "killed policy", "stale_command"

    def begin(self) -> int:
        self.stage.kill("policy_node")
        return self.probe.now_ns()

    def began_ns(self, after_ns: int) -> int:
        return max(after_ns, _last_stamp_ns(self.probe, contract.RESIDUAL_REFERENCE))

    def mend(self) -> None:
        self.stage.restart("policy_node")


class KilledSupervisor(Fault):
    """The supervisor itself dies: the arm's process stops the arm, the session latches the fault."""

    kind, named, lasts = "killed supervisor", "supervisor", True

    def begin(self) -> int:
        self.stage.kill("safety_supervisor")
        return self.probe.now_ns()

    def began_ns(self, after_ns: int) -> int:
        return max(after_ns, _last_stamp_ns(self.probe, contract.SAFETY_STATE))

    def mend(self) -> None:
        now_ns = self.probe.now_ns()
        self.stage.restart("safety_supervisor")
        self.probe.wait_for(
            lambda: (
                self.probe.heard(contract.SAFETY_STATE, since_ns=now_ns) and self.probe.safety.state == SafetyState.OK
            ),
            "an OK of the new supervisor",
        )


FAULTS: tuple[type[Fault], ...] = (
    StaleCommand,
    TargetOutside,
    NotFinite,
    PushedArm,
    LostImage,
    KilledPolicy,
    KilledSupervisor,
)
"""All of issue 2."""


class FaultBench:
    """Runs cases in one graph. Call ``begin`` once."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._probe = stage.probe

    def begin(self) -> None:
        """Starts a run without end."""
        self._probe.listen(
            contract.OBSERVATION,
            contract.RESIDUAL_REFERENCE,
            contract.COMMAND_SAFE,
            contract.POLICY_ACTION,
            contract.CAMERA_IMAGE,
        )
        for topic in (contract.RESIDUAL_REFERENCE, contract.COMMAND_REFERENCE, contract.POLICY_ACTION):
            self._probe.speaker(topic)
        self._probe.wait_for(lambda: self._probe.safety.state == SafetyState.OK, "an OK of the supervisor")
        goal = RunSession.Goal(controller="residual", episodes=ENDLESS, goal_error_m=0.001)
        self._probe.start_run(goal)

    def run(self, kind: type[Fault], number: int, seed: int) -> CaseResult:
        """Case ``number`` of a kind; the same again if the machine itself came in between."""
        for attempt in range(RETRIES):
            rng = np.random.default_rng((seed, FAULTS.index(kind), number, attempt))
            result = CaseResult(kind.kind, number)
            try:
                self._run(kind(self._stage, rng), result)
            except DisturbedError:
                self._probe.recover()
                continue
            except NotObservedError as error:
                result.problems.append(str(error))
                self._probe.recover()
            return result
        raise DisturbedError(
            f"{kind.kind}: the session broke by itself {RETRIES} times, at last: {self._probe.describe()}. The machine "
            "is too busy for this real_time_factor: lower it"
        )

    def _run(self, fault: Fault, result: CaseResult) -> None:
        self._wait_for_moment(fault.rng)
        try:
            begun_ns = fault.begin()
            self._probe.wait_until(begun_ns + WATCH_NS)
            if fault.is_message and self._probe.safety.state != SafetyState.FAULT:
                raise DisturbedError("the message was replaced by a newer one before it was read")
            self._judge_hold(fault, result, fault.began_ns(begun_ns))
            self._judge_name(fault, result, begun_ns)
            if fault.lasts:
                self._judge_refusal(fault, result)
        finally:
            fault.mend()
        self._judge_latch(fault, result)
        self._judge_clearing(result)

    def _wait_for_moment(self, rng: np.random.Generator) -> None:
        """A random step of an episode, and a random moment within it."""
        step = int(rng.integers(STEPS.start, STEPS.stop))
        moment_ns = int(rng.integers(PERIOD_NS))
        self._probe.wait_for(lambda: self._is_disturbed() or self._is_at(step), f"step {step} of an episode")
        if self._is_disturbed():
            raise DisturbedError(self._probe.describe())
        self._probe.wait_until(self._probe.now_ns() + moment_ns)

    def _is_at(self, step: int) -> bool:
        state = self._probe.session
        if state.phase != SessionState.RUNNING:
            return False
        seen = self._probe.heard(contract.OBSERVATION, since_ns=to_ns(state.header.stamp))
        return sum(_is_of_run(msg, state.episode) for msg in seen) in range(step, step + LATE_STEPS)

    def _is_disturbed(self) -> bool:
        return self._probe.session.phase in (SessionState.FAULT, SessionState.PAUSED, SessionState.FINISHED)

    def _judge_hold(self, fault: Fault, result: CaseResult, began_ns: int) -> None:
        commands = self._probe.commands(began_ns)
        moving = [to_ns(msg.header.stamp) for msg in commands if not msg.holding]
        held_ns = moving[-1] + TURN_NS if moving else began_ns
        result.held_ms = (held_ns - began_ns) / 1e6
        limit_ns = BAR_NS + TURN_NS  # what happens within a turn of the inner loop shows at its end
        result.expect(held_ns - began_ns <= limit_ns, f"held only after {result.held_ms:.0f} ms")
        late = [msg for msg in commands if to_ns(msg.header.stamp) >= began_ns + BAR_NS + RETREAT_NS]
        result.expect(_travel_m(late) <= STILL_M, f"the set point went on by {1e3 * _travel_m(late):.2f} mm")
        passed = [m for m in self._probe.heard(contract.COMMAND_SAFE, since_ns=began_ns + BAR_NS) if m.mode]
        result.expect(not passed, f"{len(passed)} motion references passed after the bar")

    def _judge_name(self, fault: Fault, result: CaseResult, begun_ns: int) -> None:
        self._probe.wait_for(lambda: self._probe.session.phase == SessionState.FAULT, "the session's FAULT")
        if isinstance(fault, KilledSupervisor):
            result.fault = self._probe.session.detail.partition(":")[0]
        else:
            safety = self._probe.wait_for(self._latched, "a fault on /safety/state")
            result.fault = safety.fault
            if to_ns(safety.fault_stamp) < begun_ns:
                raise DisturbedError(safety.detail)
        result.expect(result.fault == fault.named, f"named {result.fault!r}, not {fault.named!r}")

    def _latched(self) -> SafetyState | None:
        safety = self._probe.safety
        return safety if safety.state == SafetyState.FAULT else None

    def _judge_refusal(self, fault: Fault, result: CaseResult) -> None:
        service = contract.RESUME_SERVICE if isinstance(fault, KilledSupervisor) else contract.CLEAR_FAULT_SERVICE
        answer = self._probe.trigger(service)
        result.expect(not answer.success, f"cleared while the cause persisted: {answer.message}")

    def _judge_latch(self, fault: Fault, result: CaseResult) -> None:
        """Nobody has cleared: good references must not move the arm, though the cause is gone."""
        topic = contract.RESIDUAL_REFERENCE if isinstance(fault, KilledSupervisor) else contract.COMMAND_REFERENCE
        began_ns = self._probe.now_ns()
        while self._probe.now_ns() < began_ns + WATCH_NS:
            last_ns = self._probe.now_ns()
            self._probe.say(topic, motion(self._probe))
            self._probe.wait_until(last_ns + TURN_NS)
        commands = self._probe.commands(began_ns)
        result.expect(all(msg.holding for msg in commands), "not latched: references moved the arm")
        result.expect(_travel_m(commands) <= STILL_M, f"the set point moved by {1e3 * _travel_m(commands):.2f} mm")
        result.expect(self._probe.session.phase == SessionState.FAULT, "the session left FAULT by itself")

    def _judge_clearing(self, result: CaseResult) -> None:
        self._clear()
        # The session may hear of the supervisor's OK after the probe.
        self._probe.wait_for(lambda: self._probe.trigger(contract.RESUME_SERVICE).success, "resuming")
        now_ns = self._probe.now_ns()
        self._probe.wait_for(
            lambda: self._is_disturbed() or any(not msg.holding for msg in self._probe.commands(now_ns)),
            "motion after clear and resume",
        )
        if self._is_disturbed():
            raise DisturbedError(self._probe.describe())

    def _clear(self) -> None:
        """Clears at the supervisor; the mux's next HOLD ends what the latch was tested with."""
        self._probe.wait_for(
            lambda: self._probe.trigger(contract.CLEAR_FAULT_SERVICE).success, "clearing of the supervisor's fault"
        )
        self._probe.wait_for(lambda: self._probe.safety.state == SafetyState.OK, "an OK of the supervisor")


def motion(probe: Probe, *, ahead_ns: int = 0) -> Reference:
    """A good reference of the residual controller: to where the arm is already. ahead_ns: of now, in its stamp."""
    command: ArmCommand = probe.last(contract.JOINT_COMMAND)
    message = Reference(mode=int(ControlMode.CARTESIAN), source="residual")
    message.header.stamp = to_stamp(probe.now_ns() + ahead_ns)
    message.header.frame_id = "base"
    here, there = command.tcp_in_base, message.tcp_in_base
    there.position.x, there.position.y, there.position.z = here.position.x, here.position.y, here.position.z + 0.002
    there.orientation = here.orientation
    message.valid_for.nanosec = BAR_NS
    return message


def summary(results: list[CaseResult]) -> Mapping[str, Mapping[str, Any]]:
    """Per kind: cases, passed, the longest and median time until the arm was held, the names given."""
    table: dict[str, dict[str, Any]] = {}
    for kind in dict.fromkeys(result.kind for result in results):
        of_kind = [result for result in results if result.kind == kind]
        held_ms = [result.held_ms for result in of_kind]
        table[kind] = {
            "cases": len(of_kind),
            "passed": sum(not result.problems for result in of_kind),
            "held_ms_median": float(np.median(held_ms)),
            "held_ms_max": float(np.max(held_ms)),
            "faults": sorted({result.fault for result in of_kind}),
            "problems": [f"{result.number}: {problem}" for result in of_kind for problem in result.problems],
        }
    return table


def _is_of_run(msg: Observation, episode: int) -> bool:
    return bool(msg.phase == SessionState.RUNNING and msg.episode == episode)


def _last_stamp_ns(probe: Probe, topic: Topic) -> int:
    msg = probe.last(topic)
    return to_ns(msg.header.stamp) if msg else 0


def _travel_m(commands: list[ArmCommand]) -> float:
    """The longest way between the first set point and any other."""
    points = np.array([(p.x, p.y, p.z) for p in (msg.tcp_in_base.position for msg in commands)])
    return float(np.linalg.norm(points - points[0], axis=1).max()) if len(points) else 0.0
