"""What people say of episodes later: numbered files in a folder of each, beside the episodes; the newest one counts.

::

    ROOT/episode_000012/
        000001.json
        000002.json                         a later word; the first stays
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from tenon.data.episodes import EpisodeContract, EpisodeLayout
from tenon.data.mapped_array import sync_folder

_SUFFIX = ".json"
_TEMPORARY = ".new"


def folder_of(root: Path, layout: EpisodeLayout, contract: EpisodeContract, stem: str) -> Path:
    """Of one episode, whose folder is called ``stem``: a repaired one has that of its original."""
    own = root / stem
    # A repaired one that lost its contract does not tell whether it is what was spoken of.
    is_alone = own.is_dir() or not contract.session
    return own if is_alone else root / layout.original.stem


def versions_in(folder: Path) -> list[int]:
    """Ascending; empty where there is no such folder."""
    names = (path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))
    return sorted(int(name) for name in names if name.isdigit())


def file_name(version: int) -> str:
    return f"{version:06d}{_SUFFIX}"


def newest_files(root: Path) -> Iterator[Path]:
    """The file that counts of each episode that has one, in order of name."""
    for folder in sorted(root.glob("episode_*/")):
        if versions := versions_in(folder):
            yield folder / file_name(versions[-1])


def write_new(path: Path, data: bytes) -> None:
    """Writes a file durably, with the folders above it. Raises FileExistsError where the name is taken, OSError.

    A link fails where the name is taken, so that of two people at once one is told.
    """
    # The tabs of a console are one process, so that its number alone would not tell two who save at once apart.
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
            sync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)
