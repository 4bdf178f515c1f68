"""The replay: transitions in memory-mapped rings that survive a crash, sampled without copying more than the batch.

A folder holds ``replay.json`` (sizes), ``counters`` (how many transitions are valid), one file per field, the rows that
describe them, the frames, and the ledger of episodes. Transition number n lives in slot n modulo the number of slots.
A row is valid once ``counters`` says so, which is the last thing that ``add`` writes; the slots hold ``reserve`` rows
more than the window that is sampled, so that no valid row of the window is ever being overwritten. What the kernel had
not yet written at a power cut is found by checksum and cut off when the folder is opened.

With images, each frame is stored once: the next frame of a step is the frame of the following step.
With goals, what the next observation achieved is stored beside it, so that another goal can be put in its place.
"""

from __future__ import annotations

import bisect
import json
import logging
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from tenon.configuration import Config, ConfigurationError, differences, parse
from tenon.data.batch import Batch
from tenon.data.episode_ledger import EpisodeLedger
from tenon.data.mapped_array import MappedArray, StorageError, locked, write_beside
from tenon.data.names import Names
from tenon.data.replay_rows import CHECKED_BYTES, ROW, fill_row
from tenon.data.spans import EpisodeSpans
from tenon.data.transitions import POSITION_SIZE, EnvironmentSpec, ImageArray, Transition, check_transition

_log = logging.getLogger(__name__)

_FORMAT = 3
_HEADER = "replay.json"
FRAMES = "frames"
_COMMITTED, _FLUSHED = 0, 1
_TCP = "next_tcp_in_base_m"


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

    @property
    def slots(self) -> int:
        """Rows on disk: one more than are held, as a crash may have torn the slot that the next transition goes to."""
        return self.capacity + self.reserve + 1

    @property
    def frame_capacity(self) -> int:
        """Frames that the transitions of the window may need."""
        return math.ceil(self.capacity * self.frames_per_transition) + 1

    @property
    def frame_slots(self) -> int:
        """Frames on disk."""
        return self.frame_capacity + 2 * self.reserve


class _Header(Config):
    """sealed: it gets no more transitions."""

    format: int
    spec: EnvironmentSpec
    config: ReplayConfig
    sealed: bool = False


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
        self._lock = locked(directory)
        self._sealed = self._check_header().sealed
        self._slots, self._frame_slots = self.config.slots, self.config.frame_slots
        # The counters come last when a folder is made: where they are, everything else must be.
        create = not (directory / "counters").exists()
        self._fields = self._open_fields(create=create)
        self._rows = MappedArray(directory / "rows", ROW, self._slots, create=create)
        self._frames = self._open_frames(create=create)
        self._tensors = {name: torch.from_numpy(field.array) for name, field in self._fields.items()}
        self._counters = MappedArray(directory / "counters", np.uint64, 2, create=create)
        self._counters.reserve(2)
        self._sessions = Names(directory / "sessions.json")
        self._reward_versions = Names(directory / "reward_versions.json")
        self._recover()
        self._ledger = EpisodeLedger(directory / "episodes", self.transitions)
        held_rows = self._held_rows()
        self._ledger.restore(held_rows)
        self._spans = EpisodeSpans(held_rows)
        self._human: list[int] = held_rows["number"][held_rows["human"]].tolist()

    @classmethod
    def open(cls, directory: Path, spec: EnvironmentSpec) -> Replay:
        """The replay that is in ``directory``, with the sizes it was made with. Raises StorageError, as above."""
        if not (directory / _HEADER).exists():
            raise StorageError(f"{directory}: holds no replay ({_HEADER} is missing): choose another folder")
        return cls(directory, spec, _read_header(directory / _HEADER).config)

    @staticmethod
    def is_sealed(directory: Path) -> bool:
        """Whether ``directory`` holds a replay that ``seal`` has closed: nothing in it changes any more.

        Raises StorageError for a damaged one.
        """
        path = directory / _HEADER
        return path.exists() and _read_header(path).sealed

    @property
    def transitions(self) -> int:
        """How many transitions came in, dropped ones included."""
        return int(self._counters.array[_COMMITTED])

    @property
    def overwrites(self) -> bool:
        """Whether the next transition takes the place of an earlier one, or its frames that of earlier frames."""
        if self.transitions + 1 >= self._slots:
            return True
        if self._frames is None or not self.transitions:
            return False
        return int(self._row(self.transitions - 1)["next_frame"]) + 2 >= self._frame_slots

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
        if self._sealed:
            raise StorageError(f"{self._directory}: is sealed, it gets no more transitions: add to another folder")
        check_transition(transition, self.spec)
        number = self.transitions
        slot = number % self._slots
        session = self._sessions.number(transition.session)
        reward_version = self._reward_versions.number(transition.reward_version)
        for field in (*self._fields.values(), self._rows):
            field.reserve(slot + 1)
        frames = self._store_frames(transition, number)
        values = {
            "state": transition.observation.state,
            "action": transition.action,
            "reward": transition.reward,
            "next_state": transition.next_observation.state,
            "terminated": transition.terminated,
            "achieved_goal": transition.next_observation.achieved_goal,
            _TCP: np.nan if transition.next_tcp_in_base_m is None else transition.next_tcp_in_base_m,
        }
        for name, field in self._fields.items():
            field.array[slot] = values[name]
        row = self._rows.array[slot]
        row["number"], row["frame"], row["next_frame"] = number, *frames
        fill_row(row, transition, session=session, reward_version=reward_version)
        row["checksum"] = self._checksum(slot)
        key = (session, transition.episode, transition.step)
        self._spans.add(number, *key, ended=transition.ended, oldest=number + 1 - self._slots)
        if transition.human:
            self._human.append(number)
        self._counters.array[_COMMITTED] = number + 1
        self._ledger.add(*key, ended=transition.ended, transitions=number + 1)
        self._drop(number + 1 - self._slots)
        if number + 1 - int(self._counters.array[_FLUSHED]) >= self.config.reserve:
            self.flush()
        return number

    def _drop(self, number: int) -> None:
        """Tells the ledger that transition ``number`` is held no more; its row is, until the next one comes in."""
        row = self._row(number)
        if number >= 0 and int(row["number"]) == number:  # a power cut may have taken it before
            self._ledger.drop(int(row["session"]), int(row["episode"]), number, self.transitions)

    def window(self, until: int) -> range:
        """Numbers of the transitions that are sampled once ``until`` have come in: a function of these alone."""
        start = max(0, until - self.config.capacity)
        if self._frames is not None and until:
            oldest_frame = int(self._row(until - 1)["next_frame"]) + 1 - self.config.frame_capacity
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
        batch = Batch.empty(len(numbers), self.spec)
        self.gather_into(batch, numbers, numbers)
        return batch

    def gather_into(self, batch: Batch, numbers: Tensor, ends: Tensor) -> None:
        """Fills ``batch``: next observation and termination are those of ``ends``, all else is that of ``numbers``.

        Raises StorageError for a transition that is not held.
        """
        lowest, highest, held = int(numbers.min()), int(ends.max()), self._held
        if lowest < held.start or highest >= held.stop:
            raise StorageError(
                f"{self._directory}: transitions {lowest} to {highest} are asked for, "
                f"{held.start} to {held.stop - 1} are held"
            )
        slots, end_slots = numbers % self._slots, ends % self._slots
        self._pick("state", slots, batch.observation.state)
        self._pick("action", slots, batch.action)
        self._pick("reward", slots, batch.reward)
        self._pick("next_state", end_slots, batch.next_observation.state)
        self._pick("terminated", end_slots, batch.terminated)
        if batch.observation.image is not None and batch.next_observation.image is not None:
            self._pick_frames("frame", slots, batch.observation.image)
            self._pick_frames("next_frame", end_slots, batch.next_observation.image)
        batch.number.copy_(numbers)
        if batch.session is not None:
            batch.session.copy_(torch.from_numpy(self._rows.array["session"][slots.numpy()].astype(np.int64)))

    def values(self, name: str, numbers: NDArray[np.int64]) -> Tensor:
        """The field ``name`` (reward, achieved_goal) of these transitions, with the shape of ``numbers`` in front."""
        if name == _TCP and name not in self._fields:
            return torch.full((*numbers.shape, POSITION_SIZE), torch.nan)
        return torch.from_numpy(self._fields[name].array[numbers % self._slots])

    def successes(self, window: range) -> NDArray[np.int64]:
        """Numbers of the transitions of ``window`` that reached success, in order."""
        numbers = np.arange(window.start, window.stop)
        reached: NDArray[np.int64] = numbers[self._rows.array["success"][numbers % self._slots]]
        return reached

    def first_success(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first transition from ``first`` to ``last``, (batch,) each, that reached success; -1 where none did."""
        longest = int((last - first).max(initial=0)) + 1
        numbers = first[:, None] + np.arange(longest)
        succeeded = self._rows.array["success"][numbers % self._slots] & (numbers <= last[:, None])
        return np.where(succeeded.any(axis=1), first + succeeded.argmax(axis=1), -1)

    def spans(self, numbers: NDArray[np.int64], window: range) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last transition, (batch,) each, of the steps that follow one another around ``numbers``.

        A span is of one episode, has no gap and lies within ``window``; it is a function of the window alone.
        """
        return self._spans.around(numbers, window)

    def human(self, window: range) -> NDArray[np.int64]:
        """Numbers of the transitions of ``window`` in which a person drove, in order."""
        first, last = (bisect.bisect_left(self._human, bound) for bound in (window.start, window.stop))
        return np.array(self._human[first:last], dtype=np.int64)

    def session_name(self, number: int) -> str:
        """The session that ``rows`` names by number."""
        return self._sessions.name(number)

    def reward_version(self, number: int) -> str:
        """The classifier's version that ``rows`` names by number; empty for a formula."""
        return self._reward_versions.name(number)

    def rows(self, numbers: Tensor) -> NDArray[np.void]:
        """A copy of what is known of transitions beyond their values: session, episode, step, flags, stamp, version."""
        copied: NDArray[np.void] = self._rows.array[(numbers % self._slots).numpy()]
        return copied

    def flush(self) -> int:
        """Waits until the disk holds all transitions there are, and returns how many: they survive a power cut too."""
        committed = self.transitions
        for field in self._mapped():
            field.flush()
        self._counters.array[_FLUSHED] = committed
        self._counters.flush()
        return committed

    def close(self) -> None:
        """Flushes and lets another process open the folder."""
        self.flush()
        self._lock.close()

    def seal(self) -> None:
        """Closes a replay that gets no more, and cuts its files down to what they hold. ``open`` opens it again.

        Raises StorageError, with nothing changed, where the ring has dropped something or is empty.
        """
        committed = self.transitions
        if not 0 < committed <= self.config.capacity:
            raise StorageError(
                f"{self._directory}: {committed} transitions came in; from 1 to {self.config.capacity} can be sealed"
            )
        self.flush()
        config = ReplayConfig(capacity=committed, reserve=1, frames_per_transition=2.0)
        for field in (*self._fields.values(), self._rows):
            field.cut(config.slots)
        if self._frames is not None:
            self._frames.cut(config.frame_slots)
        header = _Header(format=_FORMAT, spec=self.spec, config=config, sealed=True)
        write_beside(self._directory / _HEADER, header.model_dump_json(indent=2).encode())
        self._lock.close()

    def _check_header(self) -> _Header:
        """What the folder says of itself, once it is sure to be what is asked for; written where nothing stands yet."""
        path = self._directory / _HEADER
        own = _Header(format=_FORMAT, spec=self.spec, config=self.config)
        if not path.exists():
            write_beside(path, own.model_dump_json(indent=2).encode())
            return own
        seen = _read_header(path)
        unsealed = seen.model_copy(update={"sealed": False})
        if unsealed != own:
            raise StorageError(
                f"{path}: holds a replay with {differences(unsealed, own)}: use the same configuration or another "
                f"folder"
            )
        return seen

    def _open_fields(self, *, create: bool) -> dict[str, MappedArray]:
        state, action = (self.spec.observation.state_size,), (self.spec.action_size,)
        shapes: dict[str, tuple[int, ...]] = {
            "state": state,
            "action": action,
            "reward": (),
            "next_state": state,
            "terminated": (),
        }
        if self.spec.observation.goal is not None:
            shapes["achieved_goal"] = (self.spec.observation.goal.size,)
        # Replays of before it was stored lack it.
        if create or (self._directory / _TCP).exists():
            shapes[_TCP] = (POSITION_SIZE,)
        return {
            name: MappedArray(self._directory / name, np.float32, self._slots, shape, create=create)
            for name, shape in shapes.items()
        }

    def _open_frames(self, *, create: bool) -> MappedArray | None:
        image = self.spec.observation.image
        if image is None:
            return None
        path = self._directory / FRAMES
        return MappedArray(path, np.uint8, self._frame_slots, image.shape, create=create, sealed=self._sealed)

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

    def _pick(self, name: str, slots: Tensor, out: Tensor) -> None:
        torch.index_select(self._tensors[name], 0, slots, out=out)

    def _pick_frames(self, name: str, slots: Tensor, out: Tensor) -> None:
        assert self._frames is not None
        numbers = self._rows.array[name][slots.numpy()].astype(np.int64)
        oldest = int(self._row(self.transitions - 1)["next_frame"]) + 1 - self._frame_slots
        if int(numbers.min()) < oldest:
            raise StorageError(f"{self._directory}: frames of a transition that is asked for were overwritten since")
        torch.index_select(
            torch.from_numpy(self._frames.array), 0, torch.from_numpy(numbers % self._frame_slots), out=out
        )

    def _checksum(self, slot: int) -> int:
        row = self._rows.array[slot]
        checksum = zlib.crc32(row.tobytes()[:CHECKED_BYTES], int(row["human"]))
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
        """In order of their numbers. What a power cut took has overwritten some of a ring that had come round."""
        numbers = np.array(self._held, dtype=np.int64)
        rows = self._rows.array[numbers % self._slots]
        held: NDArray[np.void] = rows[rows["number"] == numbers]
        return held


def _read_header(path: Path) -> _Header:
    try:
        header = parse(_Header, json.loads(path.read_bytes()), where=str(path))
    except (ConfigurationError, ValueError) as error:
        raise StorageError(f"{path}: cannot be used: {error}") from error
    if header.format != _FORMAT:
        raise StorageError(
            f"{path}: is a replay of format {header.format}, this version reads format {_FORMAT}: make it anew from "
            f"the recorded episodes that it came from, which every version reads"
        )
    return header
