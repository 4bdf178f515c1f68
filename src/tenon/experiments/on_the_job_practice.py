"""Practice on a new connector as a Gymnasium loop: the session's rules, configuration and trainer, without its graph.

What is decided (when to look, which weights to keep, what is handed over) is ``tenon.session.practice``'s affair, here
as in a session; the policy starts from what ``tenon.session.finetune`` finds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tenon.configuration.session import PracticeConfig
from tenon.environments.insertion import InsertionEnv
from tenon.rewards import Reward, RewardObservation, RewardResult
from tenon.session.draws import CHOICE_SEED, EVALUATION_SEED
from tenon.session.finetune import StartPoint
from tenon.session.practice import Judgement, Look, PracticeRecord
from tenon.session.statistics import SuccessRule
from tenon.training.config import TrainerConfig
from tenon.training.loop import Acts, evaluate_gym, observation_from_gym, train_gym
from tenon.training.snapshot import PolicySnapshot, load_actor
from tenon.training.trainer import Trainer

SUCCESS_TICKS = 3
"""As ``success_ticks`` of a session."""
_SESSION = "practice"
_TRIAL_STREAM = 1


@dataclass(slots=True)
class Outcome:
    """One episode by the reward's word and by the truth."""

    rewarded: SuccessRule = field(default_factory=lambda: SuccessRule(SUCCESS_TICKS))
    connected: SuccessRule = field(default_factory=lambda: SuccessRule(SUCCESS_TICKS))
    total_reward: float = 0.0
    touched: bool = False

    @property
    def exploits(self) -> bool:
        """Whether the reward calls a success what is none."""
        return self.rewarded.success and not self.connected.success


class JudgedInsertion:
    """An insertion that a reward pays by the picture; what the simulation knows stands in ``outcomes`` alone.

    reward: None for the truth. touch_n: pressing force from which the plug has touched something.
    """

    def __init__(self, env: InsertionEnv, reward: Reward | None, *, touch_n: float = 2.0) -> None:
        self._env = env
        self._reward = reward
        self._touch_n = touch_n
        self.outcomes: list[Outcome] = []
        self.spec = env.spec

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begins an episode, and with it an outcome."""
        raw, info = self._env.reset(seed=seed, options=options)
        self.outcomes.append(Outcome())
        if self._reward is not None:
            self._reward.begin_episode()
            self._judge(self._reward, raw)  # as in a session, where the first picture is judged too and pays nothing
        return raw, info

    def step(self, action: Any, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """``info`` holds what the reward says (success, reward_logit, reward_version) and where the arm says it is."""
        raw, value, terminated, truncated, info = self._env.step(action)
        outcome, success = self.outcomes[-1], bool(info["success"])
        outcome.connected.on_step(solved=success)
        outcome.touched |= info["vertical_force_n"] >= self._touch_n
        told: dict[str, Any] = {"success": success}
        if self._reward is not None:
            judged = self._judge(self._reward, raw)
            value, success = judged.value, judged.success
            told = {"success": success, "reward_logit": judged.logit, "reward_version": judged.version}
        outcome.rewarded.on_step(solved=success)
        outcome.total_reward += value
        return raw, value, terminated, truncated, told | {"tcp_in_base_m": info.get("tcp_in_base_m")}

    @staticmethod
    def _judge(reward: Reward, raw: Any) -> RewardResult:
        return reward.reward(RewardObservation(image=observation_from_gym(raw).image))


@dataclass(frozen=True, slots=True)
class Practised:
    """What a practice came to. trials: in order."""

    record: PracticeRecord
    trials: tuple[Outcome, ...]

    @property
    def handed_over(self) -> Judgement:
        """Of the policy that practice leaves."""
        before, after = self.record.before, self.record.after
        assert before is not None and after is not None  # practice has come to its end
        return before if self.record.start_is_handed_over else after


def practise(
    start: StartPoint,
    env: InsertionEnv,
    reward: Reward | None,
    directory: Path,
    config: PracticeConfig,
    *,
    trials: int,
    seed: int,
    on_look: Callable[[Look], None] = lambda look: None,
) -> Practised:
    """Looks, practises, keeps the best and judges it on fresh draws; ``directory`` is the trainer's, and made anew."""
    shutil.rmtree(directory, ignore_errors=True)
    trainer = Trainer.create(
        TrainerConfig(**start.practice_trainer(config)),
        start.spec,
        directory,
        seed=seed,
        prior=start.prior,
        initial=start.checkpoint,
    )
    try:
        return _Practice(trainer, JudgedInsertion(env, reward), config, trials, on_look).run()
    finally:
        trainer.close()


def judged(
    env: JudgedInsertion, actor: Acts, draws: Sequence[int], *, deterministic: bool, version: int = 0
) -> Judgement:
    """A policy over ``draws``; nothing is stored."""
    before = len(env.outcomes)
    evaluate_gym(env, actor, draws, deterministic=deterministic)
    seen = env.outcomes[before:]
    return Judgement(
        draws=len(seen),
        successes=sum(outcome.rewarded.success for outcome in seen),
        connected=sum(outcome.connected.success for outcome in seen),
        mean_reward=float(np.mean([outcome.total_reward for outcome in seen])),
        version=version,
    )


class _Practice:
    """One practice from start to end, with the best weights in memory."""

    def __init__(
        self,
        trainer: Trainer,
        env: JudgedInsertion,
        config: PracticeConfig,
        trials: int,
        on_look: Callable[[Look], None],
    ) -> None:
        self._trainer = trainer
        self._env = env
        self._config = config
        self._trials = trials
        self._on_look = on_look
        self._record = PracticeRecord()
        self._best: PolicySnapshot = trainer.snapshot()
        self._outcomes: list[Outcome] = []

    def run(self) -> Practised:
        before = self._judged(EVALUATION_SEED)
        self._record = self._record.model_copy(update={"before": before})
        while (until := self._record.next_look(self._config, self._trials)) is not None:
            self._practise(until)
            self._look(until)
        self._record = self._record.model_copy(update={"after": self._judged_best()})
        return Practised(self._record, tuple(self._outcomes))

    def _practise(self, until: int) -> None:
        done = len(self._outcomes)
        first = len(self._env.outcomes)
        for trial in range(done, until):
            rng = np.random.default_rng((self._trainer.seed, _TRIAL_STREAM, trial))
            train_gym(self._env, self._trainer, 1, rng=rng, session=_SESSION, first_episode=trial)
        self._outcomes += self._env.outcomes[first:]

    def _look(self, trials: int) -> None:
        look = Look(trials=trials, seen=self._judged(CHOICE_SEED))
        self._record = self._record.model_copy(update={"looks": (*self._record.looks, look)})
        if self._record.best is look:
            self._best = self._trainer.snapshot()
        self._on_look(look)

    def _judged(self, first_draw: int) -> Judgement:
        actor = self._trainer.actor(np.random.default_rng((self._trainer.seed, first_draw)))
        return self._over(actor, first_draw, self._trainer.learner.updates)

    def _judged_best(self) -> Judgement:
        best, before = self._record.best, self._record.before
        if best.trials == 0 and before is not None:
            return before
        actor = load_actor(self._best, rng=np.random.default_rng((self._trainer.seed, EVALUATION_SEED)))
        return self._over(actor, EVALUATION_SEED, self._best.version)

    def _over(self, actor: Acts, first_draw: int, version: int) -> Judgement:
        draws = range(first_draw, first_draw + self._config.draws)
        return judged(self._env, actor, draws, deterministic=self._config.deterministic, version=version)
