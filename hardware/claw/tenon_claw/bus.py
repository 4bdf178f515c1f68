"""The vendor's library as the driver wants it: items of the control table, one read and one write for all servos.

What goes wrong on the wire has one of two shapes: ``BusLostError``, the port is gone; ``NoAnswerError``, an answer is
missing or damaged, which may be an accident of one turn. A servo that refuses is ``ServoRefusedError``.
"""

from __future__ import annotations

import contextlib
import fcntl
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dynamixel_sdk as dxl
import serial

from tenon_claw import control_table as table
from tenon_claw.control_table import Item, pack, unpack

PROTOCOL = 2.0
MS_PER_S = 1e3
BITS_PER_BYTE = 10
POLL_S = 0.0005
"""How long a read of the port blocks at most; the library alone would spin."""

_GONE = (serial.SerialException, OSError, termios.error, TypeError)
"""What pyserial raises for a port that is not there any more; TypeError where it was closed under it."""


class BusError(RuntimeError):
    """The message says what was seen and what to do."""


class BusLostError(BusError):
    """The port cannot be opened, or has gone."""


class NoAnswerError(BusError):
    """An answer has not come in time, or was damaged."""


class ServoRefusedError(BusError):
    """A servo has answered that it will not. code: of ``control_table.StatusError``."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Present:
    """One servo at one turn, in the units of the control table, but for the error."""

    torque: bool
    error: table.HardwareError
    current: int
    velocity: int
    position: int
    temperature_c: int
    watchdog: int


class Port(dxl.PortHandler):  # type: ignore[misc]
    """Reads block for a moment, and an answer that has not come in time is not waited for longer than stated.

    No other program may open it meanwhile: it would take answers away, and change the baud rate.
    """

    def __init__(self, path: Path, margin_s: float) -> None:
        super().__init__(str(path))
        self._margin_ms = margin_s * MS_PER_S

    def setupPort(self, cflag_baud: int) -> bool:  # noqa: N802 - the library's name
        if self.is_open:
            self.closePort()
        self.ser = serial.Serial(self.port_name, cflag_baud, timeout=POLL_S, exclusive=True)
        fcntl.ioctl(self.ser.fileno(), termios.TIOCEXCL)  # binds those, too, that do not ask for the lock
        self.is_open = True
        self.tx_time_per_byte = MS_PER_S * BITS_PER_BYTE / cflag_baud
        return True

    def setPacketTimeout(self, packet_length: int) -> None:  # noqa: N802 - the library's name
        self.setPacketTimeoutMillis(self.tx_time_per_byte * packet_length + self._margin_ms)


class ServoBus:
    """Open it, then use it from one thread.

    servo_ids: of whom ``read_present`` tells, in that order. tries: to ask a single servo for something."""

    def __init__(
        self, path: Path, baud_rate: int, servo_ids: Sequence[int], *, answer_margin_s: float, tries: int = 3
    ) -> None:
        self.path, self.servo_ids = path, tuple(servo_ids)
        self._baud_rate = baud_rate
        self._margin_s = answer_margin_s
        self._tries = tries
        self._port: Port | None = None
        self._packets: Any = dxl.PacketHandler(PROTOCOL)
        self._reader: Any = None

    def open(self) -> None:
        """Raises BusLostError."""
        port = Port(self.path, self._margin_s)
        port.baudrate = self._baud_rate
        try:
            port.openPort()
        except _GONE as error:
            raise BusLostError(
                f"the servos' port {self.path} cannot be opened: {error}. Look at cable, supply and the rights on it, "
                "and whether a session has it open"
            ) from error
        self._port = port
        self._reader = dxl.GroupSyncRead(port, self._packets, table.INDIRECT_DATA.address, table.PRESENT_BLOCK)
        for servo_id in self.servo_ids:
            self._reader.addParam(servo_id)

    def close(self) -> None:
        """Does nothing where it is closed already."""
        port, self._port = self._port, None
        if port is not None and port.ser is not None:
            with contextlib.suppress(*_GONE):
                port.closePort()

    def ping(self, servo_id: int) -> int:
        """The model number. Raises NoAnswerError, BusLostError."""

        def ask(port: Port) -> tuple[int, int]:
            model, result, _ = self._packets.ping(port, servo_id)
            return result, model

        return self._asked(ask, f"servo {servo_id}")

    def find(self) -> dict[int, int]:
        """ID -> model number of all servos that answer at this baud rate."""
        found, _ = self._on_wire(self._packets.broadcastPing)
        return {int(servo_id): int(answer[0]) for servo_id, answer in sorted(found.items())}

    def read(self, servo_id: int, item: Item) -> int:
        """Raises NoAnswerError, ServoRefusedError, BusLostError."""

        def ask(port: Port) -> tuple[int, tuple[list[int], int]]:
            data, result, error = self._packets.readTxRx(port, servo_id, item.address, item.size)
            return result, (data, error)

        data, error = self._asked(ask, f"servo {servo_id}, {item.name}")
        self._accept(error, f"servo {servo_id} does not tell its {item.name}")
        return unpack(item, bytes(data))

    def write(self, servo_id: int, item: Item, value: int) -> None:
        """Raises NoAnswerError, ServoRefusedError, BusLostError."""
        data = list(pack(item, value))

        def ask(port: Port) -> tuple[int, int]:
            result, error = self._packets.writeTxRx(port, servo_id, item.address, item.size, data)
            return result, error

        error = self._asked(ask, f"servo {servo_id}, {item.name}")
        self._accept(error, f"servo {servo_id} refuses {item.name} = {value}")

    def reboot(self, servo_id: int) -> None:
        """Clears a hardware error. The servo has no torque afterwards. Raises as ``write``."""
        self._asked(lambda port: self._packets.reboot(port, servo_id), f"servo {servo_id}, reboot")

    def write_all(self, item: Item, values: Mapping[int, int]) -> None:
        """One packet for all; no servo answers to it. values: by ID."""
        writer: Any = dxl.GroupSyncWrite(self._port, self._packets, item.address, item.size)
        for servo_id, value in values.items():
            writer.addParam(servo_id, pack(item, value))
        self._on_wire(lambda _port: writer.txPacket())

    def read_present(self) -> list[Present]:
        """One packet from all servos. Raises NoAnswerError, BusLostError."""
        result = self._on_wire(lambda _port: self._reader.fastSyncRead())
        self._require(result, f"servos {self.servo_ids[0]} to {self.servo_ids[-1]}")
        return [_present(bytes(self._reader.data_dict[servo_id])) for servo_id in self.servo_ids]

    def _asked(self, ask: Callable[[Port], tuple[int, Any]], what: str) -> Any:
        """Asks one servo, again if it has to be: all that is asked of a single one may be done twice."""
        for tries_left in reversed(range(self._tries)):
            result, answer = self._on_wire(ask)
            if result == dxl.COMM_SUCCESS or not tries_left:
                break
            time.sleep(self._margin_s)
        self._require(result, what)
        return answer

    def _on_wire(self, exchange: Any) -> Any:
        if self._port is None:
            raise BusLostError(f"the servos' port {self.path} is closed: open it first")
        try:
            self._port.clearPort()  # what came too late belongs to an earlier question
            return exchange(self._port)
        except _GONE as error:
            raise BusLostError(f"the servos' port {self.path} is gone: {error}. Look at cable and supply") from error
        finally:
            if self._port is not None:
                self._port.is_using = False

    def _require(self, result: int, what: str) -> None:
        if result != dxl.COMM_SUCCESS:
            time.sleep(self._margin_s)  # what is under way must not be taken for the answer to the next question
            told = self._packets.getTxRxResult(result).removeprefix("[TxRxResult] ").rstrip("!")
            raise NoAnswerError(f"{what}: {told.lower()}. Look at cable, termination and baud rate")

    def _accept(self, error: int, what: str) -> None:
        code = error & ~table.ALERT
        if code:
            raise ServoRefusedError(f"{what}: {table.StatusError(code).name.lower().replace('_', ' ')}", code)


def indirect_addresses() -> list[tuple[Item, int]]:
    """What is to be written so that ``read_present`` finds its items side by side."""
    sources = [item.address + byte for item in table.INDIRECT_SOURCES for byte in range(item.size)]
    return [
        (Item(f"indirect address {number + 1}", table.INDIRECT_ADDRESS.address + 2 * number, 2), address)
        for number, address in enumerate(sources)
    ]


def _present(data: bytes) -> Present:
    values, at = [], 0
    for item in table.INDIRECT_SOURCES:
        values.append(unpack(item, data[at : at + item.size]))
        at += item.size
    torque, error, current, velocity, position, temperature_c, watchdog = values
    return Present(bool(torque), table.HardwareError(error), current, velocity, position, temperature_c, watchdog)
