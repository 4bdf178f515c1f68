"""A controller with a constant error, and a residual that learns it away (Johannink et al., 2019, figures 38c, 39c).

The model, the figures and the gate are those of residual-rl.md section 8.1. Every command gets a bias on x and noise on
all axes, so that the controller alone misses the socket. Random dither finds it at times: it stands beside the learner.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from tenon.configuration import Config
from tenon.control.p_controller import PControllerConfig
from tenon.control.residual import ResidualConfig
from tenon.environments.flying_peg import FlyingPegConfig, FlyingPegEnv
from tenon.experiments import episodes
from tenon.experiments.episodes import Chooser, Episode
from tenon.experiments.experiment import Experiment, ExperimentError, Job, JobContext
from tenon.experiments.practice import Plan, evaluated, practice_config, practised
from tenon.experiments.results import Condition, Results, Row, at_least, at_most, difference
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

P, DITHER, EXACT = "P", "P + dither", "P + exact correction"
RESIDUAL, PURE = "residual SAC", "pure SAC"
MM = 1e-3
_NOISE_M = 0.2 * MM
_GATE_BIAS_MM = 1.5


class ResidualBiasSize(Config):
    """How much is done."""

    biases_mm: tuple[NonNegativeFloat, ...] = Field(default=(0.0, 0.5, 1.0, 1.5), description="mu; residual-rl.md 8.1")
    steps: PositiveInt = Field(default=7_500, description="of practice; residual-rl.md 8.1 measured 6,000 to 7,500")
    evaluate_every: PositiveInt = Field(default=1_250, description="steps from one evaluation to the next")
    warmup: PositiveInt = Field(default=500, description="steps, and updates of the critics alone; residual-rl.md 3")
    draws: PositiveInt = Field(default=100, description="evaluation episodes; residual-rl.md 8.1")
    draws_on_the_way: PositiveInt = Field(default=20, description="evaluation episodes for the learning curve")
    authority_mm: PositiveFloat = Field(default=2.0, description="k, displacement of residual 1; residual-rl.md 8.1")
    pure_step_mm: PositiveFloat = Field(default=10.0, description="displacement of action 1 without the controller")
    discount: float = Field(default=0.95, description="gamma; residual-rl.md 8.1")


class ResidualBias(Experiment[ResidualBiasSize]):
    """Residual SAC against the controller alone, dither, the exact correction, and SAC without the controller."""

    name: ClassVar[str] = "residual-bias"
    shows: ClassVar[str] = "a residual learns away a constant error of its controller; dither and plain SAC do not"
    source: ClassVar[str] = "residual-rl.md 8.1"

    @classmethod
    def small(cls) -> ResidualBias:
        return cls(ResidualBiasSize())

    @classmethod
    def full(cls) -> ResidualBias:
        raise ExperimentError(
            "residual-bias has one size, that of residual-rl.md 8.1. The paper's own task, 8.2, is residual-blocks "
            "--full. Run this one without --full"
        )

    def jobs(self, seeds: int) -> list[Job]:
        biases = self.size.biases_mm
        # What does not draw does the same on the same starts: another seed of it would be no other run.
        hand_written = [Job(m, _setting(b), 0, 0.1) for b in biases for m in (P, EXACT)]
        hand_written += [Job(DITHER, _setting(b), s, 0.1) for s in range(seeds) for b in biases]
        minutes = self.size.steps * 1.3e-4
        learnt = [Job(RESIDUAL, _setting(b), s, minutes) for s in range(seeds) for b in biases]
        pure = [Job(PURE, _setting(_GATE_BIAS_MM), s, minutes) for s in range(seeds)]
        return [*hand_written, *learnt, *pure]

    def run(self, context: JobContext) -> list[Row]:
        job = context.job
        bias_mm = next(b for b in self.size.biases_mm if _setting(b) == job.setting)
        env = FlyingPegEnv(self._task(bias_mm, pure=job.method == PURE))
        if job.method in (RESIDUAL, PURE):
            return self._learn(context, env)
        draws = episodes.evaluation_seeds(self.size.draws)
        return _rows(context, episodes.roll_out(env, self._hand_written(job, bias_mm), draws))

    def bar(self, results: Results) -> list[Condition]:
        biased, exact = _setting(_GATE_BIAS_MM), _setting(0.0)
        residual = results.mean(RESIDUAL, biased, "success")
        dither = results.mean(DITHER, biased, "success")
        unbiased_gain = difference(results.mean(RESIDUAL, exact, "success"), results.mean(P, exact, "success"))
        forces = [row.value for row in results.rows if (row.method, row.metric) == (RESIDUAL, "peak_force_n")]
        return [
            at_least(f"success of {RESIDUAL} at {biased}", residual, 0.90),
            at_most(f"success of {P} at {biased}", results.mean(P, biased, "success"), 0.05),
            at_least(f"{RESIDUAL} over {DITHER} at {biased}", difference(residual, dither), 0.50),
            at_least(f"{RESIDUAL} over {P} at {exact}", unbiased_gain, -0.05),
            at_most(f"peak contact force of {RESIDUAL}, N", max(forces, default=None), 10.0),
        ]

    def _learn(self, context: JobContext, env: FlyingPegEnv) -> list[Row]:
        size = self.size

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            # Nothing but the command's noise varies between episodes, so the policy acts by its mean.
            return {"success": episodes.success_rate(evaluated(env, trainer, step, size.draws_on_the_way))}

        plan = Plan(size.steps, size.evaluate_every)
        with practised(context, self._trainer(), env.spec, plan, look, env=env) as trainer:
            return _rows(context, evaluated(env, trainer, size.steps, size.draws))

    def _hand_written(self, job: Job, bias_mm: float) -> Chooser:
        if job.method == DITHER:
            return episodes.dither(3, job.seed)
        correction = -bias_mm / self.size.authority_mm if job.method == EXACT else 0.0
        return episodes.constant((correction, 0.0, 0.0))

    def _task(self, bias_mm: float, *, pure: bool) -> FlyingPegConfig:
        size = self.size
        authority_m = (size.pure_step_mm if pure else size.authority_mm) * MM
        base = None if pure else PControllerConfig()
        residual = ResidualConfig(base=base, authority_m=(authority_m,) * 3, step_limit_m=0.012)
        return FlyingPegConfig(residual=residual, command_bias_m=bias_mm * MM, command_noise_m=_NOISE_M)

    def _trainer(self) -> TrainerConfig:
        size = self.size
        return practice_config(
            "sac",
            steps=size.steps,
            evaluate_every=size.evaluate_every,
            warmup=size.warmup,
            discount=size.discount,
        )


def _setting(bias_mm: float) -> str:
    return f"bias {bias_mm:g} mm"


def _rows(context: JobContext, seen: list[Episode]) -> list[Row]:
    return context.rows(
        success=episodes.success_rate(seen),
        steps_to_insert=episodes.mean_steps(seen),
        peak_force_n=episodes.peak_force_n(seen),
    )
