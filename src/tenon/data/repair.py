"""Recovers episodes whose recording was cut off or whose file was damaged later.

Every chunk whose checksum holds is kept, and of a chunk that the end of the file cuts through all messages before the
cut. They go into a new, valid episode beside the old one (``episode_000123_repaired``); the old one stays as it is.
"""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mcap import records
from mcap.opcode import Opcode

from tenon.configuration.recording import WriterConfig
from tenon.data import episodes
from tenon.data.episode_lock import is_being_written
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import (
    EpisodeContract,
    EpisodeError,
    EpisodeLayout,
    EpisodeOutcome,
    EpisodeTakenError,
    TopicSpec,
)
from tenon.data.mcap_check import check_mcap
from tenon.data.mcap_records import (
    FRAME_BYTES,
    MAGIC,
    DamagedError,
    RawMessage,
    RawRecord,
    decompress,
    decompress_beginning,
    iterate_records,
    map_file,
    parse_chunk,
    parse_message,
    read_record,
)

REPAIR_RECORD = "tenon_repair"
"""Name of the MCAP metadata record in which a repaired episode tells what happened to it."""

_METADATA_NAMES = (episodes.CONTRACT_RECORD, episodes.OUTCOME_RECORD, episodes.ROSBAG2_RECORD, REPAIR_RECORD)
_UNKNOWN = "unknown"
_DATA_END_BYTES = 4
_INDEX_START_BYTES, _INDEX_ENTRY_BYTES = 6, 16
# Where a chunk, a metadata record or the end of data may begin: opcode, and a length below 4 GiB. They may overlap.
_RESTART = re.compile(rb"[\x06\x0c](?=.{4}\x00{4})|\x0f(?=\x04\x00{7})", re.DOTALL)
_AFTER_DATA = (Opcode.SCHEMA, Opcode.STATISTICS)


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair found.

    repaired: the new episode's directory; None when the file is in order or nothing could be recovered. recovered:
    messages per topic. lost: messages per topic that are known to be missing; what followed a cut is unknown.
    is_lossless: all that was ever recorded is there, by its checksum. problems: what was wrong, and where.
    """

    source: Path
    repaired: Path | None
    recovered: dict[str, int]
    lost: dict[str, int]
    is_lossless: bool
    problems: tuple[str, ...]


def repair_episode(path: Path, config: WriterConfig | None = None) -> RepairReport:
    """Repairs the episode in directory ``path`` (finished or partial).

    Raises EpisodeError where it is being recorded, and where the repaired one cannot be written; nothing is left then.
    """
    layout, source = _locate(path)
    if episodes.is_part(path) and layout.is_repaired:
        raise EpisodeError(f"{path} is what a repair that broke off has left: repair {layout.original.stem} instead")
    if episodes.is_part(path) and is_being_written(layout):
        raise EpisodeError(f"{path} is being recorded: it will be whole when its recording ends; end that first")
    scan = _Scan(map_file(source))
    scan.run()
    recovered = Counter(topic for topic, _ in scan.messages())
    lost = scan.lost()
    repaired = None
    if not recovered:
        scan.problems.append("no whole message was found, so that there is nothing to recover")
    elif scan.problems or episodes.is_part(path):
        repaired = _write(layout, source, scan, lost, config)
    return RepairReport(source, repaired, dict(recovered), lost, scan.is_data_whole, tuple(scan.problems))


def messages_in(file: Path) -> dict[str, int]:
    """Messages per topic that could be recovered from a file, however it was left."""
    scan = _Scan(map_file(file))
    scan.run()
    return dict(Counter(topic for topic, _ in scan.messages()))


def holds_messages(file: Path) -> bool:
    """Whether any message could be recovered from a file. Nearly always its first chunk tells."""
    scan = _Scan(map_file(file))
    return scan.begins_with_messages() or bool(messages_in(file))


def _locate(path: Path) -> tuple[EpisodeLayout, Path]:
    layout = episodes.layout_from_name(path)
    if layout is None or not path.is_dir():
        raise EpisodeError(f"{path} is no episode: a directory like episode_000123 or episode_000123.part is needed")
    # A recording that was killed between its two renames has the final name of the file in the .part directory.
    for name in (layout.finished_file.name, layout.part_file.name):
        if (path / name).is_file():
            return layout, path / name
    raise EpisodeError(f"{path} holds no file {layout.finished_file.name}: there is nothing to repair")


def _write(layout: EpisodeLayout, source: Path, scan: _Scan, lost: dict[str, int], config: WriterConfig | None) -> Path:
    contract, outcome = _contract(scan, layout), _outcome(scan, lost)
    _clear_stale(layout.repaired)
    writer = _open(layout.repaired, contract, scan.topics(), config)
    try:
        for topic, message in scan.messages():
            writer.write(
                topic,
                message.data,
                log_time_ns=message.log_time_ns,
                publish_time_ns=message.publish_time_ns,
                sequence=message.sequence,
            )
        writer.add_record(
            REPAIR_RECORD,
            {"source": source.name, "lost": json.dumps(lost), "problems": "\n".join(scan.problems)},
        )
        repaired = writer.finish(outcome)
    except BaseException:
        writer.close()
        _remove(writer.layout.part)
        raise
    if problems := check_mcap(writer.layout.finished_file):
        raise EpisodeError(f"{repaired} came out wrong, please report this: {'; '.join(problems)}")
    return repaired


def _open(
    repaired: EpisodeLayout, contract: EpisodeContract, topics: list[TopicSpec], config: WriterConfig | None
) -> EpisodeWriter:
    """Raises EpisodeError and leaves nothing then; EpisodeTakenError where another repair has the names."""
    try:
        return EpisodeWriter(repaired.directory, contract, topics, config, layout=repaired)
    except EpisodeTakenError:
        raise
    except BaseException:
        _remove(repaired.part)
        raise


def _clear_stale(repaired: EpisodeLayout) -> None:
    """Removes what a repair that was killed has left: a copy, whose source is there. Raises EpisodeError."""
    if is_being_written(repaired):
        raise EpisodeError(f"{repaired.part} is being written by another repair: wait until it is done")
    _remove(repaired.part)


def _remove(part: Path) -> None:
    shutil.rmtree(part, ignore_errors=True)


def _contract(scan: _Scan, layout: EpisodeLayout) -> EpisodeContract:
    record = scan.metadata.get(episodes.CONTRACT_RECORD)
    if record is not None:
        try:
            return episodes.contract_from_record(record)
        except EpisodeError as error:
            scan.problems.append(str(error))
    else:
        scan.problems.append("the contract of the episode is lost")
    return EpisodeContract(number=layout.number, robot=_UNKNOWN, task=_UNKNOWN)


def _outcome(scan: _Scan, lost: dict[str, int]) -> EpisodeOutcome:
    record = scan.metadata.get(episodes.OUTCOME_RECORD)
    outcome = EpisodeOutcome(result="unknown", complete=False)
    if record is not None:
        try:
            outcome = episodes.outcome_from_record(record)
        except EpisodeError as error:
            scan.problems.append(str(error))
    if scan.is_data_whole:
        return outcome
    missing = f"repaired: {sum(lost.values())} messages are known to be lost" if lost else "repaired"
    detail = "; ".join(filter(None, (outcome.detail, missing)))
    return outcome.model_copy(update={"complete": False, "detail": detail})


@dataclass(frozen=True, slots=True)
class _Piece:
    """A chunk to take messages from. is_cut_off: only its beginning is there."""

    body: memoryview
    is_cut_off: bool

    def content(self) -> Iterator[RawRecord]:
        if not self.is_cut_off:
            yield from iterate_records(decompress(parse_chunk(self.body)))
            return
        beginning = decompress_beginning(parse_chunk(self.body, is_cut_off=True))
        try:
            yield from iterate_records(beginning)
        except DamagedError:
            return  # The cut went through this record.


@dataclass(slots=True)
class _Scan:
    """Everything in a file that can be trusted."""

    buffer: memoryview
    problems: list[str] = field(default_factory=list)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    is_cut_off: bool = True
    is_data_whole: bool = False
    _pieces: list[_Piece] = field(default_factory=list)
    _schemas: dict[int, records.Schema] = field(default_factory=dict)
    _channels: dict[int, records.Channel] = field(default_factory=dict)
    _expected: dict[int, int] = field(default_factory=dict)

    def run(self) -> None:
        """Reads the file from its beginning; after each damaged place goes on at the next sound chunk."""
        if self.buffer[: len(MAGIC)] != MAGIC:
            self.problems.append("the file does not begin as an MCAP file does")
        offset = len(MAGIC)
        while offset < len(self.buffer) and self.is_cut_off:
            try:
                record = read_record(self.buffer, offset)
                self._take(record)
                offset = record.end
            except DamagedError as error:
                offset = self._after_damage(offset, error)
        if self.is_cut_off:
            self.problems.append("the end of the recording is missing")
        self._find_topics()

    def begins_with_messages(self) -> bool:
        """Whether the file is sound up to its first chunk, and that one holds a message and its definition."""
        try:
            for record in iterate_records(self.buffer, len(MAGIC)):
                self._take(record)
                if self._pieces:
                    self._find_topics()
                    return any(True for _ in self.messages())
        except DamagedError:
            pass
        return False

    def topics(self) -> list[TopicSpec]:
        """The topics whose definitions are known."""
        return [
            TopicSpec(
                name=channel.topic,
                type=self._schemas[channel.schema_id].name,
                definition=self._schemas[channel.schema_id].data.decode(),
                offered_qos_profiles=channel.metadata.get("offered_qos_profiles", ""),
                type_hash=channel.metadata.get("topic_type_hash", ""),
            )
            for channel in self._channels.values()
        ]

    def messages(self) -> Iterator[tuple[str, RawMessage]]:
        """(topic, message) of all sound messages in file order."""
        for piece in self._pieces:
            for record in piece.content():
                if record.opcode == Opcode.MESSAGE:
                    message = parse_message(record.body)
                    if channel := self._channels.get(message.channel_id):
                        yield channel.topic, message

    def lost(self) -> dict[str, int]:
        """Messages per topic that are missing: by the file's statistics, or by gaps in the sequence numbers."""
        counts: Counter[str] = Counter()
        highest: dict[str, int] = {}
        for topic, message in self.messages():
            counts[topic] += 1
            highest[topic] = max(highest.get(topic, -1), message.sequence)
        lost = {}
        for channel in self._channels.values():
            topic = channel.topic
            expected = self._expected.get(channel.id, 0) if self._expected else highest.get(topic, -1) + 1
            if expected > counts[topic]:
                lost[topic] = expected - counts[topic]
        return lost

    def _take(self, record: RawRecord) -> None:
        """Keeps what a record of the data section holds. Raises DamagedError."""
        if record.opcode == Opcode.CHUNK:
            decompress(parse_chunk(record.body))
            self._pieces.append(_Piece(record.body, is_cut_off=False))
        elif record.opcode == Opcode.METADATA:
            found = record.parse(records.Metadata)
            self.metadata[found.name] = found.metadata
        elif record.opcode == Opcode.DATA_END and len(record.body) == _DATA_END_BYTES:
            self.is_cut_off = False
            self._take_end(record)
        elif record.opcode == Opcode.MESSAGE_INDEX:
            # It is made anew; but a damaged chunk must not pass for one, nor chunks hide in one that got longer.
            entries_bytes = len(record.body) - _INDEX_START_BYTES
            stated_bytes = int.from_bytes(record.body[2:_INDEX_START_BYTES], "little")
            if entries_bytes % _INDEX_ENTRY_BYTES or entries_bytes != stated_bytes:
                raise DamagedError(f"the message index at byte {record.offset} has a wrong length")
        elif record.opcode != Opcode.HEADER:
            raise DamagedError(f"a record {record.opcode:#04x} at byte {record.offset} is not expected there")

    def _take_end(self, data_end: RawRecord) -> None:
        """Checks the whole data section, and reads the summary if its checksum holds."""
        crc = data_end.parse(records.DataEnd).data_section_crc
        self.is_data_whole = crc != 0 and zlib.crc32(self.buffer[: data_end.offset]) == crc
        if not self.is_data_whole and not self.problems:
            self.problems.append("the checksum of the data is wrong: the contract or the outcome may be damaged")
        try:
            summary = list(iterate_records(self.buffer[: len(self.buffer) - len(MAGIC)], data_end.end))
            footer = summary.pop() if summary else data_end
            crc = footer.parse(records.Footer).summary_crc
            if footer.opcode != Opcode.FOOTER or zlib.crc32(self.buffer[data_end.end : footer.end - 4]) != crc:
                raise DamagedError("its checksum is wrong")
            if self.buffer[footer.end :] != MAGIC:
                self.problems.append("the file does not end as an MCAP file does")
        except DamagedError as error:
            self.problems.append(f"the summary is damaged and was made anew ({error})")
            return
        for record in summary:
            if record.opcode == Opcode.STATISTICS:
                self._expected = dict(record.parse(records.Statistics).channel_message_counts)
            else:
                self._take_definition(record)

    def _take_definition(self, record: RawRecord) -> None:
        if record.opcode == Opcode.SCHEMA:
            schema = record.parse(records.Schema)
            self._schemas[schema.id] = schema
        elif record.opcode == Opcode.CHANNEL:
            channel = record.parse(records.Channel)
            if channel.schema_id in self._schemas:
                self._channels[channel.id] = channel

    def _find_topics(self) -> None:
        unknown: set[int] = set()
        for piece in self._pieces:
            for record in piece.content():
                self._take_definition(record)
                if record.opcode == Opcode.MESSAGE:
                    unknown.add(parse_message(record.body).channel_id)
        unknown -= self._channels.keys()
        if unknown:
            self.problems.append(f"the definitions of {len(unknown)} topics are lost, and with them their messages")

    def _after_damage(self, offset: int, error: DamagedError) -> int:
        """Notes the damage; returns where the next sound record begins, or the file's end."""
        self.problems.append(str(error))
        for match in _RESTART.finditer(self.buffer, offset + 1):
            try:
                if self._is_sound(read_record(self.buffer, match.start())):
                    return match.start()
            except DamagedError:
                continue
        self._take_cut_off_chunk(offset)
        return len(self.buffer)

    def _is_sound(self, record: RawRecord) -> bool:
        """Whether what looks like the beginning of a record is one. Raises DamagedError if it is not."""
        if record.opcode == Opcode.CHUNK:
            decompress(parse_chunk(record.body))
            return True
        if record.opcode == Opcode.METADATA:
            return record.parse(records.Metadata).name in _METADATA_NAMES
        return read_record(self.buffer, record.end).opcode in _AFTER_DATA

    def _take_cut_off_chunk(self, offset: int) -> None:
        """Takes the beginning of a chunk that goes on beyond the file's end; never one that fails its checksum."""
        body = self.buffer[offset + FRAME_BYTES :]
        length = int.from_bytes(self.buffer[offset + 1 : offset + FRAME_BYTES], "little")
        if self.buffer[offset] != Opcode.CHUNK or length <= len(body):
            return
        piece = _Piece(body, is_cut_off=True)
        try:
            if any(record.opcode == Opcode.MESSAGE for record in piece.content()):
                self._pieces.append(piece)
        except DamagedError:
            return  # The cut went through the chunk's header.
