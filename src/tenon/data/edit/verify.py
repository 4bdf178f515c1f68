"""Reads every message of every episode again and says what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mcap_ros2.decoder import DecoderFactory

from tenon.data.decode import stamp_to_ns
from tenon.data.edit.contents import EpisodeContents, read_contents
from tenon.data.edit.timing import TimingLimits, TopicTiming, has_gap, is_stream_topic, measure
from tenon.data.episodes import EpisodeError, TopicSpec
from tenon.data.mcap_check import check_mcap
from tenon.data.repair import REPAIR_RECORD
from tenon.data.store import TRANSITION_TOPIC, Episode, EpisodeStore
from tenon.data.transition_messages import transition_from_message
from tenon.data.transitions import Transition

_METADATA_FILE = "metadata.yaml"
_TRIM = "trim"
_BEING_RECORDED = "is being recorded"
_EMPTY = "holds no message: it was cut off before its first one, and may be deleted"
_REMEDY_OF_SILENCE = "check sensor and cable; tenon dataset trim cuts the part off"
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TopicCounts:
    """A topic's messages on their way. published, received, written: by the recorder's audit; None without one.

    published: None also where the publishers' numbers do not tell. read: from the file, now.
    """

    topic: str
    published: int | None
    received: int | None
    written: int | None
    read: int


@dataclass(frozen=True, slots=True)
class EpisodeReport:
    """What ``verify`` found of an episode; it is in order when there are no problems.

    result: of its outcome; of one that is being recorded, or holds nothing, that it is so.
    """

    name: str
    messages: int
    steps: int
    result: str
    topics: tuple[TopicTiming, ...]
    problems: tuple[Problem, ...]
    counts: tuple[TopicCounts, ...] = ()


@dataclass(slots=True)
class _Seen:
    """What the messages of one topic say."""

    logged_ns: list[int] = field(default_factory=list)
    stamps_ns: list[int] = field(default_factory=list)
    missing: int = 0
    next_sequence: int = 0
    undecodable: str = ""


def verify(directory: Path, limits: TimingLimits | None = None) -> Iterator[EpisodeReport]:
    """A report per episode of the folder, also of those that are being recorded, cut off or damaged, in that order."""
    listing = EpisodeStore(directory).scan()
    first: dict[tuple[str, int], str] = {}
    for episode in listing.finished:
        key = (episode.contract.session, episode.contract.session_episode)
        twin = first.setdefault(key, episode.path.name)
        yield verify_episode(episode, limits, twin="" if twin == episode.path.name else twin)
    for recording in listing.recording:
        yield EpisodeReport(recording.path.name, 0, 0, _BEING_RECORDED, (), ())
    for partial in listing.partial:
        if partial.is_empty:
            yield EpisodeReport(partial.path.name, 0, 0, _EMPTY, (), ())
        elif partial.needs_repair:
            remedy = f"tenon dataset repair {partial.path}"
            yield _unread(partial.path.name, Problem("its recording was cut off", remedy))
    for damaged in listing.damaged:
        if damaged.needs_repair:
            remedy = f"tenon dataset repair {damaged.layout.finished}"
            yield _unread(damaged.layout.stem, Problem(damaged.problem, remedy))
        elif damaged.is_readable:
            yield _unread(damaged.layout.stem, Problem(damaged.problem, "its file is sound; nobody learns from it so"))


def verify_episode(episode: Episode, limits: TimingLimits | None = None, *, twin: str = "") -> EpisodeReport:
    """Checks one finished episode. twin: another one that is the same episode of the same session."""
    limits = limits or TimingLimits()
    problems = [_damage(what, episode) for what in check_mcap(episode.file)]
    if twin:
        remedy = "training refuses the second: move one of them away"
        problems.append(Problem(f"it is the same episode of the same session as {twin}", remedy))
    problems += _metadata_problems(episode)
    problems += _outcome_problems(episode)
    seen: dict[str, _Seen] = {}
    transitions: list[Transition] = []
    topics: tuple[TopicSpec, ...] = ()
    try:
        contents = read_contents(episode)
        topics = contents.topics
        _read_messages(contents, seen, transitions)
        problems += _audit_problems(contents, seen)
        problems += _silent_problems(contents, limits)
        problems += _step_problems(contents, transitions)
    except EpisodeError as error:
        if not problems:
            problems.append(_damage(str(error), episode))
    span_ns = (episode.start_ns, episode.end_ns)
    timings = tuple(
        measure(topic, seen[topic.name].logged_ns, seen[topic.name].stamps_ns, span_ns, limits)
        for topic in topics
        if topic.name in seen
    )
    for name, read in seen.items():
        problems += _topic_problems(name, read, episode)
    problems += _timing_problems(timings, limits)
    messages = sum(len(read.logged_ns) for read in seen.values())
    return EpisodeReport(
        episode.path.name,
        messages,
        len(transitions),
        episode.outcome.result,
        timings,
        tuple(problems),
        tuple(_counts(episode, seen)),
    )


def _read_messages(contents: EpisodeContents, seen: dict[str, _Seen], transitions: list[Transition]) -> None:
    """Decodes all messages up to damage; what cannot be decoded is noted, and the rest is read on."""
    decoders = {topic.name: _Decoder(topic) for topic in contents.topics}
    for topic, message in contents.messages():
        read = seen.setdefault(topic, _Seen())
        read.logged_ns.append(message.log_time_ns)
        read.missing += max(0, message.sequence - read.next_sequence)
        read.next_sequence = message.sequence + 1
        try:
            content = decoders[topic].decode(message.data)
            if topic == TRANSITION_TOPIC:
                transitions.append(transition_from_message(content))
        except Exception as error:  # Whatever a decoder makes of wrong bytes.
            read.undecodable = read.undecodable or f"message {len(read.logged_ns) - 1}: {error}"
            content = None
        stamp = getattr(getattr(content, "header", None), "stamp", None)
        read.stamps_ns.append(0 if stamp is None else stamp_to_ns(stamp))


class _Decoder:
    """Decodes the messages of a topic by the definition in the file."""

    def __init__(self, topic: TopicSpec) -> None:
        schema = _Schema(id=1, name=topic.type, encoding="ros2msg", data=topic.definition.encode())
        self._decode: Any = DecoderFactory().decoder_for("cdr", schema)

    def decode(self, data: bytes) -> Any:
        return self._decode(data)


@dataclass(frozen=True, slots=True)
class _Schema:
    id: int
    name: str
    encoding: str
    data: bytes


def _metadata_problems(episode: Episode) -> Iterator[Problem]:
    """``metadata.yaml`` is what ``ros2 bag`` believes, so it has to agree with the file."""
    path = episode.path / _METADATA_FILE
    remedy = "the MCAP file itself is not affected: tenon dataset merge makes a folder with sound ones"
    try:
        bag = yaml.safe_load(path.read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
        counts = {topic["topic_metadata"]["name"]: topic["message_count"] for topic in bag["topics_with_message_count"]}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        yield Problem(f"{_METADATA_FILE} cannot be read ({type(error).__name__}: {error})", remedy)
        return
    if counts != episode.counts:
        names = sorted(name for name in {*counts, *episode.counts} if counts.get(name) != episode.counts.get(name))
        listed = ", ".join(f"{name} {counts.get(name)} instead of {episode.counts.get(name)}" for name in names)
        yield Problem(f"{_METADATA_FILE} counts other messages than the file holds: {listed}", remedy)


def _outcome_problems(episode: Episode) -> Iterator[Problem]:
    outcome = episode.outcome
    if outcome.dropped:
        listed = ", ".join(f"{count} of {topic}" for topic, count in sorted(outcome.dropped.items()))
        yield Problem(
            f"messages were dropped while recording: {listed}",
            "training leaves the episode out; record to a faster disk, or fewer topics",
        )
    elif not outcome.complete:
        yield Problem(
            f"it is incomplete: {outcome.detail or 'no reason is given'}",
            "training leaves it out; record it again",
        )


def _counts(episode: Episode, seen: Mapping[str, _Seen]) -> Iterator[TopicCounts]:
    for topic in sorted({*seen, *episode.outcome.audit}):
        audit, read = episode.outcome.audit.get(topic), len(seen[topic].logged_ns) if topic in seen else 0
        if audit is None:
            yield TopicCounts(topic, None, None, None, read)
        else:
            yield TopicCounts(topic, audit.published, audit.received, audit.written, read)


def _audit_problems(contents: EpisodeContents, seen: Mapping[str, _Seen]) -> Iterator[Problem]:
    """Published, received, written and read again must be as many; what was dropped is told of already."""
    counts = list(_counts(contents.episode, seen))
    lost = [
        f"{one.published - one.received} of {one.published} of {one.topic}"
        for one in counts
        if one.published is not None and one.received is not None and one.published > one.received
    ]
    if lost:
        yield Problem(
            f"messages were lost between publisher and recorder: {', '.join(lost)}",
            "the machine or the network could not keep up: see `tenon doctor`, lower a camera's rate or size",
        )
    if not _is_whole(contents):
        return
    for one in counts:
        if one.written is not None and one.written != one.read:
            yield Problem(
                f"{one.topic}: {one.written} messages were written, {one.read} are in the file",
                "the file was changed after its recording: restore it from a copy, or do not train on it",
            )


def _silent_problems(contents: EpisodeContents, limits: TimingLimits) -> Iterator[Problem]:
    """Topics that had to come and never did: as the recorder's audit has it; without one, all streams of the file."""
    episode = contents.episode
    length_s = (episode.end_ns - episode.start_ns) / _NS_PER_S
    if not _is_whole(contents) or length_s <= limits.gap_s:
        return
    silent = [topic for topic in contents.topics if not episode.counts.get(topic.name)]
    audit = episode.outcome.audit
    missing = [topic.name for topic in silent if (topic.name in audit if audit else is_stream_topic(topic))]
    if missing:
        yield Problem(
            f"no message came in {length_s:.1f} s: {', '.join(missing)}",
            "check sensor, cable and the topic's name (tenon topic list), and record the episode again",
        )


def _is_whole(contents: EpisodeContents) -> bool:
    """Whether it is as it was recorded: neither repaired nor trimmed."""
    return REPAIR_RECORD not in dict(contents.records) and all(s.operation != _TRIM for s in contents.history)


def _step_problems(contents: EpisodeContents, transitions: list[Transition]) -> Iterator[Problem]:
    """The transitions against the contract and the outcome. Episodes that were cut or repaired may lack some."""
    if not transitions:
        return
    contract, outcome = contents.episode.contract, contents.episode.outcome
    is_whole = _is_whole(contents)
    keys = {(transition.session, transition.episode) for transition in transitions}
    if keys != {(contract.session, contract.session_episode)}:
        listed = ", ".join(f"{episode} of {session!r}" for session, episode in sorted(keys))
        yield Problem(
            f"its transitions are of episode {listed}, its contract says {contract.session_episode} of "
            f"{contract.session!r}",
            "do not train on it: the recorder mixed episodes up, please report it",
        )
    steps = [transition.step for transition in transitions]
    start = 0 if is_whole else min(steps)
    if steps != list(range(start, start + len(steps))):
        lost = sorted(set(range(start, max(steps))) - set(steps))
        what = f"steps are missing: {_shortened(lost)}" if lost else "steps come twice or out of order"
        yield Problem(what, "hindsight and n-step returns stop at the gap; record the episode again if that matters")
    if early := [transition.step for transition in transitions[:-1] if transition.ended]:
        yield Problem(f"it ends at step {_shortened(early)}, and goes on", "do not train on it; please report it")
    if is_whole and not transitions[-1].ended and outcome.complete:
        yield Problem("its last transition is no end", "learning looks beyond it; see why the session broke off")
    by_person = outcome.mark == "success"
    paid = any(transition.success for transition in transitions)
    if outcome.result == "success" and is_whole and not paid and not by_person:
        yield Problem("it counts as success, no transition does", "check who marked it: the operator or the reward")


def _topic_problems(name: str, seen: _Seen, episode: Episode) -> Iterator[Problem]:
    if seen.undecodable:
        yield Problem(
            f"{name} cannot be decoded, {seen.undecodable}", "its publisher sent other bytes than its type has"
        )
    if seen.missing and name not in episode.outcome.dropped:
        yield Problem(
            f"{name}: {seen.missing} messages are missing in between (by their sequence numbers)",
            "they were lost when the file was damaged; trim the episode if they matter",
        )


def _timing_problems(timings: Sequence[TopicTiming], limits: TimingLimits) -> Iterator[Problem]:
    """One problem per cause, with the topics that show it."""
    if backwards := [timing for timing in timings if timing.backwards]:
        listed = ", ".join(f"{timing.topic} ({timing.backwards} times)" for timing in backwards)
        yield Problem(
            f"time goes backwards: {listed}",
            "a clock was set while recording, or two nodes publish on one topic: tenon doctor",
        )
    gaps: dict[str, list[TopicTiming]] = {}
    for timing in timings:
        if has_gap(timing, limits):
            place = f"nothing for {timing.largest_gap_s:.1f} s, {timing.gap_at_s:.1f} s after the beginning"
            gaps.setdefault(place, []).append(timing)
    for place, silent in gaps.items():
        listed = ", ".join(f"{timing.topic} ({timing.rate_hz:.4g} Hz otherwise)" for timing in silent)
        yield Problem(f"{place}: {listed}", _REMEDY_OF_SILENCE)
    fell: dict[str, list[str]] = {}
    for timing in timings:
        if timing.silent_from_s is not None:
            fell.setdefault(f"{timing.silent_from_s:.1f} s", []).append(f"{timing.topic} ({timing.messages} messages)")
    for after, names in fell.items():
        yield Problem(f"silent from {after} after the beginning to the end: {', '.join(names)}", _REMEDY_OF_SILENCE)
    late = [timing for timing in timings if timing.late_often_s is not None and timing.late_often_s > limits.late_s]
    if late:
        most = max((timing.late_most_s or 0.0 for timing in late), key=abs)
        listed = ", ".join(timing.topic for timing in late)
        yield Problem(
            f"recorded up to {abs(most):.1f} s {'after' if most > 0.0 else 'before'} the stamp: {listed}",
            "clocks differ between machines, or network or recorder were overloaded (so may be a simulation that runs "
            "faster than real time): tenon doctor",
        )


def _damage(what: str, episode: Episode) -> Problem:
    return Problem(f"the file is damaged: {what}", f"tenon dataset repair {episode.path}")


def _unread(name: str, problem: Problem) -> EpisodeReport:
    return EpisodeReport(name, 0, 0, "", (), (problem,))


_LISTED = 5


def _shortened(numbers: list[int]) -> str:
    more = f" and {len(numbers) - _LISTED} more" if len(numbers) > _LISTED else ""
    return ", ".join(str(number) for number in numbers[:_LISTED]) + more
