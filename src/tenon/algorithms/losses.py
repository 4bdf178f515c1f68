"""Losses that several methods share. Pure functions; sums over the ensemble, means over the batch."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def bellman_target(reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float) -> Tensor:
    """y = r + gamma (1 - d) V(s'), insertion.md 2.4. All (batch,); d: 1 where the task ended, 0 where time ran out."""
    return reward + discount * (1.0 - terminated) * next_value


def critic_loss(values: Tensor, target: Tensor) -> Tensor:
    """L_Q = sum_i E[ (Q_i(s, a) - y)^2 ], insertion.md 2.4. values (members, batch), target (batch,) a constant."""
    return functional.mse_loss(values, target.expand_as(values), reduction="sum") / target.shape[0]
