"""Which steps of which episodes a replay has seen, so that a step comes in once and a missed episode is noticed."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenon.data.mapped_array import write_beside

_log = logging.getLogger(__name__)

_RECORD = np.dtype([("session", "<u4"), ("episode", "<u4"), ("transitions", "<u8"), ("mark", "<u8")])
# What a record says of its episode; told apart from zeros that a power cut may have left at the end of the file.
_COMPLETE, _DROPPED = 0x5445_4E4F, 0x5445_4E44


@dataclass
class _Progress:
    """newest: what the replay held once the newest of the steps was in."""

    steps: set[int] = field(default_factory=set)
    last: int | None = None
    newest: int = 0

    @property
    def complete(self) -> bool:
        return self.last is not None and len(self.steps) == self.last + 1


class EpisodeLedger:
    """Complete episodes are on disk, one record each, also after the ring has dropped them; open ones in memory.

    An episode is complete when its last step and all steps before it are held, in whatever order they came. One that
    was broken off stays open; once the ring has dropped all of it there is a record of that, so that none of its steps
    comes in again (where a power cut took that record, they do).
    Keys are (number of the session, number of the episode). ``transitions`` counts what the replay held at that moment:
    a record of an episode that was complete with more than it holds is of rows that a power cut took, and is removed.
    """

    def __init__(self, path: Path, transitions: int):
        self._path = path
        self._open: dict[tuple[int, int], _Progress] = {}
        records = self._read(transitions)
        self._complete, self._dropped = (_keys(records[records["mark"] == mark]) for mark in (_COMPLETE, _DROPPED))

    @property
    def complete_episodes(self) -> int:
        return len(self._complete)

    def is_complete(self, session: int, episode: int) -> bool:
        return (session, episode) in self._complete

    def holds(self, session: int, episode: int, step: int) -> bool:
        key = (session, episode)
        if key in self._complete or key in self._dropped:
            return True
        return key in self._open and step in self._open[key].steps

    def add(self, session: int, episode: int, step: int, *, ended: bool, transitions: int) -> None:
        """Notes one step, the last of ``transitions``; writes the episode down once it is complete."""
        key = (session, episode)
        progress = self._open.setdefault(key, _Progress())
        progress.steps.add(step)
        progress.newest = transitions
        if ended:
            progress.last = step
        if progress.complete:
            self._complete.add(key)
            del self._open[key]
            self._append(session, episode, transitions, _COMPLETE)

    def drop(self, session: int, episode: int, number: int, transitions: int) -> None:
        """Notes that the replay, which counts ``transitions``, holds ``number``, a step of this episode, no more."""
        key = (session, episode)
        if key in self._open and self._open[key].newest == number + 1:
            del self._open[key]
            self._dropped.add(key)
            self._append(session, episode, transitions, _DROPPED)

    def restore(self, rows: NDArray[np.void]) -> None:
        """After a restart: notes the steps of ``rows`` (the ring's own) that no record covers.

        Where the first of all has left the ring, the steps before the oldest row's were there.
        """
        if len(rows) and int(rows[0]["number"]) > 0:
            oldest = (int(rows[0]["session"]), int(rows[0]["episode"]))
            if oldest not in self._complete:
                self._open.setdefault(oldest, _Progress()).steps.update(range(int(rows[0]["step"])))
        keys = rows["session"].astype(np.uint64) << np.uint64(32) | rows["episode"].astype(np.uint64)
        known = np.array([session << 32 | episode for session, episode in self._complete], dtype=np.uint64)
        for row in rows[~np.isin(keys, known)]:
            session, episode = int(row["session"]), int(row["episode"])
            if not self.is_complete(session, episode):
                self.add(
                    session, episode, int(row["step"]), ended=bool(row["ended"]), transitions=int(row["number"]) + 1
                )

    def _read(self, transitions: int) -> NDArray[np.void]:
        content = self._path.read_bytes() if self._path.exists() else b""
        whole = len(content) // _RECORD.itemsize
        records = np.frombuffer(content[: whole * _RECORD.itemsize], dtype=_RECORD)
        is_of_held = (records["mark"] == _COMPLETE) & (records["transitions"] <= transitions)
        valid: NDArray[np.void] = records[is_of_held | (records["mark"] == _DROPPED)]
        if valid.nbytes != len(content):
            write_beside(self._path, valid.tobytes())
        return valid

    def _append(self, session: int, episode: int, transitions: int, mark: int) -> None:
        """A full disk does little harm: the next start finds a complete episode in the ring, and tries again."""
        record = np.array([(session, episode, transitions, mark)], dtype=_RECORD)
        size = self._path.stat().st_size if self._path.exists() else 0
        try:
            with self._path.open("ab") as file:
                file.write(record.tobytes())
        except OSError as error:
            _log.warning("%s: episode %d is not written down: %s", self._path, episode, error)
            if self._path.exists():
                os.truncate(self._path, size)


def _keys(records: NDArray[np.void]) -> set[tuple[int, int]]:
    return set(zip(records["session"].tolist(), records["episode"].tolist(), strict=True))
