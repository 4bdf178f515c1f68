"""Breaks recordings, and finds out from the files what is left of them.

A stream of known content (each message says its topic and number) is recorded by ``tenon.data.recorder.Recorder``.
Kills: by a forked process, which counts what it has handed over in memory that survives it. Full disk, an unplugged
camera and a clock that is set: in this process.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tenon.configuration.recording import RecorderConfig
from tenon.data.edit.contents import read_contents
from tenon.data.edit.verify import EpisodeReport, verify
from tenon.data.encode import MessageEncoder, header_fields
from tenon.data.episodes import EpisodeContract, EpisodeError, EpisodeOutcome, QosProfile, Reliability, TopicSpec
from tenon.data.mcap_check import check_mcap
from tenon.data.recorder import Recorder
from tenon.data.repair import repair_episode
from tenon.data.schemas import find_share_under, full_definition
from tenon.data.store import EpisodeStore

NS_PER_S = 1_000_000_000
STATE_HZ, CAMERA_HZ = 500, 25
STATE, CAMERA = "/joint_states", "/camera/image_raw"
WIDTH_PX, HEIGHT_PX = 64, 48
EPISODE_S = (0.05, 1.5)
KILL_AFTER_S = (0.0, 2.0)
END_TIMEOUT_S = 60.0
SUCCESS = EpisodeOutcome(result="success")
_ROOT = Path(__file__).parents[1]
_SHARE = find_share_under(_ROOT / "ros2_ws/src", _ROOT / "src/embedded_ros2/embedded_ros2/share")
_SLOT = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class CaseResult:
    """finished: episodes that had been promised as durable. lost_finished: of these, missing or not as they were.
    lost_s: of the open episode, from the last message that came back to the last one handed over. said: what verify or
    repair said of it. problems: why the case failed; empty when it did not."""

    kind: str
    number: int
    finished: int
    lost_finished: int
    lost_s: float
    said: tuple[str, ...]
    problems: tuple[str, ...]


class Stream:
    """Messages of two topics whose bytes follow from (episode, topic, number)."""

    def __init__(self) -> None:
        sensor = QosProfile(reliability=Reliability.BEST_EFFORT).to_yaml()
        types = {STATE: "sensor_msgs/msg/JointState", CAMERA: "sensor_msgs/msg/Image"}
        self.topics = [TopicSpec(name, kind, full_definition(kind, _SHARE), sensor) for name, kind in types.items()]
        self._encoders = {topic.name: MessageEncoder(topic) for topic in self.topics}

    def message(self, topic: str, episode: int, number: int, stamp_ns: int) -> bytes:
        fields: dict[str, object] = {"header": header_fields(stamp_ns, f"{episode}:{number}")}
        if topic == STATE:
            fields |= {"name": ["joint"], "position": [float(number)], "velocity": [0.0], "effort": [0.0]}
        else:
            row = bytes((number + column) % 256 for column in range(3 * WIDTH_PX))
            fields |= {"height": HEIGHT_PX, "width": WIDTH_PX, "encoding": "rgb8", "step": 3 * WIDTH_PX}
            fields |= {"data": row * HEIGHT_PX}
        return self._encoders[topic](fields)

    def is_right(self, topic: str, episode: int, number: int, stamp_ns: int, data: bytes) -> bool:
        return data == self.message(topic, episode, number, stamp_ns)

    def schedule(self, seconds: float) -> Iterator[tuple[str, int, int]]:
        """(topic, number, ns since the beginning) in order of time."""
        every = STATE_HZ // CAMERA_HZ
        for tick in range(int(seconds * STATE_HZ)):
            time_ns = tick * NS_PER_S // STATE_HZ
            yield STATE, tick, time_ns
            if tick % every == 0:
                yield CAMERA, tick // every, time_ns


@dataclass(slots=True)
class Ledger:
    """What a process had done, in memory that outlives it."""

    memory: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 4096))

    def put(self, slot: int, value: int) -> None:
        _SLOT.pack_into(self.memory, slot * _SLOT.size, value)

    def get(self, slot: int) -> int:
        return int(_SLOT.unpack_from(self.memory, slot * _SLOT.size)[0])


FINISHED, OPEN, LAST_NS = 0, 1, 2
COUNTS = {STATE: 3, CAMERA: 4}
FINISHED_COUNTS = 8
"""From this slot on: messages of each finished episode, two slots each."""
MOST_EPISODES = 200


def record_until_killed(directory: Path, stream: Stream, ledger: Ledger, seed: int, config: RecorderConfig) -> None:
    """One episode after the other in real time, as long as the process lives."""
    rng = random.Random(seed)
    recorder = Recorder(directory, stream.topics, config)
    for episode in range(MOST_EPISODES):
        ledger.put(OPEN, episode)
        for slot in (LAST_NS, *COUNTS.values()):
            ledger.put(slot, 0)
        recorder.begin(EpisodeContract(number=episode, robot="sim", task="usb", session="s", session_episode=episode))
        begin_ns = time.time_ns()
        for topic, number, after_ns in stream.schedule(rng.uniform(*EPISODE_S)):
            due_s = (begin_ns + after_ns - time.time_ns()) / NS_PER_S
            if due_s > 0.0:
                time.sleep(due_s)
            now_ns = begin_ns + after_ns
            data = stream.message(topic, episode, number, now_ns)
            recorder.write(topic, data, log_time_ns=now_ns, publish_time_ns=now_ns, publication=number)
            ledger.put(LAST_NS, now_ns)
            ledger.put(COUNTS[topic], number + 1)
        recorder.end(SUCCESS).result()
        for k, topic in enumerate(COUNTS):
            ledger.put(FINISHED_COUNTS + 2 * episode + k, ledger.get(COUNTS[topic]))
        ledger.put(FINISHED, episode + 1)


def kill(directory: Path, stream: Stream, number: int, seed: int, config: RecorderConfig | None = None) -> CaseResult:
    """SIGKILL at a random moment, which may lie anywhere: before, within, between and at the ends of episodes."""
    rng = random.Random(f"{seed}/{number}")
    ledger = Ledger()
    child = os.fork()
    if child == 0:
        try:
            record_until_killed(directory, stream, ledger, rng.randrange(1 << 30), config or RecorderConfig())
        finally:
            os._exit(1)
    time.sleep(rng.uniform(*KILL_AFTER_S))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    problems = [] if os.WIFSIGNALED(status) else ["the recorder ended before it was killed"]
    finished = ledger.get(FINISHED)
    lost = [k for k in range(finished) if not _is_whole(directory, stream, k, ledger)]
    problems += [f"episode {k} was finished and is not whole" for k in lost]
    lost_s, said = _recover(directory, stream, ledger, problems)
    return CaseResult("kill -9", number, finished, len(lost), lost_s, said, tuple(problems))


def _is_whole(directory: Path, stream: Stream, number: int, ledger: Ledger) -> bool:
    try:
        episode = EpisodeStore(directory).episode(number)
        counts = {topic: ledger.get(FINISHED_COUNTS + 2 * number + k) for k, topic in enumerate(COUNTS)}
        is_sound = check_mcap(episode.file) == [] and episode.outcome.complete
        return is_sound and _read_right(directory, stream, number) == counts
    except EpisodeError:
        return False


def _read_right(directory: Path, stream: Stream, number: int) -> dict[str, int] | None:
    """Messages per topic; None where one is not what was handed over, or out of order."""
    store = EpisodeStore(directory)
    counts = dict.fromkeys(COUNTS, 0)
    for message in store.messages(store.episode(number)):
        if not stream.is_right(message.topic, number, counts[message.topic], message.log_time_ns, message.data):
            return None
        counts[message.topic] += 1
    return counts


def _recover(directory: Path, stream: Stream, ledger: Ledger, problems: list[str]) -> tuple[float, tuple[str, ...]]:
    """Repairs the open episode as a person would, by what ``verify`` says. Returns what is lost of it and was said."""
    number, last_ns = ledger.get(OPEN), ledger.get(LAST_NS)
    handed_over_s = ledger.get(COUNTS[STATE]) / STATE_HZ
    part = directory / f"episode_{number:06d}.part"
    if not part.is_dir():  # It was killed after the last byte, or before the first.
        return 0.0 if (directory / f"episode_{number:06d}").is_dir() else handed_over_s, ()
    said = _said(verify(directory), part.name)
    if not any("cut off" in what for what in said):
        problems.append(f"verify does not say that {part.name} was cut off: {said}")
    try:
        report = repair_episode(part)
    except EpisodeError as error:  # Not even the file was there yet.
        return handed_over_s, (*said, str(error))
    said = (*said, *report.problems)
    if report.repaired is None:
        return handed_over_s, said
    counts = _read_right(directory, stream, number)
    if counts is None or counts != {topic: report.recovered.get(topic, 0) for topic in COUNTS}:
        problems.append(f"the repaired episode holds other messages than were handed over: {counts}")
    if not report.is_lossless and "the end of the recording is missing" not in report.problems:
        problems.append(f"repair does not say that the end is missing: {report.problems}")
    end_ns = EpisodeStore(directory).episode(number).end_ns
    return max(0.0, (last_ns - end_ns) / NS_PER_S), said


def _said(reports: Iterator[EpisodeReport], name: str) -> tuple[str, ...]:
    return tuple(problem.what for report in reports if report.name == name for problem in report.problems)


@dataclass(slots=True)
class _Recording:
    """Episodes of a stream as fast as they come, without a clock of their own."""

    directory: Path
    stream: Stream
    recorder: Recorder

    def episode(
        self,
        number: int,
        seconds: float,
        *,
        silent: tuple[float, float] = (0.0, 0.0),
        clock_step: tuple[float, float] = (0.0, 0.0),
    ) -> Mapping[str, int]:
        """Hands one over, without ending it, and returns its counts.

        silent: of the camera, from and to. clock_step: when, and by how much.
        """
        self.recorder.begin(
            EpisodeContract(number=number, robot="sim", task="usb", session="s", session_episode=number)
        )
        counts = dict.fromkeys(COUNTS, 0)
        for topic, _, after_ns in self.stream.schedule(seconds):
            after_s = after_ns / NS_PER_S
            if topic == CAMERA and silent[0] <= after_s < silent[1]:
                continue
            step_s = clock_step[1] if after_s >= clock_step[0] else 0.0
            now_ns = 1_000 * NS_PER_S + after_ns + int(step_s * NS_PER_S)
            data = self.stream.message(topic, number, counts[topic], now_ns)
            self.recorder.write(topic, data, log_time_ns=now_ns, publish_time_ns=now_ns, publication=counts[topic])
            counts[topic] += 1
        return counts


def unplug(directory: Path, stream: Stream, number: int, seed: int) -> CaseResult:
    """A camera falls silent within an episode, for a while or for good: verify must name it, and nothing else."""
    rng = random.Random(f"{seed}/unplug/{number}")
    seconds, begin_s = rng.uniform(4.0, 6.0), rng.uniform(0.8, 2.0)
    back_s = rng.choice([begin_s + rng.uniform(0.7, 1.5), seconds])
    recorder = Recorder(directory, stream.topics)
    recording = _Recording(directory, stream, recorder)
    counts = recording.episode(0, seconds, silent=(begin_s, back_s))
    recorder.end(SUCCESS).result(END_TIMEOUT_S)
    recorder.close(END_TIMEOUT_S)
    said = _said(verify(directory), "episode_000000")
    problems = [] if _read_right_counts(directory, stream, 0, counts) else ["messages were lost"]
    if not (len(said) == 1 and said[0].startswith("nothing for ") and CAMERA in said[0] and STATE not in said[0]):
        problems.append(f"verify does not name the camera, and it alone: {said}")
    return CaseResult("camera unplugged", number, 1, int("messages were lost" in problems), 0.0, said, tuple(problems))


def step_clock(directory: Path, stream: Stream, number: int, seed: int) -> CaseResult:
    """The clock is set within an episode, forwards or backwards: nothing is lost, verify says what happened."""
    rng = random.Random(f"{seed}/clock/{number}")
    seconds, at_s = rng.uniform(3.0, 5.0), rng.uniform(0.8, 2.0)
    step_s = rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 30.0)
    recorder = Recorder(directory, stream.topics)
    recording = _Recording(directory, stream, recorder)
    counts = recording.episode(0, seconds, clock_step=(at_s, step_s))
    recorder.end(SUCCESS).result(END_TIMEOUT_S)
    recorder.close(END_TIMEOUT_S)
    said = _said(verify(directory), "episode_000000")
    problems = [] if _read_right_counts(directory, stream, 0, counts) else ["messages were lost"]
    expected = "time goes backwards" if step_s < 0.0 else "nothing for "
    told = " ".join(what for what in said if what.startswith(expected))
    if STATE not in told or CAMERA not in told:
        problems.append(f"the clock was set by {step_s:.1f} s, verify does not say so: {said}")
    return CaseResult("clock set", number, 1, int("messages were lost" in problems), 0.0, said, tuple(problems))


def _read_right_counts(directory: Path, stream: Stream, number: int, counts: Mapping[str, int]) -> bool:
    """Whether all messages are there, in the order of the file."""
    found = dict.fromkeys(COUNTS, 0)
    for topic, message in read_contents(EpisodeStore(directory).episode(number)).messages():
        if not stream.is_right(topic, number, found[topic], message.log_time_ns, message.data):
            return False
        found[topic] += 1
    return found == counts


def fill(directory: Path, stream: Stream, number: int, seed: int, reserve_bytes: int) -> CaseResult:
    """The disk of ``directory``, a small one of its own, fills up while an episode is recorded.

    reserve_bytes: 0: until the system refuses a write. Another process (a filler) takes most of the room.
    """
    rng = random.Random(f"{seed}/full/{number}")
    kind = "disk nearly full" if reserve_bytes else "disk full"
    config = RecorderConfig(reserve_bytes=reserve_bytes, compression="none")
    recorder = Recorder(directory, stream.topics, config)
    recording = _Recording(directory, stream, recorder)
    first = recording.episode(0, rng.uniform(0.5, 1.0))
    recorder.end(SUCCESS).result(END_TIMEOUT_S)
    free = os.statvfs(directory)
    filler = directory / "filler"
    left = reserve_bytes + rng.randrange(200_000, 1_500_000)
    filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - left)))
    counts = recording.episode(1, 30.0)
    problems: list[str] = []
    said: tuple[str, ...] = ()
    try:
        recorder.end(SUCCESS).result(END_TIMEOUT_S)
        problems.append("the episode is called finished on a full disk")
    except EpisodeError as error:
        said = (str(error).replace(str(directory), "EPISODES"),)
    is_told = "the disk is full" if not reserve_bytes else "before the disk is full"
    if not any(is_told in what and "Finished episodes are untouched" in what for what in said):
        problems.append(f"the error does not say what happened: {said}")
    recorder.close(END_TIMEOUT_S)
    filler.unlink()  # As the error asks for.
    lost = int(not _read_right_counts(directory, stream, 0, first))
    if lost:
        problems.append("the finished episode is not whole")
    status, written = recorder.status(), sum(counts.values())
    report = repair_episode(directory / "episode_000001.part", RecorderConfig(reserve_bytes=0))
    recovered = sum(report.recovered.values())
    if _read_right(directory, stream, 1) is None:
        problems.append("the repaired episode holds other messages than were handed over")
    if reserve_bytes and not report.is_lossless:
        problems.append("an episode that was ended in time is not whole")
    in_time = written - status.lost
    lost_s = (in_time - recovered) / (STATE_HZ + CAMERA_HZ)
    return CaseResult(kind, number, 1, lost, max(0.0, lost_s), (*said, *report.problems), tuple(problems))
