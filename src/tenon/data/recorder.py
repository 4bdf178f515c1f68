"""Records episodes on a thread of its own, so that a node's callbacks never wait for the disk."""

from __future__ import annotations

import enum
import logging
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from tenon.configuration.recording import RecorderConfig, WriterConfig
from tenon.data.episode_writer import EpisodeWriter
from tenon.data.episodes import (
    EpisodeContract,
    EpisodeError,
    EpisodeOutcome,
    EpisodeTakenError,
    TopicAudit,
    TopicSpec,
    next_number,
)

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.02
_MEBIBYTE = 1 << 20
_MESSAGE_OVERHEAD_BYTES = 200
"""What a queued message costs beside its payload; keeps a flood of tiny messages within the queue's bound."""
_NOTED_BYTES = 1 << 18
"""So much may have left the queue before its counters say so."""


class Admission(enum.Enum):
    """What became of a message that was handed to ``Recorder.write``."""

    QUEUED = "queued"
    NO_EPISODE = "no episode is open"
    DROPPED = "the queue is full"


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """Counters since the start. written: messages in files. dropped: refused because the queue was full. lost: of an
    episode that could not be written. last_error: of the last episode that failed, with its name; empty if none did."""

    written: int
    dropped: int
    lost: int
    queued_bytes: int
    episodes: int
    last_error: str


@dataclass(frozen=True, slots=True)
class _Begin:
    contract: EpisodeContract


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    data: bytes
    log_time_ns: int
    publish_time_ns: int


@dataclass(slots=True)
class _Trail:
    """The messages of one topic of the open episode. number: the publisher's, of the newest."""

    received: int = 0
    published: int | None = None
    number: int | None = None

    def add(self, number: int | None) -> None:
        if self.received == 0:
            self.published = None if number is None else 1
        elif number is None or self.number is None or number <= self.number:
            self.published = None  # Numbers of several publishers, or of one that was started anew, say nothing.
        elif self.published is not None:
            self.published += number - self.number
        self.received += 1
        self.number = number


@dataclass(frozen=True, slots=True)
class _End:
    outcome: EpisodeOutcome
    trails: dict[str, _Trail]
    done: Future[Path]


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


@dataclass(slots=True)
class _Tally:
    written: int = 0
    dropped: int = 0
    lost: int = 0
    episodes: int = 0
    last_error: str = ""
    queued_bytes: int = 0
    dropped_in_episode: Counter[str] = field(default_factory=Counter)
    trails: dict[str, _Trail] = field(default_factory=dict)


class Recorder:
    """Writes episodes on a thread of its own, so that a node's callback never waits for the disk.

    Calls may come from several threads. Memory is bounded by ``queue_bytes`` and one chunk. When the disk cannot keep
    up, messages are dropped, counted, logged, and the episode's outcome says ``complete: false`` with the numbers.

    awaited: names of the topics that have to come, of which the audit tells also where none did; by default all.
    """

    def __init__(
        self,
        directory: Path,
        topics: Sequence[TopicSpec],
        config: RecorderConfig | None = None,
        *,
        awaited: Iterable[str] | None = None,
    ) -> None:
        self._directory = directory
        self._topics = tuple(topics)
        self._names = frozenset(topic.name for topic in topics)
        self._awaited = self._names if awaited is None else frozenset(awaited)
        self._config = config or RecorderConfig()
        self._queue: deque[_Begin | _Message | _End | _Stop] = deque()
        self._changed = threading.Condition()
        self._tally = _Tally()
        self._is_open = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="episode-recorder", daemon=True)
        self._thread.start()

    def begin(self, contract: EpisodeContract) -> None:
        """Opens an episode. Errors of the disk show in ``status`` and in the result of ``end``.

        Where another writer has taken ``contract.number`` meanwhile, the next free one is used: nothing is lost.
        """
        with self._changed:
            if self._is_closed:
                raise EpisodeError("the recorder is closed")
            if self._is_open:
                raise EpisodeError("an episode is open: end or abort it before the next one begins")
            self._is_open = True
            self._tally.dropped_in_episode = Counter()
            self._tally.trails = {name: _Trail() for name in self._names}
            self._put(_Begin(contract))

    def write(
        self, topic: str, data: bytes, *, log_time_ns: int, publish_time_ns: int, publication: int | None = None
    ) -> Admission:
        """Hands a message over without waiting. data must not change afterwards. publication: the number that its
        publisher gave it, by which the audit finds what was lost on the way."""
        if topic not in self._names:
            raise EpisodeError(f"topic {topic!r} is not recorded. Recorded are: {', '.join(sorted(self._names))}")
        size = len(data) + _MESSAGE_OVERHEAD_BYTES
        with self._changed:
            if not self._is_open:
                return Admission.NO_EPISODE
            tally = self._tally
            tally.trails[topic].add(publication)
            if tally.queued_bytes + size > self._config.queue_bytes:
                is_first = not tally.dropped_in_episode
                tally.dropped_in_episode[topic] += 1
                tally.dropped += 1
            else:
                tally.queued_bytes += size
                self._put(_Message(topic, data, log_time_ns, publish_time_ns))
                return Admission.QUEUED
        if is_first:
            log.error(
                "the disk cannot keep up: %d MiB wait for %s, messages are dropped and the episode is marked "
                "incomplete. Use a faster disk or record fewer topics",
                self._config.queue_bytes // _MEBIBYTE,
                self._directory,
            )
        return Admission.DROPPED

    def end(self, outcome: EpisodeOutcome) -> Future[Path]:
        """Closes the episode. The future gives its directory once it is durable, or raises EpisodeError."""
        with self._changed:
            if not self._is_open:
                raise EpisodeError("no episode is open")
            return self._end(outcome)

    def abort(self, detail: str) -> Future[Path]:
        """Breaks the episode off. The future gives the directory in which its part is kept."""
        return self.end(EpisodeOutcome(result="aborted", complete=False, detail=detail))

    def status(self) -> RecorderStatus:
        """The counters, now."""
        with self._changed:
            t = self._tally
            return RecorderStatus(t.written, t.dropped, t.lost, t.queued_bytes, t.episodes, t.last_error)

    def close(self, timeout_s: float) -> None:
        """Breaks an open episode off, writes what is queued and stops. Raises EpisodeError if that takes too long."""
        with self._changed:
            if self._is_open:
                self._end(EpisodeOutcome(result="aborted", complete=False, detail="the recorder was closed"))
            if not self._is_closed:
                self._is_closed = True
                self._put(_Stop())
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise EpisodeError(f"{self._directory}: the disk did not take the queue within {timeout_s:g} s")

    def _end(self, outcome: EpisodeOutcome) -> Future[Path]:
        dropped = self._tally.dropped_in_episode
        if dropped:
            detail = "; ".join(filter(None, (outcome.detail, "the disk could not keep up")))
            outcome = outcome.model_copy(update={"complete": False, "detail": detail, "dropped": dict(dropped)})
        done: Future[Path] = Future()
        self._is_open = False
        self._put(_End(outcome, self._tally.trails, done))
        return done

    def _put(self, item: _Begin | _Message | _End | _Stop) -> None:
        """A message waits for the writer to look; waking it for each would cost more than writing does."""
        self._queue.append(item)
        if not isinstance(item, _Message):
            self._changed.notify()

    def _take(self) -> deque[_Begin | _Message | _End | _Stop]:
        """All that waits."""
        with self._changed:
            while not self._queue:
                self._changed.wait(_LOOK_EVERY_S)
            taken, self._queue = self._queue, deque()
            return taken

    def _run(self) -> None:
        episode = _EpisodeInProgress(self._directory, self._topics, self._awaited, self._config)
        while True:
            step = _Step()
            for item in self._take():
                if isinstance(item, _Message):
                    step.freed_bytes += len(item.data) + _MESSAGE_OVERHEAD_BYTES
                    episode.write(item, step)
                elif isinstance(item, _Begin):
                    episode.begin(item.contract, step)
                elif isinstance(item, _End):
                    step = self._note(step)
                    self._finish(episode, item)
                else:
                    self._note(step)
                    return
                if step.freed_bytes >= _NOTED_BYTES or step.error:
                    step = self._note(step)
            self._note(step)

    def _finish(self, episode: _EpisodeInProgress, item: _End) -> None:
        try:
            path = episode.end(item.outcome, item.trails)
        except Exception as error:
            self._note(_Step(error=episode.told(error)))
            item.done.set_exception(error)
        else:
            with self._changed:
                self._tally.episodes += 1
            item.done.set_result(path)

    def _note(self, step: _Step) -> _Step:
        """Counts a step, and returns a new one."""
        with self._changed:
            tally = self._tally
            is_new = bool(step.error) and step.error != tally.last_error
            tally.queued_bytes -= step.freed_bytes
            tally.written += step.written
            tally.lost += step.lost
            tally.last_error = step.error or tally.last_error
        if is_new:
            log.error("%s", step.error)
        return _Step()


@dataclass(slots=True)
class _Step:
    """What some items of the queue led to. freed_bytes: of the queue."""

    written: int = 0
    lost: int = 0
    error: str = ""
    freed_bytes: int = 0


class _EpisodeInProgress:
    """The recorder thread's side: after an error an episode swallows (and counts) the rest of its messages."""

    def __init__(
        self, directory: Path, topics: Sequence[TopicSpec], awaited: frozenset[str], config: WriterConfig
    ) -> None:
        self._directory = directory
        self._topics = topics
        self._awaited = awaited
        self._config = config
        self._writer: EpisodeWriter | None = None
        self._error: Exception | None = None
        self._name = ""

    def begin(self, contract: EpisodeContract, step: _Step) -> None:
        self._writer, self._error = None, None
        self._name = f"episode {contract.session_episode if contract.session else contract.number}"
        try:
            self._writer = self._open(contract)
        except Exception as error:
            self._error = error
            step.error = self.told(error)

    def told(self, error: Exception) -> str:
        """The error with the episode that it cost, so that the next one's is another. By its session's number."""
        return f"{self._name}: {error}"

    def _open(self, contract: EpisodeContract) -> EpisodeWriter:
        while True:
            try:
                return EpisodeWriter(self._directory, contract, self._topics, self._config)
            except EpisodeTakenError:
                number = max(contract.number + 1, next_number(self._directory))
                log.warning("episode %d is taken by another writer: it becomes number %d", contract.number, number)
                contract = contract.model_copy(update={"number": number})

    def write(self, message: _Message, step: _Step) -> None:
        if self._writer is None or self._error is not None:
            step.lost += 1
            return
        try:
            self._writer.write(
                message.topic,
                message.data,
                log_time_ns=message.log_time_ns,
                publish_time_ns=message.publish_time_ns,
            )
        except Exception as error:
            self._error = error
            step.lost += 1
            step.error = self.told(error)
        else:
            step.written += 1

    def end(self, outcome: EpisodeOutcome, trails: Mapping[str, _Trail]) -> Path:
        if self._error is not None:
            raise self._error
        if self._writer is None:
            raise EpisodeError("no episode was begun")
        written = self._writer.counts
        audit = {
            name: TopicAudit(published=trail.published, received=trail.received, written=written.get(name, 0))
            for name, trail in sorted(trails.items())
            if trail.received or name in self._awaited
        }
        outcome = outcome.model_copy(update={"audit": audit})
        if outcome.result == "aborted":
            return self._writer.abort(outcome.detail, outcome)
        return self._writer.finish(outcome)
