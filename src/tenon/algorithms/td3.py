"""Twin delayed DDPG (Fujimoto et al., 2018), in the form of residual-rl.md section 2.6.

Deviation from rlkit: the smoothed target action is clipped to the action box.

With ``cloning`` it is the baseline RL + LfD of insertion.md 2.4: the demonstrations, which ``Batch.prior`` marks, are
also cloned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from tenon.algorithms.base import ActorCriticConfig, Metrics
from tenon.algorithms.compiled import Losses
from tenon.algorithms.gradient import GradientAlgorithm
from tenon.algorithms.losses import Cloning, bellman_target, cloned_rows, cloning_loss, critic_loss, value_loss
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.critics import CriticEnsemble
from tenon.networks.encoders import encoded_size
from tenon.networks.parameters import Adam, ParameterVector, frozen_view, target_of
from tenon.networks.policies import DeterministicPolicy


class TD3Config(ActorCriticConfig):
    """Twin delayed DDPG: a deterministic policy, and critics made pessimistic and smooth."""

    name: Literal["td3"] = "td3"
    policy_delay: int = Field(default=2, ge=1, description="critic updates per actor update; residual-rl.md 2.6")
    target_noise_std: float = Field(
        default=0.2, ge=0.0, description="s_t, noise on the target action; residual-rl.md section 3"
    )
    target_noise_clip: float = Field(
        default=0.5, ge=0.0, description="c, bound of that noise; residual-rl.md section 3"
    )
    exploration_std: float = Field(
        default=0.1, ge=0.0, description="Gaussian noise on actions; residual-rl.md section 3 (rlkit)"
    )
    action_penalty: float = Field(
        default=0.0,
        ge=0.0,
        description="c_a, weight of the squared action beside Q, as in demos-her.md 3. A residual needs it: the slope "
        "of a young critic drives it to the limits within 100 updates, where tanh lets no gradient through",
    )
    value_weight: float = Field(
        default=1.0, gt=0.0, description="l1, weight of Q in the policy's loss; 1e-3 with cloning, insertion.md 2.4"
    )
    cloning: Cloning = Field(
        default="off",
        description="demonstrations are cloned never, always, or where the critic prefers them; insertion.md 2.4",
    )


@dataclass(frozen=True)
class TD3Metrics(Metrics):
    """One update in numbers. Norms are Euclidean, of the gradients. saturation: fraction of |pi(s)| above 0.95.

    actor_loss: of both parts, weighted; cloning_loss: the part of the demonstrations alone. Those of the actor are of
    the last update that moved it, and 0 before the first.
    """

    critic_loss: float
    critic_gradient_norm: float
    q_mean: float
    target_mean: float
    actor_loss: float
    actor_gradient_norm: float
    cloning_loss: float
    saturation: float


_SATURATED_FROM = 0.95
_OF_ACTOR = ("actor_loss", "actor_gradient_norm", "cloning_loss", "saturation")


def smoothed_action(action: Tensor, noise: Tensor, std: float, clip: float) -> Tensor:
    """a' = clip(pibar(s') + clip(std * noise, -c, c), -1, 1), residual-rl.md 2.6. noise: standard normal."""
    return (action + (std * noise).clamp(-clip, clip)).clamp(-1.0, 1.0)


def actor_loss(values: Tensor, action: Tensor, action_penalty: float) -> Tensor:
    """L_pi = -E[ Q_1(s, pi(s)) ] + c_a E[ pi(s)^2 ], residual-rl.md 2.6. values (1 or more members, batch)."""
    return value_loss(values[0], action, action_penalty)


class TD3(GradientAlgorithm[TD3Config, TD3Metrics]):
    """Two critics and a deterministic policy, each with a target."""

    name: ClassVar[str] = "td3"
    metrics = TD3Metrics
    noise_draws = 1
    policy: DeterministicPolicy

    def __init__(self, config: TD3Config, spec: EnvironmentSpec, seed: int, device: torch.device):
        super().__init__(config, spec, seed, device)
        with self._initialisation():
            self.policy = self.build_policy(config, spec)
            self.critic = CriticEnsemble(
                encoded_size(spec.observation, config.encoder), spec.action_size, config.hidden_sizes
            )
        self._policy_vector = ParameterVector(self.policy)
        self._critic_vector = ParameterVector(self.critic, self.encoder)
        self.target_policy, self._target_policy_vector = target_of(self.policy)
        self.target_critic, self._target_critic_vector = target_of(self.critic)
        self._frozen_critic = frozen_view(self.critic, self._critic_vector)
        self._policy_adam = Adam(self._policy_vector, config.actor_learning_rate)
        self._critic_adam = Adam(self._critic_vector, config.critic_learning_rate)
        self._of_actor = dict.fromkeys(_OF_ACTOR, torch.zeros((), device=device))
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
    def build_policy(config: TD3Config, spec: EnvironmentSpec) -> DeterministicPolicy:
        return DeterministicPolicy(
            encoded_size(spec.observation, config.encoder),
            spec.action_size,
            config.hidden_sizes,
            exploration_std=config.exploration_std,
            last_layer_scale=config.last_layer_scale,
        )

    def update(self, batch: Batch) -> TD3Metrics:
        due = self._phase()
        metrics = super().update(batch)
        if due:
            self._of_actor = {name: torch.tensor(getattr(metrics, name), device=self.device) for name in _OF_ACTOR}
        return metrics

    def _losses(self, batch: Batch, noise: Tensor) -> Losses:
        features = self.encoder(batch.observation)
        target = self._target(batch, noise[0])
        values = self.critic(features, batch.action)
        of_critic = critic_loss(values, target)
        numbers = {"critic_loss": of_critic, "q_mean": values.mean(), "target_mean": target.mean()}
        if not self._phase():
            return Losses(of_critic, ("critic",), numbers)
        of_actor, own_numbers = self._of_actor_at(batch, features.detach(), values.detach())
        return Losses(of_critic + of_actor, ("critic", "actor"), {**numbers, **own_numbers})

    def _derived(self, batch: Batch, noise: Tensor) -> dict[str, Tensor]:
        return {**self._of_actor, **super()._derived(batch, noise)}

    @torch.no_grad()
    def _target(self, batch: Batch, noise: Tensor) -> Tensor:
        """y of residual-rl.md 2.6, (batch,)."""
        features = self.encoder(batch.next_observation)
        action = smoothed_action(
            self.target_policy(features), noise, self.config.target_noise_std, self.config.target_noise_clip
        )
        value = self.target_critic(features, action).amin(dim=0)
        return bellman_target(batch.reward, batch.terminated, value, self.config.discount, batch.steps)

    def _phase(self) -> bool:
        """Whether the next update moves the actor and the targets."""
        return (self.updates + 1) % self.config.policy_delay == 0

    def _of_actor_at(self, batch: Batch, features: Tensor, values: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The actor's loss and its numbers for the metrics.

        features: detached, as the critic alone trains the encoder. values: of the data's actions, (members, batch).
        """
        action = self.policy(features)
        own_values = self._frozen_critic(features, action, first=1)
        of_cloning = self._cloning_loss(batch, action, values, own_values)
        of_value = actor_loss(own_values, action, self.config.action_penalty)
        loss = self.config.value_weight * of_value + of_cloning
        saturation = (action.detach().abs() > _SATURATED_FROM).to(torch.float32).mean()
        return loss, {"actor_loss": loss, "cloning_loss": of_cloning, "saturation": saturation}

    def _cloning_loss(self, batch: Batch, action: Tensor, values: Tensor, own_values: Tensor) -> Tensor:
        """l2 sum_demo |pi(s) - a|^2 with l2 = 1 / demonstrations, insertion.md 2.4. values: of demonstrated actions."""
        if self.config.cloning == "off":
            return action.new_zeros(())
        cloned = cloned_rows(self.config.cloning, batch.prior, values.detach()[0], own_values.detach()[0])
        return cloning_loss(action, batch.action, cloned, batch.prior.to(action.dtype).sum())

    def _step(self) -> None:
        """The critics every time; the actor (once they are warm) and the targets every ``policy_delay`` updates."""
        self._critic_adam.step()
        if self._phase():
            if self.updates >= self.config.critic_warmup_updates:
                self._policy_adam.step()
            self._target_policy_vector.move_towards(self._policy_vector, self.config.target_rate)
            self._target_critic_vector.move_towards(self._critic_vector, self.config.target_rate)
