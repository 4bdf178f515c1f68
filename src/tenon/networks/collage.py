"""Pictures whose surroundings and spots come from other pictures: what a table looks like then tells nothing.

A plug that is home stands at one place over the table, so the pattern around it gives the label of a training picture
away, and nothing of it holds for another table. CutMix (Yun et al., 2019) mixes labels too; here the label stays, as
what decides it stands in the middle of a wrist camera's picture.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from tenon.configuration import Config

Share = tuple[float, float]


class CollageConfig(Config):
    """Shares are of a picture's width or height. Numbers are ours, measured on held-out connectors."""

    surroundings: float = Field(
        default=0.8, ge=0.0, le=1.0, description="share of pictures that keep a window of their own"
    )
    side: float = Field(default=0.25, ge=0.0, lt=0.5, description="most that goes on the left, and on the right")
    bottom: float = Field(default=0.45, ge=0.0, lt=1.0, description="most that goes at the bottom")
    spots: int = Field(default=1, ge=0, description="rectangles from other pictures, anywhere")
    spot: Share = Field(default=(0.05, 0.25), description="sides of a spot, least and most")

    @classmethod
    def none(cls) -> CollageConfig:
        """Pictures as they are."""
        return cls(surroundings=0.0, spots=0)


def collaged(image: Tensor, config: CollageConfig, generator: torch.Generator) -> Tensor:
    """(batch, height, width, C) of uint8 -> a copy, each picture with parts of another one of the batch."""
    count, height, width, _ = image.shape
    device = image.device

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, generator=generator, device=device)

    windowed = torch.rand(count, 1, generator=generator, device=device) < config.surroundings
    down, right = torch.arange(height, device=device) / height, torch.arange(width, device=device) / width
    left, end, bottom = uniform(0.0, config.side), 1.0 - uniform(0.0, config.side), 1.0 - uniform(0.0, config.bottom)
    own = _rectangle(down < bottom, (right >= left) & (right < end)) | ~windowed[..., None]
    for _ in range(config.spots):
        tall, wide = uniform(*config.spot), uniform(*config.spot)
        top, begin = uniform(0.0, 1.0) - 0.5 * tall, uniform(0.0, 1.0) - 0.5 * wide
        own &= ~_rectangle((down >= top) & (down < top + tall), (right >= begin) & (right < begin + wide))
    donor = torch.randperm(count, generator=generator, device=device)
    return torch.where(own[..., None], image, image[donor])


def _rectangle(rows: Tensor, columns: Tensor) -> Tensor:
    """(batch, height) and (batch, width) of bool -> (batch, height, width)."""
    return rows[:, :, None] & columns[:, None, :]
