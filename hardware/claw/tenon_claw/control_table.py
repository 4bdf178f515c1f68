"""The part of the control table of a Dynamixel XM430-W210 that a claw needs, with its units.

Source: the vendor's manual of the XM430-W210 (protocol 2.0). Items below ``TORQUE_ENABLE`` lie in the EEPROM, which can
only be written while the servo has no torque.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

MODEL_XM430_W210 = 1030
PRESENT_BLOCK = 14
"""Bytes of what is read at every turn, gathered by indirect addresses: see ``INDIRECT_SOURCES``."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry. size: bytes, little-endian. signed: two's complement."""

    name: str
    address: int
    size: int
    signed: bool = False


MODEL_NUMBER = Item("model number", 0, 2)
FIRMWARE_VERSION = Item("firmware version", 6, 1)
SERVO_ID = Item("ID", 7, 1)
BAUD_RATE = Item("baud rate", 8, 1)
RETURN_DELAY = Item("return delay", 9, 1)
DRIVE_MODE = Item("drive mode", 10, 1)
"""0: not reversed, profiles by velocity (else their numbers are milliseconds), torque only by ``TORQUE_ENABLE``."""
OPERATING_MODE = Item("operating mode", 11, 1)
HOMING_OFFSET = Item("homing offset", 20, 4, signed=True)
TEMPERATURE_LIMIT = Item("temperature limit", 31, 1)
MAX_VOLTAGE_LIMIT = Item("max voltage limit", 32, 2)
MIN_VOLTAGE_LIMIT = Item("min voltage limit", 34, 2)
CURRENT_LIMIT = Item("current limit", 38, 2)
VELOCITY_LIMIT = Item("velocity limit", 44, 4)
MAX_POSITION_LIMIT = Item("max position limit", 48, 4)
MIN_POSITION_LIMIT = Item("min position limit", 52, 4)
SHUTDOWN = Item("shutdown", 63, 1)
TORQUE_ENABLE = Item("torque enable", 64, 1)
STATUS_RETURN_LEVEL = Item("status return level", 68, 1)
HARDWARE_ERROR = Item("hardware error status", 70, 1)
POSITION_P_GAIN = Item("position P gain", 84, 2)
BUS_WATCHDOG = Item("bus watchdog", 98, 1, signed=True)
GOAL_CURRENT = Item("goal current", 102, 2, signed=True)
PROFILE_VELOCITY = Item("profile velocity", 112, 4)
GOAL_POSITION = Item("goal position", 116, 4, signed=True)
MOVING = Item("moving", 122, 1)
PRESENT_CURRENT = Item("present current", 126, 2, signed=True)
PRESENT_VELOCITY = Item("present velocity", 128, 4, signed=True)
PRESENT_POSITION = Item("present position", 132, 4, signed=True)
PRESENT_VOLTAGE = Item("present input voltage", 144, 2)
PRESENT_TEMPERATURE = Item("present temperature", 146, 1)
INDIRECT_ADDRESS = Item("indirect address 1", 168, 2)
INDIRECT_DATA = Item("indirect data 1", 224, 1)
INDIRECT_COUNT = 28

EEPROM_END = TORQUE_ENABLE.address

INDIRECT_SOURCES: tuple[Item, ...] = (
    TORQUE_ENABLE,
    HARDWARE_ERROR,
    PRESENT_CURRENT,
    PRESENT_VELOCITY,
    PRESENT_POSITION,
    PRESENT_TEMPERATURE,
    BUS_WATCHDOG,
)
"""What one read of ``PRESENT_BLOCK`` bytes from ``INDIRECT_DATA`` on holds, in this order."""

EXTENDED_POSITION_MODE, CURRENT_BASED_POSITION_MODE = 4, 5
BAUD_RATES: dict[int, int] = {
    0: 9_600,
    1: 57_600,
    2: 115_200,
    3: 1_000_000,
    4: 2_000_000,
    5: 3_000_000,
    6: 4_000_000,
}

TICKS_PER_TURN = 4096
"""All that a servo's encoder tells apart once its supply was off: turns are counted from then on."""
RAD_PER_TICK = 2 * math.pi / TICKS_PER_TURN
WATCHDOG_TRIPPED = -1
"""Of ``BUS_WATCHDOG`` once the bus was silent for too long while the servo had torque: it stops where it is, keeps its
torque, and takes no goal before this is 0."""
A_PER_UNIT = 2.69e-3
RAD_S_PER_UNIT = 0.229 * 2 * math.pi / 60
V_PER_UNIT = 0.1
S_PER_WATCHDOG_UNIT = 0.02
S_PER_RETURN_DELAY_UNIT = 2e-6


class HardwareError(enum.IntFlag):
    """Bits of ``HARDWARE_ERROR``. A servo that shuts down for one of them takes no torque before it is rebooted."""

    INPUT_VOLTAGE = 1 << 0
    OVERHEATING = 1 << 2
    ENCODER = 1 << 3
    ELECTRICAL_SHOCK = 1 << 4
    OVERLOAD = 1 << 5


class StatusError(enum.IntEnum):
    """Low seven bits of a status packet's error byte."""

    NONE = 0
    RESULT_FAIL = 1
    INSTRUCTION = 2
    CRC = 3
    DATA_RANGE = 4
    DATA_LENGTH = 5
    DATA_LIMIT = 6
    ACCESS = 7


ALERT = 0x80
"""Bit of a status packet's error byte: ``HARDWARE_ERROR`` is not 0."""


def pack(item: Item, value: int) -> bytes:
    """The item's bytes on the wire."""
    return value.to_bytes(item.size, "little", signed=item.signed)


def unpack(item: Item, data: bytes) -> int:
    """The value of the item's bytes."""
    return int.from_bytes(data[: item.size], "little", signed=item.signed)
