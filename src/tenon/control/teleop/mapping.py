"""From a device's axes and buttons to what the person wants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenon.configuration.teleop import AXES, TOGETHER, AxisConfig, TeleopConfig
from tenon.control.teleop.device import DeviceState
from tenon.control.types import Vector

TRANSLATIONS = 3
OPEN, CLOSED = 0.0, 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """What a person wants now. velocity (6,): of the TCP in axes of the base, m/s then rad/s. pressed: what the buttons
    that were pressed since the last time are for, as ``ButtonsConfig`` names it. gripper: 0 open, 1 closed."""

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
        named = {role: names for role, names in config.buttons.model_dump().items() if names is not None}
        self._roles = {frozenset(names.split(TOGETHER)): role for role, names in named.items()}
        self._shared = frozenset[str]().union(*(buttons for buttons in self._roles if len(buttons) > 1))
        self._down: frozenset[str] = frozenset()
        self._spent: frozenset[str] = frozenset()
        self._gripper = OPEN
        self._speeds = np.repeat((config.speed_m_s, config.turn_rad_s), TRANSLATIONS)

    def wish(self, state: DeviceState) -> Wish:
        pressed = self._pressed(state.pressed)
        if "gripper" in pressed:
            self._gripper = OPEN if self._gripper == CLOSED else CLOSED
        return Wish(self._velocity(state), pressed, self._gripper)

    def _pressed(self, down: frozenset[str]) -> frozenset[str]:
        """A button acts as it goes down; one that also acts together with another, as it is let go, unless it has."""
        went_down, went_up = down - self._down, self._down - down
        together = {buttons for buttons in self._roles if len(buttons) > 1 and buttons <= down and buttons & went_down}
        self._spent = self._spent.union(*together)
        alone = (went_down - self._shared) | ((went_up & self._shared) - self._spent)
        self._down, self._spent = down, self._spent & down
        acted = together | {frozenset({button}) for button in alone}
        return frozenset(self._roles[buttons] for buttons in acted if buttons in self._roles)

    def _velocity(self, state: DeviceState) -> Vector:
        hold_to_run = self._config.buttons.hold_to_run
        deflection = np.zeros(len(AXES))
        if hold_to_run is None or state.pressed.issuperset(hold_to_run.split(TOGETHER)):
            for number, axis in self._axes.items():
                deflection[number] = shaped(state.axes.get(axis.source, 0.0), axis)
        return self._speeds * deflection
