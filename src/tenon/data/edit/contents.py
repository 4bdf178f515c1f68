"""All that an episode's file holds, in the order in which it was written: what copying and checking start from."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mcap import records
from mcap.opcode import Opcode

from tenon.data.edit.provenance import SOURCE_RECORD, Source, history_from_record
from tenon.data.episodes import EpisodeError, TopicSpec
from tenon.data.mcap_records import (
    MAGIC,
    DamagedError,
    RawMessage,
    RawRecord,
    decompress,
    iterate_records,
    map_file,
    parse_chunk,
    parse_message,
)
from tenon.data.store import Episode


@dataclass(frozen=True, slots=True)
class EpisodeContents:
    """What ``read_contents`` found. records: name and content of every metadata record, in file order."""

    episode: Episode
    topics: tuple[TopicSpec, ...]
    records: tuple[tuple[str, dict[str, str]], ...]
    sha256: str
    _names: dict[int, str]
    _chunks: tuple[memoryview, ...]

    @property
    def history(self) -> tuple[Source, ...]:
        """From what the episode was made, oldest step first; empty for a recording. Raises EpisodeError."""
        return history_from_record(dict(self.records).get(SOURCE_RECORD))

    def messages(self) -> Iterator[tuple[str, RawMessage]]:
        """(topic, message) of all messages in file order; checksums are verified. Raises EpisodeError."""
        try:
            for chunk in self._chunks:
                for record in iterate_records(decompress(parse_chunk(chunk))):
                    if record.opcode == Opcode.MESSAGE:
                        message = parse_message(record.body)
                        yield self._names[message.channel_id], message
        except (DamagedError, KeyError) as error:
            raise _damaged(self.episode, error) from error


def read_contents(episode: Episode) -> EpisodeContents:
    """Reads the file once, its checksum included. Raises EpisodeError for a damaged one."""
    buffer = map_file(episode.file)
    try:
        data, summary = _sections(buffer)
        found = [
            (item.name, dict(item.metadata))
            for item in (record.parse(records.Metadata) for record in data if record.opcode == Opcode.METADATA)
        ]
        names, topics = _topics(summary)
        return EpisodeContents(
            episode=episode,
            topics=topics,
            records=tuple(found),
            sha256=hashlib.sha256(buffer).hexdigest(),
            _names=names,
            _chunks=tuple(record.body for record in data if record.opcode == Opcode.CHUNK),
        )
    except (DamagedError, KeyError, UnicodeDecodeError) as error:
        raise _damaged(episode, error) from error


def _sections(buffer: memoryview) -> tuple[list[RawRecord], list[RawRecord]]:
    """The records of the data section and those of the summary. Raises DamagedError."""
    data: list[RawRecord] = []
    for record in iterate_records(buffer[: len(buffer) - len(MAGIC)], len(MAGIC)):
        if record.opcode == Opcode.DATA_END:
            crc = record.parse(records.DataEnd).data_section_crc
            if crc and zlib.crc32(buffer[: record.offset]) != crc:
                raise DamagedError("the checksum of the data section is wrong")
            return data, list(iterate_records(buffer[: len(buffer) - len(MAGIC)], record.end))
        data.append(record)
    raise DamagedError("the file has no end of data")


def _topics(summary: list[RawRecord]) -> tuple[dict[int, str], tuple[TopicSpec, ...]]:
    schemas: dict[int, Any] = {}
    names: dict[int, str] = {}
    topics = []
    for record in summary:
        if record.opcode == Opcode.SCHEMA:
            schema = record.parse(records.Schema)
            schemas[schema.id] = schema
        elif record.opcode == Opcode.CHANNEL:
            channel = record.parse(records.Channel)
            schema = schemas[channel.schema_id]
            names[channel.id] = channel.topic
            topics.append(
                TopicSpec(
                    name=channel.topic,
                    type=schema.name,
                    definition=schema.data.decode(),
                    offered_qos_profiles=channel.metadata.get("offered_qos_profiles", ""),
                    type_hash=channel.metadata.get("topic_type_hash", ""),
                )
            )
    return names, tuple(topics)


def _damaged(episode: Episode, error: Exception) -> EpisodeError:
    return EpisodeError(f"{episode.file} is damaged ({error}): `tenon dataset repair {episode.path}`")
