"""Losses that several methods share. Pure functions; sums over the ensemble, means over the batch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from tenon.data.transitions import EnvironmentSpec

Cloning = Literal["filtered", "plain", "off"]
"""Which demonstrations are cloned: those that the critic prefers, demos-her.md eq. (19); all, eq. (17); none."""


def bellman_target(
    reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float, steps: Tensor | None = None
) -> Tensor:
    """y = r + gamma^n (1 - d) V(s'), insertion.md 2.4. All (batch,); d: 1 where the task ended, 0 where time ran out.

    steps: n, of how many rewards ``reward`` is the discounted sum; None where it is 1 throughout.
    """
    ahead = discount if steps is None else discount**steps
    return reward + ahead * (1.0 - terminated) * next_value


def critic_loss(values: Tensor, target: Tensor) -> Tensor:
    """L_Q = sum_i E[ (Q_i(s, a) - y)^2 ], insertion.md 2.4. values (members, batch), target (batch,) a constant."""
    return functional.mse_loss(values, target.expand_as(values), reduction="sum") / target.shape[0]


def value_loss(values: Tensor, action: Tensor, action_penalty: float) -> Tensor:
    """-E[ Q(s, g, pi) ] + c_a E[ pi^2 ], what lambda_1 weighs in demos-her.md 2.4. (batch,) and (batch, A)."""
    return action_penalty * action.square().mean() - values.mean()


def likelihood_loss(log_density: Tensor) -> Tensor:
    """L = -E[ log pi(a|s) ], in nats, awac.md 2.2 with all weights equal. log_density (batch,)."""
    return -log_density.mean()


def passes_filter(demonstrated: Tensor, chosen: Tensor) -> Tensor:
    """1[ Q(s, g, a) > Q(s, g, pi(s, g)) ] of demos-her.md eq. (19), from these two values, (batch,) each."""
    return demonstrated > chosen


def cloned_rows(cloning: Cloning, demonstration: Tensor, demonstrated: Tensor, chosen: Tensor) -> Tensor:
    """Which rows of a batch the policy clones, (batch,) of bool; insertion.md 2.4, demos-her.md eq. (17) and (19).

    demonstration: (batch,) of bool, the rows that are one. demonstrated, chosen: values (batch,) of the row's action
    and of the policy's.
    """
    match cloning:
        case "filtered":
            return demonstration & passes_filter(demonstrated, chosen)
        case "plain":
            return demonstration
        case "off":
            return torch.zeros_like(demonstration)


def cloning_loss(chosen: Tensor, demonstrated: Tensor, cloned: Tensor, demonstrations: Tensor) -> Tensor:
    """1 / N_D sum_i cloned_i |pi(s_i, g_i) - a_i|^2, demos-her.md eq. (17) and (19) with lambda_2 = 1 / N_D.

    chosen, demonstrated: actions (batch, A). cloned: (batch,) of bool. demonstrations: N_D, a scalar: all that are in
    the batch, not only those that are cloned, so that the loss fades as the filter closes.
    """
    squared = (chosen - demonstrated).square().sum(dim=1)
    return torch.where(cloned, squared, 0.0).sum() / demonstrations.clamp(min=1.0)


def exponential_weights(advantage: Tensor, inverse_temperature: float, cap: float) -> Tensor:
    """w = min( exp(beta A), cap ), iql.md eq. (42); awac.md eq. (35) with beta = 1 / lambda. (batch,), constants."""
    return (inverse_temperature * advantage.detach()).exp().clamp(max=cap)


def weighted_likelihood_loss(weight: Tensor, log_density: Tensor) -> Tensor:
    """L_pi = -E[ w log pi(a|s) ] over actions of the data, awac.md 2.2, iql.md eq. (42). Both (batch,)."""
    return -(weight.detach() * log_density).mean()


def effective_sample_share(weight: Tensor) -> Tensor:
    """(sum w)^2 / (B sum w^2), awac.md pitfall 3: 1 for equal weights, 1 / B where a single one is left. (batch,)."""
    return weight.sum().square() / (weight.square().sum() * weight.shape[0])


def return_bounds(spec: EnvironmentSpec, discount: float) -> tuple[float, float] | None:
    """Least and largest return that a goal task's reward allows, demos-her.md 2.1; None for a task without goals."""
    goal = spec.observation.goal
    if goal is None:
        return None
    lowest, highest = goal.reward_bounds
    return lowest / (1.0 - discount), highest / (1.0 - discount)
