"""A drawer and a hook (Nair et al., 2020): offline from mixed data, then practice, without a dip between the two.

Set-up, figures and gate: awac.md section 8. Most of the data miss the handle and nothing is filtered out, so cloning
them is as poor as they are. SAC from the same data starts from the cloned policy, as in the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from tenon.configuration import Config
from tenon.data.replay import ReplayConfig
from tenon.data.transitions import Transition
from tenon.environments.drawer import DrawerEnv, DrawerScriptConfig, drawer_episodes
from tenon.environments.scripted import script_rng, transitions_of
from tenon.experiments import episodes
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, evaluated, practised
from tenon.experiments.results import Condition, Results, Row, above, at_least, difference
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

AWAC, SACFD, BC, DATA = "AWAC", "SACfD", "BC", "data"
DRAWER = "drawer"


class AWACDrawerSize(Config):
    """How much is done."""

    trajectories: PositiveInt = Field(default=100, description="of the script, none filtered; awac.md 8")
    offline_updates: PositiveInt = Field(default=5_000, description="awac.md 8")
    steps: PositiveInt = Field(default=5_000, description="of practice; awac.md 8")
    cloning_updates: PositiveInt = Field(default=3_000, description="of BC, and first of those of SACfD; awac.md 8")
    evaluate_every: PositiveInt = Field(default=1_200, description="steps from one evaluation to the next; awac.md 8")
    draws: PositiveInt = Field(default=50, description="evaluation episodes; awac.md 8")
    batch_size: PositiveInt = Field(default=256, description="awac.md 8")
    hidden_sizes: tuple[PositiveInt, ...] = Field(default=(256, 256), description="of all networks; awac.md 8")
    discount: float = Field(default=0.98, description="gamma; awac.md 8")


class AWACDrawer(Experiment[AWACDrawerSize]):
    """AWAC, SAC from demonstrations, BC, and the data themselves."""

    name: ClassVar[str] = "awac-drawer"
    shows: ClassVar[str] = "AWAC learns from data that mostly fail, and goes on with practice without a dip"
    source: ClassVar[str] = "awac.md 8"

    @classmethod
    def small(cls) -> AWACDrawer:
        return cls(AWACDrawerSize())

    @classmethod
    def full(cls) -> AWACDrawer:
        """The drawer with the networks, batches and offline updates of awac.md section 3, and a long practice.

        Of the paper's own tasks (awac.md section 4) it is the drawer alone, with as many trajectories as there, but
        scripted ones. The hand's tasks and the locomotion of awac.md 8 need human demonstrations and logs that are not
        Tenon's.
        """
        return cls(
            AWACDrawerSize(
                trajectories=510,
                offline_updates=25_000,
                steps=100_000,
                cloning_updates=25_000,
                evaluate_every=5_000,
                draws=100,
                batch_size=1024,
                hidden_sizes=(256,) * 4,
                discount=0.99,
            )
        )

    def jobs(self, seeds: int) -> list[Job]:
        size = self.size
        updates = size.offline_updates + size.steps
        # The figures are those of batches of 256 and two hidden layers.
        factor = size.batch_size / 256 * len(size.hidden_sizes) / 2
        jobs = []
        for seed in range(seeds):
            jobs += [
                Job(AWAC, DRAWER, seed, updates * 2e-4 * factor),
                Job(SACFD, DRAWER, seed, updates * 2.4e-4 * factor),
            ]
            jobs += [Job(BC, DRAWER, seed, size.cloning_updates * 0.8e-4 * factor), Job(DATA, DRAWER, seed, 0.2)]
        return jobs

    def run(self, context: JobContext) -> list[Row]:
        job, size = context.job, self.size
        env = DrawerEnv()
        prior = self._data(env, job.seed)
        if job.method == DATA:
            ends = [transition.success for transition in prior() if transition.ended]
            return context.rows(success=float(np.mean(ends)))

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            return {"success": episodes.success_rate(evaluated(env, trainer, step, size.draws))}

        config = self._trainer(job.method)
        practises = job.method != BC
        plan = Plan(size.steps if practises else 0, size.evaluate_every, config.offline_updates)
        practice = practised(context, config, env.spec, plan, look, env=env if practises else None, prior=prior)
        with practice:
            at = {point.step: point.value for point in context.points}
            return context.rows(success=at[max(at)], success_offline=at[config.offline_updates])

    def bar(self, results: Results) -> list[Condition]:
        offline, cloned = results.mean(AWAC, DRAWER, "success_offline"), results.mean(BC, DRAWER, "success")
        return [
            at_least(f"{AWAC} offline over {BC}", difference(offline, cloned), 0.40),
            at_least(f"{AWAC} after practice", results.mean(AWAC, DRAWER, "success"), 0.90),
            at_least("deepest dip of any seed below its offline value", self._dip(results), -0.15),
            above(f"{AWAC} over {SACFD} at the closest checkpoint", self._lead(results), 0.0),
        ]

    def _dip(self, results: Results) -> float | None:
        """The lowest evaluation in practice minus the offline one, of the worst seed."""
        start = self.size.offline_updates
        curves = results.curves(AWAC, DRAWER, "success").values()
        dips = [value - curve[start] for curve in curves for step, value in curve.items() if step > start]
        return min(dips, default=None)

    def _lead(self, results: Results) -> float | None:
        """AWAC minus SACfD, means over seeds, at the checkpoint where it is least.

        A run that was interrupted is looked at a few steps later than the others: hence the first look from each on.
        """
        start, end = self.size.offline_updates, self.size.offline_updates + self.size.steps
        leads = [
            difference(*(results.mean_at(method, DRAWER, "success", step) for method in (AWAC, SACFD)))
            for step in (*range(start, end, self.size.evaluate_every), end)
        ]
        return min((lead for lead in leads if lead is not None), default=None)

    def _data(self, env: DrawerEnv, seed: int) -> Callable[[], Iterator[Transition]]:
        def transitions() -> Iterator[Transition]:
            shown = drawer_episodes(env, self.size.trajectories, script_rng(seed), DrawerScriptConfig(), "script")
            return transitions_of(shown)

        return transitions

    def _trainer(self, method: str) -> TrainerConfig:
        size = self.size
        algorithm: dict[str, Any] = {"hidden_sizes": size.hidden_sizes, "discount": size.discount}
        if method == AWAC:
            algorithm |= {"temperature": 0.3, "baseline_action": "mean", "value_maximum": 0.0}
        if method == SACFD:
            algorithm["cloning_updates"] = size.cloning_updates
        return TrainerConfig(
            method={AWAC: "awac", SACFD: "sac", BC: "bc"}[method],
            algorithm=algorithm,
            batch_size=size.batch_size,
            offline_updates=size.cloning_updates if method == BC else size.offline_updates,
            warmup_transitions=0,
            replay=ReplayConfig(capacity=max(size.steps + 1_000, size.batch_size)),
            checkpoint_every_updates=1_000,
        )
