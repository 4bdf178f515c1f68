"""Practice beside a person who takes over in the first episodes, against practice alone.

The task is that of ``residual-bias`` in which practice alone succeeds: a constant error makes the controller
miss, and only a connection is paid, which early practice finds seldom. The person is a script at the place of one: they
watch, take over once an episode has gone on for a while without success, hold against the error until the peg is home,
and do so ten times in all. Their steps are stored as what they are, and learned from like the policy's own.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt

from tenon.configuration import Config
from tenon.control.p_controller import PControllerConfig
from tenon.control.residual import ResidualConfig
from tenon.data.sampling import SamplingConfig
from tenon.environments.flying_peg import FlyingPegConfig, FlyingPegEnv
from tenon.experiments import episodes
from tenon.experiments.experiment import Experiment, Job, JobContext
from tenon.experiments.practice import Plan, evaluated, practice_config, practised
from tenon.experiments.results import Condition, Results, Row, at_least, difference
from tenon.training.config import TrainerConfig
from tenon.training.loop import LoopCallback
from tenon.training.trainer import Trainer

ALONE, WATCHED = "alone", "watched"
SETTING = "flying peg"
MM = 1e-3
_NOISE_M = 0.2 * MM


class InterventionSize(Config):
    """How much is done."""

    steps: PositiveInt = Field(default=7_500, description="of practice; residual-rl.md 8.1 measured 6,000 to 7,500")
    evaluate_every: PositiveInt = Field(default=750, description="steps from one evaluation to the next")
    warmup: PositiveInt = Field(default=500, description="steps, and updates of the critics alone; residual-rl.md 3")
    draws: PositiveInt = Field(default=20, description="evaluation episodes, each time")
    interventions: PositiveInt = Field(default=10, description="take-overs, one an episode")
    patience_steps: PositiveInt = Field(default=2, description="without success, after which the person takes over")
    bias_mm: PositiveFloat = Field(default=1.5, description="mu, the controller's error; residual-rl.md 8.1")
    authority_mm: PositiveFloat = Field(default=2.0, description="k, displacement of residual 1; residual-rl.md 8.1")
    discount: float = Field(default=0.95, description="gamma; residual-rl.md 8.1")


class Watched:
    """An environment that a person stands beside. taken: interventions so far."""

    def __init__(self, env: FlyingPegEnv, size: InterventionSize) -> None:
        self._env = env
        self._size = size
        self._against_error = np.array([-size.bias_mm / size.authority_mm, 0.0, 0.0], dtype=np.float32)
        self._steps = 0
        self._solved = self._drives = False
        self.taken = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._steps = 0
        self._solved = self._drives = False
        return self._env.reset(seed=seed, options=options)

    def step(self, action: Any, /) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """``info["human_action"]``: what the person did instead of ``action``."""
        size = self._size
        if not self._drives and not self._solved and self._steps >= size.patience_steps:
            self._drives = self.taken < size.interventions
            self.taken += self._drives
        done = self._against_error if self._drives else action
        raw, reward, terminated, truncated, info = self._env.step(done)
        self._steps += 1
        self._solved = self._solved or bool(info.get("success"))
        if self._drives:
            info = {**info, "human_action": done}
        return raw, reward, terminated, truncated, info


class Intervention(Experiment[InterventionSize]):
    """SAC alone, and with ten interventions."""

    name: ClassVar[str] = "intervention"
    shows: ClassVar[str] = "practice with ten interventions learns at least as fast as practice without"
    source: ClassVar[str] = "hardware.md 3"

    @classmethod
    def small(cls) -> Intervention:
        return cls(InterventionSize())

    @classmethod
    def full(cls) -> Intervention:
        return cls(InterventionSize(draws=100))

    def jobs(self, seeds: int) -> list[Job]:
        minutes = self.size.steps * 1.3e-4
        return [Job(method, SETTING, seed, minutes) for seed in range(seeds) for method in (ALONE, WATCHED)]

    def run(self, context: JobContext) -> list[Row]:
        size = self.size
        alone = FlyingPegEnv(self._task())
        watched = Watched(FlyingPegEnv(self._task()), size)

        def look(trainer: Trainer, step: int) -> dict[str, float]:
            return {"success": episodes.success_rate(evaluated(alone, trainer, step, size.draws))}

        def resume(trainer: Trainer) -> list[LoopCallback]:
            watched.taken = interventions_of(trainer)
            return []

        plan = Plan(size.steps, size.evaluate_every)
        env = watched if context.job.method == WATCHED else alone
        practice = practised(context, self._trainer(), alone.spec, plan, look, env=env, callbacks=resume)
        with practice as trainer:
            curve = [point.value for point in context.points if point.metric == "success"]
            return context.rows(
                success=curve[-1],
                mean_success=float(np.mean(curve)),
                interventions=float(interventions_of(trainer)),
            )

    def bar(self, results: Results) -> list[Condition]:
        speed = {method: results.mean(method, SETTING, "mean_success") for method in (ALONE, WATCHED)}
        last = {method: results.mean(method, SETTING, "success") for method in (ALONE, WATCHED)}
        return [
            at_least("success over all of practice, watched over alone", difference(speed[WATCHED], speed[ALONE]), 0.0),
            at_least("success at the end, watched over alone", difference(last[WATCHED], last[ALONE]), -0.05),
            at_least("success at the end, alone: there is something to be faster than", last[ALONE], 0.5),
        ]

    def _task(self) -> FlyingPegConfig:
        size = self.size
        reach_m = (size.authority_mm * MM,) * 3
        residual = ResidualConfig(base=PControllerConfig(), authority_m=reach_m, step_limit_m=0.012)
        return FlyingPegConfig(residual=residual, command_bias_m=size.bias_mm * MM, command_noise_m=_NOISE_M)

    def _trainer(self) -> TrainerConfig:
        size = self.size
        return practice_config(
            "sac",
            steps=size.steps,
            evaluate_every=size.evaluate_every,
            warmup=size.warmup,
            discount=size.discount,
            sampling=SamplingConfig(interventions="on_policy"),
        )


def interventions_of(trainer: Trainer) -> int:
    """Episodes of a training in which a person took over."""
    replay = trainer.replay
    human = replay.human(replay.window(replay.transitions))
    return len({int(row["episode"]) for row in replay.rows(torch.from_numpy(human))}) if len(human) else 0
