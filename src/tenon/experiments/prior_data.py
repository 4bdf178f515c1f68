"""Where prior data come from: a script's demonstrations, another training's replay, or recorded episodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tenon.configuration import ConfigurationError, differences, parse
from tenon.data.domains import is_domain_folder, read_task
from tenon.data.edit.session_file import SESSION_FILE, session_file
from tenon.data.mapped_array import StorageError
from tenon.data.prior import episodes_folder, replay_folder
from tenon.data.transitions import EnvironmentSpec, Transition
from tenon.environments.demonstration_resets import DemonstrationResets
from tenon.environments.registry import environment_names, scripted_episodes, scripted_names, scripted_transitions
from tenon.session.setup import load_setup

SCRIPTED = "scripted"
_REPLAY_FILE = "replay.json"
_SCRIPT_STREAM = 5


def scripted(environment: str, episodes: int, seed: int) -> Callable[[], Iterator[Transition]]:
    """Demonstrations of the environment's script; those of a seed are the same every time.

    Raises ConfigurationError for an environment without a script.
    """
    if environment not in scripted_names():
        raise ConfigurationError(
            f"there is no script for {environment!r} to take data from. There are: {', '.join(scripted_names())}"
        )
    return lambda: scripted_transitions(environment, episodes, _script_rng(seed))


def resets(environment: str, episodes: int, seed: int, probability: float) -> DemonstrationResets:
    """Into the demonstrations that ``scripted`` gives, made anew. Raises ScriptError where they hold no states."""
    shown = list(scripted_episodes(environment, episodes, _script_rng(seed)))
    return DemonstrationResets(shown, probability, seed)


def _script_rng(seed: int) -> np.random.Generator:
    """What the demonstrations of a seed are drawn from, whoever asks for them."""
    return np.random.default_rng((seed, _SCRIPT_STREAM))


def data_folder(path: Path, task: EnvironmentSpec | None) -> tuple[EnvironmentSpec, Path]:
    """What the data in ``path`` are of, and the folder in it that a trainer reads.

    path: a replay, a training, a session's run (its replay, else its recorded episodes), recorded episodes, or a
    collection of many domains. task: what they must be of, None where they may say it themselves. Raises
    ConfigurationError.
    """
    replay = replay_folder(path)
    if replay is not None:
        return _of_task(_replay_spec(replay / _REPLAY_FILE), task, path), replay
    if is_domain_folder(path):
        try:
            return _of_task(read_task(path), task, path), path
        except StorageError as error:
            raise ConfigurationError(str(error)) from error
    recorded = episodes_folder(path)
    if recorded is not None:
        session = session_file(path)
        if session is not None:
            return _of_task(load_setup(session).environment_spec, task, path), recorded
        if task is None:
            raise ConfigurationError(
                f"{path}: recorded episodes, and no {SESSION_FILE} beside them or above that says what the task is: "
                f"copy the one of their run there, or name the environment by --env: {', '.join(environment_names())}"
            )
        return task, recorded
    raise ConfigurationError(
        f"{path}: holds no data: the folder of a training, a replay, a session's run, recorded episodes or a "
        f"collection is needed, or the word {SCRIPTED!r}"
    )


def _of_task(stored: EnvironmentSpec, task: EnvironmentSpec | None, path: Path) -> EnvironmentSpec:
    """Raises ConfigurationError where the data are of another task."""
    if task is not None and stored != task:
        raise ConfigurationError(f"{path}: its data are of another task: {differences(stored, task)}")
    return stored


def _replay_spec(path: Path) -> EnvironmentSpec:
    try:
        return parse(EnvironmentSpec, json.loads(path.read_bytes())["spec"], where=str(path))
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{path}: is damaged: {error}. Restore it, or name other data") from error
