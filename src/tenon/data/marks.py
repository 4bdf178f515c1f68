"""A person's later word on an episode: kept beside the episodes, never in them, as labels are.

::

    EPISODES/episode_000012/                the recording, untouched
    EPISODES/marks/episode_000012/
        000001.json                         the first word
        000002.json                         a later one, which counts; the first stays

A repaired episode has the marks of its original, unless it lost the contract that says what it is. Copies of an
episode take them along (``copy_marks``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tenon.configuration import Config, ConfigurationError, parse
from tenon.data.episodes import (
    EpisodeContract,
    EpisodeError,
    EpisodeLayout,
    EpisodeOutcome,
    Mark,
)
from tenon.data.versions import file_name, folder_of, newest_files, versions_in, write_new

FOLDER = "marks"


class MarkError(EpisodeError):
    """A mark that cannot be read, or must not be written. The message says what to do."""


class Marking(Config):
    """One word on one episode.

    version: from 1. session, session_episode: of which episode, as its contract says. mark: empty takes back whatever
    was said of it. by, at: who, and when (ISO 8601, UTC).
    """

    version: Annotated[int, Field(ge=1)]
    session: str
    session_episode: Annotated[int, Field(ge=0)]
    mark: Mark
    by: Annotated[str, Field(min_length=1)]
    at: str


def latest_marking(layout: EpisodeLayout, contract: EpisodeContract) -> Marking | None:
    """The word that counts; None where nobody has said one since the recording. Raises MarkError."""
    folder = _folder(layout, contract)
    versions = versions_in(folder)
    return _read(folder / file_name(versions[-1]), contract) if versions else None


def effective_outcome(recorded: EpisodeOutcome, marking: Marking | None) -> EpisodeOutcome:
    """How an episode ended by the last word on it: success and failure stand above the recorded result.

    A mark that is taken back leaves the recorded result.
    """
    if marking is None:
        return recorded
    said = {"mark": marking.mark, "who": marking.by if marking.mark else ""}
    result = {"result": marking.mark} if marking.mark in ("success", "failure") else {}
    return recorded.model_copy(update={**said, **result})


def mark_episode(layout: EpisodeLayout, contract: EpisodeContract, mark: Mark, *, by: str, at: datetime) -> Marking:
    """Adds a word, durably; older ones stay. at: with a time zone. Raises MarkError where it cannot be written."""
    if at.tzinfo is None:
        raise ValueError("`at` needs a time zone")
    folder = _folder(layout, contract)
    version = max(versions_in(folder), default=0) + 1
    about = {
        "version": version,
        "session": contract.session,
        "session_episode": contract.session_episode,
        "mark": mark,
        "by": by,
        "at": at.astimezone(UTC).isoformat(timespec="seconds"),
    }
    try:
        marking = parse(Marking, about, where=f"mark of {layout.stem}")
    except ConfigurationError as error:
        raise MarkError(str(error)) from error
    _write(folder / file_name(version), (marking.model_dump_json(indent=1) + "\n").encode())
    return marking


def copy_marks(layout: EpisodeLayout, contract: EpisodeContract, copy: EpisodeLayout) -> None:
    """Copies all words on an episode, as they are, to where ``copy`` is or will be. Raises MarkError."""
    source, target = _folder(layout, contract), copy.directory / FOLDER / copy.stem
    for version in versions_in(source):
        try:
            data = (source / file_name(version)).read_bytes()
        except OSError as error:
            raise MarkError(f"{source / file_name(version)}: cannot be read: {error}: check the disk") from error
        _write(target / file_name(version), data)


def marking_files(directory: Path) -> Iterator[Path]:
    """The file that counts of each marked episode of a folder, in order of name."""
    return newest_files(directory / FOLDER)


def _folder(layout: EpisodeLayout, contract: EpisodeContract) -> Path:
    return folder_of(layout.directory / FOLDER, layout, contract, layout.stem)


def _read(path: Path, contract: EpisodeContract) -> Marking:
    try:
        marking = parse(Marking, json.loads(path.read_bytes()), where=str(path))
    except (OSError, ValueError, TypeError) as error:
        raise MarkError(
            f"{path}: cannot be read: {error}. Restore it, or delete it to fall back to the word before"
        ) from error
    if (marking.session, marking.session_episode) != (contract.session, contract.session_episode):
        raise MarkError(
            f"{path}: is of episode {marking.session_episode} of session {marking.session!r}, the episode is "
            f"{contract.session_episode} of {contract.session!r}: marks of another folder were copied here; move them "
            f"away"
        )
    return marking


def _write(path: Path, data: bytes) -> None:
    try:
        write_new(path, data)
    except FileExistsError:
        raise MarkError(
            f"{path}: somebody else marked the episode at the same moment: look, then mark it anew"
        ) from None
    except OSError as error:
        raise MarkError(f"{path}: cannot be written: {error}: check the disk and its permissions") from error
