"""Policies: from features to an action in [-1, 1]^A. What the trainer trains and the policy node runs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenon.networks.distributions import squashed_sample
from tenon.networks.mlp import MLP


class Policy(nn.Module, ABC):
    """What every policy can do: choose actions, with or without exploration."""

    @abstractmethod
    def action(self, features: Tensor, noise: Tensor | None) -> Tensor:
        """Actions (batch, A) in [-1, 1]. noise: standard normal (batch, A) to explore; None for the greedy action."""


class TanhGaussianPolicy(Policy):
    """A diagonal Gaussian through tanh; mean and log-std from one MLP.

    initial_std: standard deviation before the squash at the start. The log-std is clamped into ``log_std_range``.
    """

    def __init__(
        self,
        features: int,
        actions: int,
        hidden_sizes: Sequence[int],
        *,
        log_std_range: tuple[float, float],
        initial_std: float,
        last_layer_scale: float,
    ):
        super().__init__()
        self.network = MLP(features, hidden_sizes, 2 * actions, last_layer_scale=last_layer_scale)
        self._actions = actions
        self._log_std_range = log_std_range
        with torch.no_grad():
            self.network.last_bias[actions:] = math.log(initial_std)

    def distribution(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-std before the squash, each (batch, A)."""
        mean, log_std = self.network(features).split(self._actions, dim=1)
        return mean, functional.hardtanh(log_std, *self._log_std_range)  # clamp, with a cheaper backward pass

    def sample(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Reparameterised actions (batch, A) and their log-densities (batch,)."""
        return squashed_sample(*self.distribution(features), noise)

    def action(self, features: Tensor, noise: Tensor | None) -> Tensor:
        mean, log_std = self.distribution(features)
        return torch.tanh(mean if noise is None else torch.addcmul(mean, log_std.exp(), noise))


class DeterministicPolicy(Policy):
    """tanh of an MLP; explores with Gaussian noise of ``exploration_std`` after the tanh, clipped to the box."""

    def __init__(
        self,
        features: int,
        actions: int,
        hidden_sizes: Sequence[int],
        *,
        exploration_std: float,
        last_layer_scale: float,
    ):
        super().__init__()
        self.network = MLP(features, hidden_sizes, actions, last_layer_scale=last_layer_scale)
        self._exploration_std = exploration_std

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.network(features))

    def action(self, features: Tensor, noise: Tensor | None) -> Tensor:
        greedy: Tensor = self(features)
        return greedy if noise is None else (greedy + self._exploration_std * noise).clamp(-1.0, 1.0)
