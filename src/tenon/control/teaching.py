"""What a person shows by hand: the mean of an arm's readings while it rests, refused where it does not rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from tenon.configuration.base import Config
from tenon.control.checks import NS_PER_S
from tenon.control.geometry import unit
from tenon.control.types import Pose, RobotState, Vector


class TeachingError(RuntimeError):
    """A pose that was not taken. The message says what was seen, what is allowed, what to do."""


class TeachingConfig(Config):
    """window_s: length of the mean. samples_min: fewer readings in it are refused.

    spread_max_m, spread_max_rad: standard deviation of the TCP's position, and of the joint that moves most, above
    which the arm does not rest.
    """

    window_s: PositiveFloat = 1.0
    samples_min: PositiveInt = Field(default=20, ge=2)
    spread_max_m: PositiveFloat = 0.0003
    spread_max_rad: PositiveFloat = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class TaughtPose:
    """joint_position_rad (n,), tcp_in_base: means. spread_m, spread_rad: standard deviations."""

    joint_position_rad: Vector
    tcp_in_base: Pose
    spread_m: float
    spread_rad: float
    samples: int


class PoseTeaching:
    """Collects one window of readings. Feed readings until ``done``, then take ``result``."""

    def __init__(self, config: TeachingConfig | None = None) -> None:
        self._config = config or TeachingConfig()
        self._states: list[RobotState] = []

    @property
    def done(self) -> bool:
        """Whether the readings span the window."""
        states = self._states
        return bool(states) and states[-1].stamp_ns - states[0].stamp_ns >= self._config.window_s * NS_PER_S

    def add(self, state: RobotState) -> None:
        """Takes one reading; one that is no newer than the last is left out."""
        if not self._states or state.stamp_ns > self._states[-1].stamp_ns:
            self._states.append(state)

    def result(self) -> TaughtPose:
        """Raises TeachingError where the arm moved, or too few readings came."""
        config, states = self._config, self._states
        if not self.done or len(states) < config.samples_min:
            raise TeachingError(
                f"{len(states)} readings came, {config.samples_min} over {config.window_s:g} s are needed: look at the "
                "rate of tcp/pose (tenon topic hz tcp/pose)"
            )
        positions = np.stack([state.tcp_in_base.position_m for state in states])
        joints = np.stack([state.joint_position_rad for state in states])
        if not (np.isfinite(positions).all() and np.isfinite(joints).all()):
            raise TeachingError("the arm's readings hold NaN or infinity: look at its driver")
        spread_m, spread_rad = float(positions.std(axis=0).max()), float(joints.std(axis=0).max())
        if spread_m > config.spread_max_m or spread_rad > config.spread_max_rad:
            raise TeachingError(
                f"the arm moves: its TCP varies by {1e3 * spread_m:.2f} mm, a joint by {spread_rad:.4f} rad (standard "
                f"deviation), allowed are {1e3 * config.spread_max_m:.2f} mm and {config.spread_max_rad:.4f} rad: let "
                "it rest, take the hand off, and try again"
            )
        return TaughtPose(joints.mean(axis=0), self._mean_pose(positions), spread_m, spread_rad, len(states))

    def _mean_pose(self, positions: Vector) -> Pose:
        quaternions = np.stack([state.tcp_in_base.quaternion_xyzw for state in self._states])
        same_side = np.where(quaternions @ quaternions[0] < 0.0, -1.0, 1.0)
        return Pose(positions.mean(axis=0), unit((same_side[:, None] * quaternions).mean(axis=0)))
