"""Advantage weighted actor-critic (Nair et al., 2020), in the form of awac.md section 2.2.

Deviation from the released code: where returns have an upper bound, the target is clamped to it and not the critic's
output, whose gradient would vanish above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from tenon.algorithms.base import ActorCriticConfig, Metrics
from tenon.algorithms.compiled import Losses
from tenon.algorithms.gaussian import GaussianPolicyConfig, gaussian_policy
from tenon.algorithms.gradient import GradientAlgorithm
from tenon.algorithms.losses import (
    bellman_target,
    critic_loss,
    effective_sample_share,
    exponential_weights,
    return_bounds,
    weighted_likelihood_loss,
)
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.critics import CriticEnsemble
from tenon.networks.encoders import encoded_size
from tenon.networks.parameters import Adam, ParameterVector, target_of
from tenon.networks.policies import GaussianPolicy


class AWACConfig(GaussianPolicyConfig, ActorCriticConfig):
    """Advantage weighted actor-critic: clones the data's actions, the better ones more, offline and online alike."""

    name: Literal["awac"] = "awac"
    hidden_sizes: tuple[int, ...] = Field(
        default=(256, 256), min_length=1, description="units of the ReLU layers of all networks; awac.md section 3 [C]"
    )
    discount: float = Field(default=0.99, ge=0.0, lt=1.0, description="gamma; awac.md section 3")
    temperature: float = Field(
        default=0.3, gt=0.0, description="lambda, in units of return; low ones trust the critic more; awac.md section 8"
    )
    weights: Literal["softmax", "exponential"] = Field(
        default="softmax",
        description="softmax over the batch, the released code's; exponential, the thesis', capped; awac.md 2.2",
    )
    advantage_clip: float | None = Field(
        default=None, description="c, largest advantage within the softmax; 0.5 for hands; awac.md section 3 [C]"
    )
    weight_cap: float = Field(default=100.0, gt=0.0, description="bound of exponential weights; iql.md section 3")
    baseline_action: Literal["mean", "sample"] = Field(
        default="mean", description="a_pi, whose value V(s) is: the policy's mean or one sample; awac.md section 3 [C]"
    )
    value_maximum: float | None = Field(
        default=None,
        description="largest return possible, 0 where rewards are at most 0; None: what the task's goal allows, if it "
        "has one; awac.md 2.2",
    )
    policy_weight_decay: float = Field(
        default=1e-4, ge=0.0, description="L2 penalty on the policy's parameters; awac.md section 3"
    )


@dataclass(frozen=True)
class AWACMetrics(Metrics):
    """One update in numbers. Norms are Euclidean, of the gradients.

    effective_sample_share: below 0.05 the policy clones a handful of samples, near 1 this is BC (awac.md, pitfall 3).
    log_std: of the policy, mean over actions; exploration ends where it collapses.
    """

    critic_loss: float
    critic_gradient_norm: float
    q_mean: float
    target_mean: float
    actor_loss: float
    actor_gradient_norm: float
    advantage_mean: float
    weight_max: float
    effective_sample_share: float
    log_std: float


def softmax_weights(advantage: Tensor, temperature: float, clip: float | None) -> Tensor:
    """w = B softmax( min(A, c) / lambda ) over the batch, awac.md 2.2: bounded, with mean 1. advantage (batch,)."""
    bounded = advantage.detach() if clip is None else advantage.detach().clamp(max=clip)
    return advantage.shape[0] * torch.softmax(bounded / temperature, dim=0)


class AWAC(GradientAlgorithm[AWACConfig, AWACMetrics]):
    """Two critics with their targets and a Gaussian policy, which is fitted to weighted actions of the data."""

    name: ClassVar[str] = "awac"
    metrics = AWACMetrics
    noise_draws = 2
    policy: GaussianPolicy

    def __init__(self, config: AWACConfig, spec: EnvironmentSpec, seed: int, device: torch.device):
        super().__init__(config, spec, seed, device)
        with self._initialisation():
            self.policy = self.build_policy(config, spec)
            self.critic = CriticEnsemble(
                encoded_size(spec.observation, config.encoder), spec.action_size, config.hidden_sizes
            )
        self._policy_vector = ParameterVector(self.policy)
        self._critic_vector = ParameterVector(self.critic, self.encoder)
        self.target_critic, self._target_vector = target_of(self.critic)
        self._policy_adam = Adam(
            self._policy_vector, config.actor_learning_rate, weight_decay=config.policy_weight_decay
        )
        self._critic_adam = Adam(self._critic_vector, config.critic_learning_rate)
        bounds = return_bounds(spec, config.discount)
        known = None if bounds is None else bounds[1]
        self._value_maximum = known if config.value_maximum is None else config.value_maximum
        self._register_vectors(
            modules={"policy": self.policy, "critic": self.critic, "target_critic": self.target_critic},
            optimizers={"policy": self._policy_adam, "critic": self._critic_adam},
            vectors={"critic": self._critic_vector, "actor": self._policy_vector},
        )

    @staticmethod
    def build_policy(config: AWACConfig, spec: EnvironmentSpec) -> GaussianPolicy:
        return gaussian_policy(config, spec)

    def _losses(self, batch: Batch, noise: Tensor) -> Losses:
        next_noise, own_noise = noise
        features = self.encoder(batch.observation)

        target = self._target(batch, next_noise)
        values = self.critic(features, batch.action)
        of_critic = critic_loss(values, target)
        seen = features.detach()  # the critic alone trains the encoder
        advantage = values.detach().amin(dim=0) - self._baseline(seen, own_noise)
        weight = self._weights(advantage)
        of_actor = weighted_likelihood_loss(weight, self.policy.log_density(seen, batch.action))

        return Losses(
            of_critic + of_actor,
            ("critic", "actor"),
            {
                "critic_loss": of_critic,
                "q_mean": values.mean(),
                "target_mean": target.mean(),
                "actor_loss": of_actor,
                "advantage_mean": advantage.mean(),
                "weight_max": weight.max(),
                "effective_sample_share": effective_sample_share(weight),
                "log_std": self.policy.log_std().mean(),
            },
        )

    @torch.no_grad()
    def _target(self, batch: Batch, noise: Tensor) -> Tensor:
        """y of awac.md 2.2, with a' from the current policy, (batch,)."""
        features = self.encoder(batch.next_observation)
        value = self.target_critic(features, self.policy.sample(features, noise)).amin(dim=0)
        target = bellman_target(batch.reward, batch.terminated, value, self.config.discount, batch.steps)
        return target if self._value_maximum is None else target.clamp(max=self._value_maximum)

    @torch.no_grad()
    def _baseline(self, features: Tensor, noise: Tensor) -> Tensor:
        """V(s) = min_j Q_j(s, a_pi), (batch,)."""
        action = self.policy.action(features, noise if self.config.baseline_action == "sample" else None)
        value: Tensor = self.critic(features, action).amin(dim=0)
        return value

    def _weights(self, advantage: Tensor) -> Tensor:
        config = self.config
        if config.weights == "softmax":
            return softmax_weights(advantage, config.temperature, config.advantage_clip)
        return exponential_weights(advantage, 1.0 / config.temperature, config.weight_cap)

    def _step(self) -> None:
        self._critic_adam.step()
        if self.updates >= self.config.critic_warmup_updates:
            self._policy_adam.step()
        self._target_vector.move_towards(self._critic_vector, self.config.target_rate)
