"""Block assembly: a residual that nudges turned blocks upright apart, where its controller alone presses on them.

Source: Johannink et al., 2019, figures 37 and 39a; residual-rl.md 8.2. Each standing block is turned by up to r at the
start; the larger r, the more often the hand-written controller ends on top of them.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, NonNegativeFloat, PositiveInt

from tenon.configuration import Config
from tenon.environments.blocks import ACTION_SIZE, BlocksConfig, BlocksEnv
from tenon.experiments import episodes
from tenon.experiments.episodes import Chooser, Episode
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, evaluated, practice_config, practised
from tenon.experiments.results import Condition, Results, Row, at_least, at_most, difference
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

P, DITHER = "P", "P + dither"
_LEARNERS = {"SAC": "sac", "TD3": "td3"}


class ResidualBlocksSize(Config):
    """How much is done."""

    rotations_rad: tuple[NonNegativeFloat, ...] = Field(
        default=(0.0, 0.1, 0.2, 0.3), description="r, for the hand-written ones; residual-rl.md 4"
    )
    learnt_rad: tuple[NonNegativeFloat, ...] = Field(default=(0.0, 0.3), description="r, for those that learn")
    learners: tuple[str, ...] = Field(default=("SAC",), description="SAC, TD3")
    steps: PositiveInt = Field(default=16_000, description="of practice; ours")
    evaluate_every: PositiveInt = Field(default=2_000, description="steps from one evaluation to the next")
    warmup: PositiveInt = Field(default=500, description="steps, and updates of the critics alone; residual-rl.md 3")
    draws: PositiveInt = Field(default=100, description="evaluation episodes")
    draws_on_the_way: PositiveInt = Field(default=30, description="evaluation episodes for the learning curve")
    discount: float = Field(default=0.95, description="gamma; residual-rl.md 8.1")


class ResidualBlocks(Experiment[ResidualBlocksSize]):
    """The controller alone, with dither, with a residual, and the learner without it, over the blocks' rotation."""

    name: ClassVar[str] = "residual-blocks"
    shows: ClassVar[str] = "a residual nudges turned blocks apart and keeps its success where its controller fails"
    source: ClassVar[str] = "residual-rl.md 8.2"

    @classmethod
    def small(cls) -> ResidualBlocks:
        return cls(ResidualBlocksSize())

    @classmethod
    def full(cls) -> ResidualBlocks:
        """All rotations of the paper, TD3 too, 30,000 steps; residual-rl.md 8.2 asks for ten seeds."""
        rotations_rad = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
        return cls(
            ResidualBlocksSize(
                rotations_rad=rotations_rad, learnt_rad=rotations_rad, learners=tuple(_LEARNERS), steps=30_000
            )
        )

    def jobs(self, seeds: int) -> list[Job]:
        size = self.size
        minutes = size.steps * 1.6e-4
        # What does not draw does the same on the same starts: another seed of it would be no other run.
        hand_written = [Job(P, _setting(r), 0, 0.1) for r in size.rotations_rad]
        hand_written += [Job(DITHER, _setting(r), seed, 0.1) for seed in range(seeds) for r in size.rotations_rad]
        learnt = [
            Job(kind(learner), _setting(r), seed, minutes)
            for seed in range(seeds)
            for r in size.learnt_rad
            for learner in size.learners
            for kind in (_residual, _only)
        ]
        return [*hand_written, *learnt]

    def run(self, context: JobContext) -> list[Row]:
        job, size = context.job, self.size
        rotations_rad = (*size.rotations_rad, *size.learnt_rad)
        config = BlocksConfig(rotation_rad=next(r for r in rotations_rad if _setting(r) == job.setting))
        if job.method in (P, DITHER):
            draws = episodes.evaluation_seeds(size.draws)
            return _rows(context, episodes.roll_out(BlocksEnv(config), self._hand_written(job), draws))
        learner = job.method.split()[-1]
        if job.method == _only(learner):
            config = config.model_copy(update={"residual": config.residual.alone()})
        return self._learn(context, BlocksEnv(config), _LEARNERS[learner])

    def bar(self, results: Results) -> list[Condition]:
        size = self.size
        least, most = _setting(min(size.learnt_rad)), _setting(max(size.learnt_rad))
        conditions = [at_most(f"success of {P} at {most}", results.mean(P, most, "success"), 0.20)]
        for learner in size.learners:
            residual, only = _residual(learner), _only(learner)
            at_most_turned = results.mean(residual, most, "success")
            kept = difference(at_most_turned, results.mean(residual, least, "success"))
            early = results.mean_at(residual, most, "return", size.steps // 2)
            conditions += [
                at_least(f"success of {residual} at {most}", at_most_turned, 0.70),
                at_least(f"what {residual} keeps of its success at {least}", kept, -0.10),
                at_least(
                    f"return of {residual} at half of its steps over that of {only} at the end",
                    difference(early, results.mean(only, most, "return")),
                    0.0,
                ),
            ]
        return conditions

    def _learn(self, context: JobContext, env: BlocksEnv, method: str) -> list[Row]:
        size = self.size

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            seen = evaluated(env, trainer, step, size.draws_on_the_way)
            return {"success": episodes.success_rate(seen), "return": episodes.mean_return(seen)}

        plan = Plan(size.steps, size.evaluate_every)
        with practised(context, self._trainer(method), env.spec, plan, look, env=env) as trainer:
            return _rows(context, evaluated(env, trainer, size.steps, size.draws))

    def _hand_written(self, job: Job) -> Chooser:
        if job.method == DITHER:
            return episodes.dither(ACTION_SIZE, job.seed)
        return episodes.constant((0.0,) * ACTION_SIZE)

    def _trainer(self, method: str) -> TrainerConfig:
        size = self.size
        return practice_config(
            method,
            steps=size.steps,
            evaluate_every=size.evaluate_every,
            warmup=size.warmup,
            discount=size.discount,
        )


def _residual(learner: str) -> str:
    return f"residual {learner}"


def _only(learner: str) -> str:
    return f"only {learner}"


def _setting(rotation_rad: float) -> str:
    return f"r {rotation_rad:g} rad"


def _rows(context: JobContext, seen: list[Episode]) -> list[Row]:
    return context.rows(
        **{
            "success": episodes.success_rate(seen),
            "steps_to_insert": episodes.mean_steps(seen),
            "return": episodes.mean_return(seen),
        }
    )
