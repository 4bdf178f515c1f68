"""Where the insertion table is measured: on the flying peg of insertion.md 8.1, or on the simulated arm of 8.2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.data.transitions import EnvironmentSpec, Transition
from tenon.environments.flying_peg import FlyingPegEnv
from tenon.environments.insertion import InsertionEnv
from tenon.environments.insertion_scripts import Insertion, InsertionScriptConfig, insertion_demonstrations
from tenon.environments.peg_tasks import socket_peg
from tenon.environments.scripted import script_rng, transitions_of
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.tasks import InsertionTaskConfig

World = Literal["peg", "arm"]
Reward = Literal["sparse", "dense", "image"]
_ROBOT = "ur5"


class InsertionTask(Insertion, Protocol):
    """An environment of either world; ``reset`` takes ``options={"goal_error_scale": 0.0}`` for a known goal."""

    spec: EnvironmentSpec


def make_task(world: World, socket: str, reward: Reward = "sparse", pure_step_m: float | None = None) -> InsertionTask:
    """The task of a socket. pure_step_m: displacement of action 1 without the hand-written controller, None with it.

    With reward "image", the picture is all that is seen; the arm has no such task and raises ValueError.
    """
    return _peg(socket, reward, pure_step_m) if world == "peg" else _arm(socket, reward, pure_step_m)


def demonstrations(task: InsertionTask, episodes: int, seed: int) -> Callable[[], Iterator[Transition]]:
    """Of the hand-written controller with dither, in the actions of ``task``; those of a seed are always the same."""

    def transitions() -> Iterator[Transition]:
        shown = insertion_demonstrations(task, episodes, script_rng(seed), InsertionScriptConfig(), "demonstrations")
        return transitions_of(shown)

    return transitions


def _peg(socket: str, reward: Reward, pure_step_m: float | None) -> FlyingPegEnv:
    names = {"sparse": "electrical", "dense": "dense", "image": "goal_image"}
    options: dict[str, Any] = {"reward": names[reward], "pure_step_m": pure_step_m}
    if reward == "image":
        options["observation"] = "image"
    return FlyingPegEnv(socket_peg(socket, **options))


def _arm(socket: str, reward: Reward, pure_step_m: float | None) -> InsertionEnv:
    if reward == "image":
        raise ValueError("the arm has no task with the reward of a goal image: choose sparse or dense")
    task = load_named(InsertionTaskConfig, ConfigKind.TASKS, socket)
    if pure_step_m is not None:
        task = task.model_copy(update={"residual": task.residual.alone(pure_step_m)})
    return InsertionEnv(
        load_named(ArmConfig, ConfigKind.ARMS, _ROBOT),
        load_named(ConnectorConfig, ConfigKind.CONNECTORS, task.connector),
        task,
        reward="electrical" if reward == "sparse" else "dense",
    )
