from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from mcap.reader import NonSeekingReader
from rosbags.highlevel import AnyReader

from tenon.configuration.recording import RecorderConfig, WriterConfig
from tenon.data import episode_lock, episode_writer
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeError, EpisodeOutcome, TopicAudit
from tenon.data.mcap_check import check_mcap
from tenon.data.recorder import Admission, Recorder
from tenon.data.repair import messages_in, repair_episode
from tenon.data.store import EpisodeStore

SUCCESS = EpisodeOutcome(result="success")
TIMEOUT_S = 60.0


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def read_by_rosbags(path: Path) -> list[tuple[str, int, bytes]]:
    with AnyReader([path]) as reader:
        return [(connection.topic, time_ns, bytes(data)) for connection, time_ns, data in reader.messages()]


# -- one episode


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_finished_episode_opens_with_rosbags_as_bag_and_as_file(recording, ros, compression: str) -> None:
    recording.config = WriterConfig(compression=compression, chunk_bytes=8192)
    samples = ros.samples(20)
    path = recording.finished(7, samples)
    assert sorted(content(path)) == ["episode_000007_0.mcap", "metadata.yaml"]
    expected = [(sample.topic, sample.time_ns, sample.data) for sample in samples]
    for source in (path, path / "episode_000007_0.mcap"):
        assert sorted(read_by_rosbags(source)) == sorted(expected)
    with AnyReader([path]) as reader:
        assert {c.topic: c.msgtype for c in reader.connections} == {t.name: t.type for t in ros.topics()}
        joints = reader.deserialize(samples[0].data, "sensor_msgs/msg/JointState")
    assert joints.name == [f"joint_{i}" for i in range(6)]  # by the definitions in the file alone


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_finished_file_passes_every_check(recording, ros, compression: str) -> None:
    recording.config = WriterConfig(compression=compression, chunk_bytes=8192)
    file = recording.finished(0, ros.samples(20)) / "episode_000000_0.mcap"
    assert check_mcap(file) == []
    with file.open("rb") as stream:
        reader = NonSeekingReader(stream, validate_crcs=True)
        assert len(list(reader.iter_messages())) == 100


def test_times_and_sequence_numbers_are_kept(recording, ros) -> None:
    writer = recording.writer()
    for k in range(3):
        writer.write("/joint_states", ros.samples(1)[0].data, log_time_ns=100 + k, publish_time_ns=90 + k)
    writer.write("/transition", ros.samples(1)[-1].data, log_time_ns=200, publish_time_ns=190)
    file = writer.finish(SUCCESS) / "episode_000000_0.mcap"
    with file.open("rb") as stream:
        messages = NonSeekingReader(stream).iter_messages()
        found = [(c.topic, m.sequence, m.log_time, m.publish_time) for _, c, m in messages]
    assert found == [("/joint_states", k, 100 + k, 90 + k) for k in range(3)] + [("/transition", 0, 200, 190)]


def test_episode_without_messages_is_valid(recording) -> None:
    path = recording.writer().finish(EpisodeOutcome(result="fault", detail="stale_state"))
    assert check_mcap(path / "episode_000000_0.mcap") == []
    assert read_by_rosbags(path) == []
    assert EpisodeStore(recording.directory).episode(0).outcome.detail == "stale_state"


def test_nothing_has_the_final_name_before_the_episode_is_finished(recording, ros) -> None:
    writer = recording.writer(3)
    recording.fill(writer, ros.samples(2))
    assert [path.name for path in recording.directory.iterdir()] == ["episode_000003.part"]
    assert not list(recording.directory.rglob("*.mcap"))
    writer.finish(SUCCESS)
    assert [path.name for path in recording.directory.iterdir()] == ["episode_000003"]


def test_all_is_on_the_disk_before_the_final_name_appears(recording, ros, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and the directory that names it are synced before the rename, and the parent after it."""
    events: list[str] = []
    real_sync, real_rename = os.fsync, Path.rename

    def sync(descriptor: int) -> None:
        events.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        real_sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        events.append(f"rename {target.name}")
        return real_rename(self, target)

    writer = recording.writer()
    recording.fill(writer, ros.samples(2))
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    writer.finish(SUCCESS)
    assert events == [
        "sync episode_000000_0.mcap.part",
        "sync metadata.yaml",
        "rename episode_000000_0.mcap",
        "sync episode_000000.part",
        "rename episode_000000",
        "sync episodes",
    ]


def test_long_recording_does_not_keep_the_memory_that_its_file_took(recording, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(episode_writer, "_RELEASE_BYTES", 100_000)
    monkeypatch.setattr(os, "posix_fadvise", lambda file, offset, length, advice: told.append(advice))
    recording.config = WriterConfig(compression="none", chunk_bytes=8192)
    writer = recording.writer()
    for k in range(50):
        writer.write("/joint_states", bytes(10_000), log_time_ns=k, publish_time_ns=k)
    writer.finish(SUCCESS)
    assert 1 <= len(told) <= 50 * 10_000 // 100_000  # one at a time
    assert set(told) == {os.POSIX_FADV_DONTNEED}


def test_a_name_that_exists_is_refused_and_left_alone(recording, ros) -> None:
    path = recording.finished(0, ros.samples(2))
    before = content(path)
    with pytest.raises(EpisodeError, match=r"episode_000000 exists already .* next free episode number"):
        recording.writer(0)
    open_writer = recording.writer(1)
    with pytest.raises(EpisodeError, match=r"episode_000001\.part exists already"):
        recording.writer(1)
    open_writer.abort("")
    assert content(path) == before


def test_a_name_taken_during_the_recording_is_not_overwritten(recording, ros) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(2))
    writer.layout.finished.mkdir()
    (writer.layout.finished / "precious").write_text("x")
    with pytest.raises(EpisodeError, match="exists already"):
        writer.finish(SUCCESS)
    assert content(writer.layout.finished) == {"precious": b"x"}
    assert content(writer.layout.part)


def test_aborted_episode_is_kept_as_partial_and_readable(recording, ros) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(5))
    path = writer.abort("operator let go")
    assert path.name == "episode_000000.part" and not writer.is_open
    assert check_mcap(writer.layout.part_file) == []
    assert not writer.layout.finished.exists()


def test_unknown_topic_and_negative_time_are_refused(recording) -> None:
    writer = recording.writer()
    with pytest.raises(EpisodeError, match=r"'/foo' is not recorded. Recorded are: /transition, "):
        writer.write("/foo", b"", log_time_ns=0, publish_time_ns=0)
    with pytest.raises(EpisodeError, match="0 ns or later"):
        writer.write("/transition", b"", log_time_ns=-1, publish_time_ns=0)
    assert writer.is_open


def test_too_little_free_space_is_refused_before_anything_is_written(recording) -> None:
    recording.config = WriterConfig(reserve_bytes=1 << 60)
    with pytest.raises(EpisodeError, match=r"MiB free, an episode needs .*: free space"):
        recording.writer()
    assert list(recording.directory.iterdir()) == []


def test_full_disk_is_a_clear_error_and_leaves_finished_episodes_alone(
    recording, ros, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(recording.finished(0, ros.samples(3)))
    writer = recording.writer(1)
    room = 30_000
    real_write = os.write

    def write(descriptor: int, data: memoryview) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real_write(descriptor, data[:room])  # a disk that fills up takes a part first
        room -= written
        return written

    monkeypatch.setattr(episode_writer.os, "write", write)
    with pytest.raises(EpisodeError, match=r"the disk is full .*: free space.*Finished episodes are untouched"):
        recording.fill(writer, ros.samples(200))
    assert not writer.is_open
    with pytest.raises(EpisodeError, match="not open any more"):
        writer.finish(SUCCESS)
    monkeypatch.undo()
    assert writer.layout.part_file.stat().st_size > 30_000  # the contract was there before the disk filled up
    assert content(recording.directory / "episode_000000") == before


FILL = """
import resource, signal, sys
from pathlib import Path
from tenon.configuration.recording import WriterConfig
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import EpisodeContract, EpisodeError, TopicSpec
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
config = WriterConfig(compression="none", chunk_bytes=8192)
contract = EpisodeContract(number=1, robot="ur5", task="usb")
writer = EpisodeWriter(Path(sys.argv[1]), contract, [TopicSpec("/x", "std_msgs/msg/Byte", "byte data")], config)
try:
    for k in range(1000):
        writer.write("/x", bytes(1000), log_time_ns=k, publish_time_ns=k)
except EpisodeError as error:
    sys.exit(str(error))
"""


def test_size_limit_of_the_system_is_a_clear_error(recording, ros) -> None:
    before = content(recording.finished(0, ros.samples(3)))
    command = [sys.executable, "-c", FILL, str(recording.directory)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment())
    assert result.returncode == 1
    assert "the disk is full (File too large)" in result.stderr and "Traceback" not in result.stderr
    assert (recording.directory / "episode_000001.part/episode_000001_0.mcap.part").stat().st_size == 100_000
    assert content(recording.directory / "episode_000000") == before


def environment() -> dict[str, str]:
    source = str(Path(episode_writer.__file__).parents[2])
    return {**os.environ, "PYTHONPATH": source}


def nearly_full(monkeypatch: pytest.MonkeyPatch, free_bytes: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=free_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)


def test_an_episode_is_ended_whole_before_the_disk_is_full(recording, ros, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(recording.finished(0, ros.samples(3)))
    recording.config = WriterConfig(chunk_bytes=8192, reserve_bytes=50 << 20)
    writer = recording.writer(1)
    recording.fill(writer, ros.samples(5))
    nearly_full(monkeypatch, 40 << 20)
    with pytest.raises(EpisodeError, match=r"40 MiB free, 50 MiB are kept in reserve .*before the disk is full. Free"):
        recording.fill(writer, ros.samples(200))
    assert not writer.is_open and check_mcap(writer.layout.part_file) == []
    monkeypatch.undo()
    report = repair_episode(writer.layout.part)
    assert report.is_lossless and sum(report.recovered.values()) == writer.messages >= 25
    outcome = EpisodeStore(recording.directory).episode(1).outcome
    assert outcome.result == "aborted" and "nearly full: 40 MiB free" in outcome.detail
    assert content(recording.directory / "episode_000000") == before


@pytest.mark.parametrize("direction", [1, -1])
def test_what_is_recorded_reaches_the_file_within_half_a_second_of_its_time(recording, ros, direction: int) -> None:
    """However little it is, and whichever way a clock is set."""
    recording.config = WriterConfig()
    writer = recording.writer()
    data, begin_ns, period_ns = ros.samples(1)[0].data, 10**11, 10**7
    for k in range(200):
        time_ns = begin_ns + direction * k * period_ns
        writer.write("/joint_states", data, log_time_ns=time_ns, publish_time_ns=time_ns)
        in_file = sum(messages_in(writer.layout.part_file).values())
        assert writer.messages - in_file <= 51


# -- the recorder and its thread


@pytest.fixture
def make_recorder(recording, ros) -> Iterator[Callable[..., Recorder]]:
    made: list[Recorder] = []

    def make(awaited: Sequence[str] | None = None, **changes: int) -> Recorder:
        config = RecorderConfig(chunk_bytes=8192, **changes)
        made.append(Recorder(recording.directory, ros.topics(), config, awaited=awaited))
        return made[-1]

    yield make
    for recorder in made:
        recorder.close(TIMEOUT_S)


class SlowDisk:
    """Holds every write to a file back until ``release``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._go = threading.Event()
        self.reached = threading.Event()
        real_write = os.write

        def write(descriptor: int, data: memoryview) -> int:
            self.reached.set()
            assert self._go.wait(TIMEOUT_S)
            return real_write(descriptor, data)

        monkeypatch.setattr(episode_writer.os, "write", write)

    def release(self) -> None:
        self._go.set()


@pytest.fixture
def slow_disk(make_recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk(monkeypatch)
    yield disk
    disk.release()  # before make_recorder closes what it made


def contract(number: int) -> EpisodeContract:
    return EpisodeContract(number=number, robot="ur5", task="usb")


def test_messages_of_several_threads_all_arrive_in_the_order_of_each(make_recorder, recording, ros) -> None:
    recorder = make_recorder()
    recorder.begin(contract(0))
    data = ros.samples(1)[0].data

    def send(topic: str) -> None:
        for k in range(300):
            assert recorder.write(topic, data, log_time_ns=k, publish_time_ns=k) is Admission.QUEUED

    threads = [threading.Thread(target=send, args=(topic.name,)) for topic in ros.topics()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    path = recorder.end(SUCCESS).result(TIMEOUT_S)
    with (path / "episode_000000_0.mcap").open("rb") as stream:
        found = [(c.topic, m.log_time) for _, c, m in NonSeekingReader(stream).iter_messages(log_time_order=False)]
    for topic in ros.topics():
        assert [time_ns for name, time_ns in found if name == topic.name] == list(range(300))
    status = recorder.status()
    assert (status.written, status.dropped, status.lost, status.episodes) == (900, 0, 0, 1)
    assert status.queued_bytes == 0 and status.last_error == ""


def test_write_does_not_wait_for_the_disk(make_recorder, ros, slow_disk: SlowDisk) -> None:
    recorder = make_recorder()
    recorder.begin(contract(0))
    assert slow_disk.reached.wait(TIMEOUT_S)
    for sample in ros.samples(20):  # Returns although no byte can be written.
        admission = recorder.write(sample.topic, sample.data, log_time_ns=sample.time_ns, publish_time_ns=0)
        assert admission is Admission.QUEUED
    done = recorder.end(SUCCESS)
    assert not done.done()
    slow_disk.release()
    assert done.result(TIMEOUT_S).name == "episode_000000"


def test_a_disk_that_cannot_keep_up_costs_counted_messages_and_the_mark_complete(
    make_recorder, recording, slow_disk: SlowDisk, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = make_recorder(queue_bytes=1 << 20)
    recorder.begin(contract(0))
    admissions: Counter[tuple[str, Admission]] = Counter()
    for k in range(40):
        for topic in ("/transition", "/joint_states"):
            admissions[topic, recorder.write(topic, bytes(50_000), log_time_ns=k, publish_time_ns=k)] += 1
            assert recorder.status().queued_bytes <= 1 << 20
    dropped = {topic: count for (topic, admission), count in admissions.items() if admission is Admission.DROPPED}
    assert sum(dropped.values()) > 50
    done = recorder.end(EpisodeOutcome(result="timeout"))
    slow_disk.release()
    done.result(TIMEOUT_S)
    episode = EpisodeStore(recording.directory).episode(0)
    assert episode.outcome.result == "timeout" and not episode.outcome.complete
    assert episode.outcome.dropped == dropped
    assert "could not keep up" in episode.outcome.detail
    assert episode.messages == 80 - sum(dropped.values()) == recorder.status().written
    assert recorder.status().dropped == sum(dropped.values())
    assert sum("cannot keep up" in record.message for record in caplog.records) == 1


def test_the_audit_counts_published_received_and_written(
    make_recorder: Callable[..., Recorder], recording, slow_disk: SlowDisk
) -> None:
    """Numbers 0 and 1 of the joint states came before the episode, 4 and 5 were lost on the way, one was dropped."""
    recorder = make_recorder(queue_bytes=1 << 20)
    recorder.begin(contract(0))
    for number in (2, 3, 6, 7):
        recorder.write("/joint_states", bytes(100), log_time_ns=number, publish_time_ns=number, publication=number)
    for number in (8, 3, 9):  # two publishers
        recorder.write("/camera/image_raw", bytes(100), log_time_ns=0, publish_time_ns=0, publication=number)
    big = bytes((1 << 20) - 4096)
    for number in (5, 6):
        recorder.write("/transition", big, log_time_ns=number, publish_time_ns=number, publication=number)
    done = recorder.end(SUCCESS)
    slow_disk.release()
    done.result(TIMEOUT_S)
    outcome = EpisodeStore(recording.directory).episode(0).outcome
    assert outcome.audit == {
        "/joint_states": TopicAudit(published=6, received=4, written=4),
        "/camera/image_raw": TopicAudit(published=None, received=3, written=3),
        "/transition": TopicAudit(published=2, received=2, written=1),
    }
    assert outcome.dropped == {"/transition": 1} and not outcome.complete


def test_the_next_episode_starts_with_a_clean_count(make_recorder, recording, slow_disk: SlowDisk) -> None:
    recorder = make_recorder(queue_bytes=1 << 20)
    recorder.begin(contract(0))
    for k in range(30):
        recorder.write("/transition", bytes(50_000), log_time_ns=k, publish_time_ns=k)
    slow_disk.release()
    recorder.end(SUCCESS).result(TIMEOUT_S)
    recorder.begin(contract(1))
    recorder.write("/transition", bytes(100), log_time_ns=0, publish_time_ns=0)
    recorder.end(SUCCESS).result(TIMEOUT_S)
    first, second = EpisodeStore(recording.directory).episodes()
    assert not first.outcome.complete and second.outcome.complete and not second.outcome.dropped
    came, missed = TopicAudit(received=1, written=1), TopicAudit(received=0, written=0)
    assert second.outcome.audit == {"/transition": came, "/camera/image_raw": missed, "/joint_states": missed}


def test_the_audit_tells_of_awaited_topics_that_never_came_and_of_no_others(make_recorder, recording) -> None:
    recorder = make_recorder(awaited=["/camera/image_raw"])
    recorder.begin(contract(0))
    recorder.write("/transition", bytes(100), log_time_ns=0, publish_time_ns=0)
    recorder.end(SUCCESS).result(TIMEOUT_S)
    audit = EpisodeStore(recording.directory).episode(0).outcome.audit
    assert {topic: one.received for topic, one in audit.items()} == {"/transition": 1, "/camera/image_raw": 0}


def test_messages_between_episodes_are_not_recorded_and_say_so(make_recorder) -> None:
    recorder = make_recorder()
    assert recorder.write("/transition", b"", log_time_ns=0, publish_time_ns=0) is Admission.NO_EPISODE
    with pytest.raises(EpisodeError, match="no episode is open"):
        recorder.end(SUCCESS)
    with pytest.raises(EpisodeError, match="'/foo' is not recorded"):
        recorder.write("/foo", b"", log_time_ns=0, publish_time_ns=0)


def test_number_that_another_writer_has_taken_costs_no_episode(make_recorder, recording, ros) -> None:
    """`tenon dataset trim --out RUN/episodes`, say, while RUN is recorded."""
    before = content(recording.finished(0, ros.samples(2)))
    foreign = recording.writer(1)
    recorder = make_recorder()
    for number in (0, 1, 2):
        recorder.begin(contract(number).model_copy(update={"session_episode": 40 + number}))
        recorder.write("/transition", bytes(100), log_time_ns=0, publish_time_ns=0)
        recorder.end(SUCCESS).result(TIMEOUT_S)
    foreign.abort("")
    assert content(recording.directory / "episode_000000") == before
    found = {episode.number: episode.contract for episode in EpisodeStore(recording.directory).episodes()}
    assert sorted(found) == [0, 2, 3, 4]
    assert [found[number].session_episode for number in (2, 3, 4)] == [40, 41, 42]
    assert all(known.number == number for number, known in found.items()) and not recorder.status().last_error


def test_second_episode_is_refused_while_one_is_open(make_recorder) -> None:
    recorder = make_recorder()
    recorder.begin(contract(0))
    with pytest.raises(EpisodeError, match="an episode is open"):
        recorder.begin(contract(1))


def test_episode_that_cannot_be_opened_fails_alone(
    make_recorder, recording, ros, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(recording.finished(0, ros.samples(2)))
    recorder = make_recorder()
    with monkeypatch.context() as patch:
        nearly_full(patch, 1 << 20)
        recorder.begin(contract(1))
        recorder.write("/transition", b"1234", log_time_ns=0, publish_time_ns=0)
        with pytest.raises(EpisodeError, match="1 MiB free, an episode needs 64 MiB"):
            recorder.end(SUCCESS).result(TIMEOUT_S)
    assert recorder.status().lost == 1 and "1 MiB free" in recorder.status().last_error
    recorder.begin(contract(2))
    recorder.write("/transition", b"1234", log_time_ns=0, publish_time_ns=0)
    assert recorder.end(SUCCESS).result(TIMEOUT_S).name == "episode_000002"
    assert content(recording.directory / "episode_000000") == before


def test_error_names_the_episode_that_it_cost(make_recorder, recording) -> None:
    """Else the loss of the next one, for the same reason, would pass for the same loss."""
    recording.directory.write_text("in the way of the folder")
    recorder = make_recorder()
    told = []
    for number, session in ((1, ""), (2, ""), (3, "monday")):
        named = {"session": session, "session_episode": 7} if session else {}
        recorder.begin(contract(number).model_copy(update=named))
        with pytest.raises(EpisodeError, match="cannot be written"):
            recorder.end(SUCCESS).result(TIMEOUT_S)
        told.append(recorder.status().last_error)
    assert [error.split(": ")[0] for error in told] == ["episode 1", "episode 2", "episode 7"]


def test_disk_error_during_an_episode_reaches_its_end_and_the_status(
    make_recorder, recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = make_recorder()
    real_write = os.write

    def write(descriptor: int, data: memoryview) -> int:
        if len(data) > 20_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(descriptor, data)

    monkeypatch.setattr(episode_writer.os, "write", write)
    recorder.begin(contract(0))
    for k in range(5):
        data = os.urandom(100 if k == 0 else 30_000)
        recorder.write("/transition", data, log_time_ns=k, publish_time_ns=k)
    with pytest.raises(EpisodeError, match="the disk is full"):
        recorder.end(SUCCESS).result(TIMEOUT_S)
    status = recorder.status()
    assert (status.written, status.lost, status.episodes) == (1, 4, 0)
    assert "the disk is full" in status.last_error
    assert [path.name for path in recording.directory.iterdir()] == ["episode_000000.part"]


def test_episode_that_has_its_name_is_kept_though_its_file_does_not_close(
    recording, ros, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = recording.writer()
    recording.fill(writer, ros.samples(2))
    real_close = os.close

    def close(descriptor: int) -> None:
        real_close(descriptor)
        if writer.layout.finished.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(episode_writer, "os", SimpleNamespace(**{**vars(os), "close": close}))
        assert writer.finish(SUCCESS) == writer.layout.finished
    assert not writer.is_open and check_mcap(writer.layout.finished_file) == []


def test_lock_that_is_never_free_does_not_hold_up_a_recording(recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network's file system whose lock service is gone."""
    tries: list[int] = []

    def flock(descriptor: int, operation: int) -> None:
        assert operation & fcntl.LOCK_NB
        tries.append(operation)
        raise BlockingIOError

    monkeypatch.setattr(episode_lock.fcntl, "flock", flock)
    writer = recording.writer()
    assert len(tries) == episode_lock.TRIES
    writer.finish(SUCCESS)


def test_close_breaks_an_open_episode_off_and_keeps_it(make_recorder, recording) -> None:
    recorder = make_recorder()
    recorder.begin(contract(0))
    recorder.write("/transition", b"1234", log_time_ns=0, publish_time_ns=0)
    recorder.close(TIMEOUT_S)
    assert check_mcap(recording.directory / "episode_000000.part" / "episode_000000_0.mcap.part") == []
    with pytest.raises(EpisodeError, match="closed"):
        recorder.begin(contract(1))


def test_close_says_when_the_disk_hangs(make_recorder, slow_disk: SlowDisk) -> None:
    recorder = make_recorder()
    recorder.begin(contract(0))
    with pytest.raises(EpisodeError, match=r"did not take the queue within 0\.01 s"):
        recorder.close(0.01)
    slow_disk.release()
    recorder.close(TIMEOUT_S)


def test_writer_refuses_a_topic_that_occurs_twice(recording, ros) -> None:
    with pytest.raises(ValueError, match="occur twice"):
        EpisodeWriter(recording.directory, contract(0), ros.topics() * 2)
