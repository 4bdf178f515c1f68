"""IQL on pictures of many connectors, with a domain-adversarial information bottleneck (Nair et al., 2023).

Policy, Q and V have an encoder each ("significantly worse" when shared, daib.md 2.4), and each may be a bottleneck of
its own kind. Training has two phases. While the encoders learn, from logs of many sessions, every picture is augmented,
s and s' alike. From update ``encoder_updates`` on, which is practice on a new connector, z_S is its mean, only prior
pictures are augmented, nothing is paid for domains, and the encoders are frozen but for those ``tuned_in_practice``.
The thesis freezes all of them; what an encoder takes in of one scene in 200 trials is what its policy was short of.

Ours as well is the compass (``CompassConfig``): it learns to tell the way to success, which hindsight knows in every
episode that came to one. Where policy and values read it, there is one encoder, the policy's: what a picture means is
then learnt from hindsight alone, and IQL learns what to do about it.

A domain is a session of the prior data. The losses are those of ``iql``, with the same deviation from the paper's code;
the domain heads learn behind the encoders' step instead of before it, so that a diverged loss changes nothing.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from tenon.algorithms.actor import ActorNetwork
from tenon.algorithms.base import Algorithm
from tenon.algorithms.bottleneck_branch import BottleneckBranch, nothing_paid, way_loss
from tenon.algorithms.iql import IQLConfig, IQLMetrics, cosine_factor, expectile_loss, largest_value
from tenon.algorithms.losses import bellman_target, critic_loss, exponential_weights, weighted_likelihood_loss
from tenon.algorithms.randomness import reseed
from tenon.configuration import ConfigurationError
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.augment import AugmentConfig, draw_augmentation
from tenon.networks.bottleneck import BottleneckConfig, Penalty
from tenon.networks.bottleneck_features import BottleneckFeatures, CompassConfig, Encoded, bottleneck_size
from tenon.networks.critics import CriticEnsemble, StateValue
from tenon.networks.parameters import Adam, ParameterVector, target_of
from tenon.networks.policies import GaussianPolicy

Variant = Literal["daib", "no-kl", "dann", "vib", "erm"]
"""What a network's bottleneck is, one of tenon.networks.bottleneck.VARIANTS; ``erm`` is a plain encoder."""
Network = Literal["policy", "critic", "value"]
NETWORKS: tuple[Network, ...] = ("policy", "critic", "value")


class IQLDAIBConfig(IQLConfig):
    """IQL with an encoder for each network. Of ``encoder``, the keys for the state count."""

    name: Literal["iql_daib"] = "iql_daib"  # type: ignore[assignment]
    bottleneck: BottleneckConfig = Field(
        default_factory=BottleneckConfig, description="sizes and weights, the same for all networks; daib.md section 3"
    )
    policy_variant: Variant = Field(default="daib", description="of the policy's bottleneck: eq. (58); daib.md 2.4")
    critic_variant: Variant = Field(default="erm", description="of Q's; the paper ablates the policy's alone")
    value_variant: Variant = Field(default="erm", description="of V's; as for Q")
    augment: AugmentConfig = Field(
        default_factory=AugmentConfig, description="change of prior pictures, s and s' alike; daib.md 2.4, pitfall 8"
    )
    domains: int = Field(
        default=64, ge=1, description="room for so many sessions of the prior data; own practice is one more"
    )
    encoder_updates: int = Field(
        default=5_000, ge=0, description="first updates, in which all encoders learn; practice begins after them"
    )
    tuned_in_practice: tuple[Network, ...] = Field(
        default=(), description="networks whose encoders go on learning in practice; none in daib.md 2.5"
    )
    encoder_learning_rate: float | None = Field(
        default=None, gt=0.0, description="Adam's step size for encoders; None: that of the network behind; ours"
    )
    tuning_learning_rate: float = Field(default=3e-4, gt=0.0, description="Adam's step size for these; ours")
    average_rate: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="practice acts by a running mean of the policy's weights, which follows them by this share in each "
        "update; None: by the weights themselves; ours (Polyak and Juditsky, 1992)",
    )
    compass: CompassConfig | None = Field(default=None, description="needs sampling.success_state; None: none; ours")
    compass_weight: float = Field(
        default=10.0, gt=0.0, description="of each compass's mean squared error, in scaled states; ours"
    )

    @property
    def shares_encoder(self) -> bool:
        """Whether critics and value read the policy's encoder, for its compass."""
        return self.compass is not None and self.compass.read

    def bottleneck_of(self, network: Network) -> BottleneckConfig:
        """That of the policy, the critics or the value."""
        variants = {"policy": self.policy_variant, "critic": self.critic_variant, "value": self.value_variant}
        return self.bottleneck.variant(variants[network])


@dataclass(frozen=True)
class IQLDAIBMetrics(IQLMetrics):
    """As for IQL, and of each encoder: nats that z_S carries, and nats by which its domain head errs.

    A rate near 0 means that DAIB has become DANN (daib.md, pitfall 2); a domain loss near the logarithm of the number
    of sessions, that z_I does not tell them apart. Both are 0 where there is no such part, and in practice. way_loss:
    mean square by which a compass errs, in scaled states.
    """

    policy_rate: float
    critic_rate: float
    value_rate: float
    policy_domain_loss: float
    critic_domain_loss: float
    value_domain_loss: float
    policy_way_loss: float
    critic_way_loss: float
    value_way_loss: float


class IQLDAIB(Algorithm[IQLDAIBConfig, IQLDAIBMetrics]):
    """A value of states, two critics with their targets, and a Gaussian policy, each behind its own encoder."""

    name: ClassVar[str] = "iql_daib"
    policy: GaussianPolicy
    encoder: BottleneckFeatures

    def __init__(self, config: IQLDAIBConfig, spec: EnvironmentSpec, seed: int, device: torch.device):
        super().__init__(config, spec, seed, device)
        observation, actions = spec.observation, spec.action_size
        of_critic, of_value = config.bottleneck_of("critic"), config.bottleneck_of("value")
        with self._initialisation():
            self.policy = self.build_policy(config, spec)
            compass = config.compass
            self.critic = CriticEnsemble(bottleneck_size(observation, of_critic, compass), actions, config.hidden_sizes)
            self.value = StateValue(bottleneck_size(observation, of_value, compass), config.hidden_sizes)
            encoders: dict[Network, BottleneckFeatures] = {"policy": self.encoder}
            if not config.shares_encoder:
                for network in ("critic", "value"):
                    of = config.bottleneck_of(network)
                    encoders[network] = BottleneckFeatures(observation, config.encoder, of, compass)
            # The adversaries' last class is own practice, should the encoders still learn then.
            classes, slow, fast = config.domains + 1, config.actor_learning_rate, config.critic_learning_rate
            self._branches: dict[Network, BottleneckBranch] = {
                network: BottleneckBranch(
                    encoder, config.bottleneck_of(network), classes, slow if network == "policy" else fast
                )
                for network, encoder in encoders.items()
            }
        self._policy_vector = ParameterVector(self.policy)
        self._critic_vector = ParameterVector(self.critic, self.value)
        self.target_critic, self._target_vector = target_of(self.critic)
        self._average: ActorNetwork | None = None
        if config.average_rate is not None:
            self._average = copy.deepcopy(super().actor_network).requires_grad_(False)
        self._policy_adam = Adam(self._policy_vector, config.actor_learning_rate)
        self._critic_adam = Adam(self._critic_vector, config.critic_learning_rate)
        self._value_maximum = largest_value(config, spec)
        self._register(
            modules={
                "policy": self.policy,
                "critic": self.critic,
                "value": self.value,
                "target_critic": self.target_critic,
                **{f"{network}_encoder": encoders[network] for network in encoders if network != "policy"},
                **{f"{b}_{m}": module for b, branch in self._branches.items() for m, module in branch.modules.items()},
                **({} if self._average is None else {"average": self._average}),
            },
            optimizers={
                "policy": self._policy_adam,
                "critic": self._critic_adam,
                **{f"{b}_{o}": adam for b, branch in self._branches.items() for o, adam in branch.optimizers.items()},
            },
        )

    @staticmethod
    def build_policy(config: IQLDAIBConfig, spec: EnvironmentSpec) -> GaussianPolicy:
        return GaussianPolicy(
            bottleneck_size(spec.observation, config.bottleneck_of("policy"), config.compass),
            spec.action_size,
            config.hidden_sizes,
            log_std_range=(config.log_std_minimum, config.log_std_maximum),
            initial_std=config.initial_std,
            last_layer_scale=config.last_layer_scale,
        )

    @classmethod
    def build_encoder(cls, config: IQLDAIBConfig, spec: EnvironmentSpec) -> BottleneckFeatures:
        return BottleneckFeatures(spec.observation, config.encoder, config.bottleneck_of("policy"), config.compass)

    @property
    def encoders_learn(self) -> bool:
        """Whether the next update trains all encoders: it is not practice yet."""
        return self.updates < self.config.encoder_updates

    def learns(self, network: Network) -> bool:
        """Whether the next update trains this network's encoder."""
        return self.encoders_learn or network in self.config.tuned_in_practice

    @property
    def actor_network(self) -> ActorNetwork:
        """Encoder and policy, or their running mean: one object, offline and in practice."""
        return super().actor_network if self._average is None else self._average

    def encoder_of(self, network: Network) -> BottleneckFeatures:
        """The live encoder of one network; that of the policy is ``encoder``."""
        return self._branches[self._reads(network)].encoder

    def _reads(self, network: Network) -> Network:
        """Whose encoder a network reads."""
        return "policy" if self.config.shares_encoder else network

    def on_prior(self, sessions: int) -> None:
        """An even guess is one among the sessions that there are, however many there is room for."""
        for branch in self._branches.values():
            if branch.adversary is not None:
                branch.adversary.occurring = sessions

    def update(self, batch: Batch) -> IQLDAIBMetrics:
        domain = self._domain(batch)
        batch = self._prepared(batch)
        way = self._way(batch)
        seen = {name: self._encoded(name, batch.observation) for name in self._branches}
        of_policy, of_critic, of_value = (seen[self._reads(name)].features for name in NETWORKS)

        value = self.value(of_value)
        difference = self._target_value(of_critic.detach(), batch.action) - value
        value_loss = expectile_loss(difference, self.config.expectile)
        target = self._target(batch)
        values = self.critic(of_critic, batch.action)
        q_loss = critic_loss(values, target)
        weight = exponential_weights(difference, self.config.inverse_temperature, self.config.weight_cap)
        actor_loss = weighted_likelihood_loss(weight, self.policy.log_density(of_policy, batch.action))
        penalties = self._penalties(seen, domain)
        ways = {name: way_loss(encoded, way) for name, encoded in seen.items()}

        self._zero_gradients()
        paid = sum(p.loss for p in penalties.values()) + self.config.compass_weight * sum(ways.values())
        torch.autograd.backward(value_loss + q_loss + actor_loss + paid)
        metrics = self._checked(
            IQLDAIBMetrics,
            batch,
            value_loss=value_loss,
            critic_loss=q_loss,
            critic_gradient_norm=self._gradient_norm(self._critic_vector, "critic", "value"),
            value_mean=value.mean(),
            q_mean=values.mean(),
            target_mean=target.mean(),
            impossible_share=(value > self._value_maximum).to(torch.float32).mean(),
            actor_loss=actor_loss,
            actor_gradient_norm=self._gradient_norm(self._policy_vector, "policy"),
            weight_mean=weight.mean(),
            weight_max=weight.max(),
            capped_share=(weight >= self.config.weight_cap).to(torch.float32).mean(),
            log_std=self.policy.log_std().mean(),
            **{f"{name}_rate": penalties[self._reads(name)].rate for name in NETWORKS},
            **{f"{name}_domain_loss": penalties[self._reads(name)].domain_loss for name in NETWORKS},
            **{f"{name}_way_loss": ways[self._reads(name)].detach() for name in NETWORKS},
        )
        self._step(seen, domain)
        return metrics

    def _prepared(self, batch: Batch) -> Batch:
        """The batch on the learner's device, its pictures augmented: all of them, or the prior ones in practice."""
        batch = batch.to(self.device)
        image, next_image = batch.observation.image, batch.next_observation.image
        if image is None or next_image is None:
            return batch
        rows = torch.arange(len(batch), device=self.device) if self.encoders_learn else batch.prior.nonzero()[:, 0]
        if not len(rows):
            return batch
        generator = reseed(self._shift_generator, self.seed, "augment", self.updates + 1)
        change = draw_augmentation(len(rows), self.config.augment, generator, channels=image.shape[-1])

        def changed(observation: ObservationBatch, pictures: Tensor) -> ObservationBatch:
            if len(rows) == len(pictures):
                return dataclasses.replace(observation, image=change(pictures))
            mixed = pictures.to(torch.float32).index_copy_(0, rows, change(pictures.index_select(0, rows)))
            return dataclasses.replace(observation, image=mixed)

        return dataclasses.replace(
            batch,
            observation=changed(batch.observation, image),
            next_observation=changed(batch.next_observation, next_image),
        )

    def _observe(self, batch: Batch) -> None:
        if self.encoders_learn:
            for branch in self._branches.values():
                branch.encoder.observe(batch.observation.state)

    def _domain(self, batch: Batch) -> Tensor:
        """Which domain each transition is of, (batch,): its session in the prior data, or ``domains`` for practice."""
        if not self.encoders_learn or all(branch.adversary is None for branch in self._branches.values()):
            return torch.empty(0, dtype=torch.int64)
        if batch.session is None:
            raise ConfigurationError(
                "iql_daib: the batch does not say which session its transitions are of: sample it from a replay"
            )
        highest = int(torch.where(batch.prior, batch.session, 0).max())
        if highest >= self.config.domains:
            raise ConfigurationError(
                f"iql_daib: the prior data hold session number {highest} (from 0), there is room for "
                f"{self.config.domains}: raise algorithm.domains to the number of sessions"
            )
        return torch.where(batch.prior, batch.session, self.config.domains).to(self.device)

    def _encoded(self, name: Network, observation: ObservationBatch) -> Encoded:
        """By the encoder of one network: with gradients and z_S sampled while it learns."""
        branch = self._branches[name]
        if not self.encoders_learn:
            with torch.set_grad_enabled(self.learns(name)):
                return branch.encoder.encode(observation, None)
        generator = reseed(self._generator, self.seed, f"z_S {name}", self.updates + 1)
        size = (len(observation.state), branch.config.specific_size)
        return branch.encoder.encode(observation, torch.randn(size, generator=generator, device=self.device))

    def _way(self, batch: Batch) -> Tensor:
        """The change of the scaled state that leads to success, (batch, S), NaN where hindsight knows none."""
        if self.config.compass is None:
            return batch.observation.state.new_full((len(batch), 1), torch.nan)
        if batch.success_state is None:
            raise ConfigurationError(
                "iql_daib: a compass needs the states of success: set sampling.success_state: episode"
            )
        return (batch.success_state - batch.observation.state) * self.encoder.inverse_scale

    @torch.no_grad()
    def _target_value(self, features: Tensor, action: Tensor) -> Tensor:
        """min_k Qbar_k(s, a) of eq. (56) and (57) for an action of the data, (batch,)."""
        value: Tensor = self.target_critic(features, action).amin(dim=0)
        return value

    @torch.no_grad()
    def _target(self, batch: Batch) -> Tensor:
        """r + gamma (1 - d) V(s') of eq. (55), (batch,), with z_S at its mean."""
        value = self.value(self.encoder_of("value")(batch.next_observation))
        return bellman_target(batch.reward, batch.terminated, value, self.config.discount, batch.steps)

    def _penalties(self, seen: Mapping[Network, Encoded], domain: Tensor) -> dict[Network, Penalty]:
        """L_DAIB of eq. (58) by network."""
        share = self.updates / max(1, self.config.encoder_updates)
        return {
            name: branch.penalty(seen[name], domain, share) if self.encoders_learn else nothing_paid(self.device)
            for name, branch in self._branches.items()
        }

    def _zero_gradients(self) -> None:
        for vector in (self._critic_vector, self._policy_vector):
            vector.zero_gradients()
        for branch in self._branches.values():
            branch.zero_gradients()

    def _gradient_norm(self, vector: ParameterVector, *networks: Network) -> Tensor:
        """Of ``vector`` and of the encoders that these networks have of their own, a scalar."""
        encoders = [branch.gradient_norm() for name, branch in self._branches.items() if name in networks]
        norm: Tensor = torch.linalg.vector_norm(torch.stack([vector.gradient_norm(), *encoders]))
        return norm

    def _step(self, seen: Mapping[Network, Encoded], domain: Tensor) -> None:
        factor = cosine_factor(self.updates, self.config.cosine_updates)
        rate = factor * self.config.actor_learning_rate
        actor_learns = self.updates >= self.config.critic_warmup_updates
        self._critic_adam.step()
        if actor_learns:
            self._policy_adam.learning_rate = rate
            self._policy_adam.step()
        critic_rate, tuning_rate = self.config.critic_learning_rate, self.config.tuning_learning_rate
        offline: dict[Network, float] = {"policy": rate, "critic": critic_rate, "value": critic_rate}
        if self.config.encoder_learning_rate is not None:
            offline = dict.fromkeys(offline, factor * self.config.encoder_learning_rate)
        for name, branch in self._branches.items():
            if self.encoders_learn and (actor_learns or name != "policy"):
                branch.step(seen[name], domain, learning_rate=offline[name])
            elif not self.encoders_learn and self.learns(name):
                branch.step(seen[name], None, learning_rate=tuning_rate)
        self._target_vector.move_towards(self._critic_vector, self.config.target_rate)
        if self._average is not None and self.config.average_rate is not None:
            self._follow(self._average, 1.0 if self.encoders_learn else self.config.average_rate)
        self.updates += 1

    @torch.no_grad()
    def _follow(self, average: ActorNetwork, rate: float) -> None:
        """Moves the mean towards the networks that learn; with rate 1, to them."""
        live = super().actor_network
        if rate == 1.0:
            average.load_state_dict(live.state_dict())
            return
        for mean, value in zip(average.parameters(), live.parameters(), strict=True):
            mean.lerp_(value, rate)
