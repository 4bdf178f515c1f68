"""The runs below a folder: what they recorded, and the checkpoints of their trainings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tenon.data.checkpoint import CheckpointFolder
from tenon.data.episodes import layout_from_name
from tenon.data.labels import FOLDER as LABELS
from tenon.data.marks import FOLDER as MARKS
from tenon.data.store import EpisodeStore, Listing
from tenon.rewards.daib.classifier import METHOD as CLASSIFIER

DEPTH_MAX = 5
"""Folders below the root that are looked into."""
EPISODES, CHECKPOINTS = "episodes", "checkpoints"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder of episodes. name: below the root."""

    name: str
    folder: Path
    listing: Listing
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint on disk, unverified. name: of its training, below the root. written_s: time since the epoch."""

    name: str
    path: Path
    method: str
    updates: int
    size_bytes: int
    written_s: float
    torch_version: str


def dataset_name(root: Path, folder: Path) -> str:
    """A folder of episodes by its run, below the root."""
    return _folder_name(root, folder, EPISODES)


def dataset_folders(root: Path) -> list[Path]:
    """Folders below ``root`` that hold episodes, by name."""
    return sorted(folder for folder in _folders(root) if _holds_episodes(folder))


def read_dataset(root: Path, folder: Path) -> Dataset:
    """What a folder of episodes holds. Opens every episode."""
    store = EpisodeStore(folder)
    return Dataset(dataset_name(root, folder), folder, store.scan(), store.size_bytes())


def judged(dataset: Dataset) -> int:
    """Finished episodes that count: those that nobody discarded."""
    return sum(not episode.outcome.discarded for episode in dataset.listing.finished)


def successes(dataset: Dataset) -> int:
    """Of those that count."""
    return sum(
        episode.outcome.result == "success" and not episode.outcome.discarded for episode in dataset.listing.finished
    )


def checkpoints(root: Path) -> list[StoredCheckpoint]:
    """Of all trainings below ``root``, the newest first. A manifest that cannot be read says so in its method.

    A training deletes its old ones: those that go meanwhile are skipped.
    """
    found = []
    for folder in _folders(root):
        kept = CheckpointFolder(folder)
        for updates in kept.updates():
            with suppress(FileNotFoundError):
                found.append(_checkpoint(root, folder, kept.path(updates), updates))
    return sorted(found, key=lambda checkpoint: -checkpoint.written_s)


def classifiers(root: Path) -> list[Path]:
    """Folders of reward classifiers below ``root``, by name."""
    return sorted(folder for folder in _folders(root) if _method(folder) == CLASSIFIER)


def _method(folder: Path) -> str:
    """Of the checkpoint that the folder is; empty where it is none."""
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["method"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _checkpoint(root: Path, folder: Path, path: Path, updates: int) -> StoredCheckpoint:
    """Raises FileNotFoundError where it has gone."""
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        method, torch_version = str(manifest["method"]), str(manifest["torch_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        method, torch_version = f"damaged: {error}", ""
    files = [file.stat() for file in path.iterdir()]
    return StoredCheckpoint(
        name=_folder_name(root, folder, CHECKPOINTS),
        path=path,
        method=method,
        updates=updates,
        size_bytes=sum(file.st_size for file in files),
        written_s=max((file.st_mtime for file in files), default=0.0),
        torch_version=torch_version,
    )


def _folder_name(root: Path, folder: Path, last: str) -> str:
    """A folder's name below the root, without the part that is the same in all runs."""
    relative = folder.relative_to(root)
    parts = relative.parts[:-1] if relative.name == last and len(relative.parts) > 1 else relative.parts
    return "/".join(parts) or root.name


def _folders(root: Path) -> Iterator[Path]:
    """The folders below ``root``, itself included; those of episodes and hidden ones are not entered."""
    for place, names, _ in os.walk(root):
        folder = Path(place)
        yield folder
        depth = len(folder.relative_to(root).parts)
        names[:] = sorted(name for name in names if _is_entered(folder / name)) if depth < DEPTH_MAX else []


def _is_entered(folder: Path) -> bool:
    return not folder.name.startswith(".") and folder.name not in (LABELS, MARKS) and layout_from_name(folder) is None


def _holds_episodes(folder: Path) -> bool:
    try:
        return any(layout_from_name(path) is not None for path in folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        return False  # It was deleted since it was listed.
