"""Running standardisation: inputs with mean 0 and standard deviation 1, as measured on the data trained on."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningStandardizer(nn.Module):
    """clip((x - mean) / max(std, floor)), with mean and standard deviation of all rows observed so far.

    Sums run in float64 by the pairwise form of Welford's method (Chan et al., 1983), so that a million rows far from
    zero lose nothing. Before the first row it only clips. The statistics are buffers: saved with the weights.
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    def __init__(self, size: int, *, floor: float, clip: float):
        super().__init__()
        self._floor = floor
        self._clip = clip
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(size, dtype=torch.float64))

    @torch.no_grad()
    def observe(self, rows: Tensor) -> None:
        """Takes rows (batch, size) into the statistics."""
        rows = rows.to(torch.float64)
        own_mean = rows.mean(dim=0)
        own_squares = (rows - own_mean).square().sum(dim=0)
        share = len(rows) / (self.count + len(rows))
        difference = own_mean - self.mean
        self.mean.addcmul_(difference, share)
        self.squares.add_(own_squares).addcmul_(difference.square(), self.count * share)
        self.count.add_(len(rows))

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, size), of the type of ``inputs``."""
        std = torch.where(self.count > 0, (self.squares / self.count.clamp_min(1)).sqrt(), 1.0).clamp_min(self._floor)
        shift, scale = self.mean.to(inputs.dtype), std.reciprocal().to(inputs.dtype)
        return ((inputs - shift) * scale).clamp(-self._clip, self._clip)
