"""`tenon dataset`: what a run has recorded, and recovering what was cut off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from tenon.cli.console import OUT, note, write_line
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.data.store import Listing

EPISODES_FOLDER = "episodes"
MIB = 1 << 20


@dataclass(frozen=True)
class Info:
    """Show the episodes of a run: finished, cut off, damaged. Exits 1 when there are some to repair."""

    directory: tyro.conf.Positional[Path]
    """A run directory, or its folder of episodes."""

    def run(self) -> int:
        from rich.table import Table

        listing = _scan(self.directory)
        table = Table(title=str(self.directory), title_justify="left")
        for column in ("episode", "controller", "seed", "result", "messages", "MiB"):
            table.add_column(column)
        for episode in listing.finished:
            contract = episode.contract
            size = f"{episode.size_bytes / MIB:.2f}"
            cells = (episode.number, contract.controller, contract.seed, episode.outcome.result, episode.messages, size)
            table.add_row(*(str(cell) for cell in cells))
        OUT.print(table)
        cut_off = [partial.layout for partial in listing.partial if not partial.layout.repaired.finished.exists()]
        for layout in cut_off:
            note(f"cut off: {layout.part}: tenon dataset repair {layout.part}")
        for damaged in listing.damaged:
            note(f"damaged: {damaged.problem}")
        return FAILURE if cut_off or listing.damaged else SUCCESS


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
