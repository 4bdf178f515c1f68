"""Encoders: from an observation to the vector of features that policies and critics read."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from tenon.configuration import Config, ConfigurationError
from tenon.data.batch import ObservationBatch
from tenon.data.transitions import ImageSpec, ObservationSpec
from tenon.networks.standardizer import RunningStandardizer

_PIXEL_MAXIMUM = 255.0
_KERNEL_PX = 3


class EncoderConfig(Config):
    """How an observation becomes features."""

    image: Literal["flat", "conv"] = Field(
        default="flat", description="flat: pixels as they are, insertion.md 2.3; conv: learnt with the values, DrQ"
    )
    channels: tuple[int, ...] = Field(
        default=(32, 32, 32, 32), min_length=1, description="of the 3x3 convolutions; DrQ (Yarats et al., 2021)"
    )
    strides: tuple[int, ...] = Field(default=(2, 1, 1, 1), description="of the convolutions, in pixels; DrQ")
    embedding_size: int = Field(default=50, ge=1, description="features that an image becomes with conv; DrQ")
    random_shift_px: int = Field(
        default=4, ge=0, description="shift of training images with conv, each way; 0: none; DrQ"
    )
    standardize_state: bool = Field(
        default=False, description="states by running mean and standard deviation; demos-her.md section 3"
    )
    state_clip: float = Field(
        default=5.0, gt=0.0, description="bound of a standardised state; demos-her.md section 3 [C]"
    )
    state_std_floor: float = Field(
        default=0.01, gt=0.0, description="smallest standard deviation divided by; demos-her.md section 3 [C]"
    )

    @model_validator(mode="after")
    def _check_layers(self) -> EncoderConfig:
        if len(self.strides) != len(self.channels):
            raise ValueError(f"{len(self.strides)} strides for {len(self.channels)} channels: give one for each layer")
        if min(*self.strides, *self.channels) < 1:
            raise ValueError(f"channels {self.channels} and strides {self.strides} must be positive")
        return self


def encoded_size(spec: ObservationSpec, config: EncoderConfig) -> int:
    """How many features an observation becomes."""
    if spec.image is None:
        return spec.state_size
    return spec.state_size + (config.embedding_size if config.image == "conv" else spec.image.bytes)


class Encoder(nn.Module):
    """The state, divided by its scale (and standardised, if asked for), then the image's features, if there is one.

    Only ``conv`` has parameters. ``flat`` gives the pixels in [0, 1]: what the released insertion script feeds its
    networks (insertion.md 2.3); it suits the 32 x 32 images of that paper and not much more.
    """

    inverse_scale: Tensor

    def __init__(self, spec: ObservationSpec, config: EncoderConfig):
        super().__init__()
        scale = torch.ones(spec.state_size) if spec.state_scale is None else torch.tensor(spec.state_scale)
        self.register_buffer("inverse_scale", scale.reciprocal(), persistent=False)
        self.standardizer: RunningStandardizer | None = None
        if config.standardize_state:
            self.standardizer = RunningStandardizer(
                spec.state_size, floor=config.state_std_floor, clip=config.state_clip
            )
        self.convolutions: ConvolutionStack | None = None
        if spec.image is not None and config.image == "conv":
            self.convolutions = ConvolutionStack(spec.image, config)

    def forward(self, observation: ObservationBatch) -> Tensor:
        """(batch, encoded_size) of float32."""
        state = observation.state * self.inverse_scale
        if self.standardizer is not None:
            state = self.standardizer(state)
        if observation.image is None:
            return state
        if self.convolutions is not None:
            return torch.cat((state, self.convolutions(observation.image)), dim=1)
        pixels = observation.image.flatten(start_dim=1).to(state.dtype).div_(_PIXEL_MAXIMUM)
        return torch.cat((state, pixels), dim=1)

    def observe(self, state: Tensor) -> None:
        """Takes states (batch, S), as measured, into the running statistics, where there are any."""
        if self.standardizer is not None:
            self.standardizer.observe(state * self.inverse_scale)


class ConvolutionStack(nn.Module):
    """3x3 convolutions with ReLU, a linear layer, LayerNorm, tanh: the encoder of DrQ (Yarats et al., 2021).

    (batch, height, width, channels) of uint8 -> (batch, embedding_size) in (-1, 1). Memory stays in the order of the
    image (channels last), which spares a transposition and is what CPU and GPU kernels like best.
    """

    def __init__(self, image: ImageSpec, config: EncoderConfig):
        super().__init__()
        channels = (image.channels, *config.channels)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, _KERNEL_PX, stride=stride)
            for (a, b), stride in zip(itertools.pairwise(channels), config.strides, strict=True)
        )
        height, width = (_convolved(size, config.strides, image) for size in (image.height, image.width))
        self.project = nn.Linear(height * width * config.channels[-1], config.embedding_size)
        self.normalise = nn.LayerNorm(config.embedding_size)

    def forward(self, image: Tensor) -> Tensor:
        hidden = image.permute(0, 3, 1, 2).to(torch.float32).div_(_PIXEL_MAXIMUM).sub_(0.5)
        for layer in self.layers:
            hidden = layer(hidden).relu_()
        flat = hidden.permute(0, 2, 3, 1).flatten(start_dim=1)
        return torch.tanh(self.normalise(self.project(flat)))


def _convolved(size: int, strides: tuple[int, ...], image: ImageSpec) -> int:
    """Pixels that are left of ``size`` after all layers. Raises ConfigurationError when there are none."""
    for stride in strides:
        size = (size - _KERNEL_PX) // stride + 1
        if size < 1:
            raise ConfigurationError(
                f"encoder: an image of {image.height} x {image.width} is too small for {len(strides)} convolutions "
                f"with strides {strides}: take fewer of them, or image: flat"
            )
    return size
