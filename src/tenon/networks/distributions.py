"""The diagonal Gaussian, and the tanh-Gaussian: a normal variable squashed into (-1, 1), with exact log-densities."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_TWO_LOG_TWO = 2.0 * math.log(2.0)
# The largest action below 1 whose pre-image a float32 still resolves; actions are pulled inside it before atanh.
_INSIDE = 1.0 - 1e-6


def normal_log_density(mean: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
    """log N(action; mean, diag(exp(log_std))^2), (batch,), of actions (batch, A). log_std: (batch, A) or (A,)."""
    standardised = (action - mean) * torch.exp(-log_std)
    return (-0.5 * standardised.square() - _HALF_LOG_TWO_PI - log_std).sum(-1)


def squashed_sample(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Reparameterised sample a = tanh(u), u = mean + exp(log_std) * noise, and log pi(a). SAC (Haarnoja 2018), app. C.

    All arguments (batch, actions); noise is standard normal. Returns actions (batch, actions) and log-densities
    (batch,), with log pi(a) = sum_j [ log N(u_j) - log(1 - tanh(u_j)^2) ].
    """
    pre_squash = torch.addcmul(mean, log_std.exp(), noise)
    # log N(u) with (u - mean) / std = noise: exact, and no division.
    log_normal = noise.square().mul_(-0.5).sub_(_HALF_LOG_TWO_PI) - log_std
    return torch.tanh(pre_squash), _minus_log_slope(log_normal, pre_squash).sum(-1)


def squashed_log_density(mean: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
    """log pi(action), (batch,), of given actions (batch, actions) in [-1, 1]; the edge counts as just inside."""
    pre_squash = torch.atanh(action.clamp(-_INSIDE, _INSIDE))
    standardised = (pre_squash - mean) * torch.exp(-log_std)
    log_normal = -0.5 * standardised.square() - _HALF_LOG_TWO_PI - log_std
    return _minus_log_slope(log_normal, pre_squash).sum(-1)


def _minus_log_slope(log_normal: Tensor, pre_squash: Tensor) -> Tensor:
    """log_normal - log(1 - tanh(u)^2), with the slope as 2 log 2 + 2u - 2 softplus(2u): no underflow for large |u|."""
    double_softplus = functional.softplus(pre_squash, beta=2.0)
    return torch.sub(log_normal, pre_squash, alpha=2.0).add(double_softplus, alpha=4.0).sub(_TWO_LOG_TWO)
