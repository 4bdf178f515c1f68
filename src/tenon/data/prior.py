"""Prior data: transitions from elsewhere (demonstrations, logs, another training) that a learner starts from.

They are copied into a replay of their own that drops nothing, so that the training that uses them does not change when
their source does.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from tenon.data.domains import is_domain_folder, read_domains, read_index
from tenon.data.episodes import EpisodeError
from tenon.data.mapped_array import StorageError, sync_folder
from tenon.data.replay import FRAMES, Replay, ReplayConfig
from tenon.data.store import EpisodeStore, why_left_out
from tenon.data.transitions import EnvironmentSpec, Observation, Transition, TransitionError

_log = logging.getLogger(__name__)

# The files are sparse until they are sealed: this bounds their nominal size alone.
_MOST_TRANSITIONS = 2**24
_CHUNK = 1024
_REPLAY_FILE = "replay.json"
_REPLAYS = (Path(), Path("replay"), Path("trainer", "replay"))
_EPISODES = (Path(), Path("episodes"))


def replay_folder(path: Path) -> Path | None:
    """The replay that ``path`` is, or that a training or a session's run has in it; None where there is none."""
    folders = (path / place for place in _REPLAYS)
    return next((folder for folder in folders if (folder / _REPLAY_FILE).is_file()), None)


def episodes_folder(path: Path) -> Path | None:
    """The folder of recorded episodes that ``path`` is, or that a session's run has; None without finished ones."""
    folders = (path / place for place in _EPISODES)
    return next((folder for folder in folders if EpisodeStore(folder).scan().finished), None)


def read_prior(path: Path, spec: EnvironmentSpec, *, imitated: bool = False) -> Iterator[Transition]:
    """The transitions in ``path``: of a training, of its replay, of a session's run (its replay, else its episodes), of
    recorded episodes or of a collection.

    Of a collection, those of the domains to train on: held-out ones are left out. imitated: by a learner that does what
    it is shown, so that recorded episodes that broke off half-way are left out as well.

    Raises StorageError where it is none of these, of another task, or in use; EpisodeError for a damaged recording.
    """
    replay = replay_folder(path)
    if replay is not None:
        return _from_replay(replay, spec)
    if is_domain_folder(path):
        return read_domains(path, spec, names=read_index(path).names("train"))
    recorded = episodes_folder(path)
    if recorded is not None:
        return _from_episodes(EpisodeStore(recorded), imitated=imitated)
    raise StorageError(
        f"{path}: holds no transitions: the folder of a training (with replay/replay.json), of a replay (with "
        f"replay.json), of a session's run, of recorded episodes (with episode_000000, ...) or of a collection (with "
        f"domains.json) is needed"
    )


def write_prior(
    directory: Path, spec: EnvironmentSpec, data: Iterable[Transition] | Path, *, imitated: bool = False
) -> int:
    """Stores ``data`` as the sealed replay ``directory`` and returns how many transitions they are.

    data: transitions, or the folder that ``read_prior`` finds them in; a sealed replay is copied file by file, also
    while others read it, its pictures by a link where the disk has links. It is there as a whole or not at all, and
    survives a power cut afterwards; one that was there is replaced. imitated: as ``read_prior`` has it. Raises
    TransitionError, StorageError or EpisodeError, with nothing changed.
    """
    building = directory.with_name(directory.name + ".new")
    shutil.rmtree(building, ignore_errors=True)
    try:
        if isinstance(data, Path) and Replay.is_sealed(data):
            count = _copy(data, building, spec)
        else:
            transitions = read_prior(data, spec, imitated=imitated) if isinstance(data, Path) else data
            count = _store(building, spec, transitions)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    sync_folder(building)
    shutil.rmtree(directory, ignore_errors=True)
    building.rename(directory)
    sync_folder(directory.parent)
    return count


def _copy(source: Path, building: Path, spec: EnvironmentSpec) -> int:
    try:
        shutil.copytree(source, building, copy_function=_linked_or_copied)
    except shutil.Error as error:
        # It lists every file; the first one says why.
        _, _, why = error.args[0][0]
        raise StorageError(f"{building}: cannot be copied from {source}: {why}") from error
    except OSError as error:
        raise StorageError(f"{building}: cannot be copied from {source}: {error}") from error
    replay = Replay.open(building, spec)
    replay.close()
    return replay.transitions


def _linked_or_copied(source: str, target: str) -> None:
    """Pictures, nearly all of it, are shared where the disk can: nobody writes to those of a sealed replay."""
    if Path(source).name == FRAMES:
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # Another disk, or one without links.
    shutil.copy2(source, target)


def _store(building: Path, spec: EnvironmentSpec, transitions: Iterable[Transition]) -> int:
    replay = Replay(building, spec, ReplayConfig(capacity=_MOST_TRANSITIONS, frames_per_transition=2.0))
    for transition in transitions:
        _add_once(replay, transition)
    if not replay.transitions:
        raise StorageError("the prior data hold no transition: hand in at least one, or none at all")
    replay.seal()
    return replay.transitions


def _add_once(replay: Replay, transition: Transition) -> None:
    if replay.has_step(transition.session, transition.episode, transition.step):
        raise TransitionError(
            f"prior data: session {transition.session!r}, episode {transition.episode}, step {transition.step} comes "
            f"twice: count the steps of each episode, and the episodes of each session, from 0"
        )
    if replay.transitions == replay.config.capacity:
        raise StorageError(f"prior data: there are more than {replay.config.capacity} transitions: take fewer")
    replay.add(transition)


def _from_replay(directory: Path, spec: EnvironmentSpec) -> Iterator[Transition]:
    replay = Replay.open(directory, spec)
    try:
        window = replay.window(replay.transitions)
        if not window:
            prior = directory.parent / "prior"
            where = prior if prior.is_dir() else "a run's folder 'episodes', if it recorded any"
            raise StorageError(f"{directory}: holds no transitions yet: name {where} instead")
        for start in range(window.start, window.stop, _CHUNK):
            yield from _chunk(replay, torch.arange(start, min(start + _CHUNK, window.stop)))
    finally:
        replay.close()


def _chunk(replay: Replay, numbers: torch.Tensor) -> Iterator[Transition]:
    batch, rows = replay.gather(numbers), replay.rows(numbers)
    images, next_images = batch.observation.image, batch.next_observation.image
    tcp = replay.values("next_tcp_in_base_m", numbers.numpy())
    goals = None if replay.spec.observation.goal is None else replay.values("achieved_goal", numbers.numpy())
    for i, row in enumerate(rows):
        yield Transition(
            session=replay.session_name(int(row["session"])),
            episode=int(row["episode"]),
            step=int(row["step"]),
            observation=Observation(batch.observation.state[i].numpy(), None if images is None else images[i].numpy()),
            action=batch.action[i].numpy(),
            reward=float(batch.reward[i]),
            next_observation=Observation(
                batch.next_observation.state[i].numpy(),
                None if next_images is None else next_images[i].numpy(),
                None if goals is None else goals[i].numpy(),
            ),
            terminated=bool(batch.terminated[i]),
            truncated=bool(row["truncated"]),
            success=bool(row["success"]),
            saturated=bool(row["saturated"]),
            human=bool(row["human"]),
            policy_version=int(row["policy_version"]),
            stamp_ns=int(row["stamp_ns"]),
            reward_logit=float(row["reward_logit"]),
            reward_version=replay.reward_version(int(row["reward_version"])),
            next_tcp_in_base_m=None if tcp[i].isnan().any() else tcp[i].numpy(),
        )


def _from_episodes(store: EpisodeStore, *, imitated: bool) -> Iterator[Transition]:
    """Of the episodes that may be learnt from; the others are told and left out."""
    found, left_out = False, Counter[str]()
    for episode in store.episodes():
        if why := why_left_out(episode.outcome, imitated=imitated):
            _log.warning("%s: left out of the prior data: %s", episode.path, why)
            is_lossy = not episode.outcome.complete
            left_out["discarded" if episode.outcome.discarded else "lossy" if is_lossy else "half"] += 1
            continue
        for transition in store.transitions(episode):
            found = True
            yield transition
    if not found:
        raise EpisodeError(
            f"{store.directory}: no episode can be learnt from: {left_out['discarded']} are discarded, "
            f"{left_out['lossy']} were recorded with losses, {left_out['half']} broke off half-way and are no example, "
            f"others hold no transitions: record more, with the topic /transition, or mark those that are good (tenon "
            f"dataset mark)"
        )
