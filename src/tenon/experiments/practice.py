"""One training from start to end: offline updates, then practice in an environment, evaluated every so often.

``tenon train`` and the experiments go through here. A training that was interrupted goes on from its trainer's folder:
updates since the last checkpoint are done again, and an episode that was cut off is left as it is and not continued.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tenon.data.replay import ReplayConfig
from tenon.data.sampling import SamplingConfig
from tenon.data.transitions import EnvironmentSpec, Transition
from tenon.experiments.episodes import Chooser, Episode, evaluation_seeds, roll_out
from tenon.experiments.experiment import JobContext
from tenon.training.config import TrainerConfig
from tenon.training.loop import GymEnvironment, LoopCallback, Reset, train_gym
from tenon.training.trainer import Trainer

_EPISODE_STREAM, _ACTING_STREAM = 1, 2
_SESSION = "practice"
_CAPACITY_MIN = 128
"""A batch must fit, also where a test practises for a few steps."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, and how often it is looked at.

    steps: of practice in the environment, after the configuration's offline updates. evaluate_every: steps of practice
    from one evaluation to the next. evaluate_every_updates: the same of offline updates; None for equally many. It is
    also looked at between the two and at the end.
    """

    steps: int
    evaluate_every: int
    evaluate_every_updates: int | None = None


Resets = Callable[[int], Reset] | None
"""How the training episode of a number begins; None: where the task does."""
Evaluate = Callable[[Trainer, int], None]
"""Called with the trainer and the step: offline updates plus steps of practice so far."""


class Practice:
    """Drives a trainer through a plan. looked_at: the step of the last look that is on record, where one is resumed."""

    def __init__(
        self,
        trainer: Trainer,
        plan: Plan,
        evaluate: Evaluate,
        *,
        env: GymEnvironment | None = None,
        resets: Resets = None,
        callbacks: Sequence[LoopCallback] = (),
        on_progress: Callable[[float], None] = lambda fraction: None,
        looked_at: int = -1,
    ) -> None:
        self._trainer = trainer
        self._plan = plan
        self._evaluate = evaluate
        self._env = env
        self._resets = resets
        self._callbacks = callbacks
        self._on_progress = on_progress
        self._looked_at = looked_at

    @property
    def step(self) -> int:
        """Offline updates plus steps of practice so far."""
        offline = min(self._trainer.updates, self._trainer.config.offline_updates)
        return offline + self._trainer.replay.transitions

    def run(self) -> None:
        """To the end of the plan; does nothing that is done already. Saves at the end."""
        self._offline()
        if self._env is not None:
            self._online(self._env)
        self._trainer.save()

    def _offline(self) -> None:
        trainer, every = self._trainer, self._plan.evaluate_every_updates or self._plan.evaluate_every
        while trainer.updates < trainer.config.offline_updates:
            # Before the next update, and not after the last one: an interruption may have come while it was looked at.
            if trainer.updates and trainer.updates % every == 0:
                self._look()
            metrics = trainer.update()
            for callback in self._callbacks:
                callback.on_update(metrics)
            if trainer.save_due():
                trainer.save()
            self._tell()
        if trainer.config.offline_updates and not trainer.replay.transitions:
            self._look()

    def _online(self, env: GymEnvironment) -> None:
        trainer, plan = self._trainer, self._plan
        self._catch_up()
        if self._has_ended() and self._is_due():
            self._look()
        episode = _first_free_episode(trainer)
        while trainer.replay.transitions < plan.steps:
            rng = np.random.default_rng((trainer.seed, _EPISODE_STREAM, episode))
            train_gym(
                env,
                trainer,
                1,
                rng=rng,
                session=_SESSION,
                first_episode=episode,
                resets=self._resets,
                callbacks=self._callbacks,
            )
            episode += 1
            self._tell()
            if self._is_due():
                self._look()
        if plan.steps:
            self._look()

    def _catch_up(self) -> None:
        """After an interruption, the updates that were due before it."""
        while self._trainer.update_due():
            self._trainer.update()

    def _is_due(self) -> bool:
        """Whether it is time, at the end of an episode, to look again: an interruption may have come before the last
        look was on record."""
        every, offline = self._plan.evaluate_every, self._trainer.config.offline_updates
        return self._trainer.replay.transitions // every > max(0, self._looked_at - offline) // every

    def _has_ended(self) -> bool:
        """Whether the last episode that is stored was not cut off: within one it is too early for a look."""
        done = self._trainer.replay.transitions
        return bool(done) and bool(self._trainer.replay.rows(torch.tensor([done - 1]))[0]["ended"])

    def _look(self) -> None:
        if self._looked_at != self.step:
            self._looked_at = self.step
            self._evaluate(self._trainer, self.step)
            self._trainer.save()

    def _tell(self) -> None:
        total = self._plan.steps + self._trainer.config.offline_updates
        self._on_progress(min(1.0, self.step / total) if total else 1.0)


Prior = Callable[[], Iterable[Transition]] | Path | None
"""Prior data: what makes them (asked only where a training starts), a folder that holds them, or none."""
Look = Callable[[Trainer, int], Mapping[str, float]]
"""Evaluates a trainer at a step, in numbers by name."""


@contextmanager
def practised(
    context: JobContext,
    config: TrainerConfig,
    spec: EnvironmentSpec,
    plan: Plan,
    look: Look,
    *,
    env: GymEnvironment | None = None,
    resets: Resets = None,
    prior: Prior = None,
    callbacks: Callable[[Trainer], Sequence[LoopCallback]] = lambda trainer: (),
) -> Iterator[Trainer]:
    """A job's trainer after its plan; what ``look`` sees on the way goes into the job's learning curve."""
    trainer = _open(config, spec, context.directory / "trainer", context.job.seed, prior)

    def evaluate(trainer: Trainer, step: int) -> None:
        if not context.has_recorded(step):
            context.record(step, **look(trainer, step))

    try:
        practice = Practice(
            trainer,
            plan,
            evaluate,
            env=env,
            resets=resets,
            callbacks=callbacks(trainer),
            on_progress=context.progress,
            looked_at=max((point.step for point in context.points), default=-1),
        )
        practice.run()
        yield trainer
    finally:
        trainer.close()


def policy_chooser(trainer: Trainer, *, deterministic: bool, step: int) -> Chooser:
    """The policy as it is now. Exploration draws from a stream of its own, so that looking changes nothing."""
    actor = trainer.actor(np.random.default_rng((trainer.seed, _ACTING_STREAM, step)))
    return lambda observation: actor.act(observation, deterministic=deterministic)


def evaluated(
    env: GymEnvironment, trainer: Trainer, step: int, draws: int, *, deterministic: bool = True
) -> list[Episode]:
    """The policy as it is now, on the fixed draws; by its mean, or as it explores."""
    choose = policy_chooser(trainer, deterministic=deterministic, step=step)
    return roll_out(env, choose, evaluation_seeds(draws))


def practice_config(
    method: str,
    *,
    steps: int,
    evaluate_every: int,
    warmup: int,
    discount: float,
    sampling: SamplingConfig | None = None,
) -> TrainerConfig:
    """Of a learner that only practises. warmup: steps, and then updates of the critics alone."""
    return TrainerConfig(
        method=method,
        algorithm={"discount": discount, "critic_warmup_updates": warmup},
        warmup_transitions=warmup,
        checkpoint_every_updates=evaluate_every,
        replay=ReplayConfig(capacity=max(steps, _CAPACITY_MIN)),
        sampling=sampling or SamplingConfig(),
    )


def _first_free_episode(trainer: Trainer) -> int:
    """The number after all that the replay holds something of."""
    episode = trainer.replay.complete_episodes
    while trainer.replay.has_step(_SESSION, episode, 0):
        episode += 1
    return episode


def _open(config: TrainerConfig, spec: EnvironmentSpec, directory: Path, seed: int, prior: Prior) -> Trainer:
    if Trainer.exists(directory):
        return Trainer.open(config, spec, directory, seed=seed)
    data = prior() if callable(prior) else prior
    return Trainer.open(config, spec, directory, seed=seed, prior=data)
