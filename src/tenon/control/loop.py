"""The guard of the inner loop, in the process that drives the arm: what the set point is at each turn, or why it holds.

It believes no one for longer than they promised: a reference counts until its validity ends, the supervisor until its
heartbeat is older than the timeout. When either runs out the arm holds the pose that it is measured at in that moment.
After a lost heartbeat it goes on only with a fresh OK and a reference that came after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat

from tenon.configuration.base import Config
from tenon.control.checks import NS_PER_S
from tenon.control.geometry import distance
from tenon.control.ramp import JointRamp, PoseRamp
from tenon.control.safety import SafetyLevel
from tenon.control.types import ControlMode, Pose, Reference, RobotState, Vector

LATE_PERIODS = 1.5
"""A turn that comes later than this many periods after the last one is late."""


class InnerLoopConfig(Config):
    """period_s: of the loop. ramp_s: time from one reference to the next, the control period; 0 steps at once.

    heartbeat_timeout_s: the arm stops by itself when the supervisor has been silent for longer.
    safe_pose_reach_m: a safe pose further away than this is not gone to: somebody has moved the arm since.
    """

    period_s: PositiveFloat
    ramp_s: NonNegativeFloat
    heartbeat_timeout_s: PositiveFloat
    safe_pose_reach_m: PositiveFloat = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class SetPoint:
    """Where the arm shall be now. tcp_in_base counts unless joint_position_rad is given.

    holding: no motion is commanded. reason: why it holds, for the log; empty while it follows a reference.
    """

    tcp_in_base: Pose
    joint_position_rad: Vector | None
    holding: bool
    reason: str


@dataclass(slots=True)
class LoopCounters:
    """late: turns later than 1.5 periods. missed: turns that fell out. max_gap_ns: the longest time between two.

    holds: how often motion ended in a hold that nobody had asked for.
    """

    turns: int = 0
    late: int = 0
    missed: int = 0
    max_gap_ns: int = 0
    holds: int = 0


class InnerLoop:
    """Call ``step`` at each turn with the newest reading; feed references and heartbeats in as they arrive."""

    def __init__(self, config: InnerLoopConfig) -> None:
        self._config = config
        self._period_ns = round(config.period_s * NS_PER_S)
        self._ramp_ns = round(config.ramp_s * NS_PER_S)
        self._heartbeat_timeout_ns = round(config.heartbeat_timeout_s * NS_PER_S)
        self._heartbeat: tuple[SafetyLevel, int] | None = None
        self._silence = "the supervisor has not been heard yet"
        self._reference: Reference | None = None
        self._pose: PoseRamp | None = None
        self._joints: JointRamp | None = None
        self._holding = True
        self._stays = False
        self._last_turn_ns: int | None = None
        self._new = False
        self.counters = LoopCounters()

    @property
    def holding(self) -> bool:
        """Whether the last turn followed no motion."""
        return self._holding

    def on_heartbeat(self, level: SafetyLevel, now_ns: int) -> None:
        """Takes the supervisor's state. now_ns: time of arrival."""
        self._heartbeat = (level, now_ns)

    def on_reference(self, reference: Reference, now_ns: int) -> None:
        """Takes the newest reference of ``/command/safe``. now_ns: time of arrival.

        Only the supervisor sends there, so it keeps a heartbeat that said OK alive; one that was lost stays lost.
        """
        self._reference = reference
        self._new = True
        if self._heartbeat and self._heartbeat[0] is SafetyLevel.OK and self._is_fresh(self._heartbeat[1], now_ns):
            self._heartbeat = (SafetyLevel.OK, now_ns)

    def forget(self) -> None:
        """The arm was out of reach: where it was to be, and what was asked, counts no more.

        At the next turn it holds where it then is, goes to no safe pose either, and moves only for a reference that
        comes afterwards under a supervisor that says OK.
        """
        self._reference = self._heartbeat = self._pose = self._joints = None
        self._silence = "the arm was out of reach"
        self._holding = self._stays = True
        self._new = False

    def step(self, state: RobotState, now_ns: int) -> SetPoint:
        """The set point of this turn. state: the newest reading.

        Raises ValueError if the very first reading is not finite: there is no pose to hold.
        """
        self._count(now_ns)
        reason = self._why_unsupervised(now_ns)
        if reason:
            self._distrust()
        reason = reason or self._why_idle(now_ns)
        if reason:
            return self._hold(state, now_ns, reason)
        assert self._reference is not None  # else there were a reason to hold
        if self._new:
            self._follow(self._reference, state, now_ns)
        return self._set_point(state, now_ns, reason="")

    def _distrust(self) -> None:
        """What was asked before the supervisor fell silent, or said no, is not done afterwards."""
        if self._reference and self._reference.mode is not ControlMode.HOLD:
            self._reference = None

    def _why_unsupervised(self, now_ns: int) -> str:
        if self._heartbeat is None:
            return self._silence
        level, heard_ns = self._heartbeat
        if not self._is_fresh(heard_ns, now_ns):
            self._heartbeat = None
            silent_ms = (now_ns - heard_ns) / 1e6
            self._silence = f"the supervisor has been silent for {silent_ms:.0f} ms: see whether it still runs"
            return self._silence
        if level is not SafetyLevel.OK:
            return f"the supervisor says {level.name}"
        return ""

    def _is_fresh(self, heard_ns: int, now_ns: int) -> bool:
        return 0 <= now_ns - heard_ns <= self._heartbeat_timeout_ns

    def _why_idle(self, now_ns: int) -> str:
        reference = self._reference
        if reference is None:
            return "no reference has come since the supervisor said OK"
        if reference.mode is ControlMode.HOLD:
            return f"{reference.source} asks to hold"
        late_ns = now_ns - (reference.stamp_ns + reference.valid_for_ns)
        if late_ns > 0:
            return f"the reference of {reference.source} ended {late_ns / 1e6:.0f} ms ago"
        return ""

    def _hold(self, state: RobotState, now_ns: int, reason: str) -> SetPoint:
        """Latches the measured pose once, or goes to the safe pose that the supervisor's HOLD carries."""
        hold = self._reference if self._reference and self._reference.mode is ControlMode.HOLD else None
        if self._pose is None or not self._holding:
            here = self._here(state, now_ns)
            self._pose, self._joints = PoseRamp(here, here, now_ns, 0), None
            self.counters.holds += not self._holding and hold is None
            self._holding = True
        if self._new and hold and hold.tcp_in_base and not self._stays:
            self._to_safe_pose(self._pose, hold.tcp_in_base, now_ns)
        self._new = False
        return self._set_point(state, now_ns, reason)

    def _here(self, state: RobotState, now_ns: int) -> Pose:
        """Where the arm is; the last set point if the reading cannot tell."""
        measured = state.tcp_in_base
        if np.isfinite(measured.position_m).all() and np.isfinite(measured.quaternion_xyzw).all():
            return measured
        if self._pose is None:
            raise ValueError(f"the first reading of the arm is {measured}: look at the driver and its encoders")
        return self._pose.at(now_ns)

    def _to_safe_pose(self, held: PoseRamp, safe: Pose, now_ns: int) -> None:
        """A HOLD that is repeated must not start the way anew."""
        here = held.at(now_ns)
        repeated = _is_same(held.target, safe)
        if not repeated and distance(here, safe)[0] <= self._config.safe_pose_reach_m:
            self._pose = PoseRamp(here, safe, now_ns, self._ramp_ns)

    def _follow(self, reference: Reference, state: RobotState, now_ns: int) -> None:
        self._new = False
        self._holding = self._stays = False
        if reference.mode is ControlMode.JOINT:
            assert reference.joint_position_rad is not None  # the supervisor passes no other
            start_rad = self._joints.at(now_ns) if self._joints else state.joint_position_rad
            self._joints = JointRamp(start_rad, reference.joint_position_rad, now_ns, self._ramp_ns)
            return
        assert reference.tcp_in_base is not None  # the supervisor passes no other
        start = self._pose.at(now_ns) if self._pose and not self._joints else state.tcp_in_base
        self._pose, self._joints = PoseRamp(start, reference.tcp_in_base, now_ns, self._ramp_ns), None

    def _set_point(self, state: RobotState, now_ns: int, reason: str) -> SetPoint:
        return SetPoint(
            tcp_in_base=self._pose.at(now_ns) if self._pose else state.tcp_in_base,
            joint_position_rad=self._joints.at(now_ns) if self._joints else None,
            holding=self._holding,
            reason=reason,
        )

    def _count(self, now_ns: int) -> None:
        counters, last_ns = self.counters, self._last_turn_ns
        self._last_turn_ns = now_ns
        counters.turns += 1
        if last_ns is None:
            return
        gap_ns = now_ns - last_ns
        counters.max_gap_ns = max(counters.max_gap_ns, gap_ns)
        if gap_ns > LATE_PERIODS * self._period_ns:
            counters.late += 1
            counters.missed += round(gap_ns / self._period_ns) - 1


def _is_same(a: Pose, b: Pose) -> bool:
    """By value: the angle between two equal quaternions need not come out as 0."""
    return np.array_equal(a.position_m, b.position_m) and np.array_equal(a.quaternion_xyzw, b.quaternion_xyzw)
