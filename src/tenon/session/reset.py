"""The way back to the start of an episode: straight up out of the socket first, then to the start pose, in small steps.

One Cartesian reference per control tick. The target runs ahead of the arm by no more than ``lead_m``, so that a jammed
plug is pulled with a bounded force and the attempt times out instead. A steady error of the arm (sag, friction) is
taken out at the end by moving the target a little beyond.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from tenon.configuration.session import ResetConfig
from tenon.control.geometry import distance, interpolate
from tenon.control.types import ControlMode, Pose, Reference, Vector

SOURCE = "session"
VALIDITY_PERIODS = 2
CORRECTION_GAIN = 0.3
"""Share of the remaining error by which the last target moves on per tick."""


class ResetStage(enum.StrEnum):
    """What the arm is doing."""

    WITHDRAW = "withdraw"
    TRAVEL = "travel"
    SETTLE = "settle"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, eq=False)
class ResetStep:
    """One tick's outcome. reference: to be sent; HOLD once the motion is over. message: why it failed."""

    reference: Reference
    stage: ResetStage
    error_m: float
    error_rad: float
    message: str

    @property
    def over(self) -> bool:
        return self.stage in (ResetStage.DONE, ResetStage.FAILED)


def start_pose(goal_in_base: Pose, start_height_m: float) -> Pose:
    """The start of an episode: above the estimated goal, in its orientation."""
    return Pose(goal_in_base.position_m + np.array((0.0, 0.0, start_height_m)), goal_in_base.quaternion_xyzw)


def hold(stamp_ns: int, validity_ns: int) -> Reference:
    """What lets the arm stay where it is measured. stamp_ns: of the observation that it answers."""
    return Reference(stamp_ns, ControlMode.HOLD, SOURCE, validity_ns)


class ResetMotion:
    """One attempt. Call ``step`` once per control tick with the measured pose, until ``over``."""

    def __init__(
        self, config: ResetConfig, *, goal_in_base: Pose, start_height_m: float, control_period_ns: int, begin_ns: int
    ) -> None:
        """goal_in_base: estimated goal of the TCP. start_height_m: of the task. begin_ns: session time of the start.

        Raises ValueError if the withdrawal would end above the start pose.
        """
        if config.withdraw_m > start_height_m:
            raise ValueError(
                f"reset.withdraw_m {config.withdraw_m} is above the task's start_height_m {start_height_m}: lower it"
            )
        self._config = config
        self._start = start_pose(goal_in_base, start_height_m)
        self._clear_z_m = float(goal_in_base.position_m[2]) + config.withdraw_m
        self._validity_ns = VALIDITY_PERIODS * control_period_ns
        self._deadline_ns = begin_ns + round(config.timeout_s * 1e9)
        self._stage = ResetStage.WITHDRAW
        self._target: Pose | None = None
        self._column: Pose | None = None
        self._correction_m = np.zeros(3)
        self._settled = 0

    @property
    def start_in_base(self) -> Pose:
        """The pose in which the episode starts."""
        return self._start

    @property
    def target_in_base(self) -> Pose:
        """The last target, which holds the arm at its start once the motion is done."""
        return self._target or self._start

    def step(self, measured: Pose, stamp_ns: int) -> ResetStep:
        """measured: TCP in base at stamp_ns, the time of the observation that the reference answers."""
        error_m, error_rad = distance(measured, self._start)
        self._advance(measured, error_m, error_rad)
        if self._stage in (ResetStage.DONE, ResetStage.FAILED):
            return self._over(stamp_ns, error_m, error_rad)
        if stamp_ns >= self._deadline_ns:
            return self._fail(stamp_ns, error_m, error_rad)
        self._target = self._next_target(measured)
        reference = Reference(stamp_ns, ControlMode.CARTESIAN, SOURCE, self._validity_ns, tcp_in_base=self._target)
        return ResetStep(reference, self._stage, error_m, error_rad, "")

    def _advance(self, measured: Pose, error_m: float, error_rad: float) -> None:
        """Moves on to the next stage where the last one has come to its end."""
        config = self._config
        clear_z_m = self._clear_z_m - config.tolerance_m - config.correction_m  # a steady error is no jam
        if self._stage is ResetStage.WITHDRAW and measured.position_m[2] >= clear_z_m:
            self._stage = ResetStage.TRAVEL
        if self._stage is ResetStage.TRAVEL and self._target and distance(self._target, self._start) == (0.0, 0.0):
            self._stage = ResetStage.SETTLE
        if self._stage is ResetStage.SETTLE:
            inside = error_m <= config.tolerance_m and error_rad <= config.tolerance_rad
            self._settled = self._settled + 1 if inside else 0
            if self._settled >= config.settle_ticks:
                self._stage = ResetStage.DONE

    def _next_target(self, measured: Pose) -> Pose:
        here = self._target or measured
        if self._stage is ResetStage.SETTLE:
            return self._corrected(measured)
        if self._column is None:
            above_m = np.array((*measured.position_m[:2], max(self._clear_z_m, measured.position_m[2])))
            self._column = Pose(above_m, measured.quaternion_xyzw)
        wanted = self._column if self._stage is ResetStage.WITHDRAW else self._start
        return self._leashed(self._towards(here, wanted), measured)

    def _towards(self, here: Pose, wanted: Pose) -> Pose:
        """One step: at most step_m and turn_rad."""
        way_m, turn_rad = distance(here, wanted)
        steps = max(way_m / self._config.step_m, turn_rad / self._config.turn_rad)
        return wanted if steps <= 1.0 else interpolate(here, wanted, 1.0 / steps)

    def _leashed(self, target: Pose, measured: Pose) -> Pose:
        """The target, or the last point on the way to it that is no further ahead of the arm than lead_m."""
        lead_m = distance(measured, target)[0]
        if lead_m <= self._config.lead_m:
            return target
        offset_m = target.position_m - measured.position_m
        return Pose(measured.position_m + self._config.lead_m / lead_m * offset_m, target.quaternion_xyzw)

    def _corrected(self, measured: Pose) -> Pose:
        error_m: Vector = self._start.position_m - measured.position_m
        correction_m = self._correction_m + CORRECTION_GAIN * error_m
        length_m = float(np.linalg.norm(correction_m))
        if length_m > self._config.correction_m:
            correction_m *= self._config.correction_m / length_m
        self._correction_m = correction_m
        return Pose(self._start.position_m + correction_m, self._start.quaternion_xyzw)

    def _fail(self, stamp_ns: int, error_m: float, error_rad: float) -> ResetStep:
        what = {
            ResetStage.WITHDRAW: "the plug does not come out of the socket",
            ResetStage.TRAVEL: "the arm does not follow to the start pose",
        }.get(self._stage, "the arm does not settle at the start pose")
        message = (
            f"{what}: after {self._config.timeout_s:g} s it is {1e3 * error_m:.2f} mm and {error_rad:.3f} rad from it, "
            f"allowed are {1e3 * self._config.tolerance_m:.2f} mm and {self._config.tolerance_rad:.3f} rad"
        )
        self._stage = ResetStage.FAILED
        return self._over(stamp_ns, error_m, error_rad, message)

    def _over(self, stamp_ns: int, error_m: float, error_rad: float, message: str = "") -> ResetStep:
        return ResetStep(hold(stamp_ns, self._validity_ns), self._stage, error_m, error_rad, message)
