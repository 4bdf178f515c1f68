"""What ``tenon train`` runs: one method on one task, for several seeds side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from tenon.algorithms import Metrics
from tenon.configuration import Config, ConfigurationError
from tenon.data.transitions import EnvironmentSpec
from tenon.environments.registry import make_environment
from tenon.environments.scripted import ScriptError
from tenon.experiments import episodes, prior_data
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, Prior, Resets, evaluated, practised
from tenon.experiments.results import Condition, Results, Row, at_least
from tenon.training.config import TrainerConfig
from tenon.training.loop import EpisodeResult, LoopCallback
from tenon.training.trainer import Trainer

_SCALARS_EVERY = 100
_MINUTES_PER_UPDATE = 1e-4


class TrainingSize(Config):
    """Everything that a training depends on. Starting again with the same goes on where it was interrupted."""

    trainer: TrainerConfig
    environment: str | None = Field(default=None, description="name in the registry of environments")
    data: str | None = Field(default=None, description="'scripted', or a folder with a replay or recorded episodes")
    demonstrations: PositiveInt = Field(default=100, description="episodes of the script")
    demonstration_resets: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="share of practice episodes that begin in a demonstration of the script",
    )
    steps: NonNegativeInt = Field(default=0, description="of practice in the environment, after offline updates")
    evaluate_every: PositiveInt = Field(default=1_000, description="updates or steps between evaluations")
    draws: PositiveInt = Field(default=20, description="evaluation episodes")
    deterministic: bool = Field(default=False, description="evaluate the mean action instead of sampled ones")


class Training(Experiment[TrainingSize]):
    """Has no bar but that every seed comes to its end; the trainers' folders are kept."""

    name: ClassVar[str] = "train"
    shows: ClassVar[str] = "one method on one task"
    source: ClassVar[str] = ""
    keeps_work: ClassVar[bool] = True

    @classmethod
    def small(cls) -> Training:
        raise ConfigurationError("a training has no size of its own: say what to train")

    full = small

    def jobs(self, seeds: int) -> list[Job]:
        size = self.size
        minutes = (size.trainer.offline_updates + size.steps) * _MINUTES_PER_UPDATE
        setting = size.environment or "data alone"
        return [Job(size.trainer.method, setting, seed, minutes) for seed in range(seeds)]

    def conditions(self, results: Results, *, finished: int, wanted: int) -> tuple[Condition, ...]:
        return (at_least("seeds that came to their end", float(finished), float(wanted)),)

    def bar(self, results: Results) -> list[Condition]:
        return []

    def run(self, context: JobContext) -> list[Row]:
        size, seed = self.size, context.job.seed
        env = None if size.environment is None else make_environment(size.environment)
        spec, prior = task_and_data(size, None if env is None else env.spec, seed)

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            if env is None:
                return {}
            seen = evaluated(env, trainer, step, size.draws, deterministic=size.deterministic)
            return {"success": episodes.success_rate(seen), "total_reward": episodes.mean_return(seen)}

        plan = Plan(size.steps, size.evaluate_every)
        with scalars(context.directory / "tensorboard") as board:
            practice = practised(
                context,
                size.trainer,
                spec,
                plan,
                look,
                env=env if size.steps else None,
                resets=resets_of(size, seed),
                prior=prior,
                callbacks=board,
            )
            with practice as trainer:
                last = {point.metric: point.value for point in context.points}
                return context.rows(**last, updates=float(trainer.updates))


def task_and_data(size: TrainingSize, task: EnvironmentSpec | None, seed: int) -> tuple[EnvironmentSpec, Prior]:
    """What is learnt, and from what. task: of the environment, None without one. Raises ConfigurationError."""
    if size.data is None or size.data == prior_data.SCRIPTED:
        if task is None or size.environment is None:
            raise ConfigurationError("--env NAME is needed: there are no data that say what the task is")
        if size.data is None:
            return task, None
        return task, prior_data.scripted(size.environment, size.demonstrations, seed)
    return prior_data.data_folder(Path(size.data), task)


def resets_of(size: TrainingSize, seed: int, demonstrations: int | None = None) -> Resets:
    """How its practice episodes begin. demonstrations: fewer, to see whether it works. Raises ConfigurationError."""
    if not size.demonstration_resets:
        return None
    if size.data != prior_data.SCRIPTED or size.environment is None or not size.steps:
        raise ConfigurationError(
            f"--demonstration-resets {size.demonstration_resets:g}: is for practice (--env, --steps) on "
            f"--data scripted, whose demonstrations hold the simulator's states"
        )
    try:
        return prior_data.resets(
            size.environment, demonstrations or size.demonstrations, seed, size.demonstration_resets
        )
    except ScriptError as error:
        raise ConfigurationError(f"--demonstration-resets with {size.environment}: {error}") from error


class _Board(LoopCallback):
    """TensorBoard scalars of every hundredth update, and of every episode."""

    def __init__(self, writer: Any, trainer: Trainer) -> None:
        self._writer = writer
        self._trainer = trainer

    def on_update(self, metrics: Metrics) -> None:
        if self._trainer.updates % _SCALARS_EVERY == 0:
            for name, value in metrics.as_dict().items():
                self._writer.add_scalar(f"update/{name}", value, self._trainer.updates)

    def on_episode(self, result: EpisodeResult) -> None:
        step = self._trainer.replay.transitions
        self._writer.add_scalar("episode/total_reward", result.total_reward, step)
        self._writer.add_scalar("episode/success", float(result.success), step)


@contextlib.contextmanager
def scalars(directory: Path) -> Iterator[Callable[[Trainer], list[LoopCallback]]]:
    """Makes the callbacks that write TensorBoard's files into ``directory``."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(directory))
    try:
        yield lambda trainer: [_Board(writer, trainer)]
    finally:
        writer.close()
