"""What the servos' EEPROM must hold before the claw works: find it out, show it, and write it once a person agrees."""

from __future__ import annotations

from dataclasses import dataclass

from tenon_claw import control_table as table
from tenon_claw.bus import NoAnswerError, ServoBus
from tenon_claw.config import DriverSettings
from tenon_claw.control_table import HardwareError, Item

SHUTDOWN_ON = (
    HardwareError.OVERHEATING | HardwareError.ENCODER | HardwareError.ELECTRICAL_SHOCK | HardwareError.OVERLOAD
)
TEMPERATURE_ABOVE_GUARD_C = 10
"""The servo's own limit lies above the driver's, so that a session ends with the driver's fault and not with a servo
that lets go."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that is not as it must be. before: what it is."""

    servo_id: int
    joint: str
    item: Item
    before: int
    after: int

    def __str__(self) -> str:
        return f"servo {self.servo_id} ({self.joint}): {self.item.name} {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found on the bus. baud_rate: at which the servos answer. missing: IDs of the settings that are silent.

    unknown: IDs that answer and are in no settings. changes: what is to be written.
    """

    baud_rate: int
    missing: tuple[int, ...]
    unknown: tuple[int, ...]
    changes: tuple[Change, ...]

    @property
    def is_complete(self) -> bool:
        return not self.missing


def wanted(settings: DriverSettings) -> list[tuple[Item, int]]:
    """What the EEPROM of every servo must hold. The baud rate comes last: from then on it answers at the new one."""
    rates = {rate: code for code, rate in table.BAUD_RATES.items()}
    limit_a = max(settings.current_limit_a, settings.valve_current_limit_a)
    return [
        (table.RETURN_DELAY, round(settings.return_delay_s / table.S_PER_RETURN_DELAY_UNIT)),
        (table.OPERATING_MODE, table.CURRENT_BASED_POSITION_MODE),
        (table.TEMPERATURE_LIMIT, settings.temperature_max_c + TEMPERATURE_ABOVE_GUARD_C),
        (table.CURRENT_LIMIT, int(limit_a / table.A_PER_UNIT) + 1),
        (table.SHUTDOWN, int(SHUTDOWN_ON)),
        (table.BAUD_RATE, rates[settings.baud_rate]),
    ]


def survey(settings: DriverSettings) -> Survey:
    """Looks for the servos at all baud rates, the stated one first; writes nothing. Raises BusLostError."""
    rates = [settings.baud_rate, *(rate for rate in table.BAUD_RATES.values() if rate != settings.baud_rate)]
    best: Survey | None = None
    for rate in rates:
        bus = _bus(settings, rate)
        bus.open()
        try:
            seen = _survey_at(bus, settings, rate)
        finally:
            bus.close()
        if best is None or len(seen.missing) < len(best.missing):
            best = seen
        if best.is_complete:
            break
    assert best is not None
    return best


def carry_out(settings: DriverSettings, found: Survey) -> None:
    """Writes the changes. All servos let go first: the EEPROM is locked while they have torque. Raises BusError."""
    bus = _bus(settings, found.baud_rate)
    bus.open()
    try:
        for servo_id in {change.servo_id for change in found.changes}:
            bus.write(servo_id, table.TORQUE_ENABLE, 0)
        for change in sorted(found.changes, key=lambda change: change.item is table.BAUD_RATE):
            try:
                bus.write(change.servo_id, change.item, change.after)
            except NoAnswerError:
                if change.item is not table.BAUD_RATE:
                    raise  # a servo that has changed its baud rate may answer at the new one already
    finally:
        bus.close()


def assign_id(settings: DriverSettings, new_id: int) -> int:
    """Gives the only servo on the bus another ID, as each new servo needs once. Returns the one that it had.

    Raises BusError where there is none, or more than one: two servos of one ID cannot be told apart.
    """
    for rate in table.BAUD_RATES.values():
        bus = _bus(settings, rate)
        bus.open()
        try:
            found = list(bus.find())
            if len(found) > 1:
                raise NoAnswerError(
                    f"{len(found)} servos answer on {settings.port} ({', '.join(map(str, found))}): leave only the "
                    "new one connected"
                )
            if found:
                bus.write(found[0], table.TORQUE_ENABLE, 0)
                bus.write(found[0], table.SERVO_ID, new_id)
                return found[0]
        finally:
            bus.close()
    raise NoAnswerError(f"no servo answers on {settings.port} at any baud rate: look at its supply and cable")


def _bus(settings: DriverSettings, baud_rate: int) -> ServoBus:
    ids = [servo.servo_id for servo in (*settings.servos, settings.valve)]
    return ServoBus(settings.port, baud_rate, ids, answer_margin_s=settings.answer_margin_s)


def _survey_at(bus: ServoBus, settings: DriverSettings, baud_rate: int) -> Survey:
    answering = bus.find()
    servos = {servo.servo_id: servo.joint for servo in (*settings.servos, settings.valve)}
    changes = [
        Change(servo_id, joint, item, before, after)
        for servo_id, joint in servos.items()
        if servo_id in answering
        for item, after in wanted(settings)
        if (before := bus.read(servo_id, item)) != after
    ]
    return Survey(
        baud_rate=baud_rate,
        missing=tuple(servo_id for servo_id in servos if servo_id not in answering),
        unknown=tuple(servo_id for servo_id in answering if servo_id not in servos),
        changes=tuple(changes),
    )
