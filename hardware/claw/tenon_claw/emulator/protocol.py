"""Dynamixel protocol 2.0 as a servo speaks it: packets with CRC-16 and byte stuffing.

Source: the vendor's description of the protocol. CRC: polynomial 0x8005, start value 0, not reflected.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

HEADER = b"\xff\xff\xfd\x00"
MARKER, STUFFED = b"\xff\xff\xfd", b"\xff\xff\xfd\xfd"
BROADCAST_ID = 0xFE
STATUS = 0x55
LENGTH_AT, BODY_AT, CRC_SIZE = 5, 7, 2
PACKET_MAX = 1024
POLYNOMIAL = 0x8005


class Instruction(enum.IntEnum):
    """What a client asks for."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    FACTORY_RESET = 0x06
    REBOOT = 0x08
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83
    FAST_SYNC_READ = 0x8A
    BULK_READ = 0x92
    BULK_WRITE = 0x93


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = ((value << 1) ^ POLYNOMIAL if value & 0x8000 else value << 1) & 0xFFFF
        table.append(value)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """The checksum at a packet's end."""
    value = 0
    for byte in data:
        value = ((value << 8) & 0xFFFF) ^ _CRC_TABLE[(value >> 8) ^ byte]
    return value


@dataclass(frozen=True, slots=True)
class Request:
    """One instruction packet, stuffing removed."""

    servo_id: int
    instruction: int
    parameters: bytes


def status_packet(servo_id: int, error: int, parameters: bytes = b"") -> bytes:
    """A servo's answer."""
    body = (bytes((STATUS, error)) + parameters).replace(MARKER, STUFFED)
    return with_crc(HEADER + bytes((servo_id,)) + (len(body) + CRC_SIZE).to_bytes(2, "little") + body)


def fast_sync_packet(answers: list[tuple[int, int, bytes]], asked: int) -> bytes:
    """One status packet in which each servo writes its part, with a checksum over all before it.

    answers: (ID, error, data) of the servos that are there. asked: how many were asked for; the length in the header
    counts them all, so that a packet in which one is missing stays incomplete. Parts are not stuffed.
    """
    size = len(answers[0][2]) if answers else 0
    length = asked * (1 + 1 + size + CRC_SIZE) + 1
    packet = HEADER + bytes((BROADCAST_ID,)) + length.to_bytes(2, "little") + bytes((STATUS,))
    for servo_id, error, data in answers:
        packet = with_crc(packet + bytes((error, servo_id)) + data)
    return packet


def with_crc(packet: bytes) -> bytes:
    return packet + crc16(packet).to_bytes(CRC_SIZE, "little")


class RequestReader:
    """Finds instruction packets in a stream of bytes; what is none is skipped."""

    def __init__(self) -> None:
        self._buffer = b""
        self.damaged = 0
        """Packets whose checksum was wrong."""

    def feed(self, data: bytes) -> list[Request]:
        """The packets that are complete with these bytes."""
        self._buffer += data
        requests = []
        while (packet := self._cut()) is not None:
            if crc16(packet[:-CRC_SIZE]) != int.from_bytes(packet[-CRC_SIZE:], "little"):
                self.damaged += 1
                continue
            body = packet[BODY_AT:-CRC_SIZE].replace(STUFFED, MARKER)
            requests.append(Request(packet[4], body[0], body[1:]))
        return requests

    def _cut(self) -> bytes | None:
        """The next packet, by its header and length."""
        while True:
            begin = self._buffer.find(HEADER)
            if begin < 0:
                self._buffer = self._buffer[-len(HEADER) + 1 :]
                return None
            self._buffer = self._buffer[begin:]
            if len(self._buffer) < BODY_AT:
                return None
            end = BODY_AT + int.from_bytes(self._buffer[LENGTH_AT:BODY_AT], "little")
            if not BODY_AT + 1 + CRC_SIZE <= end <= PACKET_MAX:
                self._buffer = self._buffer[1:]
                continue
            if len(self._buffer) < end:
                return None
            packet, self._buffer = self._buffer[:end], self._buffer[end:]
            return packet
