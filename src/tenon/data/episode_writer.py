"""Writes one episode durably.

It is written beside its final name and renamed once it is on the disk, so that a finished name always stands for a
whole episode. Nothing that was recorded is ever deleted or overwritten here.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tenon.configuration.recording import WriterConfig
from tenon.data import episodes
from tenon.data.episode_lock import lock_episode_file
from tenon.data.episodes import (
    BagSummary,
    BagTopic,
    EpisodeContract,
    EpisodeError,
    EpisodeLayout,
    EpisodeOutcome,
    EpisodeTakenError,
    TopicSpec,
)
from tenon.data.mcap_writer import McapWriter

_LIBRARY = "tenon"
_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MEBIBYTE = 1 << 20
_NS_PER_S = 1_000_000_000
_RELEASE_BYTES = 8 * _MEBIBYTE
"""So often the system is told that nobody reads what was written: it writes it to the disk and takes the memory back.
Without, cameras fill all memory, with pages that cost more to find than all else that writing does. That is done on a
thread of its own, since it waits for a disk that is slow for a while, which memory bridges."""


class _EpisodeFile:
    """A new file without a buffer: an error shows at the write that caused it, and never again at close."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._unreleased_bytes = 0
        self._releases = ThreadPoolExecutor(1, "episode-release")
        self._release: Future[None] | None = None

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._unreleased_bytes += len(data)
        if self._unreleased_bytes >= _RELEASE_BYTES and (self._release is None or self._release.done()):
            self._unreleased_bytes = 0
            self._release = self._releases.submit(os.posix_fadvise, self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return len(data)

    def lock(self) -> None:
        """Tells others that it is being written, until it is closed."""
        with suppress(OSError):  # A file system whose locks do not work can be recorded to all the same.
            lock_episode_file(self._descriptor)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        self._releases.shutdown()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class EpisodeWriter:
    """Writes one episode. Not thread-safe; for use inside a node see ``Recorder``.

    directory: holds all episodes of a store. topics: everything that may be written. layout: other names than those
    of ``contract.number`` (``repair`` uses it).
    Raises EpisodeError, here and in all methods, when the disk is full or fails; EpisodeTakenError when the names are
    taken.
    After such an error the writer is closed and what was written so far stays in ``layout.part``.
    """

    def __init__(
        self,
        directory: Path,
        contract: EpisodeContract,
        topics: Sequence[TopicSpec],
        config: WriterConfig | None = None,
        *,
        layout: EpisodeLayout | None = None,
    ) -> None:
        self.layout = layout or episodes.layout_of(directory, contract.number)
        self.contract = contract
        self._config = config or WriterConfig()
        self._chunk_ns = round(self._config.chunk_s * _NS_PER_S)
        self._topics = {topic.name: topic for topic in topics}
        if len(self._topics) != len(topics):
            raise ValueError(f"topics occur twice in: {', '.join(topic.name for topic in topics)}")
        self._channels: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._start_ns = 0
        self._end_ns = 0
        self._unguarded_bytes = 0
        self._file: _EpisodeFile | None = None
        with self._guard():
            self._claim_names()
            self._file = _EpisodeFile(self.layout.part_file)
            self._file.lock()
            self._mcap = self._open_mcap(self._file)

    @property
    def messages(self) -> int:
        """Number of messages written so far."""
        return self._counts.total()

    @property
    def counts(self) -> dict[str, int]:
        """Number of messages written so far, per topic."""
        return dict(self._counts)

    @property
    def is_open(self) -> bool:
        """False after ``finish``, ``abort`` or an error."""
        return self._file is not None

    def write(
        self, topic: str, data: bytes, *, log_time_ns: int, publish_time_ns: int, sequence: int | None = None
    ) -> None:
        """Adds a message. data: CDR with its 4-byte header. sequence: by default the topic's count, from 0."""
        if topic not in self._topics:
            raise EpisodeError(f"topic {topic!r} is not recorded. Recorded are: {', '.join(self._topics)}")
        self._require_open()
        if log_time_ns < 0 or publish_time_ns < 0:
            raise EpisodeError(f"{topic}: times must be 0 ns or later, got {log_time_ns} and {publish_time_ns}")
        count = self._counts[topic]
        with self._guard():
            if is_first := not self._counts:
                self._channels = self._register_topics()
            self._mcap.add_message(
                self._channels[topic], log_time_ns, data, publish_time_ns, count if sequence is None else sequence
            )
            self._start_ns = log_time_ns if is_first else min(self._start_ns, log_time_ns)
            self._end_ns = max(self._end_ns, log_time_ns)
            self._counts[topic] = count + 1
            if is_first or self._spans_enough(log_time_ns):
                self._mcap.flush()  # The first at once: it has the definitions, without which no later one can be read.
        self._unguarded_bytes += len(data)
        if self._unguarded_bytes >= self._config.chunk_bytes:
            self._unguarded_bytes = 0
            self._keep_reserve()

    def add_record(self, name: str, record: Mapping[str, str]) -> None:
        """Adds a metadata record of the caller's own, outside the messages."""
        self._require_open()
        with self._guard():
            self._mcap.add_metadata(name, dict(record))

    def finish(self, outcome: EpisodeOutcome) -> Path:
        """Ends the episode, makes it durable and gives it its final name, which is returned."""
        self._require_open()
        summary = self._summary()
        custom = {**episodes.record_from_config(self.contract), **episodes.record_from_config(outcome)}
        with self._guard():
            self._end_file(outcome, episodes.bag_metadata_record(summary, custom))
            self._write_text(self.layout.part / "metadata.yaml", episodes.bag_metadata_yaml(summary, custom))
            self.layout.part_file.rename(self.layout.part / summary.file_name)
            episodes.sync_directory(self.layout.part)
            self._refuse_existing(self.layout.finished)
            self.layout.part.rename(self.layout.finished)
            episodes.sync_directory(self.layout.directory)
        self.close()  # Not before: while it is open it is locked, and nobody repairs it.
        return self.layout.finished

    def abort(self, detail: str, outcome: EpisodeOutcome | None = None) -> Path:
        """Breaks the episode off. What was recorded stays, readable, in ``layout.part``, which is returned.

        outcome: what else is known of its end.
        """
        known = outcome or EpisodeOutcome(result="aborted")
        if self.is_open:
            with self._guard():
                changes = {"result": "aborted", "complete": False, "detail": detail}
                self._end_file(known.model_copy(update=changes), record=None)
                episodes.sync_directory(self.layout.part)
                self._close_file()
        return self.layout.part

    def close(self) -> None:
        """Lets go of the file as it is. What was not ended before has no end and stays in ``layout.part``."""
        with suppress(OSError):  # What counts was synced, and has its name.
            self._close_file()

    def _spans_enough(self, log_time_ns: int) -> bool:
        """Whether the chunk that is being filled is due; also after a clock was set back."""
        since_ns = self._mcap.pending_since_ns
        return since_ns is not None and abs(log_time_ns - since_ns) >= self._chunk_ns

    def _keep_reserve(self) -> None:
        """Ends the episode while there is still room to end it well."""
        free = shutil.disk_usage(self.layout.directory).free
        if free >= self._config.reserve_bytes:
            return
        what = f"{_mib(free)} free, {_mib(self._config.reserve_bytes)} are kept in reserve (recording.reserve_bytes)"
        self.abort(f"the disk was nearly full: {what}")
        raise EpisodeError(
            f"{self.layout.directory}: {what}: recording was ended before the disk is full. Free space, or record to "
            f"another disk. {self._kept(whole=True)}"
        )

    def _claim_names(self) -> None:
        self.layout.directory.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.layout.directory).free
        if free < self._config.reserve_bytes:
            raise EpisodeError(
                f"{self.layout.directory}: {_mib(free)} free, an episode needs {_mib(self._config.reserve_bytes)} "
                "(recording.reserve_bytes): free space, or record to another disk"
            )
        self._refuse_existing(self.layout.finished)
        try:
            self.layout.part.mkdir()
        except FileExistsError:
            self._refuse_existing(self.layout.part)

    @staticmethod
    def _refuse_existing(path: Path) -> None:
        if path.exists():
            raise EpisodeTakenError(f"{path} exists already and is never overwritten: use the next free episode number")

    def _open_mcap(self, file: _EpisodeFile) -> McapWriter:
        config = self._config
        mcap = McapWriter(
            file,
            profile=episodes.PROFILE,
            library=_LIBRARY,
            compression=config.compression,
            chunk_bytes=config.chunk_bytes,
        )
        mcap.add_metadata(episodes.CONTRACT_RECORD, episodes.record_from_config(self.contract))
        return mcap

    def _register_topics(self) -> dict[str, int]:
        schemas: dict[str, int] = {}
        channels: dict[str, int] = {}
        for topic in self._topics.values():
            if topic.type not in schemas:
                definition = topic.definition.encode()
                schemas[topic.type] = self._mcap.register_schema(topic.type, episodes.SCHEMA_ENCODING, definition)
            metadata = {"offered_qos_profiles": topic.offered_qos_profiles, "topic_type_hash": topic.type_hash}
            channels[topic.name] = self._mcap.register_channel(
                topic.name, episodes.MESSAGE_ENCODING, schemas[topic.type], metadata
            )
        return channels

    def _summary(self) -> BagSummary:
        # Without messages the file holds no topics either: MCAP keeps their definitions in chunks of messages.
        topics = tuple(BagTopic(self._topics[name], self._counts[name]) for name in self._channels)
        return BagSummary(self.layout.finished_file.name, topics, self._start_ns, self._end_ns)

    def _end_file(self, outcome: EpisodeOutcome, record: Mapping[str, str] | None) -> None:
        self._mcap.add_metadata(episodes.OUTCOME_RECORD, episodes.record_from_config(outcome))
        if record is not None:
            self._mcap.add_metadata(episodes.ROSBAG2_RECORD, dict(record))
        self._mcap.finish()
        self._require_open().sync()

    @staticmethod
    def _write_text(path: Path, text: str) -> None:
        file = _EpisodeFile(path)
        try:
            file.write(text.encode())
            file.sync()
        finally:
            file.close()

    def _require_open(self) -> _EpisodeFile:
        if self._file is None:
            raise EpisodeError(f"{self.layout.stem} is not open any more: it was ended, or an error closed it")
        return self._file

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Turns errors of the disk into EpisodeError; any error closes the writer for good."""
        try:
            yield
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise EpisodeError(self._explain(error)) from error
            raise

    def _explain(self, error: OSError) -> str:
        kept = self._kept(whole=False)
        if error.errno in _FULL_DISK:
            return (
                f"{self.layout.directory}: the disk is full ({error.strerror}): free space, or record elsewhere. {kept}"
            )
        return (
            f"{self.layout.directory}: cannot be written: {error.strerror}: check the disk and its permissions. {kept}"
        )

    def _kept(self, *, whole: bool) -> str:
        """What remains after an error. whole: the part was ended well."""
        if self.layout.is_repaired:
            return f"Nothing of the repair is kept; {self.layout.original.stem} is as it was"
        how = "is whole and kept" if whole else "is kept"
        return f"Finished episodes are untouched; what this one has so far {how} in {self.layout.part}"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MEBIBYTE:.0f} MiB"
