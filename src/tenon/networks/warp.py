"""Random changes of shape: wider, higher, sheared, mirrored, moved. For pictures in which no length means anything."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from tenon.configuration import Config


class WarpConfig(Config):
    """How much shapes are changed. Numbers are ours, measured on held-out connectors."""

    scale: float = Field(default=0.45, ge=0.0, lt=1.0, description="of width and of height, each 1 +- this")
    shear: float = Field(default=0.15, ge=0.0, description="sideways per row, +- this")
    shift: float = Field(default=0.1, ge=0.0, description="each way, in shares of the picture")
    mirror: bool = Field(default=True, description="left for right in half of the pictures")

    @classmethod
    def none(cls) -> WarpConfig:
        """Shapes as they are."""
        return cls(scale=0.0, shear=0.0, shift=0.0, mirror=False)


def warped(image: Tensor, config: WarpConfig, generator: torch.Generator) -> Tensor:
    """(batch, height, width, C) -> the same of float32, each picture changed in its own way; edges repeat."""
    count = len(image)

    def around(centre: float, spread: float) -> Tensor:
        return centre + spread * (2.0 * torch.rand(count, generator=generator, device=image.device) - 1.0)

    wide, high, shear = around(1.0, config.scale), around(1.0, config.scale), around(0.0, config.shear)
    # A picture is 2 wide and 2 high in the units of affine_grid.
    right, down = around(0.0, 2.0 * config.shift), around(0.0, 2.0 * config.shift)
    if config.mirror:
        wide = wide * torch.where(torch.rand(count, generator=generator, device=image.device) < 0.5, -1.0, 1.0)
    rows = (torch.stack((wide, shear, right), dim=1), torch.stack((torch.zeros_like(high), high, down), dim=1))
    pixels = image.to(torch.float32).permute(0, 3, 1, 2)
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    moved = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    return moved.permute(0, 2, 3, 1)
