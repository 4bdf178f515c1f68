"""Transitions as tensors, as a learner takes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tenon.data.transitions import EnvironmentSpec


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
    prior (batch,) of bool: True where they come from the prior data (demonstrations, logs), whose numbers are its own.
    steps (batch,) of float32: how many rewards, discounted, ``reward`` is the sum of, so that ``next_observation`` is
    so many steps ahead; None where it is one throughout.
    session (batch,) of int64: the number of each transition's session in its replay, its domain for methods that tell
    domains apart; None where nobody says it.
    success_state (batch, S) of float32: hindsight, the state in which the same episode first succeeded, NaN where it
    never did; None where it was not asked for.
    """

    observation: ObservationBatch
    action: Tensor
    reward: Tensor
    next_observation: ObservationBatch
    terminated: Tensor
    number: Tensor
    prior: Tensor
    steps: Tensor | None = None
    session: Tensor | None = None
    success_state: Tensor | None = None

    def __len__(self) -> int:
        return self.reward.shape[0]

    @classmethod
    def empty(cls, count: int, spec: EnvironmentSpec, *, n_step: int = 1, success_state: bool = False) -> Batch:
        """Room for ``count`` transitions of ``spec``, to be filled in."""

        def observation() -> ObservationBatch:
            image = spec.observation.image
            return ObservationBatch(
                state=torch.empty(count, spec.observation.state_size),
                image=None if image is None else torch.empty((count, *image.shape), dtype=torch.uint8),
            )

        return cls(
            observation=observation(),
            action=torch.empty(count, spec.action_size),
            reward=torch.empty(count),
            next_observation=observation(),
            terminated=torch.empty(count),
            number=torch.empty(count, dtype=torch.int64),
            prior=torch.zeros(count, dtype=torch.bool),
            steps=None if n_step == 1 else torch.empty(count),
            session=torch.empty(count, dtype=torch.int64),
            success_state=torch.empty(count, spec.observation.state_size) if success_state else None,
        )

    def part(self, start: int, stop: int) -> Batch:
        """Rows ``start`` to ``stop`` as views: what is written there is written here."""
        return Batch.of_columns([None if column is None else column[start:stop] for column in self.columns()])

    def columns(self) -> tuple[Tensor | None, ...]:
        """All contents side by side, None for what is not there; ``of_columns`` makes the batch of them."""
        seen = (self.observation, self.next_observation)
        own = (getattr(self, name) for name in _OWN_COLUMNS)
        return (*(column for each in seen for column in (each.state, each.image)), *own)

    @classmethod
    def of_columns(cls, columns: Sequence[Any]) -> Batch:
        """The inverse of ``columns``."""
        state, image, next_state, next_image, *own = columns
        return cls(
            observation=ObservationBatch(state, image),
            next_observation=ObservationBatch(next_state, next_image),
            **dict(zip(_OWN_COLUMNS, own, strict=True)),
        )

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
            prior=self.prior.to(device, non_blocking=True),
            steps=None if self.steps is None else self.steps.to(device, non_blocking=True),
            session=None if self.session is None else self.session.to(device, non_blocking=True),
            success_state=None if self.success_state is None else self.success_state.to(device, non_blocking=True),
        )


_OWN_COLUMNS = tuple(
    field.name for field in dataclasses.fields(Batch) if field.name not in ("observation", "next_observation")
)
"""Fields that are no observations."""


def _observation_to(observation: ObservationBatch, device: torch.device) -> ObservationBatch:
    image = observation.image
    return ObservationBatch(
        state=observation.state.to(device, non_blocking=True),
        image=None if image is None else image.to(device, non_blocking=True),
    )
