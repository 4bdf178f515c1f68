"""Who writes an episode holds a lock on its file, so that nobody takes for cut off what is being recorded.

The kernel lets go when the writer's process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os

from tenon.data.episodes import EpisodeLayout


def lock_episode_file(descriptor: int) -> None:
    """Holds the lock until ``descriptor`` is closed. It waits for those who only look, which take no time.

    Raises OSError where the file system has no locks.
    """
    fcntl.flock(descriptor, fcntl.LOCK_EX)


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
