"""`tenon dataset verify`: reads every message again and says what is wrong, and what to do."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tenon.cli.console import OUT, note, write_line
from tenon.cli.dataset_folder import episodes_folders
from tenon.cli.errors import FAILURE, SUCCESS

if TYPE_CHECKING:
    from tenon.data.edit.timing import TopicTiming
    from tenon.data.edit.verify import EpisodeReport, TopicCounts

Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Verify:
    """Read every message of every episode again: checksums, counts, audit, contract, steps, order, gaps and lateness.
    Exits 1 when anything is wrong, and says what to do."""

    directory: tyro.conf.Positional[Path]
    """A run directory, its folder of episodes, or a folder of such folders."""
    json: Flag = False
    """Write the whole report as JSON."""
    topics: Flag = False
    """Show the recorder's audit, rate, largest gap and lateness of every topic of every episode."""
    gap_s: float = 0.5
    """A sensor or stream that is silent for longer than this, and for more than 5 of its periods, has a gap."""
    late_s: float = 1.0
    """A topic with 1 message of 20 recorded later than this after its stamp, or before it, is late."""

    def run(self) -> int:
        from tenon.configuration import parse
        from tenon.data.edit.timing import TimingLimits
        from tenon.data.edit.verify import verify

        limits = parse(TimingLimits, {"gap_s": self.gap_s, "late_s": self.late_s}, where="tenon dataset verify")
        folders = episodes_folders(self.directory)
        reports: list[EpisodeReport] = []
        entries = []
        for folder in folders:
            if len(folders) > 1 and not self.json:
                write_line(f"{folder}:")
            for report in verify(folder, limits):
                reports.append(report)
                entries.append({"folder": str(folder), "ok": not report.problems, **dataclasses.asdict(report)})
                if not self.json:
                    self._show(report)
        wrong = sum(1 for report in reports if report.problems)
        if self.json:
            write_line(json.dumps({"directory": str(self.directory), "ok": not wrong, "episodes": entries}, indent=2))
        messages = sum(report.messages for report in reports)
        note(f"{self.directory}: {len(reports)} episodes with {messages} messages read, {wrong} with something wrong")
        return FAILURE if wrong else SUCCESS

    def _show(self, report: EpisodeReport) -> None:
        state = "wrong" if report.problems else "ok"
        write_line(f"{report.name}  {state}  {report.result}  {report.messages} messages, {report.steps} steps")
        for problem in report.problems:
            write_line(f"    {problem.what}")
            write_line(f"        -> {problem.remedy}")
        if self.topics:
            _show_counts(report.counts)
            _show_topics(report.topics)


def _show_counts(counts: tuple[TopicCounts, ...]) -> None:
    """The recorder's audit, and what the file holds."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("topic")
    for column in ("published", "received", "written", "read again"):
        table.add_column(column, justify="right")
    for one in counts:
        figures = (one.published, one.received, one.written, one.read)
        table.add_row(one.topic, *("?" if value is None else str(value) for value in figures))
    OUT.print(table)


def _show_topics(timings: tuple[TopicTiming, ...]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("topic")
    for column in ("messages", "Hz", "largest gap s", "at s", "late s (median)", "late s (most)"):
        table.add_column(column, justify="right")
    for timing in timings:
        figures = (timing.rate_hz, timing.largest_gap_s, timing.gap_at_s, timing.late_median_s, timing.late_most_s)
        table.add_row(
            timing.topic, str(timing.messages), *("" if value is None else f"{value:.3g}" for value in figures)
        )
    OUT.print(table)
