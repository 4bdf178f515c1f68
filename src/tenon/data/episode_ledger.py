"""Which steps of which episodes a replay has seen, so that a step comes in once and a missed episode is noticed."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_RECORD = np.dtype([("session", "<u4"), ("episode", "<u4"), ("transitions", "<u8"), ("mark", "<u8")])
# Distinguishes a record from zeros that a power cut may have left at the end of the file.
_MARK = 0x5445_4E4F


@dataclass
class _Progress:
    steps: set[int] = field(default_factory=set)
    last: int | None = None

    @property
    def complete(self) -> bool:
        return self.last is not None and len(self.steps) == self.last + 1


class EpisodeLedger:
    """Complete episodes are on disk, one record each, also after the ring has dropped them; open ones in memory.

    An episode is complete when its last step and all steps before it are held, in whatever order they came.
    Keys are (number of the session, number of the episode). ``transitions`` counts what the replay held at that moment:
    a record of more than it holds is of rows that a power cut took, and is dropped.
    """

    def __init__(self, path: Path, transitions: int):
        self._path = path
        self._complete: set[tuple[int, int]] = set()
        self._open: dict[tuple[int, int], _Progress] = {}
        records = self._read(transitions)
        self._complete.update(zip(records["session"].tolist(), records["episode"].tolist(), strict=True))

    @property
    def complete_episodes(self) -> int:
        return len(self._complete)

    def is_complete(self, session: int, episode: int) -> bool:
        return (session, episode) in self._complete

    def holds(self, session: int, episode: int, step: int) -> bool:
        key = (session, episode)
        return key in self._complete or (key in self._open and step in self._open[key].steps)

    def add(self, session: int, episode: int, step: int, *, ended: bool, transitions: int) -> None:
        """Notes one step, the last of ``transitions``; writes the episode down once it is complete."""
        key = (session, episode)
        progress = self._open.setdefault(key, _Progress())
        progress.steps.add(step)
        if ended:
            progress.last = step
        if progress.complete:
            self._complete.add(key)
            del self._open[key]
            self._append(session, episode, transitions)

    def restore(self, rows: NDArray[np.void]) -> None:
        """After a restart: notes the steps of ``rows`` (the ring's own) that no record covers."""
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
        valid = (records["mark"] == _MARK) & (records["transitions"] <= transitions)
        good = whole if valid.all() else int(np.argmin(valid))
        if good * _RECORD.itemsize != len(content):
            os.truncate(self._path, good * _RECORD.itemsize)
        return records[:good]

    def _append(self, session: int, episode: int, transitions: int) -> None:
        """A full disk does no harm here: the next start finds the episode's steps in the ring, and tries again."""
        record = np.array([(session, episode, transitions, _MARK)], dtype=_RECORD)
        size = self._path.stat().st_size if self._path.exists() else 0
        try:
            with self._path.open("ab") as file:
                file.write(record.tobytes())
        except OSError as error:
            _log.warning("%s: episode %d is not written down: %s", self._path, episode, error)
            if self._path.exists():
                os.truncate(self._path, size)
