"""What the commands of `tenon dataset` have in common: where episodes are, and how errors come out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tenon.cli.console import note
from tenon.cli.errors import CommandError, UsageError

if TYPE_CHECKING:
    from tenon.data.store import Episode

EPISODES_FOLDER = "episodes"


@contextmanager
def explained() -> Iterator[None]:
    """Errors of datasets, episodes and labels as those of a command."""
    from tenon.data.edit.output import DatasetError
    from tenon.data.episodes import EpisodeError
    from tenon.data.labels import LabelError

    try:
        yield
    except (DatasetError, EpisodeError, LabelError) as error:
        raise CommandError(str(error)) from error


def episodes_folder(directory: Path) -> Path:
    """The folder of episodes that a run directory, or such a folder itself, stands for. Raises UsageError."""
    folder = directory / EPISODES_FOLDER
    place = folder if folder.is_dir() else directory
    if not place.is_dir():
        raise UsageError(f"{directory}: no such directory")
    return place


def episodes_folders(directory: Path) -> tuple[Path, ...]:
    """Like ``episodes_folder``; for a folder of such folders (the parts of a split, a collection) all of them.

    Raises UsageError where there are none.
    """
    place = episodes_folder(directory)
    below = (sub / EPISODES_FOLDER if (sub / EPISODES_FOLDER).is_dir() else sub for sub in sorted(place.iterdir()))
    found = (place,) if _holds_episodes(place) else tuple(folder for folder in below if _holds_episodes(folder))
    if not found:
        raise UsageError(f"{directory}: holds no episodes: name a run directory, or a folder of episode_000000, ...")
    return found


def _holds_episodes(folder: Path) -> bool:
    from tenon.data.episodes import layout_from_name

    return folder.is_dir() and any(layout_from_name(path) is not None for path in folder.iterdir() if path.is_dir())


def finished_episodes(directory: Path) -> tuple[Episode, ...]:
    """The finished episodes of a run; says which others are left out. Raises UsageError where there are none."""
    from tenon.data.store import EpisodeStore

    listing = EpisodeStore(episodes_folder(directory)).scan()
    for recording in listing.recording:
        note(f"left out, is being recorded: {recording.path}")
    for partial in listing.partial:
        if partial.is_empty:
            note(f"left out, holds no message: {partial.path}")
        elif partial.needs_repair:
            note(f"left out, cut off: {partial.path}: tenon dataset repair {partial.path}")
    for damaged in listing.damaged:
        note(f"left out: {damaged.layout.finished}: {damaged.problem}")
    if not listing.finished:
        raise UsageError(
            f"{directory}: has no finished episode: name a run directory, or a folder of episode_000000, ..."
        )
    return listing.finished


def one_episode(path: Path) -> Episode:
    """The finished episode in this directory. Raises UsageError for anything else."""
    from tenon.data.episodes import EpisodeError
    from tenon.data.store import read_episode

    try:
        return read_episode(path)
    except EpisodeError as error:
        raise UsageError(str(error)) from error
