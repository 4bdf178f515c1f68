from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from itertools import chain, repeat
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from tenon.configuration.recording import WriterConfig
from tenon.data import episode_writer, repair
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeError, EpisodeOutcome
from tenon.data.mcap_check import check_mcap
from tenon.data.repair import REPAIR_RECORD, RepairReport, repair_episode
from tenon.data.store import EpisodeStore

TIMEOUT_S = 60.0
CUTS, FLIPS = 60, 60


class Patient:
    """A finished episode's bytes, to be cut or damaged again and again."""

    def __init__(self, recording, samples) -> None:
        self.samples = [(sample.topic, sample.data, sample.time_ns) for sample in samples]
        path = recording.finished(0, samples)
        self.data = (path / "episode_000000_0.mcap").read_bytes()
        self._directory = recording.directory
        self._rounds = 0

    def repaired_from(self, data: bytes, *, is_part: bool) -> tuple[RepairReport, list[tuple[str, bytes, int]]]:
        """The report, and the messages in the repaired episode. Checks what must hold for every repair."""
        self._rounds += 1
        store = EpisodeStore(self._directory / f"round_{self._rounds}")
        suffix = ".part" if is_part else ""
        path = store.directory / f"episode_000000{suffix}"
        path.mkdir(parents=True)
        file = path / f"episode_000000_0.mcap{suffix}"
        file.write_bytes(data)
        report = repair_episode(path)
        assert file.read_bytes() == data and list(path.iterdir()) == [file]
        if report.repaired is None:
            return report, []
        episode = store.episode(0)
        assert check_mcap(episode.file) == []
        messages = [(m.topic, m.data, m.log_time_ns) for m in store.messages(episode)]
        assert len(messages) == sum(report.recovered.values()) == episode.messages
        assert report.is_lossless or not episode.outcome.complete
        return report, messages


@pytest.fixture(params=["none", "lz4", "zstd"])
def patient(request: pytest.FixtureRequest, recording, ros) -> Patient:
    recording.config = WriterConfig(compression=request.param, chunk_bytes=8192)
    return Patient(recording, ros.samples(25))


def complete_messages(data: bytes) -> int:
    """Messages in the chunks that lie wholly in ``data``, by a walk over the records' frames."""
    offset, count = 8, 0
    while offset + 9 <= len(data):
        opcode, end = data[offset], offset + 9 + int.from_bytes(data[offset + 1 : offset + 9], "little")
        if end > len(data):
            break
        if opcode == 0x07:  # a message index: one entry of 16 bytes per message
            count += (end - offset - 9 - 6) // 16
        offset = end
    return count


def test_cut_anywhere_keeps_all_complete_chunks_and_invents_nothing(patient: Patient) -> None:
    rng = Random(1)
    for cut in sorted(rng.randrange(len(patient.data)) for _ in range(CUTS)):
        report, messages = patient.repaired_from(patient.data[:cut], is_part=True)
        assert messages == patient.samples[: len(messages)]
        assert len(messages) >= complete_messages(patient.data[:cut])
        assert report.problems


def test_cut_at_each_place_near_the_end_never_loses_a_message(patient: Patient) -> None:
    data_end = patient.data.rindex(b"\x0f\x04\x00\x00\x00\x00\x00\x00\x00")  # the last record of the data section
    places = [data_end, data_end + 8, data_end + 13, data_end + 50, len(patient.data) - 9, len(patient.data) - 1]
    for cut in places:
        report, messages = patient.repaired_from(patient.data[:cut], is_part=True)
        assert messages == patient.samples
        assert report.is_lossless == (cut >= data_end + 13)


def test_flipped_bit_costs_at_most_its_own_chunk(patient: Patient) -> None:
    rng = Random(2)
    known = set(patient.samples)
    for _ in range(FLIPS):
        damaged = bytearray(patient.data)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        report, messages = patient.repaired_from(bytes(damaged), is_part=False)
        if report.repaired is None:
            # Only the loss of all definitions with the first chunk and the summary could do that; one bit cannot.
            assert report.recovered and not report.problems
            continue
        assert set(messages) <= known and len(messages) == len(set(messages))
        lost = len(known) - len(messages)
        assert lost == sum(report.lost.values())
        assert lost * 400 < 8192 + 5000  # one chunk's worth


def chunks(data: bytes) -> list[tuple[int, int]]:
    """(begin, end) of each chunk record."""
    offset, found = 8, []
    while data[offset] != 0x0F:
        end = offset + 9 + int.from_bytes(data[offset + 1 : offset + 9], "little")
        if data[offset] == 0x06:
            found.append((offset, end))
        offset = end
    return found


def test_damage_in_one_chunk_leaves_all_others_and_the_end(patient: Patient) -> None:
    for begin, end in chunks(patient.data):
        damaged = bytearray(patient.data)
        damaged[(begin + end) // 2] ^= 0x40
        report, messages = patient.repaired_from(bytes(damaged), is_part=False)
        assert len(report.problems) == 1  # in particular, the end of the recording is not missing
        before = complete_messages(patient.data[:begin])
        assert messages[:before] == patient.samples[:before]
        assert messages[before:] == patient.samples[len(patient.samples) - len(messages) + before :]
        assert 0 < len(patient.samples) - len(messages) == sum(report.lost.values())


def test_repaired_episode_keeps_contract_sequence_and_definitions(patient: Patient, ros, recording) -> None:
    _, messages = patient.repaired_from(patient.data[: len(patient.data) * 2 // 3], is_part=True)
    episode = EpisodeStore(recording.directory / "round_1").episode(0)
    assert episode.contract.session == "monday" and episode.contract.number == 0
    assert episode.outcome.result == "unknown" and not episode.outcome.complete
    assert REPAIR_RECORD.encode() in episode.file.read_bytes()
    decoded = list(EpisodeStore(recording.directory / "round_1").transitions(episode))
    assert len(decoded) == sum(topic == "/transition" for topic, _, _ in messages) > 0


def test_aborted_episode_is_repaired_without_loss(recording, ros) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(10))
    report = repair_episode(writer.abort("operator let go"))
    assert report.is_lossless and report.problems == () and sum(report.recovered.values()) == 50
    outcome = EpisodeStore(recording.directory).episode(0).outcome
    assert outcome == EpisodeOutcome(result="aborted", complete=False, detail="operator let go")


def test_recording_killed_between_its_two_renames_is_whole(recording, ros, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(10))
    real_rename = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if target == writer.layout.finished:
            raise OSError(5, "killed")
        return real_rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(EpisodeError, match="killed"):
            writer.finish(EpisodeOutcome(result="success"))
    report = repair_episode(writer.layout.part)
    assert report.is_lossless
    assert EpisodeStore(recording.directory).episode(0).outcome == EpisodeOutcome(result="success")


def test_episode_that_is_being_recorded_is_not_repaired(recording, ros) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(10))
    with pytest.raises(EpisodeError, match=r"episode_000000\.part is being recorded: .* end that first"):
        repair_episode(writer.layout.part)
    writer.finish(EpisodeOutcome(result="success"))
    assert [child.name for child in recording.directory.iterdir()] == ["episode_000000"]


def test_episode_between_its_two_renames_is_not_repaired(recording, ros, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(10))
    real_rename = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if target == writer.layout.finished:
            with pytest.raises(EpisodeError, match="is being recorded"):
                repair_episode(writer.layout.part)
        return real_rename(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    writer.finish(EpisodeOutcome(result="success"))
    assert [child.name for child in recording.directory.iterdir()] == ["episode_000000"]


def test_sound_episode_is_left_alone(recording, ros) -> None:
    path = recording.finished(0, ros.samples(5))
    report = repair_episode(path)
    assert report.repaired is None and report.is_lossless and report.problems == ()
    assert [child.name for child in recording.directory.iterdir()] == ["episode_000000"]


def test_second_repair_does_not_overwrite_the_first(recording, ros) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(5))
    path = writer.abort("")
    repair_episode(path)
    with pytest.raises(EpisodeError, match=r"episode_000000_repaired exists already"):
        repair_episode(path)


def test_repair_that_breaks_off_leaves_nothing_and_the_next_one_succeeds(
    recording, ros, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(5))
    part = writer.abort("")

    def full_disk(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(episode_writer.episodes, "bag_metadata_yaml", full_disk)
        with pytest.raises(EpisodeError, match="the disk is full"):
            repair_episode(part)
    assert [child.name for child in recording.directory.iterdir()] == [part.name]
    assert repair_episode(part).repaired is not None


def test_repair_that_ends_for_a_nearly_full_disk_says_that_nothing_of_it_is_kept(
    recording, ros, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(20))
    part = writer.abort("")
    free = chain([1 << 40], repeat(1 << 20))
    monkeypatch.setattr(episode_writer.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    with pytest.raises(EpisodeError, match="Nothing of the repair is kept; episode_000000 is as it was") as failed:
        repair_episode(part, recording.config)
    assert "whole" not in str(failed.value)
    assert [child.name for child in recording.directory.iterdir()] == [part.name]


def test_repair_that_a_person_breaks_off_keeps_neither_file_nor_thread(
    recording, ros, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(5))
    part = writer.abort("")
    opened: list[EpisodeWriter] = []

    class Interrupted(EpisodeWriter):
        def write(self, *arguments: object, **named: object) -> None:
            opened.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(repair, "EpisodeWriter", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        repair_episode(part)
    assert not opened[0].is_open
    assert [child.name for child in recording.directory.iterdir()] == [part.name]


def test_repair_whose_first_record_does_not_fit_leaves_nothing(recording, ros, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(5))
    part = writer.abort("")

    def full_disk(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(episode_writer._EpisodeFile, "write", full_disk)
    with pytest.raises(EpisodeError, match="the disk is full"):
        repair_episode(part)
    assert [child.name for child in recording.directory.iterdir()] == [part.name]


def test_what_a_killed_repair_left_is_replaced(recording, ros) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(5))
    part = writer.abort("")
    killed = recording.writer(layout=writer.layout.repaired)
    with pytest.raises(EpisodeError, match="being written by another repair"):
        repair_episode(part)
    killed.abort("killed")
    with pytest.raises(EpisodeError, match="repair episode_000000 instead"):
        repair_episode(killed.layout.part)
    assert repair_episode(part).repaired == writer.layout.repaired.finished
    assert not writer.layout.repaired.part.exists()


@pytest.mark.parametrize("data", [b"", b"\x89MCAP0\r\n", bytes(5000), b"hello" * 1000])
def test_file_without_any_message_is_reported_and_nothing_written(recording, data: bytes) -> None:
    path = recording.directory / "episode_000000.part"
    path.mkdir(parents=True)
    (path / "episode_000000_0.mcap.part").write_bytes(data)
    report = repair_episode(path)
    assert report.repaired is None and report.recovered == {} and not report.is_lossless
    assert "nothing to recover" in report.problems[-1]
    assert [child.name for child in recording.directory.iterdir()] == ["episode_000000.part"]


def test_garbage_after_the_cut_is_told_from_data(patient: Patient) -> None:
    """A file system may leave zeros where a block was never written."""
    half = patient.data[: len(patient.data) // 2]
    _, clean = patient.repaired_from(half, is_part=True)
    for tail in (bytes(10_000), Random(0).randbytes(10_000)):
        _, messages = patient.repaired_from(half + tail, is_part=True)
        assert messages == patient.samples[: len(messages)]
        assert len(messages) >= complete_messages(half)
        assert len(messages) <= len(clean)


def test_what_is_no_episode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EpisodeError, match="is no episode"):
        repair_episode(tmp_path)
    empty = tmp_path / "episode_000000.part"
    empty.mkdir()
    with pytest.raises(EpisodeError, match="nothing to repair"):
        repair_episode(empty)


RECORD = """
import itertools, sys
from pathlib import Path
from tenon.configuration.recording import WriterConfig
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, TopicSpec
contract = EpisodeContract(number=1, robot="ur5", task="usb")
topics = [TopicSpec("/x", "std_msgs/msg/UInt64", "uint64 data")]
writer = EpisodeWriter(Path(sys.argv[1]), contract, topics, WriterConfig(chunk_bytes=4096))
for k in itertools.count():
    writer.write("/x", b"\\x00\\x01\\x00\\x00" + k.to_bytes(8, "little"), log_time_ns=k, publish_time_ns=k)
"""


def test_killed_recorder_loses_no_finished_episode_and_its_part_is_recovered(recording, ros) -> None:
    finished = recording.finished(0, ros.samples(5))
    before = (finished / "episode_000000_0.mcap").read_bytes()
    source = str(Path(episode_writer.__file__).parents[2])
    command = [sys.executable, "-c", RECORD, str(recording.directory)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": source})
    part = recording.directory / "episode_000001.part"
    file = part / "episode_000001_0.mcap.part"
    deadline = time.monotonic() + TIMEOUT_S
    while not (file.exists() and file.stat().st_size > 20_000):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    with pytest.raises(EpisodeError, match="is being recorded"):
        repair_episode(part)
    process.send_signal(signal.SIGKILL)
    process.wait(TIMEOUT_S)
    store = EpisodeStore(recording.directory)
    assert [episode.number for episode in store.scan().finished] == [0]
    report = repair_episode(part)
    values = [int.from_bytes(m.data[4:], "little") for m in store.messages(store.episode(1))]
    assert values == list(range(report.recovered["/x"])) and len(values) > 100
    assert (finished / "episode_000000_0.mcap").read_bytes() == before
