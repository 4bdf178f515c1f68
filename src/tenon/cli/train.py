"""`tenon train`: a method on a task, from data, by practice, or from data and then by practice."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from tenon.cli import train_reward
from tenon.cli.assignments import assign
from tenon.cli.console import note
from tenon.cli.errors import FAILURE, SUCCESS, UsageError
from tenon.cli.reproduce import check_counts, executor, run_with_progress, show

if TYPE_CHECKING:
    from tenon.experiments.training import TrainingSize
    from tenon.training.config import TrainerConfig

Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]
OFFLINE_UPDATES, PRACTICE_STEPS = 10_000, 15_000
COUNT_OFFLINE_UPDATES = {"iql_daib": ("encoder_updates", "cosine_updates")}
"""By method, what ends with the offline updates: practice takes no policy that has not come to it."""
OF_BOTH = frozenset(("method", "out", "data", "config", "set"))
OF_CLASSIFIER = frozenset(("variant", "seed"))
"""Options by what they are of; all others are of trainings alone."""
GOALS_SUFFIX = "_goals"
"""Of the file with a method's configuration for tasks with goals."""


@dataclass(frozen=True)
class Train:
    """Train a method: offline from --data, by practice in --env, or offline first and then by practice.

    Starting again with the same arguments goes on where it was. OUT holds report.json, table.md, plot.png, and a folder
    per seed in work/ with the trainer's checkpoints and TensorBoard's files (`tensorboard --logdir OUT`).

    `tenon train daib --data DATA --out OUT` trains a reward classifier instead: OUT is then the classifier.
    """

    method: tyro.conf.Positional[str]
    """Name of the method: sac, td3, ddpg_her, bc, awac, iql, iql_daib; or daib, the reward classifier."""
    out: Path
    """Folder of this training."""
    data: str | None = None
    """Prior data: `scripted` for demonstrations of the environment's script, or a folder with a replay (a training's, a
    session's run) or with recorded episodes."""
    env: str | None = None
    """Name of an environment: for practice and for evaluation."""
    updates: int | None = None
    """Offline updates, from the prior data alone. Default: 10000 with data, 0 without."""
    steps: int | None = None
    """Steps of practice. Default: 0 with data, 15000 without."""
    demonstrations: int = 100
    """Episodes of `--data scripted`."""
    demonstration_resets: float = 0.0
    """Share of the episodes of practice that begin in the middle of a demonstration of `--data scripted`, with what it
    came to as their goal: for long tasks in simulation, such as `--env fetch-stack-4`."""
    seeds: int = 1
    """Seeds 0, 1, ... side by side."""
    config: str | None = None
    """Name of a file in config/algorithms, or a path. Default: the one named like the method (METHOD_goals for a task
    with goals), where there is one."""
    set: tuple[str, ...] = ()
    """Keys of that configuration to change: `batch_size=256 algorithm.discount=0.95`."""
    variant: str | None = None
    """Of daib: daib, or its ablations no-kl, dann, vib, erm. Default: as config/rewards/daib.yaml has it."""
    seed: int = 0
    """Of daib."""
    evaluate_every: int = 1_000
    """Updates or steps from one evaluation to the next."""
    draws: int = 20
    """Evaluation episodes, the same every time."""
    deterministic: Flag = False
    """Evaluate the mean action instead of sampled ones."""
    jobs: int | None = None
    """Trainings side by side. Default: as many as there are cores."""
    cluster: Flag = False
    """Send the seeds to Ray. The trainers' folders stay where they ran; it is told where that is."""

    def run(self) -> int:
        self._check_options()
        if self.method == train_reward.NAME:
            return train_reward.train_reward(
                self.out,
                self.data,
                variant=self.variant,
                config=self.config,
                assignments=self.set,
                seed=self.seed,
            )
        check_counts(self.seeds, self.jobs)
        size = self._size()
        from tenon.experiments.cluster import KEPT
        from tenon.experiments.experiment import ExperimentError
        from tenon.experiments.training import Training

        try:
            where = executor(self.jobs, cluster=self.cluster)
            report = run_with_progress(Training(size), self.out, self.seeds, where, draws=self.draws)
        except ExperimentError as error:
            raise UsageError(str(error)) from error
        show(report, self.out)
        for folder in sorted((self.out / "work").glob("*/trainer/checkpoints")):
            note(f"trained: {folder.parent}")
        for place in sorted((self.out / "work").glob(f"*/{KEPT}")):
            note(f"trained: {place.read_text().strip()}: copy it from there, a temporary folder")
        return SUCCESS if report.passed else FAILURE

    def _check_options(self) -> None:
        """Raises UsageError for options that say nothing to what is trained, or cannot be."""
        given = {field.name for field in fields(self) if getattr(self, field.name) != field.default}
        if self.method == train_reward.NAME:
            wrong, whose = given - OF_BOTH - OF_CLASSIFIER, "no matter to the reward classifier"
        else:
            wrong, whose = given & OF_CLASSIFIER, "of the reward classifier (trainings have --seeds)"
        if wrong:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(wrong))
            raise UsageError(f"{options}: {whose}: leave it out")
        if not 0.0 <= self.demonstration_resets <= 1.0:
            raise UsageError(f"--demonstration-resets {self.demonstration_resets:g}: a share from 0 to 1 is needed")

    def _size(self) -> TrainingSize:
        """Checks everything that can be checked before a worker starts. Raises UsageError or ConfigurationError."""
        from tenon.environments.registry import make_environment
        from tenon.experiments.training import TrainingSize, resets_of, task_and_data
        from tenon.simulation.robotics_package import RoboticsPackageError

        updates, steps = self._amounts()
        try:
            task = None if self.env is None else make_environment(self.env).spec
        except RoboticsPackageError as error:
            raise UsageError(str(error)) from error
        has_goals = task is not None and task.observation.goal is not None
        size = TrainingSize(
            trainer=self._trainer(updates, has_goals=has_goals),
            environment=self.env,
            data=self.data,
            demonstrations=self.demonstrations,
            demonstration_resets=self.demonstration_resets,
            steps=steps,
            evaluate_every=self.evaluate_every,
            draws=self.draws,
            deterministic=self.deterministic,
        )
        _check_practice(size)
        task_and_data(size, task, 0)
        resets_of(size, 0, demonstrations=1)
        return size

    def _amounts(self) -> tuple[int, int]:
        """Offline updates, and steps of practice."""
        for option, value, least in (
            ("updates", self.updates, 0),
            ("steps", self.steps, 0),
            ("demonstrations", self.demonstrations, 1),
            ("evaluate-every", self.evaluate_every, 1),
            ("draws", self.draws, 1),
        ):
            if value is not None and value < least:
                raise UsageError(f"--{option} {value}: {least} or more are needed")
        if self.data is None and self.env is None:
            raise UsageError("nothing to learn from: name --data, --env or both")
        default_updates, default_steps = (0, PRACTICE_STEPS) if self.data is None else (OFFLINE_UPDATES, 0)
        updates = default_updates if self.updates is None else self.updates
        steps = default_steps if self.steps is None else self.steps
        if updates and self.data is None:
            raise UsageError(f"--updates {updates}: offline updates need --data")
        if steps and self.env is None:
            raise UsageError(f"--steps {steps}: practice needs --env")
        if not updates and not steps:
            raise UsageError("nothing to do: --updates and --steps are both 0")
        return updates, steps

    def _trainer(self, updates: int, *, has_goals: bool) -> TrainerConfig:
        from tenon.algorithms import method_named
        from tenon.configuration import load_yaml, parse
        from tenon.configuration.resolve import ConfigKind, resolve
        from tenon.training.config import TrainerConfig

        method_named(self.method)
        data: dict[str, Any] = {"method": self.method}
        where = self.config or self._default_config(has_goals=has_goals)
        if where is not None:
            data = load_yaml(resolve(ConfigKind.ALGORITHMS, where))
            note(f"configuration: {where}")
        if data.get("method") != self.method:
            raise UsageError(f"--config {where} is of method {data.get('method')!r}, asked for is {self.method!r}")
        data = {**data, "offline_updates": updates, "algorithm": self._algorithm(data, updates)}
        if self.config is None and self.data is None and "sampling" in data:
            # A default's share of demonstrations has nothing to be taken from.
            data["sampling"] = {**data["sampling"], "prior_share": None}
        for assignment in self.set:
            assign(data, assignment)
        return parse(TrainerConfig, data, where=f"{where or self.method} with --set")

    def _algorithm(self, data: dict[str, Any], updates: int) -> dict[str, Any]:
        """With counts that fit --updates, where no configuration of the user's has its own."""
        stated = data.get("algorithm", {})
        counts = dict.fromkeys(COUNT_OFFLINE_UPDATES.get(self.method, ()), updates) if updates else {}
        return {**stated, **counts, **(stated if self.config is not None else {})}

    def _default_config(self, *, has_goals: bool) -> str | None:
        """The file named like the method; where the task has goals, the one for goals if there is one."""
        from tenon.configuration.resolve import ConfigKind, names

        candidates = [f"{self.method}{GOALS_SUFFIX}", self.method] if has_goals else [self.method]
        there = names(ConfigKind.ALGORITHMS)
        return next((name for name in candidates if name in there), None)


def _check_practice(size: TrainingSize) -> None:
    """Raises UsageError for a practice that would end before its first update."""
    needed = size.trainer.transitions_needed(size.trainer.offline_updates + 1)
    if 0 < size.steps < needed:
        raise UsageError(
            f"--steps {size.steps}: practice learns from step {needed} on (warmup_transitions "
            f"{size.trainer.warmup_transitions}, updates_per_transition {size.trainer.updates_per_transition:g}): take "
            f"more steps, or --set warmup_transitions=0 updates_per_transition=1"
        )
