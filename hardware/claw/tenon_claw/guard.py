"""What the servos' own reports say is wrong: hot, overloaded, shut down, restarted, or left without commands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from tenon.control.drivers import ArmFaultError, ArmFaultKind
from tenon_claw import control_table as table
from tenon_claw.bus import Present
from tenon_claw.config import DriverSettings
from tenon_claw.control_table import HardwareError

COOLED_BY_C = 5
"""A servo that was too hot counts as cool again this far below the limit."""
SUPPLY = "switch the claw's supply off and on"

_KIND_OF_ERROR = (
    (HardwareError.OVERHEATING, ArmFaultKind.OVERHEATED, f"let it cool down, then {SUPPLY}"),
    (HardwareError.OVERLOAD, ArmFaultKind.OVERLOADED, f"free the finger, then {SUPPLY}"),
    (HardwareError.INPUT_VOLTAGE, ArmFaultKind.NOT_READY, "its supply is out of range: look at the power adapter"),
    (HardwareError.ENCODER, ArmFaultKind.PROTECTIVE_STOP, f"its encoder has failed: {SUPPLY}; replace it if it stays"),
    (HardwareError.ELECTRICAL_SHOCK, ArmFaultKind.PROTECTIVE_STOP, f"its power stage has failed: {SUPPLY}"),
)


class Guard:
    """Judges each reading of all servos; of an overload it remembers since when."""

    def __init__(self, settings: DriverSettings) -> None:
        self._settings = settings
        self._pushing_since_s: dict[int, float] = {}

    def restart(self) -> None:
        """Nothing pushes yet."""
        self._pushing_since_s.clear()

    def judge(
        self,
        present: Sequence[Present],
        names: Mapping[int, str],
        *,
        expect_torque: bool,
        recovering: bool = False,
    ) -> ArmFaultError | None:
        """The first thing that is wrong. names: joint by ID, in the order of ``present``, the valve last.

        expect_torque: the fingers should be holding. recovering: a servo must be cool again, not just below the limit.
        """
        for number, ((servo_id, joint), seen) in enumerate(zip(names.items(), present, strict=True)):
            who, is_finger = f"servo {servo_id} ({joint})", number < len(names) - 1
            fault = (
                _failed(who, seen)
                or self._hot(who, seen, recovering=recovering)
                or (self._lost(who, seen) if expect_torque and is_finger else None)
                or (self._pushes(servo_id, who, seen) if expect_torque and is_finger else None)
            )
            if fault is not None:
                return fault
        return None

    def _hot(self, who: str, seen: Present, *, recovering: bool) -> ArmFaultError | None:
        allowed_c = self._settings.temperature_max_c - (COOLED_BY_C if recovering else 0)
        if seen.temperature_c <= allowed_c:
            return None
        return ArmFaultError(
            ArmFaultKind.OVERHEATED,
            f"{who} is {seen.temperature_c} degrees C warm, allowed are {allowed_c}: let it cool down; if it comes "
            "back, lower current_limit_a",
        )

    def _lost(self, who: str, seen: Present) -> ArmFaultError | None:
        if seen.watchdog == table.WATCHDOG_TRIPPED:
            return ArmFaultError(
                ArmFaultKind.COMMAND_TIMEOUT,
                f"{who} stopped by itself: the bus was silent for more than {self._settings.bus_watchdog_s:g} s. See "
                "why the driver stalled",
            )
        if not seen.torque:
            return ArmFaultError(
                ArmFaultKind.CONTROLLER_RESTARTED,
                f"{who} has lost its torque: its supply was interrupted, or somebody else talks to it. Look at its "
                "plugs",
            )
        return None

    def _pushes(self, servo_id: int, who: str, seen: Present) -> ArmFaultError | None:
        effort_nm = abs(seen.current) * table.A_PER_UNIT * self._settings.torque_constant_nm_a
        if effort_nm <= self._settings.effort_max_nm:
            self._pushing_since_s.pop(servo_id, None)
            return None
        now_s = time.monotonic()
        pushed_s = now_s - self._pushing_since_s.setdefault(servo_id, now_s)
        if pushed_s <= self._settings.effort_time_s:
            return None
        return ArmFaultError(
            ArmFaultKind.OVERLOADED,
            f"{who} has pushed with {effort_nm:.2f} Nm for {pushed_s:.1f} s, allowed are "
            f"{self._settings.effort_max_nm:.2f} Nm for {self._settings.effort_time_s:g} s: free the finger",
        )


def _failed(who: str, seen: Present) -> ArmFaultError | None:
    for error, kind, remedy in _KIND_OF_ERROR:
        if seen.error & error:
            return ArmFaultError(kind, f"{who} reports {error.name.lower().replace('_', ' ')}: {remedy}")
    return None
