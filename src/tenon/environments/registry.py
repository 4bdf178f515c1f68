"""Environments and scripted data by name: what a command line or an experiment asks for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np

from tenon.configuration import Config, ConfigurationError, parse
from tenon.data.transitions import Transition
from tenon.environments.blocks import BlocksConfig, BlocksEnv
from tenon.environments.claw_valve import ClawValveEnv, ValveScriptConfig, valve_demonstrations
from tenon.environments.drawer import DrawerConfig, DrawerEnv, DrawerScriptConfig, drawer_episodes
from tenon.environments.fetch import FetchConfig, FetchEnv
from tenon.environments.fetch_scripts import PickScriptConfig, pick_demonstrations
from tenon.environments.flying_peg import FlyingPegEnv
from tenon.environments.insertion import ArmRewardName, InsertionEnv, ObservationName, make_insertion
from tenon.environments.insertion_scripts import InsertionScriptConfig, insertion_demonstrations
from tenon.environments.maze import MazeConfig, MazeEnv, MazeScriptConfig, maze_walks
from tenon.environments.peg_tasks import PEG_SOCKETS, biased_peg, socket_peg
from tenon.environments.scripted import ScriptedEpisode, ScriptError, transitions_of
from tenon.environments.stack_script import StackScriptConfig, stack_demonstrations
from tenon.simulation.fetch import FetchTask
from tenon.simulation.fetch_stack import MOST_BLOCKS
from tenon.simulation.task_kinds import insertion_tasks
from tenon.simulation.valve_task import ValveTaskConfig

Make = Callable[..., Any]
Play = Callable[[Any, int, np.random.Generator, Any, str], Iterator[ScriptedEpisode]]

INSERTION = "insertion-"


@dataclass(frozen=True, slots=True)
class _Script:
    """config: what may be chosen. play: the episodes, of (environment, how many, generator, config, session)."""

    config: type[Config]
    play: Play


@dataclass(frozen=True, slots=True)
class _Entry:
    """make: the environment, from the options of its name. script: None where no data can be had by hand."""

    make: Make
    script: _Script | None = None


def environment_names() -> list[str]:
    """All names, sorted. Raises ConfigurationError where the configuration tree is missing."""
    return sorted((*_ENTRIES, *(INSERTION + task for task in insertion_tasks())))


def scripted_names() -> list[str]:
    """Those for which ``scripted_episodes`` has a script, sorted."""
    return sorted(name for name, entry in _ENTRIES.items() if entry.script is not None)


def make_environment(name: str, **options: Any) -> gymnasium.Env[Any, Any]:
    """The environment of that name. options: keys of its configuration.

    Raises ConfigurationError for an unknown name or option, RoboticsPackageError where gymnasium-robotics is missing.
    """
    return _entry(name).make(**options)


def scripted_episodes(
    name: str,
    episodes: int,
    rng: np.random.Generator,
    *,
    environment: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[ScriptedEpisode]:
    """Episodes of the hand-written policy of an environment, one after another.

    environment: options of the environment. options: keys of the script's configuration. The session of the
    transitions is ``scripted-NAME``. Raises ConfigurationError, or ScriptError where there is no script.
    """
    script = _entry(name).script
    if script is None:
        raise ScriptError(f"{name} has no script. These have one: {', '.join(scripted_names())}")
    config = parse(script.config, options, where=f"script of {name}")
    return _play(name, script, episodes, rng, config, environment or {})


def scripted_transitions(
    name: str,
    episodes: int,
    rng: np.random.Generator,
    *,
    environment: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[Transition]:
    """The transitions of ``scripted_episodes``."""
    played = scripted_episodes(name, episodes, rng, environment=environment, **options)
    return transitions_of(played)


def _play(
    name: str, script: _Script, episodes: int, rng: np.random.Generator, config: Config, options: Mapping[str, Any]
) -> Iterator[ScriptedEpisode]:
    env = make_environment(name, **options)
    try:
        yield from script.play(env, episodes, rng, config, f"scripted-{name}")
    finally:
        env.close()


def _entry(name: str) -> _Entry:
    if name in _ENTRIES:
        return _ENTRIES[name]
    if name.startswith(INSERTION):
        return _Entry(_insertion(name.removeprefix(INSERTION)))
    known = environment_names()
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigurationError(f"there is no environment {name!r}. There are: {', '.join(known)}{hint}")


class _InsertionOptions(Config):
    """Of ``make_insertion``."""

    robot: str = "ur5"
    connector: str | Path | None = None
    observation: ObservationName = "state"
    reward: ArmRewardName = "electrical"
    render_mode: Literal["rgb_array"] | None = None


def _blocks(**options: Any) -> BlocksEnv:
    return BlocksEnv(parse(BlocksConfig, options, where="environment blocks"))


def _drawer(**options: Any) -> DrawerEnv:
    return DrawerEnv(parse(DrawerConfig, options, where="environment drawer"))


def _claw_valve(**options: Any) -> ClawValveEnv:
    return ClawValveEnv(parse(ValveTaskConfig, options, where="environment claw-valve"))


def _maze(**options: Any) -> MazeEnv:
    return MazeEnv(parse(MazeConfig, options, where="environment maze-medium"))


def _peg(**options: Any) -> FlyingPegEnv:
    return FlyingPegEnv(biased_peg(**options))


def _socket(socket: str) -> Make:
    return lambda **options: FlyingPegEnv(socket_peg(socket, **options))


def _fetch(task: FetchTask) -> Make:
    return lambda **options: FetchEnv(parse(FetchConfig, {**options, "task": task}, where=f"environment fetch-{task}"))


def _stack(blocks: int) -> Make:
    chosen = {"task": "stack", "blocks": blocks}
    return lambda **options: FetchEnv(parse(FetchConfig, {**options, **chosen}, where=f"fetch-stack-{blocks}"))


def _insertion(task: str) -> Make:
    def make(**options: Any) -> InsertionEnv:
        chosen = parse(_InsertionOptions, options, where=f"environment {INSERTION}{task}")
        return make_insertion(
            chosen.robot,
            task,
            connector=chosen.connector,
            observation=chosen.observation,
            reward=chosen.reward,
            render_mode=chosen.render_mode,
        )

    return make


_INSERTION_SCRIPT = _Script(InsertionScriptConfig, insertion_demonstrations)
_ENTRIES: Mapping[str, _Entry] = {
    "blocks": _Entry(_blocks),
    "claw-valve": _Entry(_claw_valve, _Script(ValveScriptConfig, valve_demonstrations)),
    "drawer": _Entry(_drawer, _Script(DrawerScriptConfig, drawer_episodes)),
    "maze-medium": _Entry(_maze, _Script(MazeScriptConfig, maze_walks)),
    "flying-peg": _Entry(_peg, _INSERTION_SCRIPT),
    **{f"flying-peg-{socket}": _Entry(_socket(socket), _INSERTION_SCRIPT) for socket in PEG_SOCKETS},
    "fetch-pick": _Entry(_fetch("pick"), _Script(PickScriptConfig, pick_demonstrations)),
    "fetch-push": _Entry(_fetch("push")),
    "fetch-slide": _Entry(_fetch("slide")),
    "fetch-reach": _Entry(_fetch("reach")),
    **{
        f"fetch-stack-{blocks}": _Entry(_stack(blocks), _Script(StackScriptConfig, stack_demonstrations))
        for blocks in range(2, MOST_BLOCKS + 1)
    },
}
