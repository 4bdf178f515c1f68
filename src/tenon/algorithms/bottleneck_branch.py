"""An encoder of one network alone: how it learns, the adversary that keeps z_I from telling the domain, the compass."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenon.networks.bottleneck import BottleneckConfig, DomainAdversary, Penalty
from tenon.networks.bottleneck_features import BottleneckFeatures, Encoded
from tenon.networks.parameters import Adam, ParameterVector


class BottleneckBranch:
    """An encoder with its optimiser and the adversary of its z_I (a mere probe, where nothing is paid to it).

    domains: how many the adversary tells apart. modules, optimizers: the learner's state, by name; the encoder itself
    is left to its owner. Without pictures there is nothing to learn and nothing to pay.
    """

    def __init__(self, encoder: BottleneckFeatures, config: BottleneckConfig, domains: int, learning_rate: float):
        self.encoder = encoder
        self.config = config
        self.adversary: DomainAdversary | None = None
        self.modules: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Adam] = {}
        self._vector: ParameterVector | None = None
        if encoder.bottleneck is None:
            return
        self._vector = ParameterVector(encoder)
        self._adam = Adam(self._vector, learning_rate)
        self.optimizers["encoder"] = self._adam
        self.adversary = DomainAdversary(config, domains)
        if self.adversary.head is not None:
            self.modules["domain_head"] = self.adversary.head
            self.optimizers["domain_head"] = self.adversary.optimizer

    def penalty(self, encoded: Encoded, domain: Tensor, share: float) -> Penalty:
        """L_DAIB of eq. (54) and (58), at this ``share`` of training; domain (batch,) of int64."""
        if self.adversary is None or encoded.bottleneck is None:
            return nothing_paid(encoded.features.device)
        penalty = self.adversary.penalty(encoded.bottleneck, domain, share)
        # NaN stands for a missing head; the learner's metrics are finite.
        return Penalty(penalty.loss, penalty.rate, penalty.domain_loss.nan_to_num())

    def zero_gradients(self) -> None:
        if self._vector is not None:
            self._vector.zero_gradients()

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of the encoder's gradients, a scalar; of the adversary's there are none before its steps."""
        return self.encoder.inverse_scale.new_zeros(()) if self._vector is None else self._vector.gradient_norm()

    def step(self, encoded: Encoded, domain: Tensor | None, *, learning_rate: float) -> None:
        """The encoder's step on the gradients it has, then the adversary's on the features that these came from.

        domain: None leaves the adversary as it is.
        """
        if self.adversary is None or encoded.bottleneck is None:
            return
        self._adam.learning_rate = learning_rate
        self._adam.step()
        if domain is not None:
            self.adversary.learn(encoded.bottleneck.invariant, domain)


def way_loss(encoded: Encoded, way: Tensor) -> Tensor:
    """Mean square of what the compass errs by, a scalar; zero where there is nothing to tell or no compass.

    way: (batch, S), the change of the scaled state that leads to success, NaN where nobody knows it.
    """
    known = ~way[:, 0].isnan()
    if encoded.way is None or not bool(known.any()):
        return encoded.features.new_zeros(())
    return functional.mse_loss(encoded.way[known], way[known])


def nothing_paid(device: torch.device) -> Penalty:
    """The penalty of what has no bottleneck, or has it frozen."""
    zero = torch.zeros((), device=device)
    return Penalty(zero, zero, zero)
