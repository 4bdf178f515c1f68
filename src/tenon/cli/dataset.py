"""`tenon dataset`: what a run has recorded, and recovering what was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from tenon.cli.console import OUT, note, write_line
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from tenon.data.domains import LabelledImages
    from tenon.data.store import Listing

EPISODES_FOLDER = "episodes"
MIB = 1 << 20


@dataclass(frozen=True)
class Info:
    """Show the episodes of a run: finished, being recorded, cut off, damaged. Exits 1 when there are some to repair.

    Of a collection (`tenon collect`): how many pictures each connector and each series has, and the share of successes.
    """

    directory: tyro.conf.Positional[Path]
    """A run directory, its folder of episodes, or the folder of a collection."""

    def run(self) -> int:
        from rich.table import Table

        from tenon.data.domains import is_domain_folder

        if is_domain_folder(self.directory):
            return show_balance(self.directory)
        listing = _scan(self.directory)
        table = Table(title=str(self.directory), title_justify="left")
        for column in ("episode", "controller", "seed", "result", "mark", "messages", "MiB"):
            table.add_column(column)
        for episode in listing.finished:
            contract, outcome = episode.contract, episode.outcome
            size = f"{episode.size_bytes / MIB:.2f}"
            told = (episode.number, contract.controller, contract.seed, outcome.result, outcome.mark)
            table.add_row(*(str(cell) for cell in (*told, episode.messages, size)))
        OUT.print(table)
        for recording in listing.recording:
            note(f"is being recorded: {recording.path}")
        for partial in listing.partial:
            if partial.is_empty:
                note(f"holds no message, cut off before its first one; it may be deleted: {partial.path}")
            elif partial.needs_repair:
                note(f"cut off: {partial.path}: tenon dataset repair {partial.path}")
        for damaged in listing.damaged:
            note(f"left out: {damaged.layout.finished}: {damaged.problem}")
        return FAILURE if listing.to_repair else SUCCESS


@dataclass(frozen=True)
class Repair:
    """Recover all whole messages of a cut-off or damaged episode into a new one beside it; the old one stays."""

    episode: tyro.conf.Positional[Path]
    """Directory of the episode (episode_000123, or episode_000123.part)."""

    def run(self) -> int:
        from tenon.data.episodes import EpisodeError
        from tenon.data.repair import repair_episode

        try:
            report = repair_episode(self.episode)
        except EpisodeError as error:
            raise CommandError(str(error)) from error
        for problem in report.problems:
            note(problem)
        if report.repaired is None:
            note(f"{self.episode}: nothing was changed")
            return SUCCESS if not report.problems else FAILURE
        write_line(f"{report.repaired}: {sum(report.recovered.values())} messages")
        return SUCCESS


def _scan(directory: Path) -> Listing:
    from tenon.data.store import EpisodeStore

    folder = directory / EPISODES_FOLDER
    place = folder if folder.is_dir() else directory
    if not place.is_dir():
        raise UsageError(f"{directory}: no such directory")
    return EpisodeStore(place).scan()


def show_balance(directory: Path) -> int:
    """Tables of a collection: per connector and per series."""
    from tenon.data.domains import labelled_images
    from tenon.data.episodes import EpisodeError
    from tenon.data.mapped_array import StorageError

    try:
        data = labelled_images(directory)
    except (StorageError, EpisodeError) as error:
        raise CommandError(str(error)) from error
    OUT.print(_balance_table(f"{directory}: connectors", data, data.names))
    OUT.print(_balance_table(f"{directory}: series", data, data.series))
    return SUCCESS


def _balance_table(title: str, data: LabelledImages, groups: Sequence[str]) -> Table:
    """One line per group. groups: of each domain, its group."""
    import numpy as np
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("name", "series", "split", "mount", "episodes", "pictures", "successes"):
        table.add_column(column)
    episode = data.domain * (int(data.episode.max()) + 1) + data.episode
    for group in dict.fromkeys(groups):
        members = [number for number, name in enumerate(groups) if name == group]
        rows = np.isin(data.domain, members)
        told = (_joined(values, members) for values in (data.series, data.splits, data.mounts))
        share = f"{data.label[rows].mean():.2f}"
        table.add_row(group, *told, str(np.unique(episode[rows]).size), str(rows.sum()), share)
    table.add_row("all", "", "", "", str(np.unique(episode).size), str(len(data)), f"{data.label.mean():.2f}")
    return table


def _joined(values: Sequence[str], members: Sequence[int]) -> str:
    return ", ".join(sorted({values[number] for number in members}))
