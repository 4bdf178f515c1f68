"""The episodes of a directory: which there are, what they hold, and how to read them."""

from __future__ import annotations

import logging
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mcap.exceptions import McapError
from mcap.reader import McapReader, make_reader
from mcap_ros2.decoder import DecoderFactory

from tenon.data import episodes
from tenon.data.decode import DecodeError
from tenon.data.episode_lock import is_being_written
from tenon.data.episodes import EpisodeContract, EpisodeError, EpisodeLayout, EpisodeOutcome
from tenon.data.marks import MarkError, effective_outcome, latest_marking
from tenon.data.mcap_check import check_mcap
from tenon.data.repair import holds_messages
from tenon.data.transition_messages import transition_from_message
from tenon.data.transitions import Transition

log = logging.getLogger(__name__)

TRANSITION_TOPIC = "/transition"
_REMEMBERED = 4096
"""Of so many files it is known whether they are whole, which takes reading all of each."""
_UNREADABLE = (McapError, EpisodeError, OSError, struct.error, ValueError, KeyError)


@dataclass(frozen=True, slots=True)
class Episode:
    """A finished episode. counts: messages per topic. start_ns and end_ns: first and last log time, 0 without any.

    outcome: by the last word on it. unmarked: as recorded, where a person has said something since; else None.
    """

    layout: EpisodeLayout
    contract: EpisodeContract
    outcome: EpisodeOutcome
    counts: dict[str, int]
    start_ns: int
    end_ns: int
    size_bytes: int
    unmarked: EpisodeOutcome | None = None

    @property
    def recorded_outcome(self) -> EpisodeOutcome:
        """How it ended as its file says, whatever was said of it since."""
        return self.unmarked or self.outcome

    @property
    def number(self) -> int:
        """Its number in the store."""
        return self.layout.number

    @property
    def path(self) -> Path:
        """The bag directory."""
        return self.layout.finished

    @property
    def file(self) -> Path:
        """The MCAP file."""
        return self.layout.finished_file

    @property
    def messages(self) -> int:
        """Number of messages on all topics."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class PartialEpisode:
    """An episode that is not finished: it is being recorded, was aborted, or its recorder was killed.

    is_empty: no message of it can be recovered: it was cut off before the first one.
    """

    layout: EpisodeLayout
    size_bytes: int
    is_empty: bool = False

    @property
    def path(self) -> Path:
        """Its directory."""
        return self.layout.part

    @property
    def needs_repair(self) -> bool:
        """Whether there is something to recover, and no repaired form of it is among the finished episodes.

        Not for what a repair that was killed has left: it is a copy, and its source is repaired anew.
        """
        is_source = not self.is_empty and not self.layout.is_repaired
        return is_source and not self.layout.repaired.finished.exists()


@dataclass(frozen=True, slots=True)
class DamagedEpisode:
    """A finished episode that is left out, since it cannot be opened or another form of it is taken. problem: why.

    is_readable: its file is sound, what people said of it is not.
    """

    layout: EpisodeLayout
    problem: str
    is_readable: bool = False

    @property
    def needs_repair(self) -> bool:
        """Whether it has no repaired form. A whole one is left out only beside its other form."""
        return not self.is_readable and not self.layout.repaired.finished.exists()


@dataclass(frozen=True, slots=True)
class Listing:
    """All that a store holds, each in order of number. A repaired episode stands in for its damaged original.

    partial: those that were cut off or aborted. recording: those that a process is writing at this moment.
    """

    finished: tuple[Episode, ...]
    partial: tuple[PartialEpisode, ...]
    damaged: tuple[DamagedEpisode, ...]
    recording: tuple[PartialEpisode, ...] = ()

    @property
    def to_repair(self) -> tuple[Path, ...]:
        """The directories for ``repair_episode``: of what was cut off or damaged, and has no repaired form yet."""
        cut_off = (partial.path for partial in self.partial if partial.needs_repair)
        damaged = (found.layout.finished for found in self.damaged if found.needs_repair)
        return (*cut_off, *damaged)


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """One message. data: CDR bytes, with their 4-byte header."""

    topic: str
    type: str
    log_time_ns: int
    publish_time_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DecodedMessage:
    """One message, with its content as an object that has the message's fields."""

    topic: str
    type: str
    log_time_ns: int
    publish_time_ns: int
    content: Any


class EpisodeStore:
    """A directory of episodes. Holds no state: each call looks at the disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def scan(self) -> Listing:
        """All episodes: finished, partial and damaged. An unreadable one never hides the others.

        What is renamed or deleted meanwhile is skipped.
        """
        finished: list[Episode] = []
        partial: list[PartialEpisode] = []
        recording: list[PartialEpisode] = []
        damaged: list[DamagedEpisode] = []
        for path in sorted(self.directory.iterdir()) if self.directory.is_dir() else []:
            layout = episodes.layout_from_name(path)
            if layout is None or not path.is_dir():
                continue
            if episodes.is_part(path):
                is_recorded = is_being_written(layout)
                is_empty = not is_recorded and not _is_recoverable(layout)
                unfinished = PartialEpisode(layout, _size_bytes(path), is_empty)
                if path.is_dir():
                    (recording if is_recorded else partial).append(unfinished)
                continue
            try:
                if instead := _taken_instead(layout):
                    damaged.append(DamagedEpisode(layout, instead))
                else:
                    finished.append(read_episode(path))
            except EpisodeError as error:
                if path.is_dir():
                    damaged.append(DamagedEpisode(layout, str(error), is_readable=isinstance(error, MarkError)))
        return Listing(tuple(finished), tuple(partial), tuple(damaged), tuple(recording))

    def episodes(self) -> tuple[Episode, ...]:
        """The finished episodes in order of number; damaged ones are logged and left out."""
        listing = self.scan()
        for damaged in listing.damaged:
            log.warning("episode left out: %s", damaged.problem)
        return listing.finished

    def episode(self, number: int) -> Episode:
        """The finished episode of that number, its repaired form where it needed one. Raises EpisodeError."""
        layout = episodes.layout_of(self.directory, number)
        for candidate in (layout, layout.repaired):
            if candidate.finished.is_dir() and not _taken_instead(candidate):
                return read_episode(candidate.finished)
        raise EpisodeError(f"{self.directory} has no finished episode {number}")

    def next_number(self) -> int:
        """The number for the next episode: above all that exist, finished or not."""
        return episodes.next_number(self.directory)

    def messages(self, episode: Episode, topics: Sequence[str] | None = None) -> Iterator[RecordedMessage]:
        """The messages of an episode in order of log time; checksums are verified. topics: None for all."""
        with _open_reader(episode.file) as reader:
            for schema, channel, message in reader.iter_messages(topics=topics):
                yield RecordedMessage(
                    channel.topic, _type_name(schema), message.log_time, message.publish_time, message.data
                )

    def decoded(self, episode: Episode, topics: Sequence[str] | None = None) -> Iterator[DecodedMessage]:
        """Like ``messages``, with the content decoded by the definitions in the file."""
        with _open_reader(episode.file) as reader:
            for schema, channel, message, content in reader.iter_decoded_messages(topics=topics):
                yield DecodedMessage(channel.topic, _type_name(schema), message.log_time, message.publish_time, content)

    def transitions(self, episode: Episode, topic: str = TRANSITION_TOPIC) -> Iterator[Transition]:
        """The transitions of an episode, in order. Raises EpisodeError for a message that makes none."""
        for message in self.decoded(episode, [topic]):
            try:
                transition = transition_from_message(message.content)
            except DecodeError as error:
                raise EpisodeError(
                    f"{episode.file}: a message on {topic} cannot be used: {error}. Move the episode away"
                ) from error
            yield transition

    def size_bytes(self) -> int:
        """What all files in the directory take."""
        return _size_bytes(self.directory)

    def free_bytes(self) -> int:
        """What the disk has left."""
        existing = next(path for path in (self.directory, *self.directory.absolute().parents) if path.exists())
        return shutil.disk_usage(existing).free


def read_episode(path: Path) -> Episode:
    """Opens a finished episode's directory and reads its contract, outcome and counts, and the last word on it.

    Raises EpisodeError.
    """
    layout = episodes.layout_from_name(path)
    if layout is None or episodes.is_part(path):
        raise EpisodeError(f"{path} is no finished episode: a directory like episode_000123 is needed")
    if not path.is_dir():
        raise EpisodeError(f"{path}: no such directory; `tenon dataset info {path.parent}` shows what is there")
    file = layout.finished_file
    with _open_reader(file) as reader:
        records = {record.name: record.metadata for record in reader.iter_metadata()}
        summary = reader.get_summary()
        if summary is None or summary.statistics is None:
            raise EpisodeError(f"{file} has no summary: `tenon dataset repair {path}`")
        for needed in (episodes.CONTRACT_RECORD, episodes.OUTCOME_RECORD):
            if needed not in records:
                raise EpisodeError(f"{file} has no record {needed!r}: it was not written by Tenon")
        statistics = summary.statistics
        counts = {
            channel.topic: statistics.channel_message_counts.get(channel.id, 0) for channel in summary.channels.values()
        }
        contract = episodes.contract_from_record(records[episodes.CONTRACT_RECORD])
        recorded = episodes.outcome_from_record(records[episodes.OUTCOME_RECORD])
    marking = latest_marking(layout, contract)
    return Episode(
        layout=layout,
        contract=contract,
        outcome=effective_outcome(recorded, marking),
        counts=counts,
        start_ns=statistics.message_start_time,
        end_ns=statistics.message_end_time,
        size_bytes=_size_bytes(path),
        unmarked=None if marking is None else recorded,
    )


def why_left_out(outcome: EpisodeOutcome, *, imitated: bool) -> str:
    """Why nobody shall learn from an episode; empty where somebody may.

    imitated: by a learner that does what it is shown, good or bad: then what broke off half-way is left out as well,
    unless a person called it a success or a failure. To one that learns from rewards it is experience like any other.
    """
    if outcome.discarded:
        return f"it was discarded by {outcome.who or 'a person'}"
    if not outcome.complete:
        return f"it is incomplete: {outcome.detail or 'no reason is given'}"
    if imitated and outcome.broken_off:
        why = f" ({outcome.detail})" if outcome.detail else ""
        return f"it broke off half-way: {outcome.result}{why}; `tenon dataset mark` says otherwise"
    return ""


def _is_recoverable(layout: EpisodeLayout) -> bool:
    """Whether an unfinished episode holds a message that a repair would keep."""
    for file in (layout.part / layout.finished_file.name, layout.part_file):
        with suppress(FileNotFoundError):
            state = file.stat()
            return _holds_messages(file, state.st_size, state.st_mtime_ns)
    return False


@lru_cache(_REMEMBERED)
def _holds_messages(file: Path, size_bytes: int, changed_ns: int) -> bool:
    """It is looked at anew only where its size or its time of change (ns) is new."""
    return holds_messages(file)


def _taken_instead(layout: EpisodeLayout) -> str:
    """Why the other form of a finished episode, repaired or original, is taken; empty where this one is."""
    original = layout.original
    if not original.finished.is_dir() or not layout.repaired.finished.is_dir():
        return ""
    if _is_whole(original):
        return f"is not needed: {original.stem} is whole" if layout.is_repaired else ""
    return "" if layout.is_repaired else f"was repaired: see {layout.repaired.stem}"


def _is_whole(layout: EpisodeLayout) -> bool:
    """Whether a finished episode opens and all its checksums hold."""
    try:
        state = layout.finished_file.stat()
        read_episode(layout.finished)
        return _holds(layout.finished_file, state.st_size, state.st_mtime_ns)
    except (EpisodeError, OSError):
        return False


@lru_cache(_REMEMBERED)
def _holds(file: Path, size_bytes: int, changed_ns: int) -> bool:
    """Whether all checksums of a file hold. It is read anew only where its size or its time of change (ns) is new."""
    return not check_mcap(file)


@contextmanager
def _open_reader(file: Path) -> Iterator[McapReader]:
    """A reader that verifies checksums; whatever goes wrong while it is in use becomes an EpisodeError."""
    try:
        with file.open("rb") as stream:
            yield make_reader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
    except EpisodeError:
        raise
    except _UNREADABLE as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise EpisodeError(f"{file} cannot be read ({what}): `tenon dataset repair {file.parent}`") from error


def _type_name(schema: Any) -> str:
    return "" if schema is None else str(schema.name)


def _size_bytes(directory: Path) -> int:
    """What is renamed or deleted meanwhile counts as nothing."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(folder) / name).stat().st_size
    return total
