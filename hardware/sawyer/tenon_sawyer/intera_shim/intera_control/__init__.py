"""The PID controller of the vendor's SDK."""

from __future__ import annotations

import time

__all__ = ["PID"]


class PID:
    """u = kp e + ki int(e dt) + kd de/dt, with dt from one call to the next."""

    def __init__(self, kp: float = 0.0, ki: float = 0.0, kd: float = 0.0) -> None:
        self._kp, self._ki, self._kd = kp, ki, kd
        self.initialize()

    def initialize(self) -> None:
        """Forgets the past."""
        self._called_s = time.monotonic()
        self._previous_error = 0.0
        self._integral = 0.0

    def set_kp(self, invar: float) -> None:
        self._kp = invar

    def set_ki(self, invar: float) -> None:
        self._ki = invar

    def set_kd(self, invar: float) -> None:
        self._kd = invar

    def set_prev_err(self, preverr: float) -> None:
        self._previous_error = preverr

    def compute_output(self, error: float) -> float:
        """The output for the present error."""
        now_s = time.monotonic()
        dt_s, self._called_s = now_s - self._called_s, now_s
        slope = (error - self._previous_error) / dt_s if dt_s > 0.0 else 0.0
        self._integral += error * dt_s
        self._previous_error = error
        return self._kp * error + self._ki * self._integral + self._kd * slope
