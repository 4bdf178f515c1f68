"""Episodes of many domains in one folder: a connector with its surroundings is a domain, its name a folder.

::

    DATA/task.json                sizes of observations and actions, the same in all domains
    DATA/domains.json             what is known of each domain whose collection has come to its end
    DATA/NAME/episode_000000/     recorded episodes, as of a session
    DATA/NAME/labels/             what people have said of their frames (``labels``), in place of the recorded success
    DATA/.labelled/               pictures with labels, taken out of the episodes once (``labelled_images``)
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration import Config, ConfigurationError, differences, parse
from tenon.data.labels import Flags, LabelError, LabelStore, frame_count
from tenon.data.mapped_array import StorageError, sync_folder, write_beside
from tenon.data.marks import marking_files
from tenon.data.store import Episode, EpisodeStore
from tenon.data.transitions import EnvironmentSpec, ImageArray, Transition, check_transition

_log = logging.getLogger(__name__)

Split = Literal["train", "held-out"]
INDEX, TASK = "domains.json", "task.json"
_LOCK = ".lock"
_CACHE, _IMAGES, _ROWS, _RECORDINGS = ".labelled", "images.npy", "rows.npy", "recordings.json"
_CHOICE = b"complete and not discarded, with their recordings"
"""Which episodes of a domain ``domain_episodes`` takes, and what is kept of them."""
_SUMMARY_TOPIC = "/session/episode"
_ROW = np.dtype([("label", "?"), ("domain", "<i8"), ("episode", "<i8"), ("step", "<i8"), ("offset_m", "<f4", (3,))])
_REMEDY = "Restore it, or collect again with the same --out: finished episodes are kept"


class Domain(Config):
    """series: of near-duplicates, which stay on one side of a split. mount: of the camera, one 'robot' each."""

    series: Annotated[str, Field(min_length=1)]
    mount: Annotated[str, Field(min_length=1)]
    split: Split


class Recording(NamedTuple):
    """An episode wherever it is copied to: the session's name, and its number there."""

    session: str
    episode: int

    @classmethod
    def of(cls, episode: Episode) -> Recording:
        return cls(episode.contract.session, episode.contract.session_episode)


@dataclass(frozen=True, slots=True)
class DomainIndex:
    """The domains of a folder by name, in order of name."""

    domains: Mapping[str, Domain] = field(default_factory=dict)

    def names(self, split: Split | None = None) -> list[str]:
        """Of one side of the split, or all."""
        return [name for name, domain in self.domains.items() if split in (None, domain.split)]

    def with_domain(self, name: str, domain: Domain) -> DomainIndex:
        """One more, or another one in place of that of this name."""
        domains = {**self.domains, name: domain}
        return DomainIndex({name: domains[name] for name in sorted(domains)})


def is_domain_folder(folder: Path) -> bool:
    return (folder / INDEX).is_file()


def read_index(folder: Path) -> DomainIndex:
    """Raises StorageError where ``folder`` has no list of domains, or a damaged one."""
    path = folder / INDEX
    try:
        entries = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file: name a folder that `tenon collect --out` has filled") from None
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read: {error}. {_REMEDY}") from error
    if not isinstance(entries, dict):
        raise StorageError(f"{path}: holds a {type(entries).__name__}, one object with a key per domain is needed")
    index = DomainIndex()
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            raise StorageError(f"{path}: {name}: holds {entry!r}, series, mount and split are needed. {_REMEDY}")
        try:
            index = index.with_domain(name, parse(Domain, entry, where=f"{path}: {name}"))
        except ConfigurationError as error:
            raise StorageError(f"{error}. {_REMEDY}") from error
    for name in index.domains:
        if not _is_name(name) or not (folder / name).is_dir():
            raise StorageError(f"{path}: {name}: there is no folder {folder / name} of its episodes. {_REMEDY}")
    return index


def check_name(name: str) -> None:
    """A domain's name is that of its folder. Raises StorageError for one that cannot be."""
    if not _is_name(name):
        raise StorageError(
            f"{name!r} cannot be the name of a folder: take one without a slash that does not begin with a dot"
        )


def _is_name(name: str) -> bool:
    return name not in ("", INDEX, TASK) and not name.startswith(".") and Path(name).name == name


def add_domain(folder: Path, name: str, domain: Domain) -> None:
    """Notes a domain whose episodes are all there. Processes may do so at the same time. Raises StorageError."""
    check_name(name)
    with folder_lock(folder):
        index = read_index(folder) if is_domain_folder(folder) else DomainIndex()
        index = index.with_domain(name, domain)
        entries = {name: domain.model_dump() for name, domain in index.domains.items()}
        write_beside(folder / INDEX, (json.dumps(entries, indent=1) + "\n").encode())


def set_task(folder: Path, spec: EnvironmentSpec) -> None:
    """Notes what all domains of ``folder`` are of. Raises StorageError where they are of something else already."""
    with folder_lock(folder):
        if (folder / TASK).exists():
            stored = read_task(folder)
            if stored != spec:
                raise StorageError(f"{folder / TASK}: {differences(stored, spec)}: collect into a new folder")
            return
        write_beside(folder / TASK, spec.model_dump_json().encode())


def read_task(folder: Path) -> EnvironmentSpec:
    """What all domains of ``folder`` are of. Raises StorageError."""
    path = folder / TASK
    try:
        return parse(EnvironmentSpec, json.loads(path.read_bytes()), where=str(path))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be used: {error}. {_REMEDY}") from error


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Waits until no other process holds the lock of ``folder``; the kernel frees it however a process ends.

    Raises StorageError where one may not write there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK).open("w")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be locked: {error}. Take a folder where you may write") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def domain_episodes(folder: Path, name: str) -> list[Episode]:
    """The episodes of one domain that were recorded without loss and that nobody discarded, in order; others are told.

    Raises StorageError where there are none.
    """
    whole = whole_episodes(EpisodeStore(folder / name).episodes())
    if not whole:
        raise StorageError(f"{folder / name}: holds no whole episode. {_REMEDY}")
    return whole


def whole_episodes(episodes: Sequence[Episode]) -> list[Episode]:
    """Those that were recorded without loss and that nobody discarded; others are told."""
    whole = []
    for episode in episodes:
        outcome = episode.outcome
        if outcome.discarded:
            _log.warning("%s: left out: discarded by %s", episode.path, outcome.who or "a person")
        elif outcome.complete:
            whole.append(episode)
        else:
            _log.warning("%s: left out: %s", episode.path, outcome.detail or "incomplete")
    return whole


def read_domains(folder: Path, spec: EnvironmentSpec, *, names: Sequence[str] | None = None) -> Iterator[Transition]:
    """All transitions of these domains (None: of all), one domain after another; the session is the domain's name.

    Raises StorageError for a damaged folder, EpisodeError for a damaged recording, TransitionError for one of another
    task.
    """
    for name in chosen_names(read_index(folder), names, folder):
        store = EpisodeStore(folder / name)
        for episode in domain_episodes(folder, name):
            for transition in store.transitions(episode):
                check_transition(transition, spec)
                yield transition if transition.session == name else replace(transition, session=name)


def chosen_names(index: DomainIndex, names: Sequence[str] | None, folder: Path) -> list[str]:
    """``names``, or all. Raises StorageError for one that is not there."""
    if names is None:
        return index.names()
    unknown = sorted(set(names) - set(index.domains))
    if unknown:
        raise StorageError(f"{folder / INDEX}: has no {', '.join(unknown)}. There are: {', '.join(index.domains)}")
    return list(names)


def fingerprint(folder: Path) -> str:
    """Changes whenever the list of domains, a recording, a label or a mark does: of names, sizes and times.

    Nothing is read. And with ``_CHOICE``, so that a cache of episodes that were chosen otherwise is not taken.
    """
    digest = hashlib.sha256(_CHOICE + (folder / INDEX).read_bytes())
    for name in read_index(folder).domains:
        for path in sorted((folder / name).glob("episode_*/*.mcap")):
            about = path.stat()
            digest.update(f"{path.relative_to(folder)} {about.st_size} {about.st_mtime_ns}\n".encode())
        for path in (*LabelStore(folder / name).newest_files(), *marking_files(folder / name)):
            digest.update(f"{path.relative_to(folder)} {path.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """The picture after each recorded step, in order of domain, episode and step; all arrays are read only.

    image (N, height, width, 3) uint8, mapped from the disk. label (N,) bool: inserted, by a person's labels where there
    are some, else as recorded. domain (N,) int64: position in ``names``. episode, step (N,) int64. offset_m (N, 3)
    float32: of the TCP from the seated pose, in axes of the base; NaN where a recording does not tell its goal error.
    series, mounts, splits: of each domain. recordings: of each domain, which recording each episode is a copy of; empty
    where that is not known.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.bool_]
    domain: NDArray[np.int64]
    episode: NDArray[np.int64]
    step: NDArray[np.int64]
    offset_m: NDArray[np.float32]
    names: tuple[str, ...]
    series: tuple[str, ...]
    mounts: tuple[str, ...]
    splits: tuple[Split, ...]
    recordings: tuple[Mapping[int, Recording], ...] = ()

    def __len__(self) -> int:
        return len(self.label)

    def rows(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Positions of all pictures of these domains, in order."""
        wanted = [number for number, name in enumerate(self.names) if name in names]
        return np.flatnonzero(np.isin(self.domain, wanted))

    def recordings_of(self, rows: NDArray[np.int64]) -> frozenset[Recording]:
        """From which recordings these pictures are, as far as that is known: a repair may have lost the session."""
        if not self.recordings:
            return frozenset()
        pairs = np.unique(np.stack((self.domain[rows], self.episode[rows])), axis=1).T.tolist()
        found = (self.recordings[domain][episode] for domain, episode in pairs)
        return frozenset(recording for recording in found if recording.session)


def labelled_images(folder: Path) -> LabelledImages:
    """The pictures of all domains in ``folder``. The first call, and each after the data changed, reads the episodes.

    Raises StorageError or EpisodeError for damaged data.
    """
    index, cache = read_index(folder), folder / _CACHE
    with folder_lock(cache):
        current = cache / fingerprint(folder)
        if not current.is_dir():
            _build_cache(folder, index, current)
        image, rows = np.load(current / _IMAGES, mmap_mode="r"), np.load(current / _ROWS)
        recordings = json.loads((current / _RECORDINGS).read_bytes())
    domains = index.domains.values()
    return LabelledImages(
        image=image,
        **{name: _read_only(rows[name]) for name in _ROW.names or ()},
        names=tuple(index.domains),
        series=tuple(domain.series for domain in domains),
        mounts=tuple(domain.mount for domain in domains),
        splits=tuple(domain.split for domain in domains),
        recordings=tuple({number: Recording(*which) for number, *which in found} for found in recordings),
    )


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    own = np.ascontiguousarray(values)
    own.flags.writeable = False
    return own


def _build_cache(folder: Path, index: DomainIndex, current: Path) -> None:
    """Written beside and renamed; what belonged to older data goes."""
    episodes = {name: domain_episodes(folder, name) for name in index.domains}
    count = sum(frame_count(episode) for found in episodes.values() for episode in found)
    if not count:
        raise StorageError(f"{folder}: its episodes hold no transitions. {_REMEDY}")
    for old in current.parent.glob("*/"):
        shutil.rmtree(old, ignore_errors=True)
    building = current.with_name(current.name + ".new")
    building.mkdir()
    try:
        _fill(building, folder, episodes, count)
    except BaseException as error:
        shutil.rmtree(building, ignore_errors=True)
        if isinstance(error, OSError):
            raise StorageError(f"{building}: cannot be written: {error}. The recordings are untouched") from error
        raise
    building.rename(current)
    sync_folder(current.parent)


def _fill(building: Path, folder: Path, episodes: Mapping[str, Sequence[Episode]], count: int) -> None:
    rows, shape = np.zeros(count, _ROW), None
    with (building / _IMAGES).open("wb") as images:
        for at, (row, picture, where) in enumerate(_labelled(folder, episodes)):
            if shape is None:
                shape = picture.shape
                header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
                np.lib.format.write_array_header_1_0(images, header)
            if picture.shape != shape:
                raise StorageError(
                    f"{where}: its pictures are {picture.shape}, those before are {shape}: collect all domains of a "
                    f"folder with one size"
                )
            images.write(picture.tobytes())
            rows[at] = row
    np.save(building / _ROWS, rows)
    recordings = [[(episode.number, *Recording.of(episode)) for episode in found] for found in episodes.values()]
    (building / _RECORDINGS).write_text(json.dumps(recordings), encoding="utf-8")


def _labelled(
    folder: Path, episodes: Mapping[str, Sequence[Episode]]
) -> Iterator[tuple[tuple[Any, ...], ImageArray, Path]]:
    """The fields of a ``_ROW``, the picture, and the episode it is from."""
    for number, (name, found) in enumerate(episodes.items()):
        store, labels = EpisodeStore(folder / name), LabelStore(folder / name)
        for episode in found:
            goal_error_m = _goal_error_m(store, episode)
            by_person = _by_person(labels, episode)
            for frame, transition in enumerate(store.transitions(episode)):
                offset_m = transition.next_observation.state[:3] + goal_error_m
                success = transition.success if by_person is None else bool(by_person[frame])
                row = (success, number, episode.number, transition.step, offset_m)
                yield row, _picture(transition, episode), episode.path


def _by_person(labels: LabelStore, episode: Episode) -> Flags | None:
    """What a person has said of the episode's frames; None where nobody has."""
    try:
        newest = labels.latest(episode)
        return None if newest is None else newest.success_of(frame_count(episode))
    except LabelError as error:
        raise StorageError(str(error)) from error


def _picture(transition: Transition, episode: Episode) -> ImageArray:
    image = transition.next_observation.image
    if image is None:
        raise StorageError(f"{episode.path}: its transitions hold no pictures: record with a camera")
    return image


def _goal_error_m(store: EpisodeStore, episode: Episode) -> NDArray[np.float32]:
    """(3,): estimated minus true goal; NaN where the recording does not tell."""
    for summary in store.decoded(episode, [_SUMMARY_TOPIC]):
        return np.array(summary.content.goal_error_m, np.float32)
    return np.full(3, np.nan, np.float32)
