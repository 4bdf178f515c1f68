"""Features of an observation with a split representation of its picture: what policies and values read with DAIB."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from tenon.configuration import Config
from tenon.data.batch import ObservationBatch
from tenon.data.transitions import ObservationSpec
from tenon.networks.bottleneck import Bottleneck, BottleneckConfig, BottleneckEncoder
from tenon.networks.encoders import Encoder, EncoderConfig
from tenon.networks.mlp import MLP


class CompassConfig(Config):
    """A small head on z and the state that tells the way to success, the change of the scaled state. Ours.

    It reads the state as well: a camera that looks down at a slant sees a far socket where it sees a low one.
    """

    hidden_size: int = Field(default=64, ge=1, description="units of its ReLU layer")
    read: bool = Field(
        default=False,
        description="policy and values read what it tells, beside the state, in place of z; what practice teaches the "
        "compass, they then know at once",
    )
    fine: float = Field(
        default=0.1,
        gt=0.0,
        description="they read tanh(way / fine) too: where a way is about that short, in scaled state",
    )


def bottleneck_size(spec: ObservationSpec, config: BottleneckConfig, compass: CompassConfig | None = None) -> int:
    """How many features an observation becomes."""
    if spec.image is None:
        return spec.state_size
    if compass is not None and compass.read:
        return 3 * spec.state_size
    return spec.state_size + config.feature_size


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """features (batch, bottleneck_size); bottleneck: the picture's part of them, None without a picture.

    way (batch, S): what the compass tells, None without one. Features hold it detached: only its own loss teaches it.
    """

    features: Tensor
    bottleneck: Bottleneck | None
    way: Tensor | None = None


class BottleneckFeatures(Encoder):
    """The state as ``Encoder`` has it, then z = (z_I, z_S) of the image or what a compass makes of it."""

    def __init__(
        self,
        spec: ObservationSpec,
        state: EncoderConfig,
        config: BottleneckConfig,
        compass: CompassConfig | None = None,
    ):
        """state: its keys for the state count, those for images do not."""
        super().__init__(spec.model_copy(update={"image": None}), state)
        self.bottleneck = None if spec.image is None else BottleneckEncoder(spec.image, config)
        self.compass: MLP | None = None
        self._compass_config = compass
        if compass is not None and spec.image is not None:
            size = spec.state_size + config.feature_size
            self.compass = MLP(size, (compass.hidden_size,), spec.state_size)

    def forward(self, observation: ObservationBatch) -> Tensor:
        """(batch, bottleneck_size) of float32, with z_S at its mean."""
        return self.encode(observation, None).features

    def encode(self, observation: ObservationBatch, noise: Tensor | None) -> Encoded:
        """noise: standard normal (batch, specific_size), which samples z_S; None: its mean."""
        state: Tensor = super().forward(ObservationBatch(observation.state))
        if self.bottleneck is None or observation.image is None:
            return Encoded(state, None)
        split: Bottleneck = self.bottleneck(observation.image, noise)
        features = torch.cat((state, split.features), dim=1)
        if self.compass is None or self._compass_config is None:
            return Encoded(features, split)
        way: Tensor = self.compass(features)
        if self._compass_config.read:
            told = way.detach()
            features = torch.cat((state, told, torch.tanh(told / self._compass_config.fine)), dim=1)
        return Encoded(features, split, way)
