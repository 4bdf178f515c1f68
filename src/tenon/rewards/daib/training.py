"""Trains one network: ``train_reward()`` of daib.md 2.4, for DAIB and all its ablations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tenon.algorithms.randomness import derived_seed
from tenon.data.domains import LabelledImages
from tenon.data.transitions import ImageSpec
from tenon.networks.augment import augmented
from tenon.networks.bottleneck import DomainAdversary, Penalty
from tenon.networks.collage import collaged
from tenon.networks.parameters import Adam, ParameterVector
from tenon.networks.warp import warped
from tenon.rewards.daib.batches import BatchSampler, Rows
from tenon.rewards.daib.config import ClassifierConfig
from tenon.rewards.daib.free_plug import FreePlugs
from tenon.rewards.daib.network import RewardNetwork, reward_loss

REPORT_EVERY = 100


@dataclass(frozen=True, slots=True)
class TrainingMetrics:
    """Means over the last ``REPORT_EVERY`` steps.

    reward_loss, domain_loss: nats; the domain head's loss near log(domains) means that z_I does not tell the domain
    (NaN without z_I). rate: nats of z_S; near 0, DAIB has become DANN. accuracy: on training pictures, augmented.
    """

    step: int
    reward_loss: float
    accuracy: float
    domain_loss: float
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """domains: those that it saw, in the order of the domain head."""

    network: RewardNetwork
    domains: tuple[str, ...]
    metrics: tuple[TrainingMetrics, ...]


def train_network(
    data: LabelledImages,
    names: Sequence[str],
    config: ClassifierConfig,
    seed: int,
    on_metrics: Callable[[TrainingMetrics], None] = lambda metrics: None,
    only: Rows | None = None,
) -> TrainedNetwork:
    """A network of the domains ``names`` of ``data``; a function of the arguments alone. only: pictures to train on."""
    learner = _Learner(data, names, config, seed, only)
    recent: list[tuple[float, ...]] = []
    metrics: list[TrainingMetrics] = []
    for step in range(1, config.steps + 1):
        recent.append(learner.step())
        if step % REPORT_EVERY == 0 or step == config.steps:
            metrics.append(TrainingMetrics(step, *(float(value) for value in np.mean(recent, axis=0))))
            on_metrics(metrics[-1])
            recent.clear()
    return TrainedNetwork(learner.network.eval().requires_grad_(False), tuple(names), tuple(metrics))


class _Learner:
    """Network, adversary, optimiser and the streams of randomness of one training."""

    def __init__(
        self, data: LabelledImages, names: Sequence[str], config: ClassifierConfig, seed: int, only: Rows | None
    ):
        self._data, self._config = data, config
        rng = np.random.default_rng(derived_seed(seed, "reward batches", 0))
        self._sampler = BatchSampler(data, names, config.batch_size, rng, balanced=config.balanced, only=only)
        self._number = _numbers(data, names)
        self._plugs = None if config.sees == "picture" else FreePlugs(data, names, rng)
        self._generator = torch.Generator().manual_seed(derived_seed(seed, "reward noise", 0))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, "reward weights", 0))
            self.network = RewardNetwork(image_spec(data), config)
            self._adversary = DomainAdversary(config.encoder, len(names))
        self._vector = ParameterVector(self.network)
        self._adam = Adam(self._vector, config.learning_rate)

    def step(self) -> tuple[float, ...]:
        """psi's steps, then one of the encoder and R on L_R, eq. (54). Returns the numbers of TrainingMetrics."""
        config, share = self._config, self._adam.steps / self._config.steps
        rows = self._sampler.draw()
        inserted = torch.from_numpy(self._data.label[rows]).float()
        domain = self._number[torch.from_numpy(self._data.domain[rows])]
        seen = self._seen(rows)
        noise = torch.randn(len(rows), config.encoder.specific_size, generator=self._generator)
        bottleneck = self.network.encoder(seen, noise)
        self._adversary.learn(bottleneck.invariant, domain)
        logits = self.network.judge(bottleneck)
        loss, penalty = reward_loss(logits, inserted), self._adversary.penalty(bottleneck, domain, share)
        self._vector.zero_gradients()
        torch.autograd.backward(loss + penalty.loss)
        self._adam.learning_rate = config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))
        self._adam.step()
        return _numbers_of(loss, logits, inserted, penalty)

    def _seen(self, rows: Rows) -> Tensor:
        """What the encoder reads, changed at random."""
        config, generator, picture = self._config, self._generator, self._data.image[rows]
        if self._plugs is None:
            return augmented(collaged(torch.from_numpy(picture), config.collage, generator), config.augment, generator)
        maps = torch.from_numpy(self._plugs.maps(picture, self._data.domain[rows]))
        return warped(collaged(maps, config.collage, generator), config.warp, generator)


def image_spec(data: LabelledImages) -> ImageSpec:
    height, width, channels = data.image.shape[1:]
    return ImageSpec(height=height, width=width, channels=channels)


def _numbers(data: LabelledImages, names: Sequence[str]) -> Tensor:
    """From a domain's position in the data to its position in ``names``; -1 for the others."""
    numbers = torch.full((len(data.names),), -1, dtype=torch.int64)
    for number, name in enumerate(names):
        numbers[data.names.index(name)] = number
    return numbers


def _numbers_of(loss: Tensor, logits: Tensor, inserted: Tensor, penalty: Penalty) -> tuple[float, ...]:
    accuracy = ((logits.detach() > 0.0) == (inserted > 0.5)).float().mean()
    return float(loss.detach()), float(accuracy), float(penalty.domain_loss), float(penalty.rate)
