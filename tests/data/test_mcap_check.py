"""The check itself: it has to see every kind of mistake, or the tests that rely on it say nothing."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mcap import records
from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.opcode import Opcode
from mcap.writer import CompressionType, IndexType, Writer

from tenon.configuration.recording import WriterConfig
from tenon.data.mcap_check import check_mcap


@pytest.fixture
def file(recording, ros) -> Path:
    recording.config = WriterConfig(compression="none", chunk_bytes=8192)
    return recording.finished(0, ros.samples(10)) / "episode_000000_0.mcap"


def test_every_single_flipped_bit_is_seen(file: Path) -> None:
    data = file.read_bytes()
    rng = Random(0)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        assert check_mcap(file)


def test_every_cut_is_seen(file: Path) -> None:
    data = file.read_bytes()
    rng = Random(0)
    for cut in [0, 8, 20, len(data) - 1, *(rng.randrange(len(data)) for _ in range(50))]:
        file.write_bytes(data[:cut])
        assert check_mcap(file)


def write_mcap(path: Path, mistake: str) -> None:
    """A small file by the mcap library, without checksums, so that only the mistake itself can be seen."""
    index = IndexType.ALL & ~IndexType.MESSAGE if mistake == "message index" else IndexType.ALL
    stream = io.BytesIO()
    writer = Writer(stream, compression=CompressionType.NONE, enable_crcs=False, index_types=index)
    writer.start(profile="odd" if mistake == "profile" else "ros2", library="" if mistake == "library" else "test")
    schema = writer.register_schema("a/msg/A", "ros2msg", b"byte x")
    channel = writer.register_channel("/a", "cdr", 9 if mistake == "schema of channel" else schema)
    for k in range(3):
        writer.add_message(channel + (mistake == "unknown channel"), k, b"1234", k)
    writer.finish()
    path.write_bytes(stream.getvalue())


def test_file_of_the_mcap_library_passes(tmp_path: Path) -> None:
    write_mcap(tmp_path / "a.mcap", "none")
    assert check_mcap(tmp_path / "a.mcap") == []


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        ("profile", "profile 'odd' is not well known"),
        ("library", "names no library"),
        ("schema of channel", "channel /a has no schema before it"),
        ("unknown channel", "messages on channel 2, which is not defined"),
        ("message index", "message index of the chunk at byte"),
    ],
)
def test_mistake_is_named(tmp_path: Path, mistake: str, problem: str) -> None:
    write_mcap(tmp_path / "a.mcap", mistake)
    assert any(problem in found for found in check_mcap(tmp_path / "a.mcap"))


def rewrite(path: Path, record_type: Any, opcode: int, field: str) -> None:
    """Adds one to a field of the last record of a kind."""
    data = path.read_bytes()
    offset, last = 8, -1
    while offset < len(data) - 8:
        last = offset if data[offset] == opcode else last
        offset += 9 + int.from_bytes(data[offset + 1 : offset + 9], "little")
    record = record_type.read(ReadDataStream(io.BytesIO(data[last + 9 :])))
    setattr(record, field, getattr(record, field) + 1)
    builder = RecordBuilder()
    record.write(builder)
    new = builder.end()
    path.write_bytes(data[:last] + new + data[last + len(new) :])


@pytest.mark.parametrize("name", ["message_count", "message_start_time", "message_end_time", "chunk_count"])
def test_wrong_statistics_are_seen(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.mcap"
    write_mcap(path, "none")
    rewrite(path, records.Statistics, Opcode.STATISTICS, name)
    assert any("statistics" in problem for problem in check_mcap(path))


@pytest.mark.parametrize("name", ["chunk_start_offset", "chunk_length", "message_end_time", "uncompressed_size"])
def test_wrong_chunk_index_is_seen(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.mcap"
    write_mcap(path, "none")
    rewrite(path, records.ChunkIndex, Opcode.CHUNK_INDEX, name)
    assert any("chunk index" in problem for problem in check_mcap(path))
