"""What all methods have in common: configuration, action, checks before a step, state in and out."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from tenon.algorithms.actor import Actor, ActorNetwork
from tenon.algorithms.randomness import derived_seed, reseed
from tenon.configuration import Config
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, FloatArray, Observation
from tenon.networks.encoders import Encoder, EncoderConfig
from tenon.networks.parameters import Adam
from tenon.networks.policies import Policy
from tenon.networks.shift import random_shift


class DivergenceError(RuntimeError):
    """A batch or a loss is not finite. No parameter was changed."""


class StateError(ValueError):
    """A state that does not belong to this learner. Nothing was loaded."""


class AlgorithmConfig(Config):
    """Fields that all methods have."""

    hidden_sizes: tuple[int, ...] = Field(
        default=(128, 128), min_length=1, description="units of the ReLU layers of all networks; insertion.md 8.1"
    )
    encoder: EncoderConfig = Field(
        default_factory=EncoderConfig, description="how observations become features; insertion.md 2.3, DrQ"
    )
    discount: float = Field(
        default=0.98, ge=0.0, lt=1.0, description="gamma; 1 - 1/50 for episodes of 50 steps, insertion.md section 3"
    )
    actor_learning_rate: float = Field(default=3e-4, gt=0.0, description="Adam's step size; insertion.md section 3")
    last_layer_scale: float = Field(
        default=0.01, gt=0.0, description="initial scale of the actor's last layer; residual-rl.md pitfall 1"
    )


class ActorCriticConfig(AlgorithmConfig):
    """Fields that all methods with a critic and its target have."""

    critic_learning_rate: float = Field(default=3e-4, gt=0.0, description="Adam's step size; insertion.md section 3")
    target_rate: float = Field(
        default=0.005,
        gt=0.0,
        le=1.0,
        description="tau of the target update; insertion.md section 3, repaired from 0.001",
    )
    critic_warmup_updates: int = Field(
        default=0,
        ge=0,
        description="first updates that leave the actor alone; residual-rl.md pitfall 2 (Silver et al., 2018)",
    )


@dataclass(frozen=True)
class LearnerState:
    """All that a learner needs to go on exactly: JSON-able values, and tensors by name."""

    method: str
    config: dict[str, Any]
    spec: dict[str, Any]
    seed: int
    updates: int
    optimizer_steps: dict[str, int]
    tensors: dict[str, Tensor]
    exploration: dict[str, Any]


@dataclass(frozen=True)
class Metrics:
    """Base of what an update reports; every field of a subclass is a float."""

    def as_dict(self) -> dict[str, float]:
        return dataclasses.asdict(self)


ConfigT = TypeVar("ConfigT", bound=AlgorithmConfig)
MetricsT = TypeVar("MetricsT", bound=Metrics)


class Algorithm(ABC, Generic[ConfigT, MetricsT]):
    """A learner: knows its networks and its losses, and nothing of where a batch comes from.

    A subclass builds its networks, calls ``_register`` with them, and implements ``update``: it takes its losses from
    ``_prepared(batch)``, has them ``_checked``, and only then steps. ``updates`` counts gradient steps. Randomness
    inside update number k depends on (seed, k) alone. Where one sum of losses is all there is to it,
    ``GradientAlgorithm`` does that.

    A learnt encoder belongs to the loss that trains it: it stands behind the critic (or, without one, the policy) in
    that network's ParameterVector; all others read its features detached.

    imitates: it does what the data show, whatever came of it.
    """

    name: ClassVar[str]
    imitates: ClassVar[bool] = False
    policy: Policy

    def __init__(self, config: ConfigT, spec: EnvironmentSpec, seed: int, device: torch.device):
        self.config = config
        self.spec = spec
        self.seed = seed
        self.device = device
        self.updates = 0
        with self._initialisation("initialise encoder"):
            self.encoder = self.build_encoder(config, spec)
        self._generator = torch.Generator(device)
        self._shift_generator = torch.Generator(device)
        self._exploration = np.random.default_rng(derived_seed(seed, "exploration", 0))
        self._modules: dict[str, nn.Module] = {}
        self._optimizers: dict[str, Adam] = {}

    @staticmethod
    @abstractmethod
    def build_policy(config: Any, spec: EnvironmentSpec) -> Policy:
        """The policy with fresh weights, without critics and optimisers."""

    @classmethod
    def build_encoder(cls, config: Any, spec: EnvironmentSpec) -> Encoder:
        """The encoder that the policy reads, with fresh weights."""
        return Encoder(spec.observation, config.encoder)

    @classmethod
    def build_actor_network(cls, config: Any, spec: EnvironmentSpec) -> ActorNetwork:
        """Encoder and policy with fresh weights, as the policy node needs them."""
        return ActorNetwork(cls.build_encoder(config, spec), cls.build_policy(config, spec))

    def on_prior(self, sessions: int) -> None:
        """Before the first update: of how many sessions the prior data are. To most methods it does not matter."""

    @abstractmethod
    def update(self, batch: Batch) -> MetricsT:
        """One gradient step on ``batch``. Raises DivergenceError before any parameter is changed."""

    @property
    def actor_network(self) -> ActorNetwork:
        """Encoder and policy as they act, now and after further updates."""
        return ActorNetwork(self.encoder, self.policy)

    def actor(self, rng: np.random.Generator) -> Actor:
        """An actor on ``actor_network``, which explores with ``rng``."""
        return Actor(self.actor_network, self.spec, rng)

    def act(self, observation: Observation, *, deterministic: bool) -> FloatArray:
        """An action (A,) in [-1, 1]; exploration draws from the learner's own generator, part of ``state``."""
        return self.actor(self._exploration).act(observation, deterministic=deterministic)

    def state(self) -> LearnerState:
        """A copy of all that matters, on the CPU."""
        return LearnerState(
            method=self.name,
            config=self.config.model_dump(mode="json"),
            spec=self.spec.model_dump(mode="json"),
            seed=self.seed,
            updates=self.updates,
            optimizer_steps={name: optimizer.steps for name, optimizer in self._optimizers.items()},
            tensors={name: tensor.detach().cpu().clone() for name, tensor in self._named_tensors().items()},
            exploration=dict(self._exploration.bit_generator.state),
        )

    def load_state(self, state: LearnerState) -> None:
        """Takes over ``state``; the configuration stays. Raises StateError, nothing changed, if it does not fit."""
        tensors = self._named_tensors()
        self._check_state(state, tensors)
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(state.tensors[name])
        for name, optimizer in self._optimizers.items():
            optimizer.steps = state.optimizer_steps[name]
        self.seed = state.seed
        self.updates = state.updates
        self._exploration.bit_generator.state = state.exploration

    def _register(self, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Adam]) -> None:
        """Names what makes up the learner's state; the encoder is part of it always."""
        self._modules = {"encoder": self.encoder, **modules}
        self._optimizers = dict(optimizers)

    @contextlib.contextmanager
    def _initialisation(self, stream: str = "initialise") -> Iterator[None]:
        """Within it, torch draws initial weights from the seed, and places them on the learner's device."""
        with torch.random.fork_rng(devices=[]), torch.device(self.device):
            torch.manual_seed(derived_seed(self.seed, stream, 0))
            yield

    def _prepared(self, batch: Batch) -> Batch:
        """The batch on the learner's device, with its images shifted at random where the encoder is learnt.

        Each image moves by its own draw, the next one of a transition by another (DrQ, Yarats et al., 2021). The draws
        depend on the seed and the number of the update alone; the caller's batch stays as it is.
        """
        batch = batch.to(self.device)
        pixels = self.config.encoder.random_shift_px
        if self.encoder.convolutions is None or pixels == 0:
            return batch
        generator = reseed(self._shift_generator, self.seed, "shift", self.updates + 1)

        def moved(observation: ObservationBatch) -> ObservationBatch:
            assert observation.image is not None  # there are no convolutions without images
            return dataclasses.replace(observation, image=random_shift(observation.image, pixels, generator))

        return dataclasses.replace(
            batch, observation=moved(batch.observation), next_observation=moved(batch.next_observation)
        )

    def _noise(self, count: int, batch: Batch) -> Tensor:
        """(count, batch, A) standard normal numbers that depend on the seed and the number of the update alone."""
        reseed(self._generator, self.seed, "update", self.updates + 1)
        return torch.randn(count, *batch.action.shape, generator=self._generator, device=self.device)

    def _checked(self, metrics: type[MetricsT], batch: Batch, **values: Tensor) -> MetricsT:
        """``metrics`` of scalar tensors, read back in one go. Raises DivergenceError if one of them is not finite.

        Past this gate nothing fails any more: the encoder's running statistics take in the batch's states here, for
        the updates to come.
        """
        numbers = torch.stack(list(values.values())).tolist()
        named = dict(zip(values, numbers, strict=True))
        if not all(map(math.isfinite, numbers)):
            raise DivergenceError(self._diagnosis(named, batch))
        self._observe(batch)
        return metrics(**named)

    def _observe(self, batch: Batch) -> None:
        """Takes the batch's states into the running statistics of what encodes them."""
        self.encoder.observe(batch.observation.state)

    def _diagnosis(self, numbers: Mapping[str, float], batch: Batch) -> str:
        seen = ", ".join(f"{name} {value:g}" for name, value in numbers.items())
        where = f"{self.name}, update {self.updates + 1}"
        for name, tensor in batch.named_tensors():
            bad = ~torch.isfinite(tensor).reshape(len(batch), -1).all(dim=1)
            rows = bad.nonzero().flatten().tolist()
            if rows:
                number = int(batch.number[rows[0]])
                return (
                    f"{where}: {name} is not finite in {len(rows)} of {len(batch)} transitions of the batch, first in "
                    f"transition {number}: repair or remove it. No parameter was changed ({seen})"
                )
        return (
            f"{where}: the data are finite but the losses are not ({seen}): the learner has diverged. This training "
            f"would come to the same again: begin another one, in another folder, with lower learning rates or a "
            f"smaller scale of the reward. No parameter was changed"
        )

    def _named_tensors(self) -> dict[str, Tensor]:
        tensors = {
            f"{name}.{key}": tensor
            for name, module in self._modules.items()
            for key, tensor in module.state_dict(keep_vars=True).items()
        }
        for name, optimizer in self._optimizers.items():
            tensors[f"adam.{name}.first_moment"] = optimizer.first_moment
            tensors[f"adam.{name}.second_moment"] = optimizer.second_moment
        return tensors

    def _check_state(self, state: LearnerState, tensors: Mapping[str, Tensor]) -> None:
        if state.method != self.name:
            raise StateError(f"the state is of {state.method!r}, this learner is {self.name!r}: choose the same method")
        own_spec = self.spec.model_dump(mode="json")
        if state.spec != own_spec:
            raise StateError(f"the state was learnt with {state.spec}, this task has {own_spec}: choose the same task")
        check_tensors(state.tensors, tensors)


def check_tensors(seen: Mapping[str, Tensor], needed: Mapping[str, Tensor]) -> None:
    """Raises StateError unless ``seen`` has the names, shapes and types of ``needed`` and only finite numbers."""
    missing, unknown = sorted(needed.keys() - seen.keys()), sorted(seen.keys() - needed.keys())
    if missing or unknown:
        raise StateError(f"the networks differ: missing {missing or 'none'}, unknown {unknown or 'none'}")
    for name, tensor in needed.items():
        other = seen[name]
        if other.shape != tensor.shape or other.dtype != tensor.dtype:
            raise StateError(
                f"{name} has shape {tuple(other.shape)} of {other.dtype}, this learner has {tuple(tensor.shape)} of "
                f"{tensor.dtype}: set the same hidden_sizes and encoder"
            )
        if not bool(torch.isfinite(other).all()):
            raise StateError(f"{name} holds numbers that are not finite: take an earlier checkpoint")
