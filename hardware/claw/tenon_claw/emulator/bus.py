"""The wire: servos answer on a pseudo-terminal as they do on RS-485 or TTL, with the accidents that a wire has."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tenon_claw import control_table as table
from tenon_claw.emulator.protocol import (
    BROADCAST_ID,
    Instruction,
    Request,
    RequestReader,
    fast_sync_packet,
    status_packet,
)
from tenon_claw.emulator.servo import EmulatedServo

BITS_PER_BYTE = 10
CHUNK = 4096
POLL_S = 0.1
SPEEDS = {getattr(termios, f"B{rate}"): rate for rate in table.BAUD_RATES.values()}
SPEED_AT = 4
"""Of what tcgetattr returns."""
ALL_SERVOS = 4
"""Bytes of address and size before the IDs of a sync read."""
BULK_ENTRY = 5


@dataclass(slots=True)
class Accidents:
    """What is wrong with the wire at the moment, for tests.

    corrupt, duplicate: the next so many answers have a wrong checksum, or come twice. garbage: bytes before each
    answer. delay_s: answers come later by this.
    """

    corrupt: int = 0
    duplicate: int = 0
    garbage: bytes = b""
    delay_s: float = 0.0


class EmulatedBus:
    """Serves its servos at ``link``, a path that leads to the pseudo-terminal of the moment.

    link: as a udev rule gives a serial adapter a lasting name. lock: held while servos are read and written.
    wire_time: answers take as long as their bytes do at the servos' baud rate.
    """

    def __init__(
        self, servos: list[EmulatedServo], link: Path, lock: threading.Lock, *, wire_time: bool = True
    ) -> None:
        self.servos = servos
        self.link = link
        self.accidents = Accidents()
        self.absent: set[int] = set()
        self.requests = 0
        self._lock = lock
        self._wire_time = wire_time
        self._registered: dict[int, tuple[int, bytes]] = {}
        self._fds: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._hearing: list[EmulatedServo] = []

    def plug_in(self) -> None:
        """Afterwards a client can open ``link``."""
        if self._fds is not None:
            return
        master, slave = pty.openpty()
        tty.setraw(master)
        tty.setraw(slave)
        self._fds = (master, slave)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(master, self._stopped), daemon=True)
        self._thread.start()
        beside = self.link.with_name(f"{self.link.name}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(os.ttyname(slave))
        beside.replace(self.link)

    def unplug(self) -> None:
        """The cable is pulled: whoever has opened ``link`` gets errors, and nobody can open it. Servos live on."""
        if self._fds is None:
            return
        fds, self._fds = self._fds, None
        self.link.unlink(missing_ok=True)
        self._stopped.set()
        assert self._thread is not None
        self._thread.join()
        for fd in fds:
            os.close(fd)

    def _serve(self, fd: int, stopped: threading.Event) -> None:
        reader = RequestReader()
        while not stopped.is_set():
            if not select.select([fd], [], [], POLL_S)[0]:
                continue
            try:
                data = os.read(fd, CHUNK)
            except OSError:
                return
            rate = SPEEDS.get(termios.tcgetattr(fd)[SPEED_AT], 0)
            for request in reader.feed(data):
                self.requests += 1
                self._answer(fd, request, rate)

    def _answer(self, fd: int, request: Request, rate: int) -> None:
        """rate: at which the client talks; a servo of another rate hears only noise."""
        begin_s = time.perf_counter()
        with self._lock:
            self._hearing = [
                servo
                for servo in self.servos
                if servo.servo_id not in self.absent and table.BAUD_RATES[servo.value(table.BAUD_RATE)] == rate
            ]
            for servo in self._hearing:
                servo.silent_s = 0.0
            answers = list(self._handled(request))
        if not answers:
            return
        self._wait(begin_s, sum(map(len, answers)), rate)
        for answer in answers:
            with contextlib.suppress(OSError):  # the cable may have been pulled meanwhile
                os.write(fd, self._spoilt(answer))

    def _wait(self, begin_s: float, size: int, rate: int) -> None:
        wire_s = 0.0
        if self._wire_time:
            delay = self._hearing[0].value(table.RETURN_DELAY) * table.S_PER_RETURN_DELAY_UNIT
            wire_s = size * BITS_PER_BYTE / rate + delay
        left_s = begin_s + wire_s + self.accidents.delay_s - time.perf_counter()
        if left_s > 0.0:
            time.sleep(left_s)

    def _spoilt(self, answer: bytes) -> bytes:
        accidents = self.accidents
        if accidents.corrupt:
            accidents.corrupt -= 1
            answer = answer[:-1] + bytes((answer[-1] ^ 0x5A,))
        if accidents.duplicate:
            accidents.duplicate -= 1
            answer += answer
        return accidents.garbage + answer

    def _named(self, servo_id: int) -> EmulatedServo | None:
        return next((servo for servo in self._hearing if servo.servo_id == servo_id), None)

    def _handled(self, request: Request) -> Iterator[bytes]:
        group = self._group_handler(request.instruction)
        if group is not None:
            yield from group(request.parameters)
            return
        is_broadcast = request.servo_id == BROADCAST_ID
        for servo in self._hearing:
            if not is_broadcast and servo.servo_id != request.servo_id:
                continue
            answers_as = servo.servo_id
            error, data = self._single(servo, request)
            if not is_broadcast or request.instruction == Instruction.PING:
                yield status_packet(answers_as, error | servo.alert, data)

    def _group_handler(self, instruction: int) -> Callable[[bytes], Iterator[bytes]] | None:
        return {
            Instruction.SYNC_READ: self._sync_read,
            Instruction.FAST_SYNC_READ: self._fast_sync_read,
            Instruction.SYNC_WRITE: self._sync_write,
            Instruction.BULK_READ: self._bulk_read,
            Instruction.BULK_WRITE: self._bulk_write,
            Instruction.ACTION: self._action,
        }.get(instruction)  # type: ignore[call-overload]

    def _single(self, servo: EmulatedServo, request: Request) -> tuple[int, bytes]:
        parameters, nothing = request.parameters, b""
        if request.instruction == Instruction.PING:
            return servo.read(table.MODEL_NUMBER.address, 2)[0], _ping(servo)
        if request.instruction == Instruction.REBOOT:
            servo.reboot()
            return table.StatusError.NONE, nothing
        if request.instruction == Instruction.FACTORY_RESET:
            servo.factory_reset()
            return table.StatusError.NONE, nothing
        if len(parameters) < ALL_SERVOS - 1:
            return table.StatusError.DATA_LENGTH, nothing
        address = _word(parameters)
        if request.instruction == Instruction.READ:
            return servo.read(address, _word(parameters, 2))
        if request.instruction == Instruction.WRITE:
            return servo.write(address, parameters[2:]), nothing
        if request.instruction == Instruction.REG_WRITE:
            self._registered[servo.servo_id] = (address, parameters[2:])
            return table.StatusError.NONE, nothing
        return table.StatusError.INSTRUCTION, nothing

    def _sync_read(self, parameters: bytes) -> Iterator[bytes]:
        """Each servo waits for the one before it; after one that is missing there is silence."""
        address, size = _word(parameters), _word(parameters, 2)
        for servo_id in parameters[ALL_SERVOS:]:
            servo = self._named(servo_id)
            if servo is None:
                return
            error, data = servo.read(address, size)
            yield status_packet(servo_id, error | servo.alert, data)

    def _fast_sync_read(self, parameters: bytes) -> Iterator[bytes]:
        address, size, ids = _word(parameters), _word(parameters, 2), parameters[ALL_SERVOS:]
        answers = []
        for servo_id in ids:
            servo = self._named(servo_id)
            if servo is None:
                break
            error, data = servo.read(address, size)
            answers.append((servo_id, error | servo.alert, data))
        if answers:
            yield fast_sync_packet(answers, len(ids))

    def _sync_write(self, parameters: bytes) -> Iterator[bytes]:
        address, size, entries = _word(parameters), _word(parameters, 2), parameters[ALL_SERVOS:]
        for at in range(0, len(entries), size + 1):
            servo = self._named(entries[at])
            if servo is not None:
                servo.write(address, entries[at + 1 : at + 1 + size])
        return iter(())

    def _bulk_read(self, parameters: bytes) -> Iterator[bytes]:
        for at in range(0, len(parameters), BULK_ENTRY):
            servo = self._named(parameters[at])
            if servo is None:
                return
            error, data = servo.read(_word(parameters, at + 1), _word(parameters, at + 3))
            yield status_packet(servo.servo_id, error | servo.alert, data)

    def _bulk_write(self, parameters: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(parameters):
            servo, size = self._named(parameters[at]), _word(parameters, at + 3)
            if servo is not None:
                servo.write(_word(parameters, at + 1), parameters[at + BULK_ENTRY : at + BULK_ENTRY + size])
            at += BULK_ENTRY + size
        return iter(())

    def _action(self, _parameters: bytes) -> Iterator[bytes]:
        for servo_id, (address, data) in self._registered.items():
            servo = self._named(servo_id)
            if servo is not None:
                servo.write(address, data)
        self._registered.clear()
        return iter(())


def _ping(servo: EmulatedServo) -> bytes:
    return servo.read(table.MODEL_NUMBER.address, 2)[1] + servo.read(table.FIRMWARE_VERSION.address, 1)[1]


def _word(data: bytes, at: int = 0) -> int:
    return int.from_bytes(data[at : at + 2], "little")
