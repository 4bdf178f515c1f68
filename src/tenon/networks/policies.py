"""Policies: from features to an action in [-1, 1]^A. What the trainer trains and the policy node runs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenon.configuration import ConfigurationError
from tenon.networks.distributions import normal_log_density, squashed_log_density, squashed_sample
from tenon.networks.mlp import MLP


class Policy(nn.Module, ABC):
    """What every policy can do: choose actions, with or without exploration.

    noise_size: how many standard normal numbers it takes to explore; A unless a policy says otherwise.
    """

    def __init__(self, actions: int):
        super().__init__()
        self._actions = actions
        self.noise_size = actions

    @abstractmethod
    def action(self, features: Tensor, noise: Tensor | None) -> Tensor:
        """Actions (batch, A) in [-1, 1]. noise: standard normal (batch, noise_size) to explore; None: greedy."""


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
        super().__init__(actions)
        self.network = MLP(features, hidden_sizes, 2 * actions, last_layer_scale=last_layer_scale)
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

    def log_density(self, features: Tensor, action: Tensor) -> Tensor:
        """log pi(action), (batch,), of given actions (batch, A) in [-1, 1]; the edge counts as just inside."""
        return squashed_log_density(*self.distribution(features), action)

    def action(self, features: Tensor, noise: Tensor | None) -> Tensor:
        mean, log_std = self.distribution(features)
        return torch.tanh(mean if noise is None else torch.addcmul(mean, log_std.exp(), noise))


class GaussianPolicy(Policy):
    """A diagonal Gaussian with mean tanh(MLP) and one log-std per action, whatever the state. No tanh on the sample.

    So the density of a data action at +-1 stays finite (awac.md 2.2, iql.md 2.2). The log-std is squashed into
    ``log_std_range`` by a sigmoid, which, unlike a clamp, leaves no place where it has no gradient. Samples are clipped
    to the box when acting.
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
        super().__init__(actions)
        self.network = MLP(features, hidden_sizes, actions, last_layer_scale=last_layer_scale)
        self._lowest, highest = log_std_range
        self._width = highest - self._lowest
        share = (math.log(initial_std) - self._lowest) / self._width
        if not 0.0 < share < 1.0:
            raise ConfigurationError(
                f"initial_std {initial_std} has log {math.log(initial_std):.3g}: it must lie inside the range of the "
                f"log-std, {self._lowest} to {highest}"
            )
        self.squashed_log_std = nn.Parameter(torch.full((actions,), share).logit())

    def mean(self, features: Tensor) -> Tensor:
        """The greedy action, (batch, A)."""
        return torch.tanh(self.network(features))

    def log_std(self) -> Tensor:
        """(A,), within ``log_std_range``."""
        return self._lowest + self._width * torch.sigmoid(self.squashed_log_std)

    def log_density(self, features: Tensor, action: Tensor) -> Tensor:
        """log pi(action), (batch,), of actions (batch, A)."""
        return normal_log_density(self.mean(features), self.log_std(), action)

    def sample(self, features: Tensor, noise: Tensor) -> Tensor:
        """Actions (batch, A) inside the box, from standard normal ``noise`` (batch, A)."""
        return torch.addcmul(self.mean(features), self.log_std().exp(), noise).clamp(-1.0, 1.0)

    def action(self, features: Tensor, noise: Tensor | None) -> Tensor:
        return self.mean(features) if noise is None else self.sample(features, noise)


class DeterministicPolicy(Policy):
    """tanh of an MLP; explores with Gaussian noise of ``exploration_std`` after the tanh, clipped to the box.

    uniform_probability: share of exploring actions that are uniform in the box instead (demos-her.md section 3). Then
    ``noise_size`` is 2 A + 1: the Gaussian noise, the uniform action and the choice, the latter two through the normal
    distribution function.
    """

    def __init__(
        self,
        features: int,
        actions: int,
        hidden_sizes: Sequence[int],
        *,
        exploration_std: float,
        last_layer_scale: float,
        uniform_probability: float = 0.0,
    ):
        super().__init__(actions)
        self.network = MLP(features, hidden_sizes, actions, last_layer_scale=last_layer_scale)
        self._exploration_std = exploration_std
        self._uniform_probability = uniform_probability
        if uniform_probability > 0.0:
            self.noise_size = 2 * actions + 1

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.network(features))

    def action(self, features: Tensor, noise: Tensor | None) -> Tensor:
        greedy: Tensor = self(features)
        if noise is None:
            return greedy
        noisy = (greedy + self._exploration_std * noise[:, : self._actions]).clamp(-1.0, 1.0)
        if self._uniform_probability == 0.0:
            return noisy
        shares = torch.special.ndtr(noise[:, self._actions :])
        return torch.where(shares[:, -1:] < self._uniform_probability, 2.0 * shares[:, :-1] - 1.0, noisy)
