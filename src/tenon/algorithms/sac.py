"""Soft actor-critic (Haarnoja et al., 2018, with learnt temperature), in the form of insertion.md section 2.4.

With ``cloning_updates`` and prior data it is SAC from demonstrations, a baseline of awac.md section 5 (SACfD): the
policy starts from behaviour cloning, the critics from the same data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from tenon.algorithms.actor import ActorNetwork
from tenon.algorithms.base import ActorCriticConfig, LearnerState, Metrics
from tenon.algorithms.compiled import Losses
from tenon.algorithms.gradient import GradientAlgorithm
from tenon.algorithms.losses import bellman_target, critic_loss, likelihood_loss
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.critics import CriticEnsemble
from tenon.networks.encoders import encoded_size
from tenon.networks.parameters import Adam, ParameterVector, frozen_view, target_of
from tenon.networks.policies import TanhGaussianPolicy

_AVERAGE = "average"
"""Name of the averaged policy in the learner's state."""


class SACConfig(ActorCriticConfig):
    """Soft actor-critic: a policy that maximises E[r + alpha H(pi)], reward plus temperature times entropy."""

    name: Literal["sac"] = "sac"
    temperature_learning_rate: float = Field(default=3e-4, gt=0.0, description="Adam's step size for log alpha; rlkit")
    initial_temperature: float = Field(default=1.0, gt=0.0, description="alpha at the start; 1 in rlkit")
    target_entropy_per_action: float = Field(
        default=-1.0,
        lt=math.log(2.0),
        description="Hbar / dim(A) in nats; insertion.md 2.4 (Haarnoja et al., 2018b, table 1). Below ln 2, the "
        "entropy of an even draw from [-1, 1], at which alpha would rise without end",
    )
    initial_std: float = Field(
        default=1.0, gt=0.0, description="the policy's standard deviation at the start, before the tanh"
    )
    cloning_updates: int = Field(
        default=0,
        ge=0,
        description="first updates that fit the policy to the data's actions by likelihood, whatever the critics say, "
        "and leave the temperature alone; awac.md section 5 (SACfD)",
    )
    average_rate: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="share by which the policy that acts moves towards the newest one with each update: an average of "
        "about the last 1 / average_rate, of fewer in the beginning. None: the newest acts; ours",
    )
    log_std_minimum: float = Field(default=-10.0, description="lower clamp of the policy's log-std; -20 in rlkit")
    log_std_maximum: float = Field(default=2.0, description="upper clamp of the policy's log-std; 2 in rlkit")

    @model_validator(mode="after")
    def _check_range(self) -> SACConfig:
        if self.log_std_minimum >= self.log_std_maximum:
            raise ValueError(
                f"log_std_minimum {self.log_std_minimum} is not below log_std_maximum {self.log_std_maximum}"
            )
        return self


@dataclass(frozen=True)
class SACMetrics(Metrics):
    """One update in numbers. Norms are Euclidean, of the gradients. entropy: of the policy, -E[log pi], in nats.

    actor_loss: while the policy clones, its -E[log pi] of the data's actions.
    """

    critic_loss: float
    critic_gradient_norm: float
    q_mean: float
    target_mean: float
    actor_loss: float
    actor_gradient_norm: float
    entropy: float
    temperature: float
    temperature_gradient_norm: float


def actor_loss(log_density: Tensor, values: Tensor, temperature: Tensor) -> Tensor:
    """L_pi = E[ alpha log pi(a|s) - min_i Q_i(s, a) ], insertion.md 2.4. (batch,), (members, batch), scalar."""
    return (temperature * log_density - values.min(dim=0).values).mean()


def temperature_loss(log_temperature: Tensor, log_density: Tensor, target_entropy: float) -> Tensor:
    """L_al = -E[ log alpha (log pi(a|s) + Hbar) ], insertion.md 2.4. log_density (batch,), taken as a constant."""
    return -log_temperature * (log_density.detach().mean() + target_entropy)


class Temperature(nn.Module):
    """log alpha, a scalar that is learnt."""

    def __init__(self, initial: float):
        super().__init__()
        self.log_value = nn.Parameter(torch.tensor(initial).log())


class SAC(GradientAlgorithm[SACConfig, SACMetrics]):
    """Two critics with their targets, a tanh-Gaussian policy, a learnt temperature."""

    name: ClassVar[str] = "sac"
    metrics = SACMetrics
    noise_draws = 2
    policy: TanhGaussianPolicy

    def __init__(self, config: SACConfig, spec: EnvironmentSpec, seed: int, device: torch.device):
        super().__init__(config, spec, seed, device)
        with self._initialisation():
            self.policy = self.build_policy(config, spec)
            self.critic = CriticEnsemble(
                encoded_size(spec.observation, config.encoder), spec.action_size, config.hidden_sizes
            )
            self.temperature = Temperature(config.initial_temperature)
        self._policy_vector = ParameterVector(self.policy)
        self._critic_vector = ParameterVector(self.critic, self.encoder)
        self._temperature_vector = ParameterVector(self.temperature)
        self.target_critic, self._target_vector = target_of(self.critic)
        self._frozen_critic = frozen_view(self.critic, self._critic_vector)
        self._policy_adam = Adam(self._policy_vector, config.actor_learning_rate)
        self._critic_adam = Adam(self._critic_vector, config.critic_learning_rate)
        self._temperature_adam = Adam(self._temperature_vector, config.temperature_learning_rate)
        self._target_entropy = config.target_entropy_per_action * spec.action_size
        self._average: tuple[TanhGaussianPolicy, ParameterVector] | None = None
        if config.average_rate is not None:
            self._average = target_of(self.policy)
        self._register_vectors(
            modules={
                "policy": self.policy,
                "critic": self.critic,
                "target_critic": self.target_critic,
                "temperature": self.temperature,
                **({} if self._average is None else {_AVERAGE: self._average[0]}),
            },
            optimizers={
                "policy": self._policy_adam,
                "critic": self._critic_adam,
                "temperature": self._temperature_adam,
            },
            vectors={
                "critic": self._critic_vector,
                "actor": self._policy_vector,
                "temperature": self._temperature_vector,
            },
        )

    @staticmethod
    def build_policy(config: SACConfig, spec: EnvironmentSpec) -> TanhGaussianPolicy:
        return TanhGaussianPolicy(
            encoded_size(spec.observation, config.encoder),
            spec.action_size,
            config.hidden_sizes,
            log_std_range=(config.log_std_minimum, config.log_std_maximum),
            initial_std=config.initial_std,
            last_layer_scale=config.last_layer_scale,
        )

    @property
    def actor_network(self) -> ActorNetwork:
        """With the average of the last policies, where ``average_rate`` asks for it: the newest swings about it."""
        return ActorNetwork(self.encoder, self.policy if self._average is None else self._average[0])

    def load_state(self, state: LearnerState) -> None:
        """As in general; where ``state`` has no average, it begins at its policy."""
        if self._average is not None and not any(name.startswith(f"{_AVERAGE}.") for name in state.tensors):
            begun = {
                name.replace("policy.", f"{_AVERAGE}.", 1): tensor
                for name, tensor in state.tensors.items()
                if name.startswith("policy.")
            }
            state = replace(state, tensors={**state.tensors, **begun})
        super().load_state(state)

    def _losses(self, batch: Batch, noise: Tensor) -> Losses:
        next_noise, own_noise = noise
        features = self.encoder(batch.observation)
        temperature = self.temperature.log_value.detach().exp()

        target = self._target(batch, next_noise, temperature)
        values = self.critic(features, batch.action)
        of_critic = critic_loss(values, target)
        seen = features.detach()  # the critic alone trains the encoder
        action, log_density = self.policy.sample(seen, own_noise)
        if self._cloning:
            of_actor = likelihood_loss(self.policy.log_density(seen, batch.action))
        else:
            of_actor = actor_loss(log_density, self._frozen_critic(seen, action), temperature)
        of_temperature = temperature_loss(self.temperature.log_value, log_density, self._target_entropy)

        return Losses(
            of_critic + of_actor + of_temperature,
            ("critic", "actor", "temperature"),
            {
                "critic_loss": of_critic,
                "q_mean": values.mean(),
                "target_mean": target.mean(),
                "actor_loss": of_actor,
                "entropy": -log_density.mean(),
                "temperature": temperature,
            },
        )

    @torch.no_grad()
    def _target(self, batch: Batch, noise: Tensor, temperature: Tensor) -> Tensor:
        """y of insertion.md 2.4, with a' from the current policy, (batch,)."""
        features = self.encoder(batch.next_observation)
        action, log_density = self.policy.sample(features, noise)
        value = self.target_critic(features, action).amin(dim=0) - temperature * log_density
        return bellman_target(batch.reward, batch.terminated, value, self.config.discount, batch.steps)

    def _phase(self) -> bool:
        return self._cloning

    @property
    def _cloning(self) -> bool:
        """Whether the next update fits the policy to the data instead of the critics."""
        return self.updates < self.config.cloning_updates

    def _step(self) -> None:
        """The critics every time; the policy once they are warm, or while it needs none; the temperature with SAC."""
        self._critic_adam.step()
        warm = self.updates >= self.config.critic_warmup_updates
        if warm or self._cloning:
            self._policy_adam.step()
            if self._average is not None and self.config.average_rate is not None:
                rate = max(self.config.average_rate, 1.0 / (self._policy_adam.steps + 1))  # of those there have been
                self._average[1].move_towards(self._policy_vector, rate)
        if warm and not self._cloning:
            self._temperature_adam.step()
        self._target_vector.move_towards(self._critic_vector, self.config.target_rate)
