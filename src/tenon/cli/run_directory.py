"""The directory of one run: its resolved session, its logs, and the promise that two sessions never share it."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tenon.cli.console import write_text
from tenon.cli.errors import CommandError, UsageError
from tenon.configuration import Config, ConfigurationError, load_yaml
from tenon.configuration.resolve import ConfigKind, resolve

SESSION_FILE = "session.yaml"
ALGORITHM_FILE = "algorithm.yaml"
LOG_FOLDER = "log"
LOCK_FILE = ".lock"
PROGRESS = ("trainer", "episodes")
"""Folders that a session makes once its nodes work."""
MAY_CHANGE = frozenset({"episodes", "run_directory", "operator"})
"""What a resumed session may be told anew: to go on for longer, that its directory was moved, and who runs it now."""


def session_file_of(episode: Path) -> Path:
    """Where the run that recorded an episode keeps its session, or its copies have it beside them; may be missing."""
    beside = episode.absolute().parent / SESSION_FILE
    return beside if beside.is_file() else beside.parent.parent / SESSION_FILE


def new_run_directory(root: Path, deed: str, subject: str, now_s: float) -> Path:
    """A fresh name under ``root``, made of what is done and when it began."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now_s))
    return root / f"{deed}_{subject}_{stamp}"


def first_free(path: Path) -> Path:
    """``path``, or where sessions have run there already the next number: ``path-2``, ``path-3``, ..."""
    last = max(_sessions(path), default=0)
    return path.with_name(f"{path.name}-{last + 1}") if last else path


def newest(path: Path) -> Path:
    """Of ``path``, ``path-2``, ... the last one with something to go on with; else the last one that was begun."""
    found = _sessions(path)
    used = [number for number, folder in found.items() if any((folder / name).exists() for name in PROGRESS)]
    last = max(used or found, default=1)
    return found.get(last, path)


def _sessions(path: Path) -> dict[int, Path]:
    """By number: the directories of sessions that are there."""
    numbered = re.compile(rf"{re.escape(path.name)}(?:-(?P<number>[2-9]|[1-9]\d+))?")
    matches = ((numbered.fullmatch(file.parent.name), file.parent) for file in path.parent.glob(f"*/{SESSION_FILE}"))
    return {int(match["number"] or 1): folder for match, folder in matches if match is not None}


def require_unused(path: Path, *, go_on: str = "", option: str = "--run-directory") -> None:
    """Raises UsageError when the directory holds anything: a run is never written over.

    go_on: what to type to go on with it; option: with which the directory is named.
    """
    if (path / SESSION_FILE).exists():
        go_on = go_on or f"tenon session run --resume --run-directory {path}"
        raise UsageError(
            f"{path} holds a session already. To go on with it: {go_on}. To start another one, name another {option}"
        )
    if path.exists() and (not path.is_dir() or any(entry.name != LOCK_FILE for entry in path.iterdir())):
        raise UsageError(f"{path} is there already and is no run of Tenon: name another {option}")


def create(path: Path, session: Config) -> Path:
    """Writes the resolved session into a new run directory and returns its file.

    Raises UsageError when the directory is used already, CommandError when it cannot be written.
    """
    require_unused(path)
    return write_session(path, session)


def write_session(path: Path, session: Config) -> Path:
    """Writes the resolved session beside and renames it. Raises CommandError."""
    return _write(path / SESSION_FILE, session.model_dump(mode="json"))


def write_algorithm(path: Path, algorithm: Mapping[str, Any]) -> Path:
    """Keeps the learner's configuration: a run goes on with its own when the file that it named has been changed.

    Raises CommandError.
    """
    return _write(path / ALGORITHM_FILE, dict(algorithm))


def stored_algorithm(path: Path, named: str) -> Path | None:
    """The learner's configuration of the run in ``path``, where it is not that of the file ``named`` any more."""
    file = path / ALGORITHM_FILE
    if not file.is_file():
        return None
    try:
        is_same = load_yaml(resolve(ConfigKind.ALGORITHMS, named)) == load_yaml(file)
    except ConfigurationError:  # it is gone, or in a run directory that was moved
        is_same = False
    return None if is_same else file.absolute()


def _write(file: Path, content: Any) -> Path:
    try:
        write_text(file, yaml.safe_dump(content, sort_keys=False))
    except OSError as error:
        raise CommandError(
            f"{file} cannot be written: {error.strerror}. Free some space or name another place"
        ) from error
    return file


def stored_session(path: Path, wanted: Mapping[str, Any], *, option: str = "--run-directory") -> dict[str, Any]:
    """What the run was started with, with what ``wanted`` may change in it. option: names the directory.

    Raises UsageError when there is no run, or when ``wanted`` asks for what the run was not started with.
    """
    file = path / SESSION_FILE
    if not file.is_file():
        raise UsageError(f"nothing to resume: {file} does not exist. Start it without --resume")
    stored = load_yaml(file)
    conflicts = [
        f"{key} is {stored.get(key)!r} there, {value!r} was asked for"
        for key, value in wanted.items()
        if key not in MAY_CHANGE and stored.get(key) != value
    ]
    if conflicts:
        raise UsageError(
            f"{file} was started differently: {'; '.join(conflicts)}. Leave these options out to go on with it, or "
            f"name another {option}"
        )
    return {**stored, **{key: value for key, value in wanted.items() if key in MAY_CHANGE}}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the run directory for this process; the kernel lets go when the process ends, however it ends.

    Raises UsageError when another process holds it, CommandError when it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / LOCK_FILE).open("a+", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}. Name another --run-directory") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            raise UsageError(f"{path} is in use by process {holder}: stop that session first") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
