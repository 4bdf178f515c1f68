"""Zeroing the force: the mean wrench of an arm at rest, to be subtracted from then on.

The bias of a wrist sensor or an end-point estimate depends on the posture, so it is measured before every roll-out at
the start height (insertion.md 2.3 and pitfall 8; 5 s in the released code).
"""

from __future__ import annotations

import numpy as np

from tenon.configuration.session import TareConfig
from tenon.control.checks import NS_PER_S
from tenon.control.types import RobotState, Vector


class TareError(RuntimeError):
    """A tare that was refused. The message says what was seen, what is allowed, what to do."""


class WrenchTare:
    """Collects one window of readings. Feed readings until ``done``, then take ``bias``."""

    def __init__(self, config: TareConfig) -> None:
        self._config = config
        self._first: RobotState | None = None
        self._begun_ns = self._last_ns = 0
        self._wrenches: list[Vector] = []

    @property
    def done(self) -> bool:
        """Whether the readings span the window."""
        return self._first is not None and self._last_ns - self._first.stamp_ns >= self._config.window_s * NS_PER_S

    @property
    def samples(self) -> int:
        """Readings so far."""
        return len(self._wrenches)

    @property
    def spread_n(self) -> float:
        """Standard deviation (N) of the force's noisiest axis so far."""
        return float(np.stack(self._wrenches)[:, :3].std(axis=0).max())

    def add(self, state: RobotState) -> None:
        """Takes one reading; one that is no newer than the last is left out.

        Raises TareError if the arm moves for longer than it may take to come to rest, or its speed is no number.
        """
        if self._first is None:
            self._first, self._begun_ns = state, state.stamp_ns
        elif state.stamp_ns <= self._last_ns:
            return
        self._last_ns = state.stamp_ns
        moves = self._moves(state, self._first)
        if moves:
            rests_in_time = state.stamp_ns - self._begun_ns <= self._config.rest_s * NS_PER_S
            if not rests_in_time or not np.isfinite(state.tcp_velocity_in_base).all():
                raise TareError(f"{moves}: let it come to rest, then zero again")
            self._first, self._wrenches = state, []
            return
        self._wrenches.append(np.array(state.wrench_in_base, dtype=np.float64))

    def _moves(self, state: RobotState, first: RobotState) -> str:
        """How the arm moves; empty where it rests."""
        config = self._config
        speed_m_s = float(np.linalg.norm(state.tcp_velocity_in_base[:3]))
        drift_m = float(np.linalg.norm(state.tcp_in_base.position_m - first.tcp_in_base.position_m))
        if not speed_m_s <= config.speed_max_m_s:
            return (
                f"the arm moves at {1e3 * speed_m_s:.1f} mm/s while the force is zeroed, allowed are "
                f"{1e3 * config.speed_max_m_s:.1f} mm/s"
            )
        if not drift_m <= config.drift_max_m:
            return (
                f"the arm has drifted by {1e3 * drift_m:.2f} mm while the force is zeroed, allowed are "
                f"{1e3 * config.drift_max_m:.2f} mm"
            )
        return ""

    def bias(self) -> Vector:
        """(6,) N and Nm: mean of the window. Raises TareError where it cannot be trusted."""
        config = self._config
        count = len(self._wrenches)
        if not self.done or count < config.samples_min:
            span_s = (self._last_ns - self._first.stamp_ns) / NS_PER_S if self._first else 0.0
            raise TareError(
                f"{count} readings over {span_s:.2f} s came while the force is zeroed, {config.samples_min} over "
                f"{config.window_s:.2f} s are needed: look at the rate of the wrench topic"
            )
        wrenches = np.stack(self._wrenches)
        if not np.isfinite(wrenches).all():
            raise TareError("the wrench holds NaN or infinity while the force is zeroed: look at the sensor")
        spread_n = self.spread_n
        if spread_n > config.force_spread_max_n:
            raise TareError(
                f"the force varies by {spread_n:.2f} N (standard deviation) while it is zeroed, allowed are "
                f"{config.force_spread_max_n:.2f} N: keep hands and parts off the tool, then zero again"
            )
        return np.asarray(wrenches.mean(axis=0))
