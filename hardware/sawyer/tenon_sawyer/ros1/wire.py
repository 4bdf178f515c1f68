"""TCPROS: connection headers and length-prefixed frames on a socket. Trusts no length that a peer announces."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Mapping

from tenon_sawyer.ros1.messages import Message

_LENGTH = struct.Struct("<I")
HEADER_LIMIT_BYTES = 64 * 1024
"""Of a connection header; the definition of a large message takes a few kilobytes."""
FRAME_LIMIT_BYTES = 64 * 1024 * 1024
"""Of a message; the robot's largest are its camera images. More is garbage, not data."""


class WireError(ConnectionError):
    """The peer does not speak TCPROS, or not about this topic. The message says what came instead."""


def encode_header(fields: Mapping[str, str]) -> bytes:
    """A connection header, its own length in front."""
    lines = [f"{key}={value}".encode() for key, value in fields.items()]
    body = b"".join(_LENGTH.pack(len(line)) + line for line in lines)
    return _LENGTH.pack(len(body)) + body


def decode_header(body: bytes) -> dict[str, str]:
    """The fields of a connection header (without its length). Raises WireError."""
    fields, offset = {}, 0
    while offset < len(body):
        if offset + _LENGTH.size > len(body):
            raise WireError(f"a connection header of {len(body)} bytes ends inside a length")
        size = _LENGTH.unpack_from(body, offset)[0]
        offset += _LENGTH.size
        if size > len(body) - offset:
            raise WireError(f"a header field announces {size} bytes, {len(body) - offset} are left")
        key, equals, value = body[offset : offset + size].partition(b"=")
        if not equals:
            raise WireError(f"the header field {key[:40]!r} has no '='")
        fields[key.decode(errors="replace")] = value.decode(errors="replace")
        offset += size
    return fields


def describe(kind: type[Message]) -> dict[str, str]:
    """What a header says about a message type."""
    return {"type": kind._type, "md5sum": kind._md5sum}


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """Raises ConnectionError when the peer closes before that, TimeoutError when the socket's timeout passes."""
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        received = connection.recv_into(view[filled:])
        if not received:
            raise ConnectionResetError(f"the peer closed the connection after {filled} of {size} bytes")
        filled += received
    return bytes(data)


def read_frame(connection: socket.socket, limit: int = FRAME_LIMIT_BYTES) -> bytes:
    """One length-prefixed frame. Raises WireError for one above the limit, ConnectionError, TimeoutError."""
    size = _LENGTH.unpack(read_exactly(connection, _LENGTH.size))[0]
    if size > limit:
        raise WireError(f"the peer announces a frame of {size} bytes, at most {limit} are believed: it sends garbage")
    return read_exactly(connection, size)


def read_header(connection: socket.socket) -> dict[str, str]:
    """A connection header. Raises WireError, ConnectionError, TimeoutError."""
    return decode_header(read_frame(connection, HEADER_LIMIT_BYTES))


def frame(body: bytes) -> bytes:
    """The bytes of a frame, length in front."""
    return _LENGTH.pack(len(body)) + body


def prepare(connection: socket.socket, *, silence_s: float) -> None:
    """No delay by Nagle; a peer whose cable is out is noticed about ``silence_s`` later, also while nobody sends."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    seconds = max(1, round(silence_s / 2))
    for option, value in (("TCP_KEEPIDLE", seconds), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", seconds)):
        if hasattr(socket, option):  # Linux has all three
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * silence_s))


def hang_up(connection: socket.socket) -> None:
    """Closes a socket, also under a thread that is reading from it."""
    with contextlib.suppress(OSError):  # the peer was faster
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
