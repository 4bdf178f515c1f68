"""Encoders: from an observation to the vector of features that policies and critics read."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tenon.data.batch import ObservationBatch
from tenon.data.transitions import ObservationSpec

_PIXEL_MAXIMUM = 255.0


def encoded_size(spec: ObservationSpec) -> int:
    """How many features an observation becomes."""
    return spec.state_size + (spec.image.bytes if spec.image else 0)


class FlatEncoder(nn.Module):
    """The state, divided by its scale, then the pixels of the image (if there is one) in [0, 1]. Nothing is learnt.

    Flattened pixels are what the released insertion script feeds its networks (insertion.md 2.3); it suits the
    32 x 32 images of that paper and not much more.
    """

    inverse_scale: Tensor

    def __init__(self, spec: ObservationSpec):
        super().__init__()
        scale = torch.ones(spec.state_size) if spec.state_scale is None else torch.tensor(spec.state_scale)
        self.register_buffer("inverse_scale", scale.reciprocal())

    def forward(self, observation: ObservationBatch) -> Tensor:
        """(batch, encoded_size) of float32."""
        state = observation.state * self.inverse_scale
        if observation.image is None:
            return state
        pixels = observation.image.flatten(start_dim=1).to(state.dtype).div_(_PIXEL_MAXIMUM)
        return torch.cat((state, pixels), dim=1)
