"""MCAP files record by record, without trust in any index: what checking and repairing need.

Format: https://mcap.dev/spec. A record is an opcode (1 byte), the length of its body (8 bytes) and the body.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode

MAGIC = b"\x89MCAP0\r\n"
FRAME_BYTES = 9
"""Opcode and length before each body."""
COMPRESSIONS = ("", "lz4", "zstd")

_FRAME = struct.Struct("<BQ")
_CHUNK_START = struct.Struct("<QQQII")
_MESSAGE_START = struct.Struct("<HIQQ")
_MAX_CHUNK_BYTES = 1 << 30
_PORTION_BYTES = 4096


class DamagedError(ValueError):
    """Bytes that are not what the format asks for at this place."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as it lies in the file. offset: of its opcode, in bytes from the start."""

    opcode: int
    offset: int
    body: memoryview

    @property
    def end(self) -> int:
        """Offset of the byte after the record."""
        return self.offset + FRAME_BYTES + len(self.body)

    def parse(self, record_type: Any) -> Any:
        """The body as a type of ``mcap.records``. Raises DamagedError."""
        return parse_body(self.body, record_type)


@dataclass(frozen=True, slots=True)
class RawChunk:
    """A chunk before decompression. Times in ns."""

    start_ns: int
    end_ns: int
    uncompressed_bytes: int
    uncompressed_crc: int
    compression: str
    data: memoryview


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message record's fields; data is the CDR payload."""

    channel_id: int
    sequence: int
    log_time_ns: int
    publish_time_ns: int
    data: bytes


def map_file(path: Path) -> memoryview:
    """The bytes of a file, read from the disk as they are looked at. The mapping lives as long as a view of it."""
    if path.stat().st_size == 0:
        return memoryview(b"")
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def read_record(buffer: memoryview, offset: int) -> RawRecord:
    """The record at ``offset``. Raises DamagedError when it does not fit into the buffer."""
    if offset + FRAME_BYTES > len(buffer):
        raise DamagedError(f"the file ends within the record at byte {offset}")
    opcode, length = _FRAME.unpack_from(buffer, offset)
    start = offset + FRAME_BYTES
    if opcode == 0 or opcode > max(Opcode):
        raise DamagedError(f"unknown record {opcode:#04x} at byte {offset}")
    if length > len(buffer) - start:
        raise DamagedError(f"the record at byte {offset} is {length} bytes long, the file has {len(buffer) - start}")
    return RawRecord(opcode, offset, buffer[start : start + length])


def iterate_records(buffer: memoryview, offset: int = 0) -> Iterator[RawRecord]:
    """All records from ``offset`` to the end of the buffer. Raises DamagedError."""
    while offset < len(buffer):
        record = read_record(buffer, offset)
        yield record
        offset = record.end


def parse_body(body: memoryview, record_type: Any) -> Any:
    """A record's body as a type of ``mcap.records``. Raises DamagedError."""
    try:
        return record_type.read(ReadDataStream(BytesIO(body)))
    except (struct.error, McapError, UnicodeDecodeError, MemoryError, OverflowError) as error:
        raise DamagedError(f"{record_type.__name__} cannot be read: {error}") from error


def parse_chunk(body: memoryview, *, is_cut_off: bool = False) -> RawChunk:
    """The header of a chunk, and its data (what there is of it, if ``is_cut_off``). Raises DamagedError."""
    try:
        start_ns, end_ns, size, crc, name_length = _CHUNK_START.unpack_from(body)
        position = _CHUNK_START.size + name_length
        compression = str(bytes(body[_CHUNK_START.size : position]), "ascii")
        (data_bytes,) = struct.unpack_from("<Q", body, position)
    except (struct.error, UnicodeDecodeError) as error:
        raise DamagedError(f"the header of a chunk cannot be read: {error}") from error
    data = body[position + 8 :]
    if compression not in COMPRESSIONS or size > _MAX_CHUNK_BYTES:
        raise DamagedError(f"a chunk claims compression {compression[:16]!r} and {size} bytes")
    if len(data) != data_bytes and not is_cut_off:
        raise DamagedError(f"a chunk claims {data_bytes} bytes of data and has {len(data)}")
    return RawChunk(start_ns, end_ns, size, crc, compression, data)


def decompress(chunk: RawChunk) -> memoryview:
    """The records of a whole chunk, checked by size and checksum. Raises DamagedError."""
    try:
        if chunk.compression == "lz4":
            content = lz4.frame.decompress(chunk.data)
        elif chunk.compression == "zstd":
            content = zstandard.ZstdDecompressor().decompress(chunk.data, max_output_size=chunk.uncompressed_bytes)
        else:
            content = bytes(chunk.data)
    except (RuntimeError, EOFError, zstandard.ZstdError, MemoryError) as error:
        raise DamagedError(f"a chunk cannot be decompressed: {error}") from error
    if len(content) != chunk.uncompressed_bytes:
        raise DamagedError(f"a chunk claims {chunk.uncompressed_bytes} bytes and has {len(content)}")
    if chunk.uncompressed_crc and zlib.crc32(content) != chunk.uncompressed_crc:
        raise DamagedError("the checksum of a chunk does not match its data")
    return memoryview(content)


def decompress_beginning(chunk: RawChunk) -> memoryview:
    """The records of a cut-off chunk as far as they go; possibly none. No checksum covers them."""
    decompressor: Any
    if chunk.compression == "lz4":
        decompressor = lz4.frame.LZ4FrameDecompressor()
    elif chunk.compression == "zstd":
        decompressor = zstandard.ZstdDecompressor().decompressobj()
    else:
        return chunk.data
    content = bytearray()
    # In small portions, so that what comes before the first unsound byte is kept.
    for start in range(0, len(chunk.data), _PORTION_BYTES):
        try:
            content += decompressor.decompress(chunk.data[start : start + _PORTION_BYTES])
        except (RuntimeError, EOFError, zstandard.ZstdError):
            break
    return memoryview(content)


def parse_message(body: memoryview) -> RawMessage:
    """The body of a message record. Raises DamagedError."""
    if len(body) < _MESSAGE_START.size:
        raise DamagedError(f"a message record has only {len(body)} bytes")
    channel_id, sequence, log_time_ns, publish_time_ns = _MESSAGE_START.unpack_from(body)
    return RawMessage(channel_id, sequence, log_time_ns, publish_time_ns, bytes(body[_MESSAGE_START.size :]))
