"""Behaviour cloning: the policy that makes the data's actions most likely, or the one nearest to them.

The baseline of every method that learns from demonstrations. It reads states and actions alone; how long to train is
the caller's matter, who watches the likelihood of data that were held back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from tenon.algorithms.base import Metrics
from tenon.algorithms.compiled import Losses
from tenon.algorithms.gaussian import GaussianPolicyConfig, gaussian_policy
from tenon.algorithms.gradient import GradientAlgorithm
from tenon.algorithms.losses import likelihood_loss
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.distributions import normal_log_density
from tenon.networks.encoders import encoded_size
from tenon.networks.parameters import Adam, ParameterVector
from tenon.networks.policies import DeterministicPolicy, GaussianPolicy


class BCConfig(GaussianPolicyConfig):
    """Behaviour cloning. The log-std and ``initial_std`` are the Gaussian's alone."""

    name: Literal["bc"] = "bc"
    policy: Literal["gaussian", "deterministic"] = Field(
        default="gaussian",
        description="gaussian: maximum likelihood, awac.md 2.2; deterministic: squared error, demos-her.md eq. (17)",
    )
    exploration_std: float = Field(
        default=0.1, ge=0.0, description="Gaussian noise on the actions of the deterministic policy; residual-rl.md 3"
    )
    weight_decay: float = Field(default=0.0, ge=0.0, description="L2 penalty on the policy's parameters")


@dataclass(frozen=True)
class BCMetrics(Metrics):
    """One update in numbers. Norms are Euclidean, of the gradients. squared_error: of the greedy action, E[|.|^2]."""

    actor_loss: float
    actor_gradient_norm: float
    squared_error: float


def squared_error(chosen: Tensor, demonstrated: Tensor) -> Tensor:
    """L = E[ |pi(s) - a|^2 ], demos-her.md eq. (17) as a mean. Both (batch, A)."""
    return (chosen - demonstrated).square().sum(dim=1).mean()


class BC(GradientAlgorithm[BCConfig, BCMetrics]):
    """A policy, and, where images are encoded by convolutions, the encoder that its loss trains."""

    name: ClassVar[str] = "bc"
    imitates: ClassVar[bool] = True
    metrics = BCMetrics
    policy: GaussianPolicy | DeterministicPolicy

    def __init__(self, config: BCConfig, spec: EnvironmentSpec, seed: int, device: torch.device):
        super().__init__(config, spec, seed, device)
        with self._initialisation():
            self.policy = self.build_policy(config, spec)
        self._vector = ParameterVector(self.policy, self.encoder)
        self._adam = Adam(self._vector, config.actor_learning_rate, weight_decay=config.weight_decay)
        self._register_vectors(
            modules={"policy": self.policy}, optimizers={"policy": self._adam}, vectors={"actor": self._vector}
        )

    @staticmethod
    def build_policy(config: BCConfig, spec: EnvironmentSpec) -> GaussianPolicy | DeterministicPolicy:
        if config.policy == "gaussian":
            return gaussian_policy(config, spec)
        return DeterministicPolicy(
            encoded_size(spec.observation, config.encoder),
            spec.action_size,
            config.hidden_sizes,
            exploration_std=config.exploration_std,
            last_layer_scale=config.last_layer_scale,
        )

    def _losses(self, batch: Batch, noise: Tensor) -> Losses:
        features = self.encoder(batch.observation)
        chosen = self.policy.action(features, None)
        of_policy = of_squares = squared_error(chosen, batch.action)
        if isinstance(self.policy, GaussianPolicy):
            of_policy = likelihood_loss(normal_log_density(chosen, self.policy.log_std(), batch.action))
        return Losses(of_policy, ("actor",), {"actor_loss": of_policy, "squared_error": of_squares})

    def _step(self) -> None:
        self._adam.step()
