"""Writes MCAP files at the rate of cameras: no message is decoded, and each is copied once, into its chunk.

``mcap.writer`` copies a picture four times and compresses all at zstd's level 3: on pictures with a camera's noise six
times slower than level 1, for 3 % of the size. Here a chunk that would hardly shrink is stored as it is. What is
written is checked by code of its own (``mcap_check``) and read by the ``mcap`` library, rosbags and Foxglove's.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import lz4.frame
import zstandard
from mcap import records
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import McapRecord

from tenon.data.crc32 import combine
from tenon.data.mcap_records import FRAME_BYTES, MAGIC

Compression = Literal["zstd", "lz4", "none"]
_ZSTD_LEVEL = 1
_PROBE_BYTES = 1 << 16
_WORTH_IT = 0.75
"""A chunk is stored as it is unless a piece of it, a third of the way in, shrinks to this share of its size."""
_MESSAGE = struct.Struct("<BQHIQQ")
_MESSAGE_FIELDS_BYTES = _MESSAGE.size - FRAME_BYTES
_CHUNK = struct.Struct("<BQQQQII")
_LENGTH = struct.Struct("<Q")
_INDEX = struct.Struct("<BQHI")
_FOOTER = struct.Struct("<BQQQ")
_FOOTER_BYTES = 8 + 8 + 4
_ENTRY_BYTES = 16


class Sink(Protocol):
    """Where a file's bytes go."""

    def write(self, data: bytes) -> int: ...


class McapWriter:
    """One file, from its magic bytes to its footer. Not thread-safe.

    A chunk ends with ``flush``, with the first message beyond chunk_bytes, and before a metadata record. Topics that
    were registered stand in the next chunk; without messages no chunk is written, and so no topics.
    """

    def __init__(self, sink: Sink, *, profile: str, library: str, compression: Compression, chunk_bytes: int) -> None:
        self._sink = sink
        self._compress, self._compression = _compressor(compression)
        self._chunk_bytes = chunk_bytes
        self._position = 0
        self._crc = 0
        self._schemas: list[records.Schema] = []
        self._channels: list[records.Channel] = []
        self._counts: dict[int, int] = {}
        self._chunks: list[records.ChunkIndex] = []
        self._metadata: list[records.MetadataIndex] = []
        self._start_ns = self._end_ns = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._index: dict[int, list[int]] = {}
        self._first_ns: int | None = None
        self._write(MAGIC)
        self._write(_record(records.Header(profile, library)))

    @property
    def pending_since_ns(self) -> int | None:
        """Log time of the first message of the chunk that is being filled; None when it has none."""
        return self._first_ns

    def register_schema(self, name: str, encoding: str, data: bytes) -> int:
        """Returns its number."""
        number = len(self._schemas) + 1
        self._schemas.append(records.Schema(id=number, data=data, encoding=encoding, name=name))
        self._add(_record(self._schemas[-1]))
        return number

    def register_channel(self, topic: str, encoding: str, schema_id: int, metadata: Mapping[str, str]) -> int:
        """Returns its number."""
        number = len(self._channels) + 1
        self._channels.append(records.Channel(number, topic, encoding, dict(metadata), schema_id))
        self._add(_record(self._channels[-1]))
        return number

    def add_message(self, channel_id: int, log_time_ns: int, data: bytes, publish_time_ns: int, sequence: int) -> None:
        """data is kept as it is until its chunk is written."""
        fields = (channel_id, sequence & 0xFFFF_FFFF, log_time_ns, publish_time_ns)
        entries = self._index.get(channel_id)
        if entries is None:
            entries = self._index[channel_id] = []
        entries += (log_time_ns, self._size)
        if self._first_ns is None:
            self._first_ns = log_time_ns
        self._add(_MESSAGE.pack(Opcode.MESSAGE, _MESSAGE_FIELDS_BYTES + len(data), *fields))
        self._add(data)
        if self._size > self._chunk_bytes:
            self.flush()

    def add_metadata(self, name: str, record: Mapping[str, str]) -> None:
        """A record outside the chunks."""
        self.flush()
        data = _record(records.Metadata(name=name, metadata=dict(record)))
        self._metadata.append(records.MetadataIndex(offset=self._position, length=len(data), name=name))
        self._write(data)

    def flush(self) -> None:
        """Writes the chunk that is being filled, if it holds messages."""
        if not self._index:
            return
        content = b"".join(self._parts)
        start_ns = min(min(entries[::2]) for entries in self._index.values())
        end_ns = max(max(entries[::2]) for entries in self._index.values())
        chunk = self._write_chunk(content, start_ns, end_ns)
        self._write_message_index(chunk)
        is_first = not self._chunks
        self._start_ns = start_ns if is_first else min(self._start_ns, start_ns)
        self._end_ns = max(self._end_ns, end_ns)
        self._chunks.append(chunk)
        self._parts, self._size, self._index, self._first_ns = [], 0, {}, None

    def finish(self) -> None:
        """Writes what is missing to a whole file."""
        self.flush()
        self._write(_record(records.DataEnd(self._crc)))
        start = self._position
        summary, offsets_start = self._summary(start)
        summary_start = start if summary else 0
        crc = zlib.crc32(_FOOTER.pack(Opcode.FOOTER, _FOOTER_BYTES, summary_start, offsets_start), zlib.crc32(summary))
        self._write(summary)
        self._write(_record(records.Footer(summary_start, offsets_start, crc)))
        self._write(MAGIC)

    def _add(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)

    def _write(self, data: bytes, crc: int | None = None) -> None:
        """crc: of the data, where it is known: summing up pictures twice would cost as much as writing them."""
        self._sink.write(data)
        self._crc = zlib.crc32(data, self._crc) if crc is None else combine(self._crc, crc, len(data))
        self._position += len(data)

    def _write_chunk(self, content: bytes, start_ns: int, end_ns: int) -> records.ChunkIndex:
        is_compressed, crc = self._shrinks(content), zlib.crc32(content)
        data = self._compress(content) if is_compressed else content
        compression = self._compression if is_compressed else ""
        name = compression.encode()
        length = _CHUNK.size - FRAME_BYTES + len(name) + _LENGTH.size + len(data)
        head = _CHUNK.pack(Opcode.CHUNK, length, start_ns, end_ns, len(content), crc, len(name))
        offset = self._position
        self._write(head + name + _LENGTH.pack(len(data)))
        self._write(data, None if is_compressed else crc)
        return records.ChunkIndex(
            chunk_length=self._position - offset,
            chunk_start_offset=offset,
            compression=compression,
            compressed_size=len(data),
            message_end_time=end_ns,
            message_index_length=0,
            message_index_offsets={},
            message_start_time=start_ns,
            uncompressed_size=len(content),
        )

    def _shrinks(self, content: bytes) -> bool:
        """Whether compression is worth its time. Small chunks are compressed: they cost nothing."""
        if not self._compression:
            return False
        begin = len(content) // 3
        probe = content[begin : begin + _PROBE_BYTES]
        return len(probe) < _PROBE_BYTES or len(self._compress(probe)) <= _WORTH_IT * _PROBE_BYTES

    def _write_message_index(self, chunk: records.ChunkIndex) -> None:
        parts, offset = [], self._position
        for channel_id, entries in self._index.items():
            count = len(entries) // 2
            size = count * _ENTRY_BYTES
            chunk.message_index_offsets[channel_id] = offset
            parts.append(_INDEX.pack(Opcode.MESSAGE_INDEX, _INDEX.size - FRAME_BYTES + size, channel_id, size))
            parts.append(struct.pack(f"<{len(entries)}Q", *entries))
            offset += _INDEX.size + size
            self._counts[channel_id] = self._counts.get(channel_id, 0) + count
        chunk.message_index_length = offset - self._position
        self._write(b"".join(parts))

    def _summary(self, start: int) -> tuple[bytes, int]:
        """The summary, and where in the file its offsets begin."""
        groups: list[tuple[Opcode, list[McapRecord]]] = [
            (Opcode.SCHEMA, [*(self._schemas if self._chunks else ())]),
            (Opcode.CHANNEL, [*(self._channels if self._chunks else ())]),
            (Opcode.STATISTICS, [self._statistics()]),
            (Opcode.CHUNK_INDEX, [*self._chunks]),
            (Opcode.METADATA_INDEX, [*self._metadata]),
        ]
        parts, offsets, at = [], [], start
        for opcode, group in groups:
            data = b"".join(map(_record, group))
            if data:
                parts.append(data)
                offsets.append(_record(records.SummaryOffset(opcode, group_start=at, group_length=len(data))))
                at += len(data)
        return b"".join(parts + offsets), at

    def _statistics(self) -> records.Statistics:
        has_messages = bool(self._chunks)
        return records.Statistics(
            attachment_count=0,
            channel_count=len(self._channels) if has_messages else 0,
            channel_message_counts=dict(sorted(self._counts.items())),
            chunk_count=len(self._chunks),
            message_count=sum(self._counts.values()),
            message_end_time=self._end_ns,
            message_start_time=self._start_ns,
            metadata_count=len(self._metadata),
            schema_count=len(self._schemas) if has_messages else 0,
        )


def _compressor(compression: Compression) -> tuple[Callable[[bytes], bytes], str]:
    """What compresses a chunk, and its name in the file."""
    if compression == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress, "zstd"
    if compression == "lz4":
        return lz4.frame.compress, "lz4"
    return bytes, ""


def _record(record: McapRecord) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    return bytes(builder.end())
