"""Transitions as tensors, as a learner takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ObservationBatch:
    """state (batch, S) of float32; image (batch, height, width, channels) of uint8, or None."""

    state: Tensor
    image: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Transitions, stacked. Tensors are contiguous and belong to the batch alone.

    action (batch, A); reward (batch,); terminated (batch,) of float32, 1 where nothing follows. A truncated transition
    has 0 there, so that its value is bootstrapped through. number (batch,) of int64: which transitions these are.
    """

    observation: ObservationBatch
    action: Tensor
    reward: Tensor
    next_observation: ObservationBatch
    terminated: Tensor
    number: Tensor

    def __len__(self) -> int:
        return self.reward.shape[0]

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """The floating-point contents with the names that errors use."""
        yield "state", self.observation.state
        yield "action", self.action
        yield "reward", self.reward
        yield "next_state", self.next_observation.state
        yield "terminated", self.terminated

    def to(self, device: torch.device) -> Batch:
        """The batch on ``device``; itself where it is there already."""
        if self.reward.device == device:
            return self
        return Batch(
            observation=_observation_to(self.observation, device),
            action=self.action.to(device, non_blocking=True),
            reward=self.reward.to(device, non_blocking=True),
            next_observation=_observation_to(self.next_observation, device),
            terminated=self.terminated.to(device, non_blocking=True),
            number=self.number,
        )


def _observation_to(observation: ObservationBatch, device: torch.device) -> ObservationBatch:
    image = observation.image
    return ObservationBatch(
        state=observation.state.to(device, non_blocking=True),
        image=None if image is None else image.to(device, non_blocking=True),
    )
