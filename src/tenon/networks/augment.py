"""Random changes of a camera picture that change nothing of what it shows: place, colours, brightness, contrast.

Every change of colour is affine, so that all of them together are one 3 x 3 product and one sum per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from tenon.configuration import Config
from tenon.networks.shift import shifted

WHITE = 255.0
_MIDDLE_GREY = 0.5 * WHITE
# So many pixels go through one product of matrices: products with 3 columns leave most of a CPU's lanes empty.
_PIXELS_AT_ONCE = 8


class AugmentConfig(Config):
    """How much pictures are changed. All zero and no permutation: not at all. Sources: daib.md 8.1 and 2.7."""

    shift_px: int = Field(default=4, ge=0, description="each way; 2 for 32 x 32 pictures in daib.md 8.1")
    permute_channels: bool = Field(default=True, description="red, green and blue in random order; daib.md 8.1")
    channel_gain: float = Field(default=0.3, ge=0.0, lt=1.0, description="of each channel, 1 +- this; daib.md 8.1")
    channel_offset: float = Field(
        default=0.15, ge=0.0, le=1.0, description="of each channel, +- this share of white; daib.md 8.1"
    )
    brightness: float = Field(default=0.25, ge=0.0, lt=1.0, description="factor on all, 1 +- this; daib.md 2.7")
    contrast: float = Field(default=0.1, ge=0.0, lt=1.0, description="about middle grey, 1 +- this; daib.md 2.7")

    @classmethod
    def none(cls) -> AugmentConfig:
        """Pictures as they are."""
        return cls(
            shift_px=0, permute_channels=False, channel_gain=0.0, channel_offset=0.0, brightness=0.0, contrast=0.0
        )


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """One change for each picture of a batch.

    down, right: (batch,) of int64, pixels within ``limit_px``. colour: (batch, C, C), the new channels are
    ``pixel @ colour + offset``. offset: (batch, 1, C), white is 255.
    """

    down: Tensor
    right: Tensor
    limit_px: int
    colour: Tensor
    offset: Tensor

    def __call__(self, image: Tensor) -> Tensor:
        """(batch, height, width, C) of uint8 -> the same of float32 in [0, 255]; ``image`` stays as it is.

        Changing s and s' of a transition alike is calling this twice.
        """
        moved = shifted(image, self.down, self.right, self.limit_px) if self.limit_px else image
        batch, channels = len(image), image.shape[-1]
        at_once = _PIXELS_AT_ONCE if moved[0].numel() % (_PIXELS_AT_ONCE * channels) == 0 else 1
        width = at_once * channels
        # Block by block along the diagonal, the same matrix for each pixel.
        blocks = torch.zeros(batch, at_once, channels, at_once, channels, device=image.device)
        blocks.diagonal(dim1=1, dim2=3).copy_(self.colour[..., None])
        pixels = moved.to(torch.float32).view(batch, -1, width)
        offset = self.offset.repeat(1, 1, at_once)
        coloured = torch.baddbmm(offset, pixels, blocks.view(batch, width, width))
        return coloured.clamp_(0.0, WHITE).view(image.shape)


def draw_augmentation(
    count: int, config: AugmentConfig, generator: torch.Generator, *, channels: int = 3
) -> Augmentation:
    """A random change for each of ``count`` pictures, all independent."""
    device = generator.device

    def around(centre: float, spread: float, *shape: int) -> Tensor:
        return centre + spread * (2.0 * torch.rand(count, *shape, generator=generator, device=device) - 1.0)

    limit = config.shift_px
    down, right = torch.randint(-limit, limit + 1, (2, count), generator=generator, device=device)
    colour = torch.eye(channels, device=device).expand(count, -1, -1)
    if config.permute_channels:
        order = torch.rand(count, channels, generator=generator, device=device).argsort(dim=1)
        colour = torch.eye(channels, device=device)[order]
    scale = around(1.0, config.brightness, 1, 1) * around(1.0, config.channel_gain, 1, channels)
    contrast = around(1.0, config.contrast, 1, 1)
    offset = WHITE * around(0.0, config.channel_offset, 1, channels)
    # Contrast comes last: (x - grey) c + grey.
    return Augmentation(
        down, right, limit, colour * (scale * contrast), (offset - _MIDDLE_GREY) * contrast + _MIDDLE_GREY
    )


def augmented(image: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """(batch, height, width, C) of uint8 -> the same of float32 in [0, 255], each picture changed in its own way."""
    return draw_augmentation(len(image), config, generator, channels=image.shape[-1])(image)
