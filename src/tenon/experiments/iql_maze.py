"""Stitching in a point maze (Kostrikov et al., 2022): from corner to corner, from data in which nobody goes that far.

Set-up, figures and gate: iql.md section 8. Both discounts are run, as the longer horizon tells IQL from cloning, and
the shorter one multi-step from one-step (expectile 0.5). Then the actuators lose force, and practice must make up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt

from tenon.algorithms.iql import IQL
from tenon.configuration import Config
from tenon.data.batch import ObservationBatch
from tenon.data.replay import ReplayConfig
from tenon.data.transitions import Transition
from tenon.environments.maze import MazeConfig, MazeEnv, MazeScriptConfig, maze_walks
from tenon.environments.scripted import script_rng, transitions_of
from tenon.experiments import episodes
from tenon.experiments.episodes import Episode
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, evaluated, practised
from tenon.experiments.results import Condition, Results, Row, at_least, at_most, difference
from tenon.session.draws import EVALUATION_SEED
from tenon.training.config import TrainerConfig
from tenon.training.loop import observation_from_gym
from tenon.training.trainer import Trainer

MULTI, ONE, BC = "IQL, expectile 0.9", "IQL, expectile 0.5", "BC"
BETWEEN = "IQL, expectile 0.7"
EXPECTILES = {MULTI: 0.9, BETWEEN: 0.7, ONE: 0.5}
LONG, SHORT = "discount 0.99", "discount 0.95"
_INVERSE_TEMPERATURE = 10.0


class IQLMazeSize(Config):
    """How much is done."""

    methods: tuple[str, ...] = Field(default=(MULTI, ONE), description="of IQL, by expectile; iql.md 8")
    walks: PositiveInt = Field(default=1_500, description="of the way-point controller; iql.md 8")
    long_updates: PositiveInt = Field(default=25_000, description="at discount 0.99; iql.md 8")
    short_updates: PositiveInt = Field(default=15_000, description="at discount 0.95; iql.md 8")
    cloning_updates: PositiveInt = Field(default=10_000, description="of BC; iql.md 8")
    practice_steps: PositiveInt = Field(default=5_000, description="of fine-tuning with weak actuators; iql.md 8")
    weak_gain: PositiveFloat = Field(default=0.6, description="of the actuators in fine-tuning; iql.md 8")
    evaluate_every: PositiveInt = Field(default=5_000, description="updates from one evaluation to the next")
    practice_evaluate_every: PositiveInt = Field(default=1_000, description="steps from one evaluation to the next")
    draws: PositiveInt = Field(default=50, description="evaluation episodes; iql.md 8")
    batch_size: PositiveInt = Field(default=256, description="iql.md 8")


class IQLMaze(Experiment[IQLMazeSize]):
    """IQL with two expectiles at two discounts, BC, and fine-tuning of the best."""

    name: ClassVar[str] = "iql-maze"
    shows: ClassVar[str] = "IQL stitches short walks into a long way, where cloning and one-step improvement fail"
    source: ClassVar[str] = "iql.md 8"

    @classmethod
    def small(cls) -> IQLMaze:
        return cls(IQLMazeSize())

    @classmethod
    def full(cls) -> IQLMaze:
        """The maze with the paper's updates, practice, evaluations and third expectile (iql.md sections 3, 5 and 6).

        The data stay those of the small size: a point in the medium maze stands for antmaze-medium of iql.md 8, whose
        data sets, as those of hopper, are not Tenon's.
        """
        return cls(
            IQLMazeSize(
                methods=(MULTI, BETWEEN, ONE),
                long_updates=1_000_000,
                short_updates=1_000_000,
                cloning_updates=1_000_000,
                practice_steps=1_000_000,
                evaluate_every=50_000,
                practice_evaluate_every=50_000,
                draws=100,
            )
        )

    def jobs(self, seeds: int) -> list[Job]:
        jobs = [Job(BC, LONG, seed, self.size.cloning_updates * 0.6e-4) for seed in range(seeds)]
        for seed in range(seeds):
            for setting in (LONG, SHORT):
                jobs += [Job(method, setting, seed, self._updates(setting) * 1.2e-4) for method in self.size.methods]
        return jobs

    def run(self, context: JobContext) -> list[Row]:
        job, size = context.job, self.size
        env, weak = MazeEnv(), MazeEnv(MazeConfig(actuator_gain=size.weak_gain))
        tunes = (job.method, job.setting) == (MULTI, LONG)
        config = self._trainer(job)

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            seen = {} if step > config.offline_updates else _measured(self._evaluated(env, trainer, step))
            if tunes and step >= config.offline_updates:
                seen |= {f"weak_{name}": value for name, value in self._weak(weak, trainer, step).items()}
            if isinstance(trainer.learner, IQL) and step == config.offline_updates:
                seen["value_at_start"] = _value_at_start(trainer.learner, env)
            return seen

        plan = Plan(size.practice_steps if tunes else 0, size.practice_evaluate_every, size.evaluate_every)
        prior = self._walks(env, job.seed)
        with practised(context, config, env.spec, plan, look, env=weak if tunes else None, prior=prior):
            return self._rows(context, config.offline_updates)

    def bar(self, results: Results) -> list[Condition]:
        def mean(method: str, setting: str, metric: str = "success") -> float | None:
            return results.mean(method, setting, metric)

        faster = _ratio(mean(MULTI, LONG, "steps_to_goal"), mean(ONE, LONG, "steps_to_goal"))
        tuned = difference(mean(MULTI, LONG, "weak_steps_after"), mean(MULTI, LONG, "weak_steps_before"))
        return [
            at_least(f"{MULTI} at {LONG}", mean(MULTI, LONG), 0.85),
            at_least(f"{MULTI} at {SHORT}", mean(MULTI, SHORT), 0.85),
            at_most(BC, mean(BC, LONG), 0.15),
            at_least(f"{MULTI} over {ONE} at {SHORT}", difference(mean(MULTI, SHORT), mean(ONE, SHORT)), 0.60),
            at_most(f"steps of {MULTI} per steps of {ONE} at {LONG}", faster, 0.80),
            at_most(f"change of steps by practice with gain {self.size.weak_gain:g}", tuned, 0.0),
            at_least("lowest success in practice, mean over seeds", _lowest(results), 0.90),
        ]

    def _updates(self, setting: str) -> int:
        return self.size.long_updates if setting == LONG else self.size.short_updates

    def _walks(self, env: MazeEnv, seed: int) -> Callable[[], Iterator[Transition]]:
        def transitions() -> Iterator[Transition]:
            walks = maze_walks(env, self.size.walks, script_rng(seed), MazeScriptConfig(), "walks")
            return transitions_of(walks)

        return transitions

    def _trainer(self, job: Job) -> TrainerConfig:
        size = self.size
        updates = size.cloning_updates if job.method == BC else self._updates(job.setting)
        algorithm: dict[str, Any] = {"hidden_sizes": (256, 256), "encoder": {"standardize_state": True}}
        if job.method != BC:
            algorithm |= {
                "discount": 0.99 if job.setting == LONG else 0.95,
                "expectile": EXPECTILES[job.method],
                "inverse_temperature": _INVERSE_TEMPERATURE,
                "cosine_updates": updates,
                "value_maximum": 0.0,
            }
        return TrainerConfig(
            method="bc" if job.method == BC else "iql",
            algorithm=algorithm,
            batch_size=size.batch_size,
            offline_updates=updates,
            warmup_transitions=0,
            replay=ReplayConfig(capacity=max(size.practice_steps + 1_000, size.batch_size)),
            checkpoint_every_updates=size.evaluate_every,
        )

    def _evaluated(self, env: MazeEnv, trainer: Trainer, step: int) -> list[Episode]:
        return evaluated(env, trainer, step, self.size.draws)

    def _weak(self, weak: MazeEnv, trainer: Trainer, step: int) -> dict[str, float]:
        return _measured(self._evaluated(weak, trainer, step))

    def _rows(self, context: JobContext, offline: int) -> list[Row]:
        """Of the end of the offline phase, and of before and after practice."""
        at = {(point.metric, point.step): point.value for point in context.points}
        last = max(point.step for point in context.points)
        return context.rows(
            success=at[("success", offline)],
            steps_to_goal=at.get(("steps", offline)),
            value_at_start=at.get(("value_at_start", offline)),
            weak_success_before=at.get(("weak_success", offline)),
            weak_steps_before=at.get(("weak_steps", offline)),
            weak_success_after=at.get(("weak_success", last)),
            weak_steps_after=at.get(("weak_steps", last)),
        )


def _measured(seen: list[Episode]) -> dict[str, float]:
    steps = episodes.mean_steps(seen)
    rate = {"success": episodes.success_rate(seen)}
    return rate if steps is None else {**rate, "steps": steps}


def _value_at_start(learner: IQL, env: MazeEnv) -> float:
    """V of the start: near -(1 - gamma^n) / (1 - gamma) for n steps to the goal, as each costs 1."""
    raw, _ = env.reset(seed=EVALUATION_SEED)
    state = torch.from_numpy(observation_from_gym(raw).state)[None]
    with torch.inference_mode():
        return float(learner.value(learner.encoder(ObservationBatch(state))))


def _lowest(results: Results) -> float | None:
    """The lowest evaluation during practice, mean over seeds."""
    curves = results.curves(MULTI, LONG, "weak_success").values()
    return float(np.mean([min(curve.values()) for curve in curves])) if curves else None


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a / b
