"""From what a UR controller reports to the name of a fault, with what a person has to do."""

from __future__ import annotations

from enum import IntEnum

from tenon.control.drivers import ArmFaultError, ArmFaultKind
from tenon_ur5.link import RUNNING_MODE, Controller, Reading


class SafetyBit(IntEnum):
    """Places in safety_status_bits, as RTDE's manual names them."""

    PROTECTIVE_STOP = 2
    RECOVERY_MODE = 3
    SAFEGUARD_STOP = 4
    SYSTEM_EMERGENCY_STOP = 5
    ROBOT_EMERGENCY_STOP = 6
    EMERGENCY_STOP = 7
    VIOLATION = 8
    FAULT = 9
    STOPPED_BY_SAFETY = 10


ROBOT_MODES = {
    -1: "no controller",
    0: "disconnected",
    1: "waiting for a safety confirmation",
    2: "booting",
    3: "powered off",
    4: "powered on",
    5: "idle, its brakes on",
    6: "in backdrive",
    7: "running",
    8: "updating its firmware",
}


POLYSCOPE_X = 10
"""Its first major version."""


def stop_of(reading: Reading) -> ArmFaultError | None:
    """Why the arm may not move, by its own report; None where it may."""
    stop = _safety_stop(reading.safety_bits)
    if stop is None and reading.robot_mode != RUNNING_MODE:
        mode = ROBOT_MODES.get(reading.robot_mode, str(reading.robot_mode))
        return ArmFaultError(
            ArmFaultKind.NOT_READY, f"the arm is {mode}: power on and release the brakes at the pendant"
        )
    return stop


def _safety_stop(bits: int) -> ArmFaultError | None:
    """What safety_status_bits tell, the gravest first."""
    seen = {bit for bit in SafetyBit if bits >> bit & 1}
    if seen & {SafetyBit.VIOLATION, SafetyBit.FAULT}:
        return ArmFaultError(
            ArmFaultKind.NOT_READY,
            "the controller's safety system reports a violation or a fault: see the pendant's log, restart the safety "
            "system there, then power on and release the brakes",
        )
    if seen & {SafetyBit.SYSTEM_EMERGENCY_STOP, SafetyBit.ROBOT_EMERGENCY_STOP, SafetyBit.EMERGENCY_STOP}:
        return ArmFaultError(
            ArmFaultKind.EMERGENCY_STOP,
            "an emergency stop is pressed: find out why, turn the button back, then power on and release the brakes at "
            "the pendant",
        )
    if SafetyBit.PROTECTIVE_STOP in seen:
        return ArmFaultError(
            ArmFaultKind.PROTECTIVE_STOP,
            "the controller has stopped the arm (collision, or a limit of its own): see what it touches, then enable "
            "the robot at the pendant",
        )
    if SafetyBit.SAFEGUARD_STOP in seen:
        return ArmFaultError(
            ArmFaultKind.SAFEGUARD_STOP, "a safeguard is open (fence, curtain, scanner): close it and reset it"
        )
    if SafetyBit.RECOVERY_MODE in seen:
        return ArmFaultError(
            ArmFaultKind.NOT_READY,
            "the arm is in recovery mode, outside the limits of its safety configuration: bring it back with the "
            "pendant's freedrive or arrows",
        )
    if SafetyBit.STOPPED_BY_SAFETY in seen:
        return ArmFaultError(
            ArmFaultKind.SAFEGUARD_STOP,
            "the safety system has stopped the arm (an enabling switch is let go, or the safeguard of automatic mode "
            "is open): see the pendant",
        )
    return None


def program_stop(watchdog_hz: float) -> ArmFaultError:
    """The control program is not running although it was started and nothing else stopped the arm."""
    return ArmFaultError(
        ArmFaultKind.COMMAND_TIMEOUT,
        f"the control program has ended: it heard from us less than {watchdog_hz:g} times a second (a busy machine or "
        "network), or somebody pressed stop at the pendant",
    )


def refusal_of(controller: Controller, software: int) -> str:
    """Why this controller is not the one that the robot's file describes; empty where it is."""
    if controller.model and not controller.model.upper().startswith("UR5"):
        return (
            f"it is a {controller.model}, this driver moves a UR5 (CB3, `arm: ur5`) or a UR5e (e-Series, `arm: ur5e`) "
            "and no other model, not their successor UR7e either: correct host, or name another robot"
        )
    major = controller.release[0]
    if major >= POLYSCOPE_X:
        return (
            f"its software is {controller.version}, PolyScope X, which this driver does not know: it needs PolyScope 5 "
            "(e-Series) or 3 (CB3)"
        )
    if major != software:
        return (
            f"its software is {controller.version}, series in the robot's file stands for {software}: set series to "
            f"{'e-series' if software == 3 else 'cb3'}"
        )
    if controller.remote_control is False:
        return "it is in local control: switch it to remote control at the pendant's upper right corner"
    return ""
