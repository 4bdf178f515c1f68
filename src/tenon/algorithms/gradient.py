"""Learners whose update follows the gradient of one sum of losses, taken as written or as one compiled graph."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from tenon.algorithms.base import Algorithm, AlgorithmConfig, Metrics
from tenon.algorithms.compiled import CompiledLosses, Losses
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.parameters import Adam, ParameterVector

ConfigT = TypeVar("ConfigT", bound=AlgorithmConfig)
MetricsT = TypeVar("MetricsT", bound=Metrics)


class GradientAlgorithm(Algorithm[ConfigT, MetricsT]):
    """A subclass says what an update costs (``_losses``) and whom it then moves (``_step``).

    All losses are taken at the same parameters, before any of them takes its step, so that a diverged loss changes
    nothing.
    """

    metrics: ClassVar[type[Any]]
    """What an update reports: the numbers of ``_losses``, and NAME_gradient_norm of each vector that they are of."""
    noise_draws: ClassVar[int] = 0
    """How many arrays (batch, A) of noise an update takes."""

    def __init__(self, config: ConfigT, spec: EnvironmentSpec, seed: int, device: torch.device):
        super().__init__(config, spec, seed, device)
        self._vectors: dict[str, ParameterVector] = {}
        self._compiled: CompiledLosses | None = None

    def compile(self) -> None:
        """From now on losses and gradients are one graph, compiled for this machine at the first update.

        Numbers differ from those without it by rounding. Raises ConfigurationError where nothing can be compiled.
        """
        self._compiled = CompiledLosses(self._losses, self._vectors)

    def update(self, batch: Batch) -> MetricsT:
        batch = self._prepared(batch)
        noise = self._noise(self.noise_draws, batch) if self.noise_draws else batch.action.new_empty(0)
        numbers = self._derived(batch, noise)
        metrics: MetricsT = self._checked(self.metrics, batch, **numbers)
        self._step()
        self.updates += 1
        return metrics

    @abstractmethod
    def _losses(self, batch: Batch, noise: Tensor) -> Losses:
        """Of a prepared batch, with ``noise`` (noise_draws, batch, A). Branches on ``_phase`` and the batch alone."""

    @abstractmethod
    def _step(self) -> None:
        """Moves parameters by the gradients that their vectors hold; ``updates`` does not count this one yet."""

    def _phase(self) -> Hashable:
        """What changes from update to update about how ``_losses`` goes."""
        return None

    def _derived(self, batch: Batch, noise: Tensor) -> dict[str, Tensor]:
        """Leaves the gradients in the vectors; the numbers that the metrics hold."""
        if self._compiled is not None:
            vectors, numbers = self._compiled(batch, noise, self._phase())
        else:
            losses = self._losses(batch, noise)
            vectors, numbers = losses.vectors, losses.numbers
            for name in vectors:
                self._vectors[name].zero_gradients()
            torch.autograd.backward(losses.total)
        return {**numbers, **{f"{name}_gradient_norm": self._vectors[name].gradient_norm() for name in vectors}}

    def _register_vectors(
        self, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Adam], vectors: Mapping[str, ParameterVector]
    ) -> None:
        """As ``_register``; vectors: what is learnt, by the names that ``_losses`` and the metrics use."""
        self._register(modules, optimizers)
        self._vectors = dict(vectors)
