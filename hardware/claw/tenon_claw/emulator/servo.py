"""One servo of the bus: its control table and what its firmware makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tenon_claw import control_table as table
from tenon_claw.control_table import HardwareError, Item, StatusError, pack, unpack

TABLE_SIZE = 700
CURRENT_LIMIT_MAX = 1193
FACTORY_DEFAULTS: tuple[tuple[Item, int], ...] = (
    (table.MODEL_NUMBER, table.MODEL_XM430_W210),
    (table.FIRMWARE_VERSION, 48),
    (table.BAUD_RATE, 1),
    (table.RETURN_DELAY, 250),
    (table.OPERATING_MODE, 3),
    (table.TEMPERATURE_LIMIT, 80),
    (table.MAX_VOLTAGE_LIMIT, 160),
    (table.MIN_VOLTAGE_LIMIT, 95),
    (table.CURRENT_LIMIT, CURRENT_LIMIT_MAX),
    (table.VELOCITY_LIMIT, 330),
    (table.MAX_POSITION_LIMIT, 4095),
    (table.SHUTDOWN, HardwareError.OVERHEATING | HardwareError.ELECTRICAL_SHOCK | HardwareError.OVERLOAD),
    (table.STATUS_RETURN_LEVEL, 2),
    (table.POSITION_P_GAIN, 800),
    (table.PRESENT_VOLTAGE, 120),
    (table.PRESENT_TEMPERATURE, 32),
)
_READ_ONLY = (
    table.MODEL_NUMBER,
    table.FIRMWARE_VERSION,
    table.HARDWARE_ERROR,
    table.MOVING,
    table.PRESENT_CURRENT,
    table.PRESENT_VELOCITY,
    table.PRESENT_POSITION,
    table.PRESENT_VOLTAGE,
    table.PRESENT_TEMPERATURE,
)
_RANGES: dict[int, tuple[Item, Callable[[EmulatedServo], tuple[int, int]]]] = {
    item.address: (item, limits)
    for item, limits in (
        (table.SERVO_ID, lambda servo: (0, 252)),
        (table.BAUD_RATE, lambda servo: (0, 7)),
        (table.RETURN_DELAY, lambda servo: (0, 254)),
        (table.TEMPERATURE_LIMIT, lambda servo: (0, 100)),
        (table.CURRENT_LIMIT, lambda servo: (0, CURRENT_LIMIT_MAX)),
        (table.TORQUE_ENABLE, lambda servo: (0, 1)),
        (table.BUS_WATCHDOG, lambda servo: (0, 127)),
        (
            table.GOAL_CURRENT,
            lambda servo: (-servo.value(table.CURRENT_LIMIT), servo.value(table.CURRENT_LIMIT)),
        ),
        (table.GOAL_POSITION, lambda servo: servo.goal_range),
    )
}
_GOALS = (table.GOAL_CURRENT, table.PROFILE_VELOCITY, table.GOAL_POSITION)


@dataclass(slots=True)
class EmulatedServo:
    """servo_id: as it answers. The motor reads ``has_torque``, ``torque_current_a`` and the goal, and reports back.

    lost_ticks: whole turns of the shaft that it forgot with its supply; its positions are the shaft's less these.
    """

    servo_id: int
    silent_s: float = 0.0
    lost_ticks: int = 0
    _data: bytearray = field(default_factory=lambda: bytearray(TABLE_SIZE))

    def __post_init__(self) -> None:
        self.factory_reset()

    def factory_reset(self) -> None:
        """All as it left the factory, but for the ID."""
        self._data[:] = bytes(TABLE_SIZE)
        for item, value in FACTORY_DEFAULTS:
            self.put(item, value)
        self.put(table.SERVO_ID, self.servo_id)
        self.put(table.PRESENT_POSITION, table.TICKS_PER_TURN // 2)
        self._begin()

    def reboot(self) -> None:
        """What lies in RAM is as after power-on; the EEPROM and the shaft stay. Hardware errors and turns are gone."""
        keep = (table.PRESENT_POSITION, table.PRESENT_VOLTAGE, table.PRESENT_TEMPERATURE)
        kept = [(item, self.value(item)) for item in keep]
        self._data[table.EEPROM_END :] = bytes(TABLE_SIZE - table.EEPROM_END)
        for item, value in FACTORY_DEFAULTS:
            if item.address >= table.EEPROM_END:
                self.put(item, value)
        for item, value in kept:
            self.put(item, value)
        shaft_tick = self.shaft(table.PRESENT_POSITION)
        self.lost_ticks = shaft_tick - shaft_tick % table.TICKS_PER_TURN
        self.report_shaft(shaft_tick)
        self._begin()

    def _begin(self) -> None:
        self.put(table.GOAL_POSITION, self.value(table.PRESENT_POSITION))
        self.put(table.GOAL_CURRENT, self.value(table.CURRENT_LIMIT))
        for number in range(table.INDIRECT_COUNT):
            at = table.INDIRECT_ADDRESS.address + 2 * number
            self._data[at : at + 2] = (table.INDIRECT_DATA.address + number).to_bytes(2, "little")

    def value(self, item: Item) -> int:
        return unpack(item, bytes(self._data[item.address : item.address + item.size]))

    def put(self, item: Item, value: int) -> None:
        """From the inside: the firmware's own hand, or a test's."""
        self._data[item.address : item.address + item.size] = pack(item, value)

    def shaft(self, item: Item) -> int:
        """A position, as the shaft's: all turns counted."""
        return self.value(item) + self.lost_ticks

    def report_shaft(self, tick: int) -> None:
        """The encoder's word of where the shaft is."""
        self.put(table.PRESENT_POSITION, tick - self.lost_ticks)

    @property
    def has_torque(self) -> bool:
        return bool(self.value(table.TORQUE_ENABLE))

    @property
    def torque_current_a(self) -> float:
        """The most that the motor draws on its way to the goal."""
        limit = self.value(table.CURRENT_LIMIT)
        if self.value(table.OPERATING_MODE) == table.CURRENT_BASED_POSITION_MODE:
            limit = min(limit, abs(self.value(table.GOAL_CURRENT)))
        return limit * table.A_PER_UNIT

    @property
    def goal_range(self) -> tuple[int, int]:
        """Of ``GOAL_POSITION`` in the present mode: one turn, or 256 either way."""
        mode = self.value(table.OPERATING_MODE)
        if mode in (table.EXTENDED_POSITION_MODE, table.CURRENT_BASED_POSITION_MODE):
            return -256 * table.TICKS_PER_TURN, 256 * table.TICKS_PER_TURN
        return self.value(table.MIN_POSITION_LIMIT), self.value(table.MAX_POSITION_LIMIT)

    @property
    def alert(self) -> int:
        return table.ALERT if self.value(table.HARDWARE_ERROR) else 0

    def raise_error(self, error: HardwareError) -> None:
        """The firmware has found it; where ``SHUTDOWN`` says so the torque goes."""
        self.put(table.HARDWARE_ERROR, self.value(table.HARDWARE_ERROR) | error)
        if self.value(table.SHUTDOWN) & error:
            self.put(table.TORQUE_ENABLE, 0)

    def watch(self, period_s: float) -> None:
        """Once a turn, which is of ``period_s``: the temperature, and how long the bus has been silent.

        By turns and not by the clock: a computer that stands still for a moment is no silent bus.
        """
        self.silent_s += period_s
        if self.value(table.PRESENT_TEMPERATURE) > self.value(table.TEMPERATURE_LIMIT):
            self.raise_error(HardwareError.OVERHEATING)
        watchdog = self.value(table.BUS_WATCHDOG)
        if self.has_torque and watchdog > 0 and self.silent_s > watchdog * table.S_PER_WATCHDOG_UNIT:
            self.put(table.BUS_WATCHDOG, table.WATCHDOG_TRIPPED)
            self.put(table.GOAL_POSITION, self.value(table.PRESENT_POSITION))  # it stops, and keeps its torque

    def read(self, address: int, size: int) -> tuple[int, bytes]:
        """(error, data). Indirect data are those of the address that they point to."""
        if address + size > TABLE_SIZE:
            return StatusError.DATA_RANGE, b""
        return StatusError.NONE, bytes(self._data[self._direct(at)] for at in range(address, address + size))

    def write(self, address: int, data: bytes) -> int:
        """The error byte's number. Nothing is written where it is not 0."""
        error = self._refuses(address, data)
        if error:
            return error
        for number, byte in enumerate(data):
            self._data[self._direct(address + number)] = byte
        if address == table.SERVO_ID.address:
            self.servo_id = data[0]
        return StatusError.NONE

    def _refuses(self, address: int, data: bytes) -> int:
        if address + len(data) > TABLE_SIZE:
            return StatusError.DATA_RANGE
        torque = bool(self.value(table.TORQUE_ENABLE))
        indirect_end = table.INDIRECT_ADDRESS.address + 2 * table.INDIRECT_COUNT
        is_locked = address < table.EEPROM_END or table.INDIRECT_ADDRESS.address <= address < indirect_end
        if (torque and is_locked) or any(item.address == address for item in _READ_ONLY):
            return StatusError.ACCESS
        if address == table.TORQUE_ENABLE.address and data[0] and self._is_shut_down():
            return StatusError.RESULT_FAIL
        if self.value(table.BUS_WATCHDOG) == table.WATCHDOG_TRIPPED and any(item.address == address for item in _GOALS):
            return StatusError.DATA_RANGE
        if address in _RANGES:
            item, limits = _RANGES[address]
            low, high = limits(self)
            if not low <= unpack(item, data) <= high:
                return StatusError.DATA_LIMIT if address == table.GOAL_POSITION.address else StatusError.DATA_RANGE
        return StatusError.NONE

    def _is_shut_down(self) -> bool:
        return bool(self.value(table.HARDWARE_ERROR) & self.value(table.SHUTDOWN))

    def _direct(self, address: int) -> int:
        """Where a byte really lies."""
        number = address - table.INDIRECT_DATA.address
        if not 0 <= number < table.INDIRECT_COUNT:
            return address
        at = table.INDIRECT_ADDRESS.address + 2 * number
        return int.from_bytes(self._data[at : at + 2], "little")
