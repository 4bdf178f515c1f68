"""RTDE, version 2, as a controller speaks it on port 30004: packets of size, type and payload."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tenon_ur5.emulated.ports import Connection
from tenon_ur5.emulated.registers import NOT_FOUND, Recipe, Registers

RTDE_PORT = 30004
HEADER = struct.Struct(">HB")
PROTOCOL_VERSION, CONTROLLER_VERSION = ord("V"), ord("v")
OUTPUTS, INPUTS, START, PAUSE, DATA = ord("O"), ord("I"), ord("S"), ord("P"), ord("U")
ACCEPTED = b"\x01"
INT_COMMAND = "input_int_register_"


class RtdeSession:
    """One client. on_input: called when a packet has set an integer input, which is what feeds the watchdog."""

    def __init__(
        self,
        connection: Connection,
        registers: Registers,
        version: tuple[int, int, int, int],
        rate_hz: float,
        on_input: Callable[[], None],
    ) -> None:
        self._connection, self._registers = connection, registers
        self._version, self._rate_hz, self._on_input = version, rate_hz, on_input
        self._buffer = b""
        self._outputs: Recipe | None = None
        self._inputs: dict[int, Recipe] = {}
        self._every, self._count = 1, 0
        self._started = False

    @property
    def is_open(self) -> bool:
        return self._connection.is_open

    def on_bytes(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            size, kind = HEADER.unpack_from(self._buffer)
            if size < HEADER.size:  # no packet begins like this: whoever writes it speaks another protocol
                self._connection.close()
                return
            if len(self._buffer) < size:
                return
            payload, self._buffer = self._buffer[HEADER.size : size], self._buffer[size:]
            self._on_packet(kind, payload)

    def tick(self) -> bytes | None:
        """The state packet of this period, for a client that is due one."""
        if not self._started or self._outputs is None:
            return None
        self._count += 1
        if self._count % self._every:
            return None
        payload = b"\x01" + self._outputs.pack(self._registers.values)
        return HEADER.pack(HEADER.size + len(payload), DATA) + payload

    def send(self, packet: bytes) -> None:
        self._connection.send(packet)

    def _on_packet(self, kind: int, payload: bytes) -> None:
        if kind == PROTOCOL_VERSION:
            self._answer(kind, ACCEPTED)
        elif kind == CONTROLLER_VERSION:
            self._answer(kind, struct.pack(">4I", *self._version))
        elif kind == OUTPUTS:
            self._on_outputs(payload)
        elif kind == INPUTS:
            recipe = Recipe([name for name in payload.decode().split(",") if name])
            number = 0 if NOT_FOUND in recipe.types else len(self._inputs) + 1
            if number:
                self._inputs[number] = recipe
            self._answer(kind, bytes([number]) + ",".join(recipe.types).encode())
        elif kind == START:
            self._started = self._outputs is not None
            self._answer(kind, bytes([self._started]))
        elif kind == PAUSE:
            self._started = False
            self._answer(kind, ACCEPTED)
        elif kind == DATA:
            self._on_data(payload)

    def _on_outputs(self, payload: bytes) -> None:
        (frequency_hz,) = struct.unpack_from(">d", payload)
        recipe = Recipe([name for name in payload[8:].decode().split(",") if name])
        self._every = max(1, round(self._rate_hz / frequency_hz))
        self._outputs = None if NOT_FOUND in recipe.types else recipe
        self._answer(OUTPUTS, b"\x01" + ",".join(recipe.types).encode())

    def _on_data(self, payload: bytes) -> None:
        recipe = self._inputs.get(payload[0]) if payload else None
        if recipe is None:
            return
        recipe.unpack_into(payload[1:], self._registers.values)
        if any(name.startswith(INT_COMMAND) for name in recipe.names):
            self._on_input()

    def _answer(self, kind: int, payload: bytes) -> None:
        self._connection.send(HEADER.pack(HEADER.size + len(payload), kind) + payload)
