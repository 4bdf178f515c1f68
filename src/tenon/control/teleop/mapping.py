"""From a device's axes and buttons to what the person wants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenon.configuration.teleop import AXES, AxisConfig, TeleopConfig
from tenon.control.teleop.device import DeviceState
from tenon.control.types import Vector

TRANSLATIONS = 3
OPEN, CLOSED = 0.0, 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """What a person wants now. velocity (6,): of the TCP in axes of the base, m/s then rad/s. pressed: what the buttons
    that went down since the last time are for, as ``ButtonsConfig`` names it. gripper: 0 open, 1 closed."""

    velocity: Vector
    pressed: frozenset[str] = frozenset()
    gripper: float = OPEN

    @property
    def moves(self) -> bool:
        return bool(self.velocity.any())


def shaped(deflection: float, axis: AxisConfig) -> float:
    """Of a device's axis in [-1, 1]: nothing within the dead zone, from there on without a step to full deflection."""
    beyond = (abs(deflection) - axis.dead_zone) / (1.0 - axis.dead_zone)
    if beyond <= 0.0:
        return 0.0
    return float(np.copysign(min(beyond, 1.0) ** axis.exponent, deflection)) * axis.sign


class Mapping:
    """Feed it each reading of a device, in order: it tells a button that goes down from one that is held."""

    def __init__(self, config: TeleopConfig) -> None:
        self._config = config
        self._axes = {AXES.index(name): axis for name, axis in config.axes.items()}
        self._roles = {button: role for role, button in config.buttons.model_dump().items() if button is not None}
        self._down: frozenset[str] = frozenset()
        self._gripper = OPEN
        self._speeds = np.repeat((config.speed_m_s, config.turn_rad_s), TRANSLATIONS)

    def wish(self, state: DeviceState) -> Wish:
        went_down, self._down = state.pressed - self._down, state.pressed
        pressed = frozenset(self._roles[button] for button in went_down if button in self._roles)
        if "gripper" in pressed:
            self._gripper = OPEN if self._gripper == CLOSED else CLOSED
        return Wish(self._velocity(state), pressed, self._gripper)

    def _velocity(self, state: DeviceState) -> Vector:
        hold_to_run = self._config.buttons.hold_to_run
        deflection = np.zeros(len(AXES))
        if hold_to_run is None or hold_to_run in state.pressed:
            for number, axis in self._axes.items():
                deflection[number] = shaped(state.axes.get(axis.source, 0.0), axis)
        return self._speeds * deflection
