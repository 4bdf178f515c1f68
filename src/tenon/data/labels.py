"""Which frames of an episode show the task done, as a person says: kept beside the episodes, never in them.

::

    EPISODES/episode_000012/                the recording, untouched
    EPISODES/labels/episode_000012/
        000001.json                         the first labelling
        000002.json                         a later one, which counts; the first stays

A repaired episode has the labels of its original, unless it lost the contract that says what it is. Copies of an
episode take them along (``copy_labels``).

Frame k is the picture after step k of the episode: what a reward classifier judges.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tenon.configuration import Config, ConfigurationError, parse
from tenon.data.store import TRANSITION_TOPIC, Episode, EpisodeStore
from tenon.data.versions import file_name, folder_of, newest_files, versions_in, write_new

FOLDER = "labels"
_NS_PER_S = 1e9

Flags = NDArray[np.bool_]


class LabelError(RuntimeError):
    """Labels that cannot be read, or must not be written. The message says what to do."""


class StaleLabelError(LabelError):
    """Somebody else labelled the episode in the meantime: look at theirs first."""


class Labels(Config):
    """One labelling of one episode.

    version: from 1. session, session_episode: of which episode, as its contract says. frames: how many it has. marks:
    the frames at which the label changes; before the first one the task is not done, from it on it is, from the second
    on it is not, and so on; no marks: never done. by, at: who, and when (ISO 8601, UTC). source: a person's own marks,
    or a classifier's that a person accepted; classifier: its version.
    """

    version: Annotated[int, Field(ge=1)]
    session: str
    session_episode: Annotated[int, Field(ge=0)]
    frames: Annotated[int, Field(ge=1)]
    marks: tuple[Annotated[int, Field(ge=0)], ...]
    by: Annotated[str, Field(min_length=1)]
    at: str
    source: Literal["person", "classifier"] = "person"
    classifier: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _check(self) -> Labels:
        if any(earlier >= later for earlier, later in pairwise(self.marks)):
            raise ValueError(f"marks {self.marks}: each must be after the one before")
        if self.marks and self.marks[-1] >= self.frames:
            raise ValueError(f"mark {self.marks[-1]}: the episode has frames 0 to {self.frames - 1}")
        return self

    @property
    def success(self) -> Flags:
        """(frames,): whether each frame shows the task done."""
        return success_from_marks(self.marks, self.frames)

    def fits(self, frames: int) -> bool:
        """Whether they are of an episode of so many frames; its repaired form may lack some."""
        return frames == self.frames

    def success_of(self, frames: int) -> Flags:
        """The same for an episode of so many frames. Raises LabelError where these are not those that were labelled."""
        if not self.fits(frames):
            raise LabelError(
                f"episode {self.session_episode} of session {self.session!r} has {frames} frames and was labelled with "
                f"{self.frames}: it was trimmed or repaired since; label it anew"
            )
        return self.success


def success_from_marks(marks: Sequence[int], frames: int) -> Flags:
    """(frames,): False before the first mark, True from it to the second, and so on."""
    changes = np.zeros(frames, np.int64)
    changes[list(marks)] = 1
    success: Flags = np.cumsum(changes) % 2 == 1
    return success


def marks_from_success(success: Flags) -> tuple[int, ...]:
    """The marks that say the same as ``success`` (frames,)."""
    return tuple(int(frame) for frame in np.flatnonzero(np.diff(success.astype(np.int8), prepend=np.int8(0))))


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The frames of one episode, in order.

    image: (N, height, width, 3) uint8, RGB. step (N,) int64. time_s (N,): since the first frame. success (N,): as the
    reward of the recording had it. logit (N,): of the classifier that paid then, NaN without one.
    """

    episode: Episode
    image: NDArray[np.uint8]
    step: NDArray[np.int64]
    time_s: NDArray[np.float64]
    success: Flags
    logit: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.step)


def load_frames(episode: Episode) -> Frames:
    """Reads an episode's frames. Raises LabelError where it has none, EpisodeError where it is damaged."""
    steps = list(EpisodeStore(episode.path.parent).transitions(episode))
    images = [step.next_observation.image for step in steps]
    seen = [image for image in images if image is not None]
    if not steps or len(seen) != len(steps):
        raise LabelError(
            f"{episode.path}: {len(seen)} of its {len(steps)} transitions hold a picture, all are needed, as "
            f"classifiers learn from these and from no recorded camera topic: record anew with `--observation image` "
            f"(tenon record --task {episode.contract.task} --observation image --out runs/seen), or in a session's "
            f"file with `observation: image`"
        )
    stamps_ns = np.array([step.stamp_ns for step in steps], np.int64)
    return Frames(
        episode=episode,
        image=np.stack(seen),
        step=np.array([step.step for step in steps], np.int64),
        time_s=(stamps_ns - stamps_ns[0]) / _NS_PER_S,
        success=np.array([step.success for step in steps], np.bool_),
        logit=np.array([step.reward_logit for step in steps], np.float32),
    )


def frame_count(episode: Episode) -> int:
    """How many frames an episode has, without reading them."""
    return episode.counts.get(TRANSITION_TOPIC, 0)


class LabelStore:
    """The labels of a folder of episodes. Holds no state: each call looks at the disk."""

    def __init__(self, episodes_directory: Path) -> None:
        self.directory = episodes_directory / FOLDER

    def latest(self, episode: Episode) -> Labels | None:
        """The labelling that counts; None where there is none. Raises LabelError for a damaged or a foreign one."""
        versions = self._versions(episode)
        return self._read(episode, versions[-1]) if versions else None

    def history(self, episode: Episode) -> tuple[Labels, ...]:
        """All labellings of an episode, oldest first. Raises LabelError."""
        return tuple(self._read(episode, version) for version in self._versions(episode))

    def save(
        self,
        episode: Episode,
        frames: int,
        marks: Sequence[int],
        *,
        by: str,
        at: datetime,
        seen_version: int,
        classifier: str = "",
        note: str = "",
    ) -> Labels:
        """Adds a labelling, durably; older ones stay. Returns it.

        frames: of the episode. at: with a time zone. seen_version: of the labelling that the person was shown, 0 if
        there was none. classifier: the version of the one whose proposal the marks are, if they are one. Raises
        StaleLabelError where there is a newer one by now, LabelError where it cannot be written or makes no sense.
        """
        if at.tzinfo is None:
            raise ValueError("`at` needs a time zone")
        about = {
            "version": seen_version + 1,
            "session": episode.contract.session,
            "session_episode": episode.contract.session_episode,
            "frames": frames,
            "marks": tuple(marks),
            "by": by,
            "at": at.astimezone(UTC).isoformat(timespec="seconds"),
            "source": "classifier" if classifier else "person",
            "classifier": classifier,
            "note": note,
        }
        try:
            labels = parse(Labels, about, where=f"labels of {episode.path.name}")
        except ConfigurationError as error:
            raise LabelError(str(error)) from error
        versions = self._versions(episode)
        if (versions[-1] if versions else 0) != seen_version:
            raise self._stale(episode)
        self._write(episode, labels)
        return labels

    def files(self, episode: Episode) -> tuple[Path, ...]:
        """The files of all labellings of an episode, oldest first."""
        return tuple(self._folder(episode) / file_name(version) for version in self._versions(episode))

    def newest_files(self) -> Iterator[Path]:
        """The file that counts of each labelled episode, in order of name."""
        return newest_files(self.directory)

    def _folder(self, episode: Episode) -> Path:
        return folder_of(self.directory, episode.layout, episode.contract, episode.path.name)

    def _versions(self, episode: Episode) -> list[int]:
        return versions_in(self._folder(episode))

    def _read(self, episode: Episode, version: int) -> Labels:
        path = self._folder(episode) / file_name(version)
        try:
            labels = parse(Labels, json.loads(path.read_bytes()), where=str(path))
        except (OSError, ValueError, TypeError) as error:
            raise LabelError(
                f"{path}: cannot be read: {error}. Restore it, or delete it to fall back to the version before"
            ) from error
        contract = episode.contract
        if (labels.session, labels.session_episode) != (contract.session, contract.session_episode):
            raise LabelError(
                f"{path}: is of episode {labels.session_episode} of session {labels.session!r}, {episode.path.name} is "
                f"{contract.session_episode} of {contract.session!r}: labels of another folder were copied here; move "
                f"them away"
            )
        return labels

    def _write(self, episode: Episode, labels: Labels) -> None:
        path = self._folder(episode) / file_name(labels.version)
        try:
            write_new(path, (labels.model_dump_json(indent=1) + "\n").encode())
        except FileExistsError:
            raise self._stale(episode) from None
        except OSError as error:
            raise LabelError(f"{path}: cannot be written: {error}: check the disk and its permissions") from error

    def _stale(self, episode: Episode) -> StaleLabelError:
        newest = self.latest(episode)
        what = "has no labels any more" if newest is None else f"was labelled by {newest.by} at {newest.at}"
        return StaleLabelError(f"{episode.path.name} {what}: look at the newest labels, then label it again")


def copy_labels(episode: Episode, copy: Path) -> int:
    """Copies an episode's labels, as they are, beside ``copy``, the folder of a copy of all of it.

    Returns how many there are. Raises LabelError where they cannot be read or written.
    """
    files = LabelStore(episode.path.parent).files(episode)
    folder = copy.parent / FOLDER / copy.name
    try:
        for file in files:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise LabelError(f"{folder}: cannot be written: {error}: check the disk and its permissions") from error
    return len(files)


def labelled_success(store: LabelStore, episode: Episode, recorded: Flags) -> Flags:
    """(N,): by the labels where there are some, else as ``recorded`` (N,). Raises LabelError."""
    labels = store.latest(episode)
    return recorded if labels is None else labels.success_of(len(recorded))
