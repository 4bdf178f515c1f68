"""Implicit Q-learning (Kostrikov et al., 2022), in the form of iql.md section 2.

Deviation from the paper's code: all losses of an update are taken at the same parameters. The code steps V first and
gives Q and the policy the new V (iql.md 2.3); rlkit's port does as we do, and the two are equivalent in practice.
Baseline: with ``expectile`` 0.5 the value is that of the data's own policy, and this is one-step policy improvement.
"""

from __future__ import annotations

import math
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
    exponential_weights,
    return_bounds,
    weighted_likelihood_loss,
)
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.critics import CriticEnsemble, StateValue
from tenon.networks.encoders import encoded_size
from tenon.networks.parameters import Adam, ParameterVector, target_of
from tenon.networks.policies import GaussianPolicy


class IQLConfig(GaussianPolicyConfig, ActorCriticConfig):
    """Implicit Q-learning: never asks for the value of an action that is not in the data."""

    name: Literal["iql"] = "iql"
    hidden_sizes: tuple[int, ...] = Field(
        default=(256, 256), min_length=1, description="units of the ReLU layers of all networks; iql.md section 3"
    )
    discount: float = Field(default=0.99, ge=0.0, lt=1.0, description="gamma; iql.md section 3 [C]")
    log_std_minimum: float = Field(default=-5.0, description="lower end of the policy's log-std; iql.md 2.4 [C]")
    log_std_maximum: float = Field(default=2.0, description="upper end of the policy's log-std; iql.md 2.4 [C]")
    initial_std: float = Field(
        default=1.0, gt=0.0, description="the policy's standard deviation at the start; iql.md 2.4 [C]"
    )
    expectile: float = Field(
        default=0.7,
        gt=0.0,
        lt=1.0,
        description="tau, eq. (40): 0.5 the mean over the data's actions, towards 1 the best of them; 0.9 to stitch; "
        "iql.md section 3",
    )
    inverse_temperature: float = Field(
        default=3.0,
        ge=0.0,
        description="beta, eq. (42), per unit of return: 0 is BC; goes with the scale of the reward; iql.md section 3",
    )
    weight_cap: float = Field(default=100.0, gt=0.0, description="largest weight of an action; iql.md section 3")
    cosine_updates: int = Field(
        default=0,
        ge=0,
        description="first updates, over which the actor's learning rate falls to 0 as a cosine; constant afterwards, "
        "for practice online; iql.md section 3",
    )
    value_maximum: float | None = Field(
        default=None,
        description="largest return possible, above which V raises the alarm; None: what the task's goal allows, if it "
        "has one; iql.md pitfall 9",
    )


@dataclass(frozen=True)
class IQLMetrics(Metrics):
    """One update in numbers. Norms are Euclidean, of the gradients; that of the critics covers V, Q and the encoder.

    weight_mean, weight_max, capped_share: weights that are all near 1 are BC; many at the cap, a handful of samples
    (iql.md, pitfall 1). impossible_share: share of states whose V exceeds the largest return possible, 0 where none is
    known; where it stays above 0 the expectile is too high (iql.md, pitfall 9).
    """

    value_loss: float
    critic_loss: float
    critic_gradient_norm: float
    value_mean: float
    q_mean: float
    target_mean: float
    impossible_share: float
    actor_loss: float
    actor_gradient_norm: float
    weight_mean: float
    weight_max: float
    capped_share: float
    log_std: float


def expectile_loss(difference: Tensor, expectile: float) -> Tensor:
    """L_V = E[ |tau - 1(u < 0)| u^2 ], u = Q(s, a) - V(s), iql.md eq. (40). difference (batch,)."""
    weight = torch.where(difference < 0.0, 1.0 - expectile, expectile)
    return (weight * difference.square()).mean()


def cosine_factor(step: int, steps: int) -> float:
    """Factor on a learning rate: half a cosine from 1 towards 0 over ``steps``, then 1 again, iql.md pitfall 5."""
    return 0.5 * (1.0 + math.cos(math.pi * step / steps)) if step < steps else 1.0


def largest_value(config: IQLConfig, spec: EnvironmentSpec) -> float:
    """The largest return that is possible, as configured or as the task's goal says; infinity where nobody knows."""
    bounds = return_bounds(spec, config.discount)
    known = math.inf if bounds is None else bounds[1]
    return known if config.value_maximum is None else config.value_maximum


class IQL(GradientAlgorithm[IQLConfig, IQLMetrics]):
    """A value of states, two critics with their targets, and a Gaussian policy that nothing else depends on."""

    name: ClassVar[str] = "iql"
    metrics = IQLMetrics
    policy: GaussianPolicy

    def __init__(self, config: IQLConfig, spec: EnvironmentSpec, seed: int, device: torch.device):
        super().__init__(config, spec, seed, device)
        features = encoded_size(spec.observation, config.encoder)
        with self._initialisation():
            self.policy = self.build_policy(config, spec)
            self.critic = CriticEnsemble(features, spec.action_size, config.hidden_sizes)
            self.value = StateValue(features, config.hidden_sizes)
        self._policy_vector = ParameterVector(self.policy)
        # Adam works on each number by itself: one of it for V, Q and the encoder is as good as three.
        self._critic_vector = ParameterVector(self.critic, self.value, self.encoder)
        self.target_critic, self._target_vector = target_of(self.critic)
        self._policy_adam = Adam(self._policy_vector, config.actor_learning_rate)
        self._critic_adam = Adam(self._critic_vector, config.critic_learning_rate)
        self._value_maximum = largest_value(config, spec)
        self._register_vectors(
            modules={
                "policy": self.policy,
                "critic": self.critic,
                "value": self.value,
                "target_critic": self.target_critic,
            },
            optimizers={"policy": self._policy_adam, "critic": self._critic_adam},
            vectors={"critic": self._critic_vector, "actor": self._policy_vector},
        )

    @staticmethod
    def build_policy(config: IQLConfig, spec: EnvironmentSpec) -> GaussianPolicy:
        return gaussian_policy(config, spec)

    def _losses(self, batch: Batch, noise: Tensor) -> Losses:
        features = self.encoder(batch.observation)
        seen = features.detach()  # the values alone train the encoder

        value = self.value(features)
        difference = self._target_value(seen, batch.action) - value
        of_value = expectile_loss(difference, self.config.expectile)
        target = self._target(batch)
        values = self.critic(features, batch.action)
        of_critic = critic_loss(values, target)
        weight = exponential_weights(difference, self.config.inverse_temperature, self.config.weight_cap)
        of_actor = weighted_likelihood_loss(weight, self.policy.log_density(seen, batch.action))

        return Losses(
            of_value + of_critic + of_actor,
            ("critic", "actor"),
            {
                "value_loss": of_value,
                "critic_loss": of_critic,
                "value_mean": value.mean(),
                "q_mean": values.mean(),
                "target_mean": target.mean(),
                "impossible_share": (value > self._value_maximum).to(torch.float32).mean(),
                "actor_loss": of_actor,
                "weight_mean": weight.mean(),
                "weight_max": weight.max(),
                "capped_share": (weight >= self.config.weight_cap).to(torch.float32).mean(),
                "log_std": self.policy.log_std().mean(),
            },
        )

    @torch.no_grad()
    def _target_value(self, features: Tensor, action: Tensor) -> Tensor:
        """Qt(s, a) of eq. (40) and (42) for an action of the data, (batch,)."""
        value: Tensor = self.target_critic(features, action).amin(dim=0)
        return value

    @torch.no_grad()
    def _target(self, batch: Batch) -> Tensor:
        """r + gamma (1 - d) V(s') of eq. (41), (batch,)."""
        value = self.value(self.encoder(batch.next_observation))
        return bellman_target(batch.reward, batch.terminated, value, self.config.discount, batch.steps)

    def _step(self) -> None:
        self._critic_adam.step()
        if self.updates >= self.config.critic_warmup_updates:
            factor = cosine_factor(self.updates, self.config.cosine_updates)
            self._policy_adam.learning_rate = factor * self.config.actor_learning_rate
            self._policy_adam.step()
        self._target_vector.move_towards(self._critic_vector, self.config.target_rate)
