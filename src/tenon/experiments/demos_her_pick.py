"""Pick-and-place with a sparse reward from 100 demonstrations (Nair et al., 2018): hindsight, cloning, the Q-filter.

Set-up, figures and gates: demos-her.md section 8. In-air goals are reported apart, as plain hindsight reaches many of
those on the table. With bad demonstrations, of which every second drops the block, only the Q-filter gets past them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np

from tenon.data.transitions import Transition
from tenon.environments.fetch import FetchConfig, FetchEnv
from tenon.environments.fetch_scripts import PickScriptConfig, pick_demonstrations
from tenon.experiments import episodes
from tenon.experiments.demos_her import (
    BC,
    FILTER,
    HER,
    OURS,
    PLAIN,
    SCRIPT_STREAM,
    DemosHerSize,
    evaluated,
    trainer_of,
)
from tenon.experiments.episodes import Episode
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, practised
from tenon.experiments.results import Condition, Results, Row, above, at_least, at_most, difference
from tenon.training.trainer import Trainer

SHOWN = "demonstrations"
CLEAN, BAD = "clean demonstrations", "bad demonstrations"


class DemosHerPick(Experiment[DemosHerSize]):
    """Five ways to learn, and the bad demonstrations themselves."""

    name: ClassVar[str] = "demos-her-pick"
    shows: ClassVar[str] = "demonstrations and hindsight solve pick-and-place; the Q-filter outgrows bad demonstrations"
    source: ClassVar[str] = "demos-her.md 8"

    @classmethod
    def small(cls) -> DemosHerPick:
        return cls(DemosHerSize())

    @classmethod
    def full(cls) -> DemosHerPick:
        """The paper's batches, and the million steps that its authors expect of pick-and-place; demos-her.md 3, 4."""
        return cls(
            DemosHerSize(
                steps=1_000_000, cloning_updates=200_000, evaluate_every=50_000, batch_size=1_024, demonstrated=128
            )
        )

    def jobs(self, seeds: int) -> list[Job]:
        size = self.size
        practice, cloning = size.steps * 2.9e-4, size.cloning_updates * 0.5e-4
        evaluation = size.draws * 2e-3
        jobs = []
        for seed in range(seeds):
            jobs += [Job(OURS, CLEAN, seed, practice + evaluation), Job(HER, CLEAN, seed, practice + evaluation)]
            jobs += [Job(BC, CLEAN, seed, cloning + evaluation), Job(SHOWN, BAD, seed, 0.5)]
            jobs += [Job(method, BAD, seed, practice + evaluation) for method in (FILTER, PLAIN)]
        return jobs

    def run(self, context: JobContext) -> list[Row]:
        job, size = context.job, self.size
        env = FetchEnv(FetchConfig(task="pick"))
        prior = self._demonstrations(env, job)
        if job.method == SHOWN:
            ends = [transition.success for transition in prior() if transition.ended]
            return context.rows(success=float(np.mean(ends)))

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            return _measured(evaluated(env, trainer, step, size.draws_on_the_way))

        plan = Plan(0 if job.method == BC else size.steps, size.evaluate_every)
        practice = practised(
            context,
            trainer_of(job.method, size),
            env.spec,
            plan,
            look,
            env=None if job.method == BC else env,
            prior=None if job.method == HER else prior,
        )
        with practice as trainer:
            return context.rows(**_measured(evaluated(env, trainer, -1, size.draws)))

    def bar(self, results: Results) -> list[Condition]:
        ours, cloned = (results.mean(method, CLEAN, "success_in_air") for method in (OURS, BC))
        filtered, plain, shown = (results.mean(method, BAD, "success") for method in (FILTER, PLAIN, SHOWN))
        return [
            at_least(f"in-air success of {OURS}", ours, 0.85),
            at_least(f"in-air success of {OURS} over {BC}", difference(ours, cloned), 0.25),
            at_most(f"in-air success of {HER}", results.mean(HER, CLEAN, "success_in_air"), 0.10),
            at_least(f"bad demonstrations: {FILTER} over {PLAIN}", difference(filtered, plain), 0.10),
            above(f"bad demonstrations: {FILTER} over the demonstrations", difference(filtered, shown), 0.0),
        ]

    def _demonstrations(self, env: FetchEnv, job: Job) -> Callable[[], Iterator[Transition]]:
        script = PickScriptConfig(dropping_every=2 if job.setting == BAD else None)

        def transitions() -> Iterator[Transition]:
            rng = np.random.default_rng((job.seed, SCRIPT_STREAM))
            shown = pick_demonstrations(env, self.size.demonstrations, rng, script, "demonstrations")
            return (transition for episode in shown for transition in episode.transitions)

        return transitions


def _measured(seen: Sequence[Episode]) -> dict[str, float]:
    """Success on the last step, over all goals and over those in the air."""
    in_air = [episode for episode in seen if episode.start_info["in_air"]]
    return {"success": episodes.success_rate(seen), "success_in_air": episodes.success_rate(in_air)}
