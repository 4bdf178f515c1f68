"""Towers of blocks from 100 demonstrations and a reward for the whole tower alone (Nair et al., 2018, Fig. 23).

Gates: demos-her.md, section 8 (GPU); the ablations are those of section 6. Demonstrations are the script's, of which a
tenth drop a block and pick it up again. A run counts by its policy at the end, and a method by the mean over seeds; the
paper takes each run's best and the median.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from tenon.algorithms import Metrics
from tenon.algorithms.ddpg_her import DDPGHERMetrics
from tenon.environments.demonstration_resets import DemonstrationResets
from tenon.environments.fetch import FetchConfig, FetchEnv
from tenon.environments.scripted import ScriptedEpisode, script_rng
from tenon.environments.stack_script import StackScriptConfig, stack_demonstrations
from tenon.experiments import episodes
from tenon.experiments.demos_her import (
    BC,
    HER,
    OURS,
    PLAIN,
    RESETS,
    UNCLONED,
    UNRELABELLED,
    DemosHerSize,
    Method,
    minutes,
    paper_batches,
    trainer_of,
)
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, evaluated, practised
from tenon.experiments.results import Condition, Results, Row, at_least, at_most, difference
from tenon.simulation.fetch_stack import MOST_BLOCKS
from tenon.training.loop import LoopCallback
from tenon.training.trainer import Trainer


class DemosHerStackSize(DemosHerSize):
    """How much is done."""

    blocks: tuple[Annotated[int, Field(ge=2, le=MOST_BLOCKS)], ...] = Field(
        default=(2,), min_length=1, description="n, of the towers; demos-her.md 4"
    )
    methods: tuple[Method, ...] = Field(
        default=(OURS, RESETS, BC, HER, UNRELABELLED), min_length=1, description="demos-her.md 5 and 6"
    )
    reset_probability: float = Field(
        default=0.3, ge=0.0, le=1.0, description="p_reset: share of episodes that begin in a demonstration; section 3"
    )
    steps: PositiveInt = Field(default=25_000, description="of practice; ours: the paper does not state its number")
    draws: PositiveInt = Field(default=100, description="evaluation episodes at the end")


class DemosHerStack(Experiment[DemosHerStackSize]):
    """The paper's method, its resets, its baselines and its ablations."""

    name: ClassVar[str] = "demos-her-stack"
    shows: ClassVar[str] = "demonstrations and hindsight stack blocks where cloning and hindsight alone do not"
    source: ClassVar[str] = "demos-her.md 8"

    @classmethod
    def small(cls) -> DemosHerStack:
        return cls(DemosHerStackSize())

    @classmethod
    def full(cls) -> DemosHerStack:
        """Towers of two to four blocks with the paper's batches and ablations; demos-her.md 3, 5 and 6."""
        return cls(
            DemosHerStackSize(
                blocks=(2, 3, 4),
                methods=(OURS, RESETS, BC, HER, UNRELABELLED, UNCLONED, PLAIN),
                steps=2_000_000,
                evaluate_every=50_000,
                **paper_batches(),
            )
        )

    def jobs(self, seeds: int) -> list[Job]:
        return [
            Job(method, _tower(blocks), seed, minutes(method, self.size, rounds=blocks - 1))
            for seed in range(seeds)
            for blocks in self.size.blocks
            for method in self.size.methods
        ]

    def run(self, context: JobContext) -> list[Row]:
        job, size = context.job, self.size
        (method,) = (name for name in size.methods if name == job.method)
        (blocks,) = (count for count in size.blocks if _tower(count) == job.setting)
        env = FetchEnv(FetchConfig(task="stack", blocks=blocks))
        passed = _PassShare()

        @cache  # for the prior data and for the resets; neither is made where nobody asks
        def demonstrations() -> list[ScriptedEpisode]:
            rng = script_rng(job.seed)
            return list(stack_demonstrations(env, size.demonstrations, rng, StackScriptConfig(), "demonstrations"))

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            seen = evaluated(env, trainer, step, size.draws_on_the_way)
            return {"success": episodes.success_rate(seen), **passed.taken()}

        resets = DemonstrationResets(demonstrations(), size.reset_probability, job.seed) if method == RESETS else None
        practice = practised(
            context,
            trainer_of(method, size),
            env.spec,
            Plan(0 if method == BC else size.steps, size.evaluate_every),
            look,
            env=None if method == BC else env,
            resets=resets,
            prior=None if method == HER else lambda: (t for shown in demonstrations() for t in shown.transitions),
            callbacks=lambda trainer: [passed],
        )
        with practice as trainer:
            return context.rows(success=episodes.success_rate(evaluated(env, trainer, size.steps, size.draws)))

    def bar(self, results: Results) -> list[Condition]:
        """Of the towers and methods that are run and that the specification has a line for."""
        conditions = []
        for blocks in self.size.blocks:
            tower = _tower(blocks)
            ours, resets, cloned, her, unrelabelled = (
                results.mean(method, tower, "success") for method in (OURS, RESETS, BC, HER, UNRELABELLED)
            )
            if blocks == 2:
                conditions.append(at_least(f"{OURS} on {tower}", ours, 0.95))
            elif blocks == 3:
                conditions.append(at_least(f"{OURS} on {tower}", ours, 0.90))
                conditions.append(at_most(f"{BC} on {tower}", cloned, 0.10))
                conditions.append(at_most(f"{UNRELABELLED} on {tower}", unrelabelled, 0.05))
            elif blocks == 4:
                conditions.append(at_least(f"{RESETS} on {tower}", resets, 0.5))
                conditions.append(at_least(f"{RESETS} over {OURS} on {tower}", difference(resets, ours), 0.4))
            conditions.append(at_most(f"{HER} on {tower}", her, 0.05))
        return conditions


class _PassShare(LoopCallback):
    """Mean share of the demonstrations that the Q-filter lets pass, since it was last asked; it falls in training."""

    def __init__(self) -> None:
        self._shares: list[float] = []

    def on_update(self, metrics: Metrics) -> None:
        if isinstance(metrics, DDPGHERMetrics):
            self._shares.append(metrics.filter_pass_share)

    def taken(self) -> dict[str, float]:
        shares, self._shares = self._shares, []
        return {"filter_pass_share": float(np.mean(shares))} if shares else {}


def _tower(blocks: int) -> str:
    return f"{blocks} blocks"
