"""The session that episodes were recorded in: its file says what the task is, so copies of episodes take it along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tenon.data.edit.output import DatasetError
from tenon.data.mapped_array import StorageError, write_beside
from tenon.data.store import Episode

SESSION_FILE = "session.yaml"


def session_file(folder: Path) -> Path | None:
    """Of the episodes in ``folder``, or of the run that it is; None where none stands there or one above."""
    places = (folder / SESSION_FILE, folder.absolute().parent / SESSION_FILE)
    return next((file for file in places if file.is_file()), None)


def copy_session(found: Sequence[Episode], folder: Path) -> None:
    """Copies the session of these episodes into the folder of their copies, where they all agree on one.

    They do where their files are the same, or differ in nothing that recorded data depend on. Raises DatasetError.
    """
    files = {session_file(episode.path.parent) for episode in found}
    present = sorted(file for file in files if file is not None)
    if len(present) < len(files):
        return
    try:
        contents = [file.read_bytes() for file in present]
        hashes = {episode.contract.configuration_hash for episode in found}
        if len(set(contents)) == 1 or (len(hashes) == 1 and all(hashes)):
            write_beside(folder / SESSION_FILE, contents[0])
    except (OSError, StorageError) as error:
        raise DatasetError(f"{SESSION_FILE} of the run cannot be copied: {error}: check the disk") from error
