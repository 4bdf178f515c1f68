"""The sparse penalty: each step costs one until the stand's own detector says that the task is done."""

from __future__ import annotations

from typing import ClassVar

from tenon.rewards.base import Formula, RewardError, RewardObservation, RewardResult


class CompletionReward(Formula):
    """r = 0 on every step on which it is done, else -1: awac.md, section 4, with the sign put right."""

    name: ClassVar[str] = "completion"

    def reward(self, observation: RewardObservation) -> RewardResult:
        done = observation.electrical
        if done is None:
            raise RewardError("the completion reward needs the stand's detector, which said nothing: check its driver")
        return RewardResult(value=float(done) - 1.0, success=done)
