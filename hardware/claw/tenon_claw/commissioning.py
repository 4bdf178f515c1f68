"""What the servos' EEPROM must hold before the claw works: find it out, show it, and write it once a person agrees."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
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
    """One entry that is not as it must be. before: what it is. baud_rate: at which the servo answers now."""

    servo_id: int
    baud_rate: int
    joint: str
    item: Item
    before: int
    after: int

    def __str__(self) -> str:
        return f"servo {self.servo_id} ({self.joint}): {self.item.name} {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found on the bus. baud_rates: at which servos answer; a new one may have another than the rest.

    missing: IDs of the settings that are silent. unknown: IDs that answer and are in no settings. changes: what is to
    be written.
    """

    baud_rates: tuple[int, ...]
    missing: tuple[int, ...]
    unknown: tuple[int, ...]
    changes: tuple[Change, ...]


def wanted(settings: DriverSettings) -> list[tuple[Item, int]]:
    """What the EEPROM of every servo must hold. The baud rate comes last: from then on it answers at the new one."""
    rates = {rate: code for code, rate in table.BAUD_RATES.items()}
    limit_a = max(settings.current_limit_a, settings.valve_current_limit_a)
    return [
        (table.RETURN_DELAY, round(settings.return_delay_s / table.S_PER_RETURN_DELAY_UNIT)),
        (table.DRIVE_MODE, 0),
        (table.OPERATING_MODE, table.CURRENT_BASED_POSITION_MODE),
        (table.TEMPERATURE_LIMIT, settings.temperature_max_c + TEMPERATURE_ABOVE_GUARD_C),
        (table.CURRENT_LIMIT, int(limit_a / table.A_PER_UNIT) + 1),
        (table.SHUTDOWN, int(SHUTDOWN_ON)),
        (table.BAUD_RATE, rates[settings.baud_rate]),
    ]


def survey(settings: DriverSettings) -> Survey:
    """Looks for the servos at all baud rates, the stated one first, until none is missing; writes nothing.

    Raises BusError.
    """
    joints = {servo.servo_id: servo.joint for servo in (*settings.servos, settings.valve)}
    answers_at: dict[int, int] = {}
    changes: list[Change] = []
    for rate in [settings.baud_rate, *(rate for rate in table.BAUD_RATES.values() if rate != settings.baud_rate)]:
        with _opened(settings, rate) as bus:
            found = [servo_id for servo_id in bus.find() if servo_id not in answers_at]
            answers_at |= dict.fromkeys(found, rate)
            for servo_id in found:
                if servo_id in joints:
                    changes += _changes(bus, settings, servo_id, joints[servo_id], rate)
        if joints.keys() <= answers_at.keys():
            break
    return Survey(
        baud_rates=tuple(dict.fromkeys(answers_at.values())),
        missing=tuple(servo_id for servo_id in joints if servo_id not in answers_at),
        unknown=tuple(servo_id for servo_id in answers_at if servo_id not in joints),
        changes=tuple(changes),
    )


def carry_out(settings: DriverSettings, found: Survey) -> None:
    """Writes the changes. The servos let go first: the EEPROM is locked while they have torque. Raises BusError."""
    for rate in dict.fromkeys(change.baud_rate for change in found.changes):
        with _opened(settings, rate) as bus:
            _write(bus, [change for change in found.changes if change.baud_rate == rate])


def _write(bus: ServoBus, changes: Sequence[Change]) -> None:
    for servo_id in {change.servo_id for change in changes}:
        bus.write(servo_id, table.TORQUE_ENABLE, 0)
    for change in sorted(changes, key=lambda change: change.item is table.BAUD_RATE):
        try:
            bus.write(change.servo_id, change.item, change.after)
        except NoAnswerError:
            if change.item is not table.BAUD_RATE:
                raise  # a servo that has changed its baud rate may answer at the new one already


def assign_id(settings: DriverSettings, new_id: int) -> int:
    """Gives the only servo on the bus another ID, as each new servo needs once. Returns the one that it had.

    Raises BusError where there is none, or more than one: two servos of one ID cannot be told apart.
    """
    for rate in table.BAUD_RATES.values():
        with _opened(settings, rate) as bus:
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
    raise NoAnswerError(f"no servo answers on {settings.port} at any baud rate: look at its supply and cable")


@contextlib.contextmanager
def _opened(settings: DriverSettings, baud_rate: int) -> Iterator[ServoBus]:
    ids = [servo.servo_id for servo in (*settings.servos, settings.valve)]
    bus = ServoBus(settings.port, baud_rate, ids, answer_margin_s=settings.answer_margin_s)
    bus.open()
    try:
        yield bus
    finally:
        bus.close()


def _changes(bus: ServoBus, settings: DriverSettings, servo_id: int, joint: str, baud_rate: int) -> list[Change]:
    return [
        Change(servo_id, baud_rate, joint, item, before, after)
        for item, after in wanted(settings)
        if (before := bus.read(servo_id, item)) != after
    ]
