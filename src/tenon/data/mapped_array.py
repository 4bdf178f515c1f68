"""Arrays in memory-mapped files whose disk blocks are reserved before they are written."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

_CHUNK_BYTES = 256 * 1024


class StorageError(RuntimeError):
    """Data on disk that cannot be written or used. The message says what happened and what is safe."""


class MappedArray:
    """``rows`` rows of one type in one file, made (all zeros) or opened; blocks are taken as they are needed.

    Storing to a mapped page for which the disk has no block kills the process. ``reserve`` takes the blocks first, and
    a full disk is an error that can be handled.

    sealed: the file is never written to, so that folders may share it; what is stored to the array stays in memory.
    """

    def __init__(
        self,
        path: Path,
        dtype: DTypeLike,
        rows: int,
        row_shape: tuple[int, ...] = (),
        *,
        create: bool,
        sealed: bool = False,
    ):
        self.path = path
        self._row_bytes = int(np.dtype(dtype).itemsize * np.prod(row_shape, dtype=np.int64))
        self._size = rows * self._row_bytes
        self._reserved = 0
        if create:
            if path.exists() and path.stat().st_blocks:
                raise StorageError(
                    f"{path}: holds data, but the file 'counters' beside it is missing. Restore that file, or move the "
                    f"folder away to start afresh"
                )
            with path.open("wb") as file:
                file.truncate(self._size)
        elif not path.exists() or path.stat().st_size != self._size:
            seen = f"{path.stat().st_size} bytes" if path.exists() else "missing"
            raise StorageError(
                f"{path}: {seen}, {self._size} bytes are needed: the file was cut off or removed. Restore it, or move "
                f"the folder away to start afresh"
            )
        self._map = np.memmap(path, dtype=dtype, mode="c" if sealed else "r+", shape=(rows, *row_shape))
        self.array: NDArray[Any] = np.asarray(self._map)

    def reserve(self, rows: int) -> None:
        """Makes sure that the first ``rows`` rows have disk blocks. Raises StorageError where the disk is full."""
        needed = rows * self._row_bytes
        if needed <= self._reserved:
            return
        until = min(self._size, needed + _CHUNK_BYTES)
        with self.path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), self._reserved, until - self._reserved)
            except OSError as error:
                raise _reservation_error(self.path, until - self._reserved, error) from error
        self._reserved = until

    def flush(self) -> None:
        """Waits until the disk holds what was stored."""
        self._map.flush()

    def cut(self, rows: int) -> None:
        """Leaves the file with its first ``rows`` rows, on the disk. The array must not be used any more."""
        self.flush()
        with self.path.open("r+b") as file:
            file.truncate(rows * self._row_bytes)
            os.fsync(file.fileno())


def _reservation_error(path: Path, needed_bytes: int, error: OSError) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        free = shutil.disk_usage(path.parent).free
        return StorageError(
            f"{path.parent}: the disk is full ({free / 1e6:.1f} MB free, {needed_bytes / 1e6:.1f} MB more are needed). "
            f"All that was stored before is safe; free some space and go on"
        )
    return StorageError(f"{path}: cannot reserve {needed_bytes} bytes: {error}")


def locked(directory: Path) -> TextIO:
    """The open lock file; the kernel frees the lock when the process ends, however it ends."""
    try:
        file = (directory / "lock").open("w")
    except OSError as error:
        raise StorageError(
            f"{directory}: cannot be locked: {error}. A replay is written to even where it is only read: copy it to "
            f"where you may write"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StorageError(
            f"{directory}: another process uses this replay: stop that trainer, or give this one a folder of its own"
        ) from error
    return file


def write_beside(path: Path, content: bytes) -> None:
    """Replaces a file as a whole: written beside, synced, renamed. A crash leaves the old or the new one.

    Raises StorageError, with the old one in place, when that cannot be done.
    """
    beside = path.with_name(path.name + ".new")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written: {error}. The former content is in place") from error


def sync_folder(folder: Path) -> None:
    """Waits until the disk holds the names in ``folder``."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
