"""The configuration of a training: method, data, rhythm. What ``config/algorithms/*.yaml`` hold."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, model_validator

from tenon.algorithms import check_compiled, parse_config
from tenon.configuration import Config
from tenon.data.replay import ReplayConfig
from tenon.data.sampling import SamplingConfig


class TrainerConfig(Config):
    """Update number k (from 1) draws from the prior data and the first n_k own transitions.

    n_k = 0 for the first ``offline_updates``; then warmup_transitions + ceil((k - offline_updates) / ratio).
    """

    method: str = Field(description="name of the algorithm, one of tenon.algorithms.METHODS")
    algorithm: dict[str, Any] = Field(default_factory=dict, description="keys of the algorithm's own configuration")
    batch_size: int = Field(default=128, ge=1, description="transitions per update; insertion.md section 3")
    offline_updates: int = Field(
        default=0, ge=0, description="first updates, on the prior data alone, before any practice; awac.md, iql.md"
    )
    warmup_transitions: int = Field(
        default=500, ge=0, description="own transitions before the first update after these; residual-rl.md section 3"
    )
    updates_per_transition: float = Field(
        default=1.0, gt=0.0, description="update-to-data ratio; residual-rl.md section 3"
    )
    checkpoint_every_updates: int = Field(default=500, ge=1, description="updates from one checkpoint to the next")
    sampling: SamplingConfig = Field(default_factory=SamplingConfig)
    replay: ReplayConfig = Field(default_factory=ReplayConfig)
    threads: int = Field(
        default=1, ge=1, description="torch's threads in this process; results are bit-equal for equal numbers only"
    )
    compiled: bool = Field(
        default=False,
        description="whether torch.compile makes one graph of an update's losses and gradients: more updates a second "
        "(docs/results/learners.md), but the first ones wait for the compiler, so not for sessions with a robot; needs "
        "a C++ compiler, and rounds differently",
    )
    device: str = Field(default="cpu", description="where the networks live; exact resume is promised on the CPU")

    @model_validator(mode="after")
    def _check_algorithm(self) -> TrainerConfig:
        parse_config(self.method, self.algorithm)
        if self.compiled:
            check_compiled(self.method)
        if self.replay.capacity < self.batch_size:
            raise ValueError(f"replay.capacity {self.replay.capacity} is below batch_size {self.batch_size}")
        return self

    def transitions_needed(self, update: int) -> int:
        """n_k: how many own transitions must have come in before update number ``update`` (from 1)."""
        online = update - self.offline_updates
        if online <= 0:
            return 0
        return max(1, self.warmup_transitions + math.ceil(online / self.updates_per_transition))
