"""Checks an episode's MCAP file against itself: all that ``mcap doctor`` looks at, and each entry of each index.

Independent of the library that writes the files, so that a mistake of the writer shows.
"""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path
from typing import Any

from mcap import records
from mcap.opcode import Opcode

from tenon.data.mcap_records import (
    FRAME_BYTES,
    MAGIC,
    DamagedError,
    RawRecord,
    decompress,
    iterate_records,
    map_file,
    parse_body,
    parse_chunk,
    parse_message,
    read_record,
)

_FOOTER_BYTES = FRAME_BYTES + 8 + 8 + 4
_KNOWN_PROFILES = ("", "ros1", "ros2")

MessageIndex = dict[int, list[tuple[int, int]]]
"""Channel -> (log time, offset within the uncompressed chunk) of its messages, in file order."""


def check_mcap(path: Path) -> list[str]:
    """What is wrong with the file, one line each; empty when nothing is. Reads all of it."""
    buffer = map_file(path)
    if len(buffer) < 2 * len(MAGIC):
        return [f"{path.name} is too short for an MCAP file"]
    examination = _Examination(buffer)
    try:
        examination.run()
    except DamagedError as error:
        examination.problems.append(str(error))
    return examination.problems


class _Examination:
    def __init__(self, buffer: memoryview) -> None:
        self.problems: list[str] = []
        self._buffer = buffer
        self._schemas: dict[int, Any] = {}
        self._channels: dict[int, Any] = {}
        self._chunks: dict[int, records.ChunkIndex] = {}  # by offset, as they should be indexed
        self._metadata: dict[int, str] = {}
        self._counts: Counter[int] = Counter()
        self._start_ns = 0
        self._end_ns = 0

    def run(self) -> None:
        size = len(self._buffer)
        if self._buffer[: len(MAGIC)] != MAGIC or self._buffer[size - len(MAGIC) :] != MAGIC:
            raise DamagedError("the file does not begin and end with MCAP's magic bytes")
        body = self._buffer[: size - len(MAGIC)]
        data_end = self._examine_data(body)
        footer_at = len(body) - _FOOTER_BYTES
        footer = read_record(body, footer_at)
        if footer.opcode != Opcode.FOOTER:
            raise DamagedError("the file has no footer")
        self._examine_summary(body, data_end, footer)

    def _expect(self, is_right: bool, problem: str) -> None:
        if not is_right:
            self.problems.append(problem)

    # -- data section

    def _examine_data(self, body: memoryview) -> int:
        """Walks through the data section; returns the offset of the byte after it."""
        chunk_content: memoryview | None = None
        indexed: MessageIndex = {}
        current: records.ChunkIndex | None = None
        for record in iterate_records(body, len(MAGIC)):
            if current is not None and record.opcode != Opcode.MESSAGE_INDEX:
                self._close_chunk(current, record.offset, chunk_content, indexed)
                current = None
            if record.opcode == Opcode.HEADER:
                self._examine_header(record)
            elif record.opcode == Opcode.CHUNK:
                current, chunk_content = self._examine_chunk(record)
                indexed = {}
            elif record.opcode == Opcode.MESSAGE_INDEX:
                index = record.parse(records.MessageIndex)
                self._expect(current is not None, f"message index at byte {record.offset} follows no chunk")
                if current is not None:
                    current.message_index_offsets[index.channel_id] = record.offset
                    indexed[index.channel_id] = index.records
            elif record.opcode == Opcode.METADATA:
                self._metadata[record.offset] = record.parse(records.Metadata).name
            elif record.opcode == Opcode.DATA_END:
                crc = record.parse(records.DataEnd).data_section_crc
                self._expect(crc in (0, zlib.crc32(body[: record.offset])), "the checksum of the data section is wrong")
                return record.end
            else:
                self.problems.append(f"record {record.opcode:#04x} at byte {record.offset} is not expected there")
        raise DamagedError("the file has no end of data")

    def _examine_header(self, record: RawRecord) -> None:
        header = record.parse(records.Header)
        self._expect(record.offset == len(MAGIC), "the header is not the first record")
        self._expect(header.profile in _KNOWN_PROFILES, f"profile {header.profile!r} is not well known")
        self._expect(bool(header.library), "the header names no library")

    def _examine_chunk(self, record: RawRecord) -> tuple[records.ChunkIndex, memoryview]:
        chunk = parse_chunk(record.body)
        index = records.ChunkIndex(
            chunk_length=record.end - record.offset,
            chunk_start_offset=record.offset,
            compression=chunk.compression,
            compressed_size=len(chunk.data),
            message_end_time=chunk.end_ns,
            message_index_length=0,
            message_index_offsets={},
            message_start_time=chunk.start_ns,
            uncompressed_size=chunk.uncompressed_bytes,
        )
        return index, decompress(chunk)

    def _close_chunk(
        self, chunk: records.ChunkIndex, end: int, content: memoryview | None, indexed: MessageIndex
    ) -> None:
        offset = chunk.chunk_start_offset
        chunk.message_index_length = end - offset - chunk.chunk_length
        self._chunks[offset] = chunk
        found: MessageIndex = {}
        for record in iterate_records(content if content is not None else memoryview(b"")):
            if record.opcode == Opcode.SCHEMA:
                self._add(self._schemas, record.parse(records.Schema))
            elif record.opcode == Opcode.CHANNEL:
                channel = record.parse(records.Channel)
                self._expect(channel.schema_id in self._schemas, f"channel {channel.topic} has no schema before it")
                self._add(self._channels, channel)
            elif record.opcode == Opcode.MESSAGE:
                message = parse_message(record.body)
                found.setdefault(message.channel_id, []).append((message.log_time_ns, record.offset))
            else:
                self.problems.append(f"chunk at byte {offset} holds a record {record.opcode:#04x}")
        self._expect(found == indexed, f"the message index of the chunk at byte {offset} does not match its messages")
        self._count(chunk, found)

    def _add(self, known: dict[int, Any], record: Any) -> None:
        self._expect(record.id not in known, f"{type(record).__name__} {record.id} occurs twice in the data")
        self._expect(record.id != 0 or isinstance(record, records.Channel), "schema 0 is reserved")
        known[record.id] = record

    def _count(self, chunk: records.ChunkIndex, found: MessageIndex) -> None:
        times = [time for entries in found.values() for time, _ in entries]
        for channel_id, entries in found.items():
            self._expect(channel_id in self._channels, f"messages on channel {channel_id}, which is not defined")
            self._counts[channel_id] += len(entries)
        if times:
            span = (chunk.message_start_time, chunk.message_end_time)
            self._expect(
                span == (min(times), max(times)), f"times of the chunk at {chunk.chunk_start_offset} are wrong"
            )
            is_first = self._counts.total() == len(times)
            self._start_ns = min(times) if is_first else min(self._start_ns, *times)
            self._end_ns = max(self._end_ns, *times)

    # -- summary section

    def _examine_summary(self, body: memoryview, start: int, footer_record: RawRecord) -> None:
        footer = footer_record.parse(records.Footer)
        self._expect(footer.summary_start == start, "the footer does not point to the summary")
        crc_end = footer_record.end - 4  # All of the footer but the checksum itself.
        self._expect(footer.summary_crc in (0, zlib.crc32(body[start:crc_end])), "the checksum of the summary is wrong")
        groups: dict[int, list[RawRecord]] = {}
        for record in iterate_records(body[: footer_record.offset], start):
            groups.setdefault(record.opcode, []).append(record)
        self._expect(self._parsed(groups, records.Schema) == list(self._schemas.values()), "schemas are not repeated")
        self._expect(
            self._parsed(groups, records.Channel) == list(self._channels.values()), "channels are not repeated"
        )
        chunks = self._parsed(groups, records.ChunkIndex)
        self._expect(chunks == list(self._chunks.values()), "the chunk index does not match the chunks")
        metadata = {index.offset: index.name for index in self._parsed(groups, records.MetadataIndex)}
        self._expect(metadata == self._metadata, "the metadata index does not match the metadata records")
        self._examine_statistics(self._parsed(groups, records.Statistics))
        self._examine_offsets(groups, footer)

    @staticmethod
    def _parsed(groups: dict[int, list[RawRecord]], record_type: Any) -> list[Any]:
        opcode = {
            records.Schema: Opcode.SCHEMA,
            records.Channel: Opcode.CHANNEL,
            records.ChunkIndex: Opcode.CHUNK_INDEX,
            records.MetadataIndex: Opcode.METADATA_INDEX,
            records.Statistics: Opcode.STATISTICS,
            records.SummaryOffset: Opcode.SUMMARY_OFFSET,
        }[record_type]
        return [parse_body(record.body, record_type) for record in groups.get(opcode, [])]

    def _examine_statistics(self, found: list[Any]) -> None:
        expected = records.Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts=dict(self._counts),
            chunk_count=len(self._chunks),
            message_count=self._counts.total(),
            message_end_time=self._end_ns,
            message_start_time=self._start_ns,
            metadata_count=len(self._metadata),
            schema_count=len(self._schemas),
        )
        self._expect(found == [expected], f"statistics do not match the data: {found} instead of {expected}")

    def _examine_offsets(self, groups: dict[int, list[RawRecord]], footer: records.Footer) -> None:
        offsets = groups.pop(Opcode.SUMMARY_OFFSET, [])
        at = offsets[0].offset if offsets else 0
        self._expect(footer.summary_offset_start == at, "the footer does not point to the summary offsets")
        for offset in (record.parse(records.SummaryOffset) for record in offsets):
            group = groups.get(offset.group_opcode)
            span = (group[0].offset, group[-1].end - group[0].offset) if group else (offset.group_start, 0)
            self._expect(
                span == (offset.group_start, offset.group_length),
                f"the summary offset of records {offset.group_opcode:#04x} is wrong",
            )
