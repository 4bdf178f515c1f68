"""What ``tenon doctor --robot`` sees of a claw: from the port up to whether a session could begin. Moves nothing."""

from __future__ import annotations

from tenon.cli.checks.finding import Finding, error, ok, warning
from tenon_claw import commissioning
from tenon_claw import control_table as table
from tenon_claw.bus import BusError, BusLostError, ServoBus
from tenon_claw.config import DriverSettings

MANUAL = "hardware/claw/manual.md"
WARM_BELOW_C = 10
"""A servo this close to the limit at rest has no room to work."""
VOLTAGE_V = (11.0, 14.8)
"""In which an XM430-W210 is meant to run."""


def check(settings: DriverSettings) -> list[Finding]:
    """Port, servos, their EEPROM, supply and temperature."""
    try:
        found = commissioning.survey(settings)
    except BusLostError as failure:
        return [error("port", str(failure), f"cable, supply, udev rule: {MANUAL}")]
    except BusError as failure:
        return [error("servos", str(failure), MANUAL)]
    if found.missing:
        missing = ", ".join(map(str, found.missing))
        return [error("servos", f"no answer from {missing}", f"their cables and supply; IDs: {MANUAL}")]
    findings = [ok("servos", f"{len(settings.servos) + 1} answer at {', '.join(map(str, found.baud_rates))} baud")]
    if found.unknown:
        findings.append(
            warning("servos", f"nobody knows {', '.join(map(str, found.unknown))}", "unplug them, or name them")
        )
    if found.changes:
        seen = f"{len(found.changes)} entries are not as they must be, first: {found.changes[0]}"
        return [*findings, error("EEPROM", seen, "tenon claw setup")]
    return [*findings, ok("EEPROM", "as it must be"), *_check_state(settings)]


def _check_state(settings: DriverSettings) -> list[Finding]:
    names = {servo.servo_id: servo.joint for servo in (*settings.servos, settings.valve)}
    bus = ServoBus(settings.port, settings.baud_rate, tuple(names), answer_margin_s=settings.answer_margin_s)
    bus.open()
    try:
        return [
            _warmest(settings, {joint: bus.read(one, table.PRESENT_TEMPERATURE) for one, joint in names.items()}),
            _supply({joint: bus.read(one, table.PRESENT_VOLTAGE) * table.V_PER_UNIT for one, joint in names.items()}),
        ]
    except BusError as failure:
        return [error("servos", str(failure), MANUAL)]
    finally:
        bus.close()


def _warmest(settings: DriverSettings, degrees_c: dict[str, int]) -> Finding:
    joint = max(degrees_c, key=degrees_c.__getitem__)
    seen = f"warmest is {joint} with {degrees_c[joint]} degrees C, allowed are {settings.temperature_max_c}"
    if degrees_c[joint] > settings.temperature_max_c - WARM_BELOW_C:
        return warning("temperature", seen, "let it cool down; see whether a finger is blocked")
    return ok("temperature", seen)


def _supply(volts: dict[str, float]) -> Finding:
    low, high = VOLTAGE_V
    joint = min(volts, key=volts.__getitem__)
    seen = f"{volts[joint]:.1f} V at {joint}, the lowest"
    if not low <= volts[joint] or max(volts.values()) > high:
        return error("supply", seen, f"a supply of 12 V and 5 A or more; {low:g} to {high:g} V at the servos")
    return ok("supply", seen)
