"""The safety system and the power of an emulated controller: what stops the arm, and what a person does about it."""

from __future__ import annotations

import enum

NORMAL_BIT, PROTECTIVE_BIT, SAFEGUARD_BIT, ROBOT_EMERGENCY_BIT, EMERGENCY_BIT, STOPPED_BIT = 0, 2, 4, 6, 7, 10


class RobotMode(enum.IntEnum):
    """As RTDE's robot_mode."""

    BOOTING = 2
    POWER_OFF = 3
    IDLE = 5
    RUNNING = 7


class SafetyMode(enum.IntEnum):
    """As RTDE's safety_mode; the names are those of the dashboard's safetystatus."""

    NORMAL = 1
    PROTECTIVE_STOP = 3
    SAFEGUARD_STOP = 5
    ROBOT_EMERGENCY_STOP = 7


_BITS = {
    SafetyMode.NORMAL: (NORMAL_BIT,),
    SafetyMode.PROTECTIVE_STOP: (PROTECTIVE_BIT, STOPPED_BIT),
    SafetyMode.SAFEGUARD_STOP: (SAFEGUARD_BIT, STOPPED_BIT),
    SafetyMode.ROBOT_EMERGENCY_STOP: (ROBOT_EMERGENCY_BIT, EMERGENCY_BIT, STOPPED_BIT),
}


class SafetySystem:
    """Power on, brakes free, nothing wrong, until something happens."""

    def __init__(self) -> None:
        self.robot_mode = RobotMode.RUNNING
        self.safety_mode = SafetyMode.NORMAL

    @property
    def may_move(self) -> bool:
        return self.robot_mode is RobotMode.RUNNING and self.safety_mode is SafetyMode.NORMAL

    @property
    def pauses(self) -> bool:
        """Whether a program waits for the end of a stop. Its watchdog is not known to count meanwhile."""
        stopped = self.safety_mode in (SafetyMode.PROTECTIVE_STOP, SafetyMode.SAFEGUARD_STOP)
        return stopped and self.robot_mode is RobotMode.RUNNING

    @property
    def status_bits(self) -> int:
        return sum(1 << bit for bit in _BITS[self.safety_mode])

    def protective_stop(self) -> None:
        if self.safety_mode is SafetyMode.NORMAL:
            self.safety_mode = SafetyMode.PROTECTIVE_STOP

    def unlock_protective_stop(self) -> str:
        """The pendant's button, or the dashboard's command; the dashboard's answer."""
        if self.safety_mode is not SafetyMode.PROTECTIVE_STOP:
            return "Cannot unlock protective stop: there is none"
        self.safety_mode = SafetyMode.NORMAL
        return "Protective stop releasing"

    def safeguard(self, *, is_open: bool) -> None:
        """A fence whose reset is automatic: closing it is enough."""
        if is_open and self.safety_mode is SafetyMode.NORMAL:
            self.safety_mode = SafetyMode.SAFEGUARD_STOP
        elif not is_open and self.safety_mode is SafetyMode.SAFEGUARD_STOP:
            self.safety_mode = SafetyMode.NORMAL

    def press_emergency_stop(self) -> None:
        """Power goes, brakes close."""
        self.safety_mode, self.robot_mode = SafetyMode.ROBOT_EMERGENCY_STOP, RobotMode.POWER_OFF

    def release_emergency_stop(self) -> None:
        """The button is turned back; power is still off."""
        self.safety_mode = SafetyMode.NORMAL

    def power_on(self) -> str:
        if self.safety_mode is SafetyMode.NORMAL and self.robot_mode in (RobotMode.POWER_OFF, RobotMode.BOOTING):
            self.robot_mode = RobotMode.IDLE
        return "Powering on"

    def power_off(self) -> str:
        self.robot_mode = RobotMode.POWER_OFF
        return "Powering off"

    def release_brakes(self) -> str:
        if self.safety_mode is SafetyMode.NORMAL:
            self.robot_mode = RobotMode.RUNNING
        return "Brake releasing"
