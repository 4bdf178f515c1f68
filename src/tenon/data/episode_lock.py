"""Who writes an episode holds a lock on its file, so that nobody takes for cut off what is being recorded.

The kernel lets go when the writer's process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time

from tenon.data.episodes import EpisodeLayout

TRIES, TRY_EVERY_S = 10, 0.02
"""Those who only look hold the lock for a moment. Whoever records does not wait longer: on a network's file system
nobody might ever answer."""


def lock_episode_file(descriptor: int) -> None:
    """Holds the lock until ``descriptor`` is closed.

    Raises OSError where the file system has no locks, or where the lock is not free within ``TRIES``.
    """
    for attempt in range(1, TRIES + 1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if attempt == TRIES:
                raise
        time.sleep(TRY_EVERY_S)


def is_being_written(layout: EpisodeLayout) -> bool:
    """Whether a process is writing the unfinished episode at this moment."""
    # Shortly before the end the file has its final name already, in the directory of the part.
    return any(_is_locked(layout.part / name) for name in (layout.part_file.name, layout.finished_file.name))


def _is_locked(path: os.PathLike[str]) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False  # Not there, or finished meanwhile.
    try:
        # A shared lock, since a file that is open for reading alone cannot be locked otherwise on NFS.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # A file system without locks tells nothing.
    else:
        return False
    finally:
        os.close(descriptor)
