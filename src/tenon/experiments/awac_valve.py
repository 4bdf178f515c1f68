"""A claw turns a valve (Nair et al., 2020): ten demonstrations, roll-outs of their clone, then practice.

Set-up: awac.md section 4, "D'Claw"; the demonstrations are a script's, not a person's. The clone of so few is poor,
its roll-outs often fail, and nothing is filtered out. SAC from the same data starts from the cloned policy, as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from tenon.configuration import Config
from tenon.data.replay import ReplayConfig
from tenon.data.transitions import Transition
from tenon.environments.claw_valve import ClawValveEnv, ValveScriptConfig, valve_demonstrations
from tenon.environments.scripted import run_script, script_rng, transitions_of
from tenon.experiments import episodes
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, evaluated, policy_chooser, practised
from tenon.experiments.results import Condition, Results, Row, above, at_least, difference
from tenon.session.draws import EVALUATION_SEED
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

AWAC, SACFD, BC = "AWAC", "SACfD", "BC"
VALVE = "claw-valve"
_CLONE_STREAM = 6


class AWACValveSize(Config):
    """How much is done."""

    demonstrations: PositiveInt = Field(default=10, description="of the script; awac.md 4")
    cloned: PositiveInt = Field(default=200, description="roll-outs of their clone, none filtered; awac.md 4")
    cloning_updates: PositiveInt = Field(default=1_000, description="of BC, and first of those of SACfD; ours")
    offline_updates: PositiveInt = Field(default=6_000, description="ours")
    steps: PositiveInt = Field(default=12_000, description="of practice; ours")
    evaluate_every: PositiveInt = Field(default=3_000, description="steps from one evaluation to the next; ours")
    draws: PositiveInt = Field(default=30, description="evaluation episodes; ours")
    batch_size: PositiveInt = Field(default=256, description="as for the drawer; awac.md 8")
    hidden_sizes: tuple[PositiveInt, ...] = Field(default=(256, 256), description="of all networks; awac.md 8")
    discount: float = Field(default=0.98, description="gamma; awac.md 8")


class AWACValve(Experiment[AWACValveSize]):
    """AWAC, SAC from demonstrations, BC."""

    name: ClassVar[str] = "awac-valve"
    shows: ClassVar[str] = "AWAC on a claw with nine joints: from ten demonstrations and their clone to a turned valve"
    source: ClassVar[str] = "awac.md 4"

    @classmethod
    def small(cls) -> AWACValve:
        return cls(AWACValveSize())

    @classmethod
    def full(cls) -> AWACValve:
        """With the networks, batches and offline updates of awac.md section 3, and a long practice."""
        return cls(
            AWACValveSize(
                offline_updates=25_000,
                steps=100_000,
                evaluate_every=10_000,
                draws=100,
                batch_size=1024,
                hidden_sizes=(256,) * 4,
                discount=0.99,
            )
        )

    def jobs(self, seeds: int) -> list[Job]:
        size = self.size
        updates = size.offline_updates + size.steps
        factor = size.batch_size / 256 * len(size.hidden_sizes) / 2
        jobs = []
        for seed in range(seeds):
            jobs += [
                Job(AWAC, VALVE, seed, updates * 2.5e-4 * factor),
                Job(SACFD, VALVE, seed, updates * 3e-4 * factor),
                Job(BC, VALVE, seed, size.cloning_updates * 1e-4 * factor),
            ]
        return jobs

    def run(self, context: JobContext) -> list[Row]:
        job, size = context.job, self.size
        env = ClawValveEnv()

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            seen = evaluated(env, trainer, step, size.draws, deterministic=False)
            reached = [episode.first_success > 0 for episode in seen]
            return {"success": episodes.success_rate(seen), "reached": float(np.mean(reached))}

        config = self._trainer(job.method)
        practises = job.method != BC
        plan = Plan(size.steps if practises else 0, size.evaluate_every, config.offline_updates)

        def prior() -> Iterator[Transition]:
            return self._data(env, context) if practises else self._demonstrations(env, job.seed)

        with practised(context, config, env.spec, plan, look, env=env if practises else None, prior=prior):
            at = {point.step: point.value for point in context.points if point.metric == "success"}
            return context.rows(success=at[max(at)], success_offline=at[config.offline_updates])

    def bar(self, results: Results) -> list[Condition]:
        after, offline = (results.mean(AWAC, VALVE, name) for name in ("success", "success_offline"))
        cloned, sac = results.mean(BC, VALVE, "success"), results.mean(SACFD, VALVE, "success")
        return [
            at_least(f"{AWAC} after practice", after, 0.90),
            above(f"{AWAC} after practice over offline", difference(after, offline), 0.0),
            at_least(f"{AWAC} after practice over {BC}", difference(after, cloned), 0.20),
            above(f"{AWAC} over {SACFD} after practice", difference(after, sac), 0.0),
        ]

    def _demonstrations(self, env: ClawValveEnv, seed: int) -> Iterator[Transition]:
        shown = valve_demonstrations(env, self.size.demonstrations, script_rng(seed), ValveScriptConfig(), "script")
        return transitions_of(shown)

    def _data(self, env: ClawValveEnv, context: JobContext) -> Iterator[Transition]:
        """The demonstrations, then what their clone does with as much noise as it has learnt."""
        seed = context.job.seed
        yield from self._demonstrations(env, seed)
        clone = Trainer.open(
            self._trainer(BC), env.spec, context.directory / "clone", seed=seed, prior=self._demonstrations(env, seed)
        )
        try:
            while clone.updates < clone.config.offline_updates:
                clone.update()
            choose = policy_chooser(clone, deterministic=False, step=_CLONE_STREAM)
            rng = np.random.default_rng((seed, _CLONE_STREAM))
            for number in range(self.size.cloned):
                draw = int(rng.integers(EVALUATION_SEED))  # below the draws that judge
                yield from run_script(env, choose, session="clone", episode=number, seed=draw).transitions
        finally:
            clone.close()

    def _trainer(self, method: str) -> TrainerConfig:
        size = self.size
        algorithm: dict[str, Any] = {"hidden_sizes": size.hidden_sizes, "discount": size.discount}
        if method == AWAC:
            algorithm |= {"temperature": 0.3, "baseline_action": "mean", "value_maximum": 0.0}
        if method == SACFD:
            algorithm["cloning_updates"] = size.cloning_updates
        if method == BC:
            del algorithm["discount"]
        return TrainerConfig(
            method={AWAC: "awac", SACFD: "sac", BC: "bc"}[method],
            algorithm=algorithm,
            batch_size=size.batch_size,
            offline_updates=size.cloning_updates if method == BC else size.offline_updates,
            warmup_transitions=0,
            replay=ReplayConfig(capacity=max(size.steps + 1_000, size.batch_size)),
            checkpoint_every_updates=1_000,
        )
