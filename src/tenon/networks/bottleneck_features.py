"""Features of an observation with a split representation of its picture: what policies and values read with DAIB."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tenon.data.batch import ObservationBatch
from tenon.data.transitions import ObservationSpec
from tenon.networks.bottleneck import Bottleneck, BottleneckConfig, BottleneckEncoder
from tenon.networks.encoders import Encoder, EncoderConfig


def bottleneck_size(spec: ObservationSpec, config: BottleneckConfig) -> int:
    """How many features an observation becomes."""
    return spec.state_size + (0 if spec.image is None else config.feature_size)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """features (batch, bottleneck_size); bottleneck: the picture's part of them, None without a picture."""

    features: Tensor
    bottleneck: Bottleneck | None


class BottleneckFeatures(Encoder):
    """The state as ``Encoder`` has it, then z = (z_I, z_S) of the image, if there is one."""

    def __init__(self, spec: ObservationSpec, state: EncoderConfig, config: BottleneckConfig):
        """state: its keys for the state count, those for images do not."""
        super().__init__(spec.model_copy(update={"image": None}), state)
        self.bottleneck = None if spec.image is None else BottleneckEncoder(spec.image, config)

    def forward(self, observation: ObservationBatch) -> Tensor:
        """(batch, bottleneck_size) of float32, with z_S at its mean."""
        return self.encode(observation, None).features

    def encode(self, observation: ObservationBatch, noise: Tensor | None) -> Encoded:
        """noise: standard normal (batch, specific_size), which samples z_S; None: its mean."""
        state: Tensor = super().forward(ObservationBatch(observation.state))
        if self.bottleneck is None or observation.image is None:
            return Encoded(state, None)
        split: Bottleneck = self.bottleneck(observation.image, noise)
        return Encoded(torch.cat((state, split.features), dim=1), split)
