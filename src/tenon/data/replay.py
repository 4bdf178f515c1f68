"""The replay: transitions in memory-mapped rings that survive a crash, sampled without copying more than the batch.

A folder holds ``replay.json`` (sizes), ``counters`` (how many transitions are valid), one file per field, the rows that
describe them, the frames, and the ledger of episodes. Transition number n lives in slot n modulo the number of slots.
A row is valid once ``counters`` says so, which is the last thing that ``add`` writes; the slots hold ``reserve`` rows
more than the window that is sampled, so that no valid row of the window is ever being overwritten. What the kernel had
not yet written at a power cut is found by checksum and cut off when the folder is opened.

With images, each frame is stored once: the next frame of a step is the frame of the following step.
"""

from __future__ import annotations

import bisect
import fcntl
import json
import logging
import math
import zlib
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from tenon.configuration import Config, ConfigurationError, parse
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.episode_ledger import EpisodeLedger
from tenon.data.mapped_array import MappedArray, StorageError, write_beside
from tenon.data.transitions import EnvironmentSpec, ImageArray, Transition, check_transition

_log = logging.getLogger(__name__)

_FORMAT = 2
_ROW = np.dtype(
    [
        ("number", "<u8"),
        ("stamp_ns", "<i8"),
        ("policy_version", "<u8"),
        ("frame", "<u8"),
        ("next_frame", "<u8"),
        ("session", "<u4"),
        ("episode", "<u4"),
        ("step", "<u4"),
        ("truncated", "?"),
        ("success", "?"),
        ("saturated", "?"),
        ("ended", "?"),
        ("checksum", "<u4"),
        ("unused", "<u4"),
    ]
)
# The checksum covers the row up to itself.
_CHECKED_BYTES = _ROW.itemsize - 8
_COMMITTED, _FLUSHED = 0, 1


class ReplayConfig(Config):
    """Sizes of a replay.

    capacity: transitions that are sampled, the newest ones.
    reserve: how far adding may run ahead of training and of the last checkpoint before it must wait.
    frames_per_transition: frames held per slot; more than 1, for the last frame of each episode. Where episodes are so
        short that the frames run out first, the oldest transitions leave the window earlier.
    """

    capacity: int = Field(default=1_000_000, gt=0)
    reserve: int = Field(default=20_000, gt=0)
    frames_per_transition: float = Field(default=1.05, ge=1.0, le=2.0)


class _Header(Config):
    format: int
    spec: EnvironmentSpec
    config: ReplayConfig


class Replay:
    """A ring of transitions in ``directory``, created there or opened again. One process at a time.

    ``transitions`` counts all that ever came in. Raises StorageError for a folder that is damaged, of other sizes, or
    in use.
    """

    def __init__(self, directory: Path, spec: EnvironmentSpec, config: ReplayConfig | None = None):
        self.spec = spec
        self.config = config or ReplayConfig()
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(directory)
        self._check_header()
        # One more than are held: a crash may have torn the slot that the next transition goes to.
        self._slots = self.config.capacity + self.config.reserve + 1
        # The counters come last when a folder is made: where they are, everything else must be.
        create = not (directory / "counters").exists()
        self._fields = self._open_fields(create=create)
        self._rows = MappedArray(directory / "rows", _ROW, self._slots, create=create)
        self._frames = self._open_frames(create=create)
        self._tensors = {name: torch.from_numpy(field.array) for name, field in self._fields.items()}
        self._counters = MappedArray(directory / "counters", np.uint64, 2, create=create)
        self._counters.reserve(2)
        self._sessions = _Sessions(directory / "sessions.json")
        self._recover()
        self._ledger = EpisodeLedger(directory / "episodes", self.transitions)
        self._ledger.restore(self._held_rows())

    @property
    def transitions(self) -> int:
        """How many transitions came in, dropped ones included."""
        return int(self._counters.array[_COMMITTED])

    @property
    def complete_episodes(self) -> int:
        """Episodes whose steps all came in, from the first to the last, dropped ones included."""
        return self._ledger.complete_episodes

    def has_episode(self, session: str, episode: int) -> bool:
        """Whether all steps of the episode came in."""
        number = self._sessions.find(session)
        return number is not None and self._ledger.is_complete(number, episode)

    def has_step(self, session: str, episode: int, step: int) -> bool:
        """Whether this step came in."""
        number = self._sessions.find(session)
        return number is not None and self._ledger.holds(number, episode, step)

    def add(self, transition: Transition) -> int:
        """Stores a transition and returns its number.

        Raises TransitionError when it does not fit the task, StorageError when the disk is full; both leave all as it
        was. After a kill -9 at any moment the transition is there as a whole or not at all.
        """
        check_transition(transition, self.spec)
        number = self.transitions
        slot = number % self._slots
        session = self._sessions.number(transition.session)
        for field in (*self._fields.values(), self._rows):
            field.reserve(slot + 1)
        frames = self._store_frames(transition, number)
        values = {
            "state": transition.observation.state,
            "action": transition.action,
            "reward": transition.reward,
            "next_state": transition.next_observation.state,
            "terminated": transition.terminated,
        }
        for name, value in values.items():
            self._fields[name].array[slot] = value
        row = self._rows.array[slot]
        row["number"], row["frame"], row["next_frame"] = number, *frames
        row["session"], row["episode"], row["step"] = session, transition.episode, transition.step
        for name in ("stamp_ns", "policy_version", "truncated", "success", "saturated", "ended"):
            row[name] = getattr(transition, name)
        row["checksum"] = self._checksum(slot)
        self._counters.array[_COMMITTED] = number + 1
        self._ledger.add(session, transition.episode, transition.step, ended=transition.ended, transitions=number + 1)
        if number + 1 - int(self._counters.array[_FLUSHED]) >= self.config.reserve:
            self.flush()
        return number

    def window(self, until: int) -> range:
        """Numbers of the transitions that are sampled once ``until`` have come in: a function of these alone."""
        start = max(0, until - self.config.capacity)
        if self._frames is not None and until:
            oldest_frame = int(self._row(until - 1)["next_frame"]) + 1 - self._frame_capacity
            start = bisect.bisect_left(range(until), oldest_frame, lo=start, key=lambda n: int(self._row(n)["frame"]))
        return range(start, until)

    def sample(self, count: int, generator: torch.Generator, *, until: int | None = None) -> Batch:
        """``count`` transitions, uniform and with replacement, from ``window(until)`` (by default: of all).

        Raises StorageError when there is none, or when its rows were overwritten since.
        """
        numbers = self.window(self.transitions if until is None else until)
        if not numbers:
            raise StorageError(f"{self._directory}: the replay is empty: add transitions before sampling")
        return self.gather(torch.randint(numbers.start, numbers.stop, (count,), generator=generator))

    def gather(self, numbers: Tensor) -> Batch:
        """The transitions with these numbers, (batch,) of int64. Raises StorageError for one that is not held."""
        lowest, highest, held = int(numbers.min()), int(numbers.max()), self._held
        if lowest < held.start or highest >= held.stop:
            raise StorageError(
                f"{self._directory}: transitions {lowest} to {highest} are asked for, "
                f"{held.start} to {held.stop - 1} are held"
            )
        slots = numbers % self._slots
        fields = {name: tensor.index_select(0, slots) for name, tensor in self._tensors.items()}
        image, next_image = self._gather_images(slots)
        return Batch(
            observation=ObservationBatch(fields["state"], image),
            action=fields["action"],
            reward=fields["reward"],
            next_observation=ObservationBatch(fields["next_state"], next_image),
            terminated=fields["terminated"],
            number=numbers,
        )

    def rows(self, numbers: Tensor) -> NDArray[np.void]:
        """A copy of what is known of transitions beyond their values: session, episode, step, flags, stamp, version."""
        copied: NDArray[np.void] = self._rows.array[(numbers % self._slots).numpy()]
        return copied

    def flush(self) -> None:
        """Waits until the disk holds all transitions: after it, they survive a power cut too."""
        committed = self.transitions
        for field in self._mapped():
            field.flush()
        self._counters.array[_FLUSHED] = committed
        self._counters.flush()

    def close(self) -> None:
        """Flushes and lets another process open the folder."""
        self.flush()
        self._lock.close()

    def _check_header(self) -> None:
        path = self._directory / "replay.json"
        own = _Header(format=_FORMAT, spec=self.spec, config=self.config)
        if not path.exists():
            write_beside(path, own.model_dump_json(indent=2).encode())
            return
        try:
            seen = parse(_Header, json.loads(path.read_bytes()), where=str(path))
        except (ConfigurationError, ValueError) as error:
            raise StorageError(f"{path}: cannot be used: {error}") from error
        if seen != own:
            raise StorageError(
                f"{path}: holds a replay of format {seen.format} with {seen.spec!r} and {seen.config!r}, but "
                f"format {own.format} with {own.spec!r} and {own.config!r} is needed: use the same configuration or "
                f"another folder"
            )

    def _open_fields(self, *, create: bool) -> dict[str, MappedArray]:
        state, action = (self.spec.observation.state_size,), (self.spec.action_size,)
        shapes: dict[str, tuple[int, ...]] = {
            "state": state,
            "action": action,
            "reward": (),
            "next_state": state,
            "terminated": (),
        }
        return {
            name: MappedArray(self._directory / name, np.float32, self._slots, shape, create=create)
            for name, shape in shapes.items()
        }

    def _open_frames(self, *, create: bool) -> MappedArray | None:
        image = self.spec.observation.image
        if image is None:
            return None
        self._frame_capacity = math.ceil(self.config.capacity * self.config.frames_per_transition) + 1
        self._frame_slots = self._frame_capacity + 2 * self.config.reserve
        return MappedArray(self._directory / "frames", np.uint8, self._frame_slots, image.shape, create=create)

    def _mapped(self) -> list[MappedArray]:
        return [*self._fields.values(), self._rows, *([self._frames] if self._frames else [])]

    def _row(self, number: int) -> np.void:
        row: np.void = self._rows.array[number % self._slots]
        return row

    def _store_frames(self, transition: Transition, number: int) -> tuple[int, int]:
        """Numbers of the frame and of the next frame; the frame is the last step's next frame wherever it is equal."""
        if self._frames is None:
            return 0, 0
        image, next_image = transition.observation.image, transition.next_observation.image
        assert image is not None and next_image is not None  # check_transition has seen to it
        free = int(self._row(number - 1)["next_frame"]) + 1 if number else 0
        frame = free - 1 if number and np.array_equal(self._frame(free - 1), image) else free
        self._frames.reserve(min(frame + 2, self._frame_slots))
        if frame == free:
            self._frame(frame)[...] = image
        self._frame(frame + 1)[...] = next_image
        return frame, frame + 1

    def _frame(self, number: int) -> ImageArray:
        assert self._frames is not None
        frame: ImageArray = self._frames.array[number % self._frame_slots]
        return frame

    def _gather_images(self, slots: Tensor) -> tuple[Tensor | None, Tensor | None]:
        if self._frames is None:
            return None, None
        rows = self._rows.array[slots.numpy()]
        oldest = int(self._row(self.transitions - 1)["next_frame"]) + 1 - self._frame_slots
        if int(rows["frame"].min()) < oldest:
            raise StorageError(f"{self._directory}: frames of a transition that is asked for were overwritten since")
        frames = torch.from_numpy(self._frames.array)

        def pick(name: str) -> Tensor:
            return frames.index_select(0, torch.from_numpy((rows[name] % self._frame_slots).astype(np.int64)))

        return pick("frame"), pick("next_frame")

    def _checksum(self, slot: int) -> int:
        row = self._rows.array[slot]
        checksum = zlib.crc32(row.tobytes()[:_CHECKED_BYTES])
        for field in self._fields.values():
            checksum = zlib.crc32(np.ascontiguousarray(field.array[slot]).data, checksum)
        if self._frames is not None:
            checksum = zlib.crc32(self._frame(int(row["frame"])).data, checksum)
            checksum = zlib.crc32(self._frame(int(row["next_frame"])).data, checksum)
        return checksum

    def _recover(self) -> None:
        """Cuts off, at the first that is not whole, the transitions that came in after the last flush."""
        committed, flushed = (int(n) for n in self._counters.array)
        for number in range(max(flushed, committed - self._slots), committed):
            row = self._row(number)
            if int(row["number"]) != number or int(row["checksum"]) != self._checksum(number % self._slots):
                _log.warning(
                    "%s: transitions %d to %d were lost in a power cut", self._directory, number, committed - 1
                )
                self._counters.array[_COMMITTED] = number
                return

    @property
    def _held(self) -> range:
        return range(max(0, self.transitions - self._slots + 1), self.transitions)

    def _held_rows(self) -> NDArray[np.void]:
        rows: NDArray[np.void] = self._rows.array[np.array(self._held, dtype=np.int64) % self._slots]
        return rows


class _Sessions:
    """Numbers of sessions by name, in a small JSON file."""

    def __init__(self, path: Path):
        self._path = path
        try:
            names = json.loads(path.read_bytes()) if path.exists() else []
        except ValueError as error:
            raise StorageError(
                f"{path}: is damaged: {error}. It is the list of the sessions' names: restore it"
            ) from error
        self._numbers: dict[str, int] = {name: number for number, name in enumerate(names)}

    def find(self, name: str) -> int | None:
        return self._numbers.get(name)

    def number(self, name: str) -> int:
        if name not in self._numbers:
            names = [*self._numbers, name]
            write_beside(self._path, json.dumps(names).encode())
            self._numbers[name] = len(names) - 1
        return self._numbers[name]


def _locked(directory: Path) -> TextIO:
    """The open lock file; the kernel frees the lock when the process ends, however it ends."""
    file = (directory / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StorageError(
            f"{directory}: another process uses this replay: stop that trainer, or give this one a folder of its own"
        ) from error
    return file
