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
from tenon.environments.scripted import script_rng, transitions_of
from tenon.experiments import episodes
from tenon.experiments.demos_her import (
    BC,
    FILTER,
    HER,
    OURS,
    PLAIN,
    DemosHerSize,
    minutes,
    paper_batches,
    trainer_of,
)
from tenon.experiments.episodes import Episode
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, evaluated, practised
from tenon.experiments.results import Condition, Results, Row, above, at_least, at_most, difference
from tenon.training.trainer import Trainer

SHOWN, _SHOWN_MINUTES = "demonstrations", 0.15
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
        return cls(DemosHerSize(steps=1_000_000, evaluate_every=50_000, **paper_batches()))

    def jobs(self, seeds: int) -> list[Job]:
        jobs = []
        for seed in range(seeds):
            jobs += [Job(method, CLEAN, seed, minutes(method, self.size)) for method in (OURS, HER, BC)]
            jobs += [Job(method, BAD, seed, minutes(method, self.size)) for method in (FILTER, PLAIN)]
            jobs.append(Job(SHOWN, BAD, seed, _SHOWN_MINUTES))
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

        (method,) = (name for name in (OURS, HER, BC, FILTER, PLAIN) if name == job.method)
        plan = Plan(0 if method == BC else size.steps, size.evaluate_every)
        practice = practised(
            context,
            trainer_of(method, size),
            env.spec,
            plan,
            look,
            env=None if method == BC else env,
            prior=None if method == HER else prior,
        )
        with practice as trainer:
            return context.rows(**_measured(evaluated(env, trainer, size.steps, size.draws)))

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
            shown = pick_demonstrations(env, self.size.demonstrations, script_rng(job.seed), script, "demonstrations")
            return transitions_of(shown)

        return transitions


def _measured(seen: Sequence[Episode]) -> dict[str, float]:
    """Success on the last step, over all goals and over those in the air."""
    in_air = [episode for episode in seen if episode.start_info["in_air"]]
    return {"success": episodes.success_rate(seen), "success_in_air": episodes.success_rate(in_air)}
