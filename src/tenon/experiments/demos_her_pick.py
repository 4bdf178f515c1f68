"""Pick-and-place with a sparse reward from 100 demonstrations (Nair et al., 2018): hindsight, cloning, the Q-filter.

Set-up, figures and gates: demos-her.md section 8. In-air goals are reported apart, as plain hindsight reaches many of
those on the table. With bad demonstrations, of which every second drops the block, only the Q-filter gets past them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from tenon.configuration import Config
from tenon.data.replay import ReplayConfig
from tenon.data.sampling import RelabelConfig, SamplingConfig
from tenon.data.transitions import Transition
from tenon.environments.fetch import FetchConfig, FetchEnv
from tenon.environments.fetch_scripts import PickScriptConfig, pick_demonstrations
from tenon.experiments import episodes
from tenon.experiments.episodes import Episode
from tenon.experiments.experiment import Experiment, ExperimentError, Job, JobContext
from tenon.experiments.practice import Plan, policy_chooser, practised
from tenon.experiments.results import Condition, Results, Row, above, at_least, at_most, difference
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

OURS, HER, BC = "DDPG + HER + demonstrations", "DDPG + HER", "BC"
FILTER, PLAIN, SHOWN = "with Q-filter", "plain cloning loss", "demonstrations"
CLEAN, BAD = "clean demonstrations", "bad demonstrations"
_SCRIPT_STREAM = 5
_HORIZON_STEPS = 50
_TARGET_UPDATE_EVERY = 20
"""Updates; demos-her.md 8, once an episode of 20 updates."""


class DemosHerPickSize(Config):
    """How much is done."""

    steps: PositiveInt = Field(default=15_000, description="of practice; demos-her.md 8")
    cloning_updates: PositiveInt = Field(default=20_000, description="of BC; demos-her.md 8")
    evaluate_every: PositiveInt = Field(default=5_000, description="steps, or updates of BC, between evaluations")
    draws: PositiveInt = Field(default=250, description="evaluation episodes: more than 100 of them have in-air goals")
    draws_on_the_way: PositiveInt = Field(default=40, description="evaluation episodes for the curve; demos-her.md 8")
    demonstrations: PositiveInt = Field(default=100, description="by script; demos-her.md 8")
    batch_size: PositiveInt = Field(default=256, description="N; demos-her.md 8")
    demonstrated: PositiveInt = Field(default=64, description="N_D, in each batch beside N; demos-her.md 8")
    updates_per_episode: PositiveInt = Field(
        default=40, description="twice demos-her.md 8: with 20, bad demonstrations are not outgrown within the steps"
    )


class DemosHerPick(Experiment[DemosHerPickSize]):
    """Five ways to learn, and the bad demonstrations themselves."""

    name: ClassVar[str] = "demos-her-pick"
    shows: ClassVar[str] = "demonstrations and hindsight solve pick-and-place; the Q-filter outgrows bad demonstrations"
    source: ClassVar[str] = "demos-her.md 8"

    @classmethod
    def small(cls) -> DemosHerPick:
        return cls(DemosHerPickSize())

    @classmethod
    def full(cls) -> DemosHerPick:
        raise ExperimentError(
            "demos-her-pick --full stacks two to four blocks (demos-her.md 8, GPU): Tenon has no environment with "
            "several blocks. Run it without --full"
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
        env = FetchEnv(FetchConfig(task="pick", horizon_steps=_HORIZON_STEPS))
        prior = self._demonstrations(env, job)
        if job.method == SHOWN:
            ends = [transition.success for transition in prior() if transition.ended]
            return context.rows(success=float(np.mean(ends)))

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            return _measured(_evaluated(env, trainer, step, size.draws_on_the_way))

        plan = Plan(0 if job.method == BC else size.steps, size.evaluate_every)
        practice = practised(
            context,
            self._trainer(job.method),
            env.spec,
            plan,
            look,
            env=None if job.method == BC else env,
            prior=None if job.method == HER else prior,
        )
        with practice as trainer:
            return context.rows(**_measured(_evaluated(env, trainer, -1, size.draws)))

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
            rng = np.random.default_rng((job.seed, _SCRIPT_STREAM))
            shown = pick_demonstrations(env, self.size.demonstrations, rng, script, "demonstrations")
            return (transition for episode in shown for transition in episode.transitions)

        return transitions

    def _trainer(self, method: str) -> TrainerConfig:
        size = self.size
        common: dict[str, Any] = {"hidden_sizes": (256, 256, 256)}
        if method == BC:
            encoder = {"standardize_state": True}
            return TrainerConfig(
                method="bc",
                algorithm={**common, "policy": "deterministic", "actor_learning_rate": 1e-3, "encoder": encoder},
                batch_size=size.batch_size,
                offline_updates=size.cloning_updates,
                checkpoint_every_updates=size.evaluate_every,
            )
        cloning = {HER: "off", PLAIN: "plain"}.get(method, "filtered")
        demonstrated = 0 if method == HER else size.demonstrated
        batch_size = size.batch_size + demonstrated
        return TrainerConfig(
            method="ddpg_her",
            algorithm={**common, "target_update_every": _TARGET_UPDATE_EVERY, "cloning": cloning},
            batch_size=batch_size,
            warmup_transitions=_HORIZON_STEPS,
            updates_per_transition=size.updates_per_episode / _HORIZON_STEPS,
            sampling=SamplingConfig(
                relabel=RelabelConfig(), prior_share=demonstrated / batch_size if demonstrated else None
            ),
            replay=ReplayConfig(capacity=max(size.steps, batch_size)),
            checkpoint_every_updates=1_000,
        )


def _evaluated(env: FetchEnv, trainer: Trainer, step: int, draws: int) -> list[Episode]:
    choose = policy_chooser(trainer, deterministic=True, step=max(step, 0))
    return episodes.roll_out(env, choose, episodes.evaluation_seeds(draws))


def _measured(seen: list[Episode]) -> dict[str, float]:
    """Success on the last step, over all goals and over those in the air."""
    in_air = [episode for episode in seen if episode.start_info["in_air"]]
    return {"success": episodes.success_rate(seen), "success_in_air": episodes.success_rate(in_air)}
