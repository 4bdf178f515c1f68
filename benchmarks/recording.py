"""Two cameras and an arm at 500 Hz through the recorder node: what is lost, what it costs, how fast training has it.

    python benchmarks/recording.py [--seconds 600] [--json FILE] [--markdown FILE]

Publishers, recorder and this process are processes of their own, on a router and a domain of their own. Counted are the
messages that the publishers sent, that the recorder says it got and wrote (its audit), and that come out of the file
again, one by one, with all checksums verified. Exit status 1 when a bar is missed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import tyro
from recording_session import CAMERAS, Conductor, RecorderProcess, SourceProcess, write_session

from tenon.configuration.recording import RecordingConfig
from tenon.data.edit.verify import verify_episode
from tenon.data.episodes import EpisodeError, TopicAudit
from tenon.data.prior import read_prior, write_prior
from tenon.data.store import Episode, EpisodeStore
from tenon.data.transitions import EnvironmentSpec, ImageSpec, ObservationSpec
from tenon_session.introspection import spinning_node
from tenon_session.testing.stage import private_network

CPU_BAR, CACHE_BAR_S = 0.35, 60.0
GB = 1e9
IMAGE_PX, STATE_SIZE, ACTION_SIZE = 64, 6, 3
"""Of the transitions that the source of states publishes."""


@dataclass(frozen=True)
class Options:
    """seconds: of the stream. compression: of the recording. directory: for the recording; by default a temporary one
    that is removed."""

    seconds: float = 600.0
    compression: str = "zstd"
    directory: Path | None = None
    json: Path | None = None
    markdown: Path | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One topic. published: by its source. audit: by the recorder. read: from the file."""

    topic: str
    published: int
    audit: TopicAudit
    read: int

    @property
    def lost(self) -> int:
        return self.published - self.read


@dataclass(frozen=True, slots=True)
class Result:
    """cpu_share: of one core, by the recorder's process while the stream ran. late_most_s: of the sources. durable_s:
    from the end of the episode until it had its final name. raw_bytes: of the messages; file_bytes: of the file."""

    seconds: float
    lines: list[Line]
    cpu_share: float
    memory_mib: float
    late_most_s: float
    durable_s: float
    raw_bytes: int
    file_bytes: int
    read_s: float
    cache_s: float
    problems: list[str]

    @property
    def cache_s_per_gb(self) -> float:
        return self.cache_s / (self.file_bytes / GB)

    @property
    def missed(self) -> list[str]:
        """The bars that were not met."""
        found = [f"{line.topic}: {line.lost} of {line.published} lost" for line in self.lines if line.lost]
        if self.cpu_share > CPU_BAR:
            found.append(f"the recorder took {self.cpu_share:.0%} of a core, {CPU_BAR:.0%} are allowed")
        if self.cache_s_per_gb > CACHE_BAR_S:
            found.append(f"the cache took {self.cache_s_per_gb:.0f} s per GB, {CACHE_BAR_S:.0f} s are allowed")
        return found + self.problems


def record(options: Options, directory: Path) -> Result:
    run = directory / "run"
    session = directory / "session.yaml"
    write_session(session, run, RecordingConfig(compression=options.compression, images=CAMERAS[1:]))
    with ExitStack() as stack:
        stack.enter_context(private_network())
        conductor = stack.enter_context(spinning_node(Conductor))
        recorder = stack.enter_context(RecorderProcess(session, directory / "recorder.log"))
        sources = [
            stack.enter_context(SourceProcess("camera", "--topic", topic, "--seconds", str(options.seconds)))
            for topic in CAMERAS
        ]
        sources.append(stack.enter_context(SourceProcess("state", "--seconds", str(options.seconds))))
        conductor.wait_for_recorder()
        for source in sources:
            source.wait_until_ready()
        with cpu_share(recorder.pid) as used:
            conductor.begin(0)
            reports = [source.report() for source in sources]
        memory_mib = psutil.Process(recorder.pid).memory_info().rss / (1 << 20)
        published = Counter[str]()
        for report in reports:
            published.update(report.published)
        ended_s = time.monotonic()
        conductor.end(0, steps=published["transition"])
        episode = conductor.wait_for_episode(EpisodeStore(run / "episodes"), 0)
        durable_s = time.monotonic() - ended_s
    late_most_s = max(report.late_most_s for report in reports)
    return examine(options, episode, published, Used(used.share, memory_mib, late_most_s, durable_s), directory)


@dataclass(slots=True)
class Used:
    """What the recording took."""

    share: float = 0.0
    memory_mib: float = 0.0
    late_most_s: float = 0.0
    durable_s: float = 0.0


@contextmanager
def cpu_share(pid: int) -> Iterator[Used]:
    """Fills ``share`` at the end: CPU seconds of the process and all its threads per second of the wall clock."""
    process, used = psutil.Process(pid), Used()
    before, begin_s = process.cpu_times(), time.monotonic()
    yield used
    after = process.cpu_times()
    used.share = (after.user + after.system - before.user - before.system) / (time.monotonic() - begin_s)


def examine(options: Options, episode: Episode, published: Counter[str], used: Used, directory: Path) -> Result:
    """Reads the file again, in three ways: message by message, with every check, and into a training's cache."""
    store = EpisodeStore(episode.path.parent)
    read, raw_bytes, begin_s = Counter[str](), 0, time.monotonic()
    for message in store.messages(episode):
        read[message.topic.removeprefix("/")] += 1
        raw_bytes += len(message.data)
    read_s = time.monotonic() - begin_s
    problems = [problem.what for problem in verify_episode(episode).problems]
    image = ImageSpec(height=IMAGE_PX, width=IMAGE_PX, channels=3)
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=STATE_SIZE, image=image), action_size=ACTION_SIZE)
    begin_s = time.monotonic()
    written = 0
    try:
        written = write_prior(directory / "cache", spec, read_prior(episode.path.parent, spec))
    except EpisodeError as error:  # What was not recorded whole is not for training.
        problems.append(str(error))
    cache_s = time.monotonic() - begin_s
    if written != published["transition"]:
        problems.append(f"the cache holds {written} of {published['transition']} transitions")
    lines = [Line(topic, count, episode.outcome.audit[f"/{topic}"], read[topic]) for topic, count in published.items()]
    return Result(
        options.seconds,
        lines,
        used.share,
        used.memory_mib,
        used.late_most_s,
        used.durable_s,
        raw_bytes,
        episode.file.stat().st_size,
        read_s,
        cache_s,
        problems,
    )


def to_markdown(options: Options, result: Result, load: float) -> str:
    head = (
        "# Recording\n\nWritten by `python benchmarks/recording.py --seconds "
        f"{options.seconds:g} --markdown docs/results/recording.md`: {result.seconds:g} s of two cameras of 640 x "
        "480 at 30 Hz (smooth surfaces under noise of 2 grey levels), joint states, TCP pose and wrench at 500 Hz "
        "each, and transitions with two pictures of 64 x 64 at 10 Hz, through the recorder node over the embedded "
        "ROS 2.\n"
        f"{os.cpu_count()} cores, which publishers, recorder and whatever else ran shared; Python "
        f"{platform.python_version()}, load of {load:.1f} before the start.\n"
    )
    rows = [
        "| topic | published | received (audit) | written (audit) | read again | lost |",
        "|---|---|---|---|---|---|",
    ]
    for line in result.lines:
        audit = line.audit
        rows.append(
            f"| /{line.topic} | {line.published} | {audit.received} | {audit.written} | {line.read} | {line.lost} |"
        )
    figures = (
        ("CPU of the recorder, share of one core", f"{result.cpu_share:.1%}", f"{CPU_BAR:.0%} or less"),
        ("memory of the recorder", f"{result.memory_mib:.0f} MiB", ""),
        ("messages, file", f"{result.raw_bytes / GB:.2f} GB, {result.file_bytes / GB:.2f} GB", ""),
        ("rate", f"{result.raw_bytes / 1e6 / result.seconds:.0f} MB/s", ""),
        ("durable after the end of the episode", f"{result.durable_s:.2f} s", ""),
        ("read again, message by message", f"{result.read_s:.0f} s", ""),
        ("file -> training's cache", f"{result.cache_s_per_gb:.1f} s per GB", f"{CACHE_BAR_S:.0f} s or less"),
        ("sources behind their schedule, at worst", f"{result.late_most_s * 1e3:.0f} ms", ""),
    )
    lines = ["", "| | | bar |", "|---|---|---|", *(f"| {name} | {value} | {bar} |" for name, value, bar in figures)]
    verdict = "\n".join(f"- missed: {what}" for what in result.missed) or "All bars met; `verify` finds nothing wrong."
    return "\n".join([head, *rows, *lines, "", verdict, ""])


def main(options: Options) -> int:
    load = psutil.getloadavg()[0]
    directory = options.directory or Path(tempfile.mkdtemp(prefix="tenon_recording_"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        result = record(options, directory)
    finally:
        if options.directory is None:
            shutil.rmtree(directory, ignore_errors=True)
    page = to_markdown(options, result, load)
    sys.stdout.write(page)
    if options.markdown is not None:
        options.markdown.write_text(page)
    if options.json is not None:
        figures = {**asdict(result), "lines": [{**asdict(x), "audit": x.audit.model_dump()} for x in result.lines]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(bool(result.missed))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
