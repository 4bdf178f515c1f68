"""Where edits and exports go: a folder or file that is there as a whole and durably, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenon.data.mapped_array import sync_folder

_PART = ".part"
_OF_WRITING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


class DatasetError(RuntimeError):
    """Something that cannot be done with a dataset. The message says what was seen, what is allowed and what to do."""


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; it gets the name ``path`` once all in it is on the disk.

    Raises DatasetError where ``path`` exists, where another command writes it, and where the disk fails. After an error
    nothing is left of it.
    """
    part = _claim(path)
    with _explained(path):
        part.mkdir()
    try:
        with _explained(path):
            yield part
            sync_tree(part)
            part.rename(path)
            sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Like ``new_folder``, for one file."""
    part = _claim(path)
    try:
        with _explained(path):
            yield part
            _sync(part)
            part.rename(path)
            sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _claim(path: Path) -> Path:
    """The name to write under. Raises DatasetError."""
    part = path.with_name(path.name + _PART)
    if path.exists():
        raise DatasetError(f"{path} exists already and is never overwritten: name another one")
    if part.exists():
        raise DatasetError(
            f"{part} is being written by another command, or was left by one that was killed: wait, or delete it"
        )
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return part


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not _is_of_writing(path, error):
            raise
        raise DatasetError(
            f"{path}: cannot be written: {error.strerror or error}: check the disk and its permissions, or name "
            f"another place. What it was to be made from is untouched"
        ) from error


def _is_of_writing(path: Path, error: OSError) -> bool:
    """Whether what failed is ``path`` in the making, or what it stands in; else something that is read."""
    if error.filename is None:
        return error.errno in _OF_WRITING
    failed = Path(os.fsdecode(error.filename))
    part = path.with_name(path.name + _PART).absolute()
    return failed.absolute().is_relative_to(part) or path.absolute().is_relative_to(failed.absolute())


def sync_tree(folder: Path) -> None:
    """Makes all that is below a folder, and the folder, survive a power cut. Raises OSError."""
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
