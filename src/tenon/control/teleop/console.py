"""The console's on-screen control as one more device: its messages come and go, and only their arrival counts."""

from __future__ import annotations

import numpy as np

from tenon.configuration.teleop import AXES, ConsoleConfig, TeleopConfig
from tenon.control.teleop.device import DeviceState
from tenon.control.teleop.mapping import TRANSLATIONS
from tenon.control.types import Vector


class ConsoleControl:
    """Holds the newest velocity that the console asked for, for as long as its control counts as held."""

    def __init__(self, config: TeleopConfig) -> None:
        """config: of ``config/teleop/console.yaml``."""
        assert isinstance(config.device, ConsoleConfig)
        self._hold_s = config.device.hold_s
        turn_rad_s = config.turn_rad_s or np.inf
        self._full = np.repeat((config.speed_m_s, turn_rad_s), TRANSLATIONS)
        self._velocity: Vector | None = None
        self._arrived_s = 0.0

    def on_twist(self, velocity: Vector, now_s: float) -> None:
        """velocity (6,): m/s then rad/s, in axes of the base; not finite: the control was let go. now_s: steady."""
        self._velocity = velocity if np.isfinite(velocity).all() else None
        self._arrived_s = now_s

    def read(self, now_s: float) -> DeviceState:
        """Deflections: parts of the full speeds."""
        if self._velocity is None or now_s - self._arrived_s > self._hold_s:
            return DeviceState({})
        parts = np.clip(self._velocity / self._full, -1.0, 1.0)
        return DeviceState(dict(zip(AXES, parts.tolist(), strict=True)))
