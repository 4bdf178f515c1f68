"""The sparse reward: the connection is detected, or not."""

from __future__ import annotations

from typing import ClassVar

from tenon.rewards.base import Formula, RewardError, RewardObservation, RewardResult


class ElectricalReward(Formula):
    """r = 1 on every step on which the connection is detected, else 0: eq. (47), insertion.md 2.3.

    It is paid on every step, and the episode goes on after it (insertion.md, pitfall 3).
    """

    name: ClassVar[str] = "electrical"

    def reward(self, observation: RewardObservation) -> RewardResult:
        connected = observation.electrical
        if connected is None:
            raise RewardError("the electrical reward needs the contact signal, none was measured: check its driver")
        return RewardResult(value=float(connected), success=connected)
