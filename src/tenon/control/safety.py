"""The safety supervisor: what reaches the arm has passed here. It trusts neither learner nor controller nor session.

A pure state machine. Time is an argument (session time, integer nanoseconds); 0 means that the clock has not begun, as
in ROS. The node feeds every message in as it arrives and calls ``tick`` at a fixed rate, ten times per control period
or more. What a method returns is to be published on ``/command/safe`` at once; ``status`` is the heartbeat.

*Armed* means that the newest reference asked for motion, and that it passed. What is late then (the next command, a
reading, an image) is no fault yet: the arm holds within two periods and goes on with the next command that finds all in
order; only if none does for longer (``command_lost_periods``) is it a fault. While nobody asks for motion, what is
missing makes the level HOLD, which turns to OK by itself. What is wrong (force, NaN, limits) is a fault always.

A fault holds the arm at once, latches with the name of the first check that failed, and ends only by ``clear``, which a
person calls. Where a reading itself shows the danger, the arm is led back to the last pose that was measured safe;
otherwise it stays where it is.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tenon.configuration.safety import SafetyConfig
from tenon.control import checks
from tenon.control.checks import Check, ForwardKinematics, Limits, Violation, check_stamp, milliseconds
from tenon.control.mux import SOURCES
from tenon.control.ramp import JointRamp, PoseRamp
from tenon.control.types import ControlMode, Pose, Reference, RobotState, Vector

LATE = frozenset({Check.STALE_COMMAND, Check.STALE_STATE, Check.LOST_IMAGE})
"""What may be so for a moment on a busy machine: the arm holds meanwhile."""
SOURCE = "safety"
"""``source`` of the references that the supervisor makes itself."""


class SafetyLevel(enum.IntEnum):
    """Values of ``tenon_msgs/msg/SafetyState``. OK: motion would pass. HOLD: something is missing. FAULT: latched."""

    OK = 0
    HOLD = 1
    FAULT = 2


@dataclass(frozen=True, slots=True)
class SafetyStatus:
    """The heartbeat. fault: name of the check that failed first, empty without a fault. detail: for an operator."""

    stamp_ns: int
    level: SafetyLevel
    fault: str
    detail: str
    fault_stamp_ns: int
    faults_total: int


@dataclass(frozen=True, slots=True)
class ClearResult:
    """Whether a fault was cleared; message says why not."""

    cleared: bool
    message: str


@dataclass(frozen=True, slots=True)
class _Fault:
    violation: Violation
    stamp_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class _Motion:
    """The last motion that passed: the ramp that the inner loop makes of it, and how fast it goes."""

    ramp: PoseRamp | JointRamp
    velocity_m_s: Vector


class SafetySupervisor:
    """Judges every reference and every reading against a SafetyConfig.

    name: of its file, for the words of a fault. control_period_ns: of the session's outer loop. image_needed: the
    session declares that it cannot run blind. kinematics: joint angles (n,) -> pose of the TCP in base; without it
    references in joint mode are refused, since the workspace could not be checked. overtaken: whether readings may have
    overtaken the newest picture, as they may in a fast simulation on a busy machine; it is not lost then.
    """

    def __init__(
        self,
        config: SafetyConfig,
        *,
        name: str,
        control_period_ns: int,
        image_needed: bool,
        kinematics: ForwardKinematics | None = None,
        overtaken: Callable[[], bool] = lambda: False,
    ) -> None:
        self._limits = Limits.of(config, name, control_period_ns)
        self._period_ns = control_period_ns
        self._image_needed = image_needed
        self._kinematics = kinematics
        self._overtaken = overtaken
        self._now_ns = 0
        self._last_tick_ns = 0
        self._state: RobotState | None = None
        self._reading_fault: Violation | None = None
        self._arm_fault: Violation | None = None
        self._image_ns: int | None = None
        self._stamp_of_source: dict[str, int] = {}
        self._motion: _Motion | None = None
        self._awaiting_since_ns: int | None = None
        self._asked_ns: int | None = None
        self._asked_by = ""
        self._fault: _Fault | None = None
        self._hold_at: RobotState | None = None
        self._faults_total = 0

    @property
    def armed(self) -> bool:
        """Whether the newest reference that passed asks for motion."""
        return self._motion is not None

    @property
    def late(self) -> bool:
        """Whether the arm holds since a command, a reading or an image is late; with the next command it goes on."""
        return self._motion is None and self._awaiting_since_ns is not None

    def on_state(self, state: RobotState, now_ns: int) -> Reference | None:
        """Takes a reading of the arm. Returns a HOLD to publish if there is a fault, else None."""
        if not self._advance(now_ns):
            return None
        self._reading_fault = self._judge_state(state)
        if self._reading_fault:
            self._trip(self._reading_fault, hold_at=self._state)
        else:
            self._state = state
        return self._hold_if_faulted()

    def on_arm(self, fault: str, detail: str, now_ns: int) -> Reference | None:
        """Takes the driver's word on its device. fault: its name; empty: the device is well, which clears nothing here.

        Returns a HOLD to publish if there is a fault, else None.
        """
        self._arm_fault = Violation(Check.ARM, f"{fault}: {detail}") if fault else None
        if self._advance(now_ns) and self._arm_fault:
            self._trip(self._arm_fault)
        return self._hold_if_faulted()

    def on_image(self, stamp_ns: int, now_ns: int) -> Reference | None:
        """Takes note of an image. Returns a HOLD to publish if there is a fault, else None."""
        if not self._advance(now_ns):
            return None
        last_ns = self._image_ns if self._image_ns is not None else 0
        violation = check_stamp(stamp_ns, last_ns, now_ns, self._limits, "the image")
        if violation:
            self._trip(violation)
        else:
            self._image_ns = stamp_ns
        return self._hold_if_faulted()

    def on_reference(self, reference: Reference, now_ns: int) -> Reference:
        """Judges a reference. Returns what to publish: the same with its validity cut, or a HOLD."""
        if not self._advance(now_ns):
            return self._hold()
        if reference.mode is ControlMode.HOLD:
            self._motion = self._awaiting_since_ns = self._asked_ns = None
            return self._hold(reference.stamp_ns)
        self._asked_ns, self._asked_by = now_ns, reference.source
        if self._fault:
            return self._hold()
        violation = self._judge_reference(reference)
        if violation and violation.check in LATE:
            return self._refuse_late()
        if violation:
            self._trip(violation)
            return self._hold()
        return self._pass(reference)

    def on_undecodable(self, detail: str, now_ns: int) -> Reference:
        """A message that could not even be turned into a value (an unknown mode, say) is a fault too."""
        if self._advance(now_ns):
            self._trip(Violation(Check.MALFORMED, detail))
        return self._hold()

    def stop(self, now_ns: int) -> Reference:
        """A person's word, whoever else hangs: a fault like any other. Returns the HOLD to publish."""
        self._advance(now_ns)
        self._trip(Violation(Check.OPERATOR, "a person pressed stop: see that all is well, then clear and resume"))
        return self._hold()

    def tick(self, now_ns: int) -> Reference | None:
        """One turn of the supervisor's own loop. Returns a HOLD to publish if the arm is to hold, else None."""
        has_begun = self._advance(now_ns)
        self._last_tick_ns = max(now_ns, 0)
        if not has_begun:
            return None
        return self._hold() if self.late else self._hold_if_faulted()

    def clear(self, now_ns: int) -> ClearResult:
        """A person's decision to go on. Refused, with the reason, while the cause persists or motion is asked for."""
        begun = self._advance(now_ns)
        if self._fault is None:
            return ClearResult(cleared=True, message="no fault is latched")
        name = self._fault.violation.check.value
        reason = self._why_not_clear() if begun else "session time has not begun: look for /clock"
        if reason:
            return ClearResult(cleared=False, message=f"{name} stays latched: {reason}")
        self._fault = None
        self._hold_at = None
        return ClearResult(cleared=True, message=f"{name} is cleared")

    def status(self, now_ns: int) -> SafetyStatus:
        """The heartbeat of this moment."""
        self._advance(now_ns)
        level, detail = SafetyLevel.OK, ""
        missing = self._missing()
        if self._fault:
            level, detail = SafetyLevel.FAULT, self._fault.violation.detail
        elif missing:
            level, detail = SafetyLevel.HOLD, f"the arm holds: {missing.detail}"
        elif self._awaiting_since_ns is not None and self.late:
            detail = f"the arm holds: {self._silence(self._awaiting_since_ns, self._limits.command_timeout_ns)}"
        return SafetyStatus(
            stamp_ns=now_ns,
            level=level,
            fault=self._fault.violation.check.value if self._fault else "",
            detail=detail,
            fault_stamp_ns=self._fault.stamp_ns if self._fault else 0,
            faults_total=self._faults_total,
        )

    def _advance(self, now_ns: int) -> bool:
        """Moves time on and finds what has run out. False while the clock has not begun."""
        if now_ns <= 0 and self._now_ns == 0:
            return False
        if now_ns < self._now_ns:
            self._on_clock_back(now_ns)
        self._now_ns = now_ns
        if self._motion is not None:
            self._judge_own_loop()
        if self._awaiting_since_ns is not None:
            self._await(self._awaiting_since_ns)
        return True

    def _judge_own_loop(self) -> None:
        """Before all else that time brings: to a supervisor that slept, everybody else seems late."""
        gap_ns = self._now_ns - self._last_tick_ns
        if self._last_tick_ns > 0 and gap_ns > self._limits.tick_timeout_ns:
            self._trip(
                Violation(
                    Check.LOOP_OVERRUN,
                    f"the supervisor slept for {milliseconds(gap_ns)}, allowed are "
                    f"{milliseconds(self._limits.tick_timeout_ns)}: see the machine's load or lower real_time_factor",
                )
            )

    def _await(self, since_ns: int) -> None:
        """Judges what the arm moves on, or would move on: its readings, and the command that is to follow."""
        silent_ns = self._now_ns - since_ns
        missing = self._missing()
        if missing and missing.check not in LATE:
            self._trip(missing)
        elif silent_ns > self._limits.command_lost_ns:
            self._judge_own_loop()
            silence = Violation(Check.STALE_COMMAND, self._silence(since_ns, self._limits.command_lost_ns))
            self._trip(missing or silence)
        elif missing or silent_ns > self._limits.command_timeout_ns:
            self._motion = None

    def _on_clock_back(self, now_ns: int) -> None:
        back_ns, self._now_ns = self._now_ns - now_ns, now_ns
        self._trip(
            Violation(
                Check.CLOCK,
                f"session time went back by {milliseconds(back_ns)}, it must only go on: if the simulation was started "
                "anew, start the session anew or clear",
            )
        )
        self._state = None
        self._image_ns = None
        self._last_tick_ns = 0
        self._stamp_of_source.clear()

    def _silence(self, since_ns: int, allowed_ns: int) -> str:
        return (
            f"{self._asked_by!r} has sent nothing in time for {milliseconds(self._now_ns - since_ns)}, allowed are "
            f"{milliseconds(allowed_ns)}: see whether policy and controller still run, and which of the nodes between "
            "observation and command is slow"
        )

    def _missing(self) -> Violation | None:
        """What must be there before the arm may move, and is not."""
        if self._arm_fault:
            return self._arm_fault
        if self._now_ns <= 0:
            return Violation(Check.STALE_STATE, "session time has not begun: look for /clock")
        if self._state is None:
            return Violation(Check.STALE_STATE, "no reading of the arm has come yet: start its driver")
        age_ns = self._now_ns - self._state.stamp_ns
        if age_ns > self._limits.state_timeout_ns:
            return Violation(
                Check.STALE_STATE,
                f"the newest reading of the arm is {milliseconds(age_ns)} old, allowed are "
                f"{milliseconds(self._limits.state_timeout_ns)}: look at the driver and its connection",
            )
        if not self._image_needed:
            return None
        if self._image_ns is None:
            return Violation(Check.LOST_IMAGE, "no image has come yet, this session needs one: start the camera driver")
        age_ns = self._now_ns - self._image_ns
        if age_ns > self._limits.image_timeout_ns and not self._overtaken():
            return Violation(
                Check.LOST_IMAGE,
                f"the newest image is {milliseconds(age_ns)} old, allowed are "
                f"{milliseconds(self._limits.image_timeout_ns)}: look at the camera's cable and driver",
            )
        return None

    def _judge_state(self, state: RobotState) -> Violation | None:
        last_ns = self._state.stamp_ns if self._state else 0
        violation = check_stamp(state.stamp_ns, last_ns, self._now_ns, self._limits, "the reading of the arm")
        return violation or checks.check_state(state, self._limits)

    def _judge_reference(self, reference: Reference) -> Violation | None:
        violation = checks.check_form(reference, self._limits) or self._judge_source(reference) or self._missing()
        if violation or self._state is None:
            return violation
        if reference.mode is ControlMode.JOINT:
            return self._judge_joints(reference, self._state)
        return self._judge_pose(reference, self._state)

    def _judge_source(self, reference: Reference) -> Violation | None:
        if reference.source not in SOURCES:
            return Violation(
                Check.MALFORMED,
                f"a reference comes from {reference.source!r}, known are {', '.join(SOURCES)}: stop its sender",
            )
        what = f"the reference of {reference.source!r}"
        last_ns = self._stamp_of_source.get(reference.source, 0)
        violation = check_stamp(reference.stamp_ns, last_ns, self._now_ns, self._limits, what)
        age_ns = self._now_ns - reference.stamp_ns
        allowed_ns = min(self._limits.command_timeout_ns, reference.valid_for_ns)
        if violation is None and age_ns > allowed_ns:
            return Violation(
                Check.STALE_COMMAND,
                f"{what} answers an observation {milliseconds(age_ns)} old, allowed are {milliseconds(allowed_ns)}: "
                "see which node between observation and command is slow",
            )
        return violation

    def _judge_pose(self, reference: Reference, state: RobotState) -> Violation | None:
        what, ramp = f"the reference of {reference.source!r}", self._pose_ramp(reference, state)
        before_m_s = self._motion.velocity_m_s if self._motion else np.zeros(3)
        return (
            checks.check_workspace(ramp.target, self._limits, what)
            or checks.check_jump(ramp.target, state.tcp_in_base, self._limits, what)
            or checks.check_motion(ramp, before_m_s, self._limits, what)
        )

    def _judge_joints(self, reference: Reference, state: RobotState) -> Violation | None:
        what, ramp = f"the reference of {reference.source!r}", self._joint_ramp(reference, state)
        if self._kinematics is None:
            return Violation(
                Check.MALFORMED,
                f"{what} is in joint mode, for which this supervisor has no kinematics: send poses",
            )
        violation = checks.check_joint_positions(ramp.target_rad, self._limits, f"{what}: the asked angle")
        violation = violation or checks.check_workspace(self._kinematics(ramp.target_rad), self._limits, what)
        return (
            violation
            or checks.check_joint_jump(ramp.target_rad, state.joint_position_rad, self._limits, what)
            or checks.check_joint_motion(ramp, self._limits, what)
        )

    def _pose_ramp(self, reference: Reference, state: RobotState) -> PoseRamp:
        assert reference.tcp_in_base is not None  # check_form has seen to it
        start: Pose = state.tcp_in_base
        if self._motion and isinstance(self._motion.ramp, PoseRamp):
            start = self._motion.ramp.at(self._now_ns)
        return PoseRamp(start, reference.tcp_in_base, self._now_ns, self._period_ns)

    def _joint_ramp(self, reference: Reference, state: RobotState) -> JointRamp:
        assert reference.joint_position_rad is not None  # check_form has seen to it
        start_rad = state.joint_position_rad
        if self._motion and isinstance(self._motion.ramp, JointRamp):
            start_rad = self._motion.ramp.at(self._now_ns)
        return JointRamp(start_rad, reference.joint_position_rad, self._now_ns, self._period_ns)

    def _pass(self, reference: Reference) -> Reference:
        assert self._state is not None  # without a reading nothing passes
        ramp: PoseRamp | JointRamp
        if reference.mode is ControlMode.JOINT:
            ramp, velocity_m_s = self._joint_ramp(reference, self._state), np.zeros(3)
        else:
            ramp = self._pose_ramp(reference, self._state)
            velocity_m_s = checks.ramp_velocity_m_s(ramp, self._limits)
        self._motion, self._awaiting_since_ns = _Motion(ramp, velocity_m_s), self._now_ns
        self._stamp_of_source[reference.source] = reference.stamp_ns
        ends_ns = self._now_ns + self._limits.command_timeout_ns
        return Reference(
            stamp_ns=reference.stamp_ns,
            mode=reference.mode,
            source=reference.source,
            valid_for_ns=min(reference.valid_for_ns, ends_ns - reference.stamp_ns),
            tcp_in_base=reference.tcp_in_base if reference.mode is ControlMode.CARTESIAN else None,
            joint_position_rad=reference.joint_position_rad if reference.mode is ControlMode.JOINT else None,
        )

    def _refuse_late(self) -> Reference:
        """A command that comes too late, or that finds readings or images late, is as good as none."""
        self._motion = None
        if self._awaiting_since_ns is None:
            self._awaiting_since_ns = self._now_ns
        return self._hold()

    def _trip(self, violation: Violation, *, hold_at: RobotState | None = None) -> None:
        self._motion = self._awaiting_since_ns = None
        if self._fault:
            return
        self._fault = _Fault(violation, self._now_ns)
        self._hold_at = hold_at
        self._faults_total += 1

    def _why_not_clear(self) -> str:
        lasting = self._arm_fault or self._reading_fault
        if lasting:
            return lasting.detail
        missing = self._missing()
        if missing:
            return missing.detail
        if self._asked_ns is not None and self._now_ns - self._asked_ns <= self._limits.command_timeout_ns:
            return f"{self._asked_by!r} still asks for motion: pause or stop the session first"
        return ""

    def _hold_if_faulted(self) -> Reference | None:
        return self._hold() if self._fault else None

    def _hold(self, answers_ns: int | None = None) -> Reference:
        """With a pose where a reading showed the danger; without one it leaves the arm where it is.

        answers_ns: stamp of the HOLD that was asked for, so that it answers no observation but its own.
        """
        at, stamp_ns = self._hold_at, self._now_ns if answers_ns is None else answers_ns
        valid_for_ns = self._limits.command_timeout_ns
        if at is None:
            return Reference(stamp_ns, ControlMode.HOLD, SOURCE, valid_for_ns)
        return Reference(stamp_ns, ControlMode.HOLD, SOURCE, valid_for_ns, at.tcp_in_base, at.joint_position_rad)
