"""DDPG with hindsight goals and demonstrations (Nair et al., 2018), in the form of demos-her.md section 2.

Relabelling and the share of demonstrations in a batch are the sampler's work; here demonstrations are the rows that
``Batch.prior`` marks. Deviation from the reference code: the target policy acts (``acting``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from tenon.algorithms.actor import ActorNetwork
from tenon.algorithms.base import ActorCriticConfig, Metrics
from tenon.algorithms.compiled import Losses
from tenon.algorithms.gradient import GradientAlgorithm
from tenon.algorithms.losses import (
    Cloning,
    bellman_target,
    cloned_rows,
    cloning_loss,
    critic_loss,
    return_bounds,
    value_loss,
)
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.critics import CriticEnsemble
from tenon.networks.encoders import EncoderConfig, encoded_size
from tenon.networks.parameters import Adam, ParameterVector, frozen_view, target_of
from tenon.networks.policies import DeterministicPolicy


class DDPGHERConfig(ActorCriticConfig):
    """DDPG with demonstrations: cloned wherever the critic holds them for better than the policy."""

    name: Literal["ddpg_her"] = "ddpg_her"
    hidden_sizes: tuple[int, ...] = Field(
        default=(256, 256, 256), min_length=1, description="units of the ReLU layers; demos-her.md section 3"
    )
    encoder: EncoderConfig = Field(
        default=EncoderConfig(standardize_state=True),
        description="how observations become features; demos-her.md section 3 standardises the state, so one that is "
        "given should say standardize_state too",
    )
    actor_learning_rate: float = Field(default=1e-3, gt=0.0, description="Adam's step size; demos-her.md section 3")
    critic_learning_rate: float = Field(default=1e-3, gt=0.0, description="Adam's step size; demos-her.md section 3")
    target_rate: float = Field(
        default=0.05, gt=0.0, le=1.0, description="share of the new networks in the targets; demos-her.md section 3"
    )
    target_update_every: int = Field(
        default=40, ge=1, description="updates from one step of the targets to the next; demos-her.md section 3"
    )
    return_range: tuple[float, float] | None = Field(
        default=None,
        description="least and largest return possible, which targets are clipped to; None: what the task's goal "
        "allows, if it has one; demos-her.md 2.1",
    )
    value_weight: float = Field(
        default=1e-3, gt=0.0, description="lambda_1, weight of Q in the policy's loss; demos-her.md section 3"
    )
    cloning: Cloning = Field(
        default="filtered",
        description="demonstrations are cloned where the critic prefers them, eq. (19), always, eq. (17), or never",
    )
    action_penalty: float = Field(
        default=1.0, ge=0.0, description="c_a, weight of the squared action beside Q; demos-her.md section 3 [C]"
    )
    exploration_std: float = Field(
        default=0.1, ge=0.0, description="Gaussian noise on actions; demos-her.md section 3 [C]"
    )
    uniform_probability: float = Field(
        default=0.1, ge=0.0, le=1.0, description="share of exploring actions that are uniform; demos-her.md section 3"
    )
    acting: Literal["averaged", "newest"] = Field(
        default="averaged",
        description="whose weights act: the target policy's, which average the last updates, or the newest; ours",
    )

    @model_validator(mode="after")
    def _check_range(self) -> DDPGHERConfig:
        if self.return_range is not None and self.return_range[0] >= self.return_range[1]:
            raise ValueError(f"return_range {self.return_range} is empty: give the lower end first")
        return self


@dataclass(frozen=True)
class DDPGHERMetrics(Metrics):
    """One update in numbers. Norms are Euclidean, of the gradients.

    value_pull, cloning_pull: norms of the two parts of the policy's gradient, taken at its actions: which of the two
    leads (demos-her.md, pitfall 1). filter_pass_share: share of the demonstrations that are cloned; it falls while the
    policy outgrows them.
    """

    critic_loss: float
    critic_gradient_norm: float
    q_mean: float
    target_mean: float
    actor_loss: float
    actor_gradient_norm: float
    cloning_loss: float
    value_pull: float
    cloning_pull: float
    filter_pass_share: float


class DDPGHER(GradientAlgorithm[DDPGHERConfig, DDPGHERMetrics]):
    """A critic and a deterministic policy, each with a target."""

    name: ClassVar[str] = "ddpg_her"
    metrics = DDPGHERMetrics
    policy: DeterministicPolicy

    def __init__(self, config: DDPGHERConfig, spec: EnvironmentSpec, seed: int, device: torch.device):
        super().__init__(config, spec, seed, device)
        features = encoded_size(spec.observation, config.encoder)
        with self._initialisation():
            self.policy = self.build_policy(config, spec)
            self.critic = CriticEnsemble(features, spec.action_size, config.hidden_sizes, members=1)
        self._policy_vector = ParameterVector(self.policy)
        self._critic_vector = ParameterVector(self.critic, self.encoder)
        self.target_policy, self._target_policy_vector = target_of(self.policy)
        self.target_critic, self._target_critic_vector = target_of(self.critic)
        self._frozen_critic = frozen_view(self.critic, self._critic_vector)
        self._policy_adam = Adam(self._policy_vector, config.actor_learning_rate)
        self._critic_adam = Adam(self._critic_vector, config.critic_learning_rate)
        self._return_range = config.return_range or return_bounds(spec, config.discount)
        self._register_vectors(
            modules={
                "policy": self.policy,
                "critic": self.critic,
                "target_policy": self.target_policy,
                "target_critic": self.target_critic,
            },
            optimizers={"policy": self._policy_adam, "critic": self._critic_adam},
            vectors={"critic": self._critic_vector, "actor": self._policy_vector},
        )

    @staticmethod
    def build_policy(config: DDPGHERConfig, spec: EnvironmentSpec) -> DeterministicPolicy:
        return DeterministicPolicy(
            encoded_size(spec.observation, config.encoder),
            spec.action_size,
            config.hidden_sizes,
            exploration_std=config.exploration_std,
            last_layer_scale=config.last_layer_scale,
            uniform_probability=config.uniform_probability,
        )

    @property
    def actor_network(self) -> ActorNetwork:
        """With the target policy, unless the newest one is asked for.

        Each batch clones what a young critic prefers, so the newest policy swings from one update to the next; its
        average does so far less.
        """
        return ActorNetwork(self.encoder, self.target_policy if self.config.acting == "averaged" else self.policy)

    def _losses(self, batch: Batch, noise: Tensor) -> Losses:
        features = self.encoder(batch.observation)

        target = self._target(batch)
        values = self.critic(features, batch.action)
        of_critic = critic_loss(values, target)
        seen = features.detach()  # the critic alone trains the encoder
        action = self.policy(seen)
        # The two parts of the policy's loss are derived up to its actions by themselves, so that both are known.
        chosen = action.detach().requires_grad_()
        chosen_values = self._frozen_critic(seen, chosen)[0]
        of_value = self.config.value_weight * value_loss(chosen_values, chosen, self.config.action_penalty)
        cloned = cloned_rows(self.config.cloning, batch.prior, values.detach()[0], chosen_values.detach())
        demonstrations = batch.prior.to(torch.float32).sum()
        of_cloning = cloning_loss(chosen, batch.action, cloned, demonstrations)
        (value_pull,) = torch.autograd.grad(of_value, chosen)
        (cloning_pull,) = torch.autograd.grad(of_cloning, chosen)

        # The slope of this sum in the policy's parameters is that of its loss.
        pulled = (action * (value_pull + cloning_pull)).sum()
        return Losses(
            of_critic + pulled,
            ("critic", "actor"),
            {
                "critic_loss": of_critic,
                "q_mean": values.mean(),
                "target_mean": target.mean(),
                "actor_loss": of_value + of_cloning,
                "cloning_loss": of_cloning,
                "value_pull": torch.linalg.vector_norm(value_pull),
                "cloning_pull": torch.linalg.vector_norm(cloning_pull),
                "filter_pass_share": cloned.to(torch.float32).sum() / demonstrations.clamp(min=1.0),
            },
        )

    @torch.no_grad()
    def _target(self, batch: Batch) -> Tensor:
        """y of demos-her.md eq. (14), within the range of possible returns where it is known, (batch,)."""
        features = self.encoder(batch.next_observation)
        value = self.target_critic(features, self.target_policy(features))[0]
        target = bellman_target(batch.reward, batch.terminated, value, self.config.discount, batch.steps)
        return target if self._return_range is None else target.clamp(*self._return_range)

    def _step(self) -> None:
        """Critic and actor (once the critic is warm) every time, the targets every ``target_update_every`` updates."""
        self._critic_adam.step()
        if self.updates >= self.config.critic_warmup_updates:
            self._policy_adam.step()
        if (self.updates + 1) % self.config.target_update_every == 0:
            self._target_policy_vector.move_towards(self._policy_vector, self.config.target_rate)
            self._target_critic_vector.move_towards(self._critic_vector, self.config.target_rate)
