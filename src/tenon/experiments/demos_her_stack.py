"""Towers of blocks from 100 demonstrations and a reward for the whole tower alone (Nair et al., 2018, Fig. 23).

Gates: demos-her.md, section 8 (GPU); the ablations are those of section 6. Demonstrations are the script's, of which a
tenth drop a block and pick it up again. As in the paper, a run counts by the best of its evaluations.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from tenon.environments.demonstration_resets import DemonstrationResets
from tenon.environments.fetch import FetchConfig, FetchEnv
from tenon.environments.fetch_scripts import StackScriptConfig, stack_demonstrations
from tenon.environments.scripted import ScriptedEpisode
from tenon.experiments import episodes
from tenon.experiments.demos_her import (
    BC,
    HER,
    OURS,
    PLAIN,
    RESETS,
    SCRIPT_STREAM,
    UNCLONED,
    UNRELABELLED,
    DemosHerSize,
    evaluated,
    trainer_of,
)
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, practised
from tenon.experiments.results import Condition, Results, Row, at_least, at_most, difference
from tenon.training.trainer import Trainer


class DemosHerStackSize(DemosHerSize):
    """How much is done."""

    blocks: tuple[int, ...] = Field(default=(2,), description="n, of the towers; demos-her.md 4")
    methods: tuple[str, ...] = Field(default=(OURS, RESETS, BC, HER, UNRELABELLED), description="demos-her.md 5 and 6")
    reset_probability: float = Field(
        default=0.3, ge=0.0, le=1.0, description="p_reset: share of episodes that begin in a demonstration; section 3"
    )
    steps: int = Field(default=25_000, gt=0, description="of practice; ours: the paper does not state its number")
    draws: int = Field(default=100, gt=0, description="evaluation episodes at the end")


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
                cloning_updates=200_000,
                evaluate_every=50_000,
                batch_size=1_024,
                demonstrated=128,
            )
        )

    def jobs(self, seeds: int) -> list[Job]:
        size = self.size
        practice, cloning = size.steps * 2.9e-4, size.cloning_updates * 0.5e-4
        jobs = []
        for seed in range(seeds):
            for blocks in size.blocks:
                evaluation = size.draws * 2e-3 * (blocks - 1)
                for method in size.methods:
                    jobs.append(Job(method, _tower(blocks), seed, (cloning if method == BC else practice) + evaluation))
        return jobs

    def run(self, context: JobContext) -> list[Row]:
        job, size = context.job, self.size
        (blocks,) = (blocks for blocks in size.blocks if _tower(blocks) == job.setting)
        env = FetchEnv(FetchConfig(task="stack", blocks=blocks))
        shown = self._demonstrations(env, job.seed)

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            return {"success": episodes.success_rate(evaluated(env, trainer, step, size.draws_on_the_way))}

        practice = practised(
            context,
            trainer_of(job.method, size),
            env.spec,
            Plan(0 if job.method == BC else size.steps, size.evaluate_every),
            look,
            env=None if job.method == BC else env,
            resets=DemonstrationResets(shown, size.reset_probability, job.seed) if job.method == RESETS else None,
            prior=None if job.method == HER else lambda: (t for episode in shown for t in episode.transitions),
        )
        with practice as trainer:
            at_end = episodes.success_rate(evaluated(env, trainer, -1, size.draws))
            best = max(point.value for point in context.points if point.metric == "success")
            return context.rows(success=at_end, best_success=max(at_end, best))

    def bar(self, results: Results) -> list[Condition]:
        """Of the towers that are run."""
        conditions = []
        for blocks in self.size.blocks:
            tower = _tower(blocks)
            ours, resets, cloned, her, unrelabelled = (
                results.mean(method, tower, "best_success") for method in (OURS, RESETS, BC, HER, UNRELABELLED)
            )
            conditions.append(at_most(f"{HER} on {tower}", her, 0.05))
            if blocks == 2:
                conditions.append(at_least(f"{OURS} on {tower}", ours, 0.95))
            elif blocks == 3:
                conditions.append(at_least(f"{OURS} on {tower}", ours, 0.90))
                conditions.append(at_most(f"{BC} on {tower}", cloned, 0.10))
                conditions.append(at_most(f"{UNRELABELLED} on {tower}", unrelabelled, 0.05))
            else:
                conditions.append(at_least(f"{RESETS} on {tower}", resets, 0.5))
                conditions.append(at_least(f"{RESETS} over {OURS} on {tower}", difference(resets, ours), 0.4))
        return conditions

    def _demonstrations(self, env: FetchEnv, seed: int) -> list[ScriptedEpisode]:
        rng = np.random.default_rng((seed, SCRIPT_STREAM))
        script = StackScriptConfig()
        return list(stack_demonstrations(env, self.size.demonstrations, rng, script, "demonstrations"))


def _tower(blocks: int) -> str:
    return f"{blocks} blocks"
