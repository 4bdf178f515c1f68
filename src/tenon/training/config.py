"""The configuration of a training: method, data, rhythm. What ``config/algorithms/*.yaml`` hold."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, model_validator

from tenon.algorithms import parse_config
from tenon.configuration import Config
from tenon.data.replay import ReplayConfig


class TrainerConfig(Config):
    """Update number k (from 1) draws from the first n_k transitions, n_k = warmup_transitions + ceil(k / ratio)."""

    method: str = Field(description="name of the algorithm: sac, td3")
    algorithm: dict[str, Any] = Field(default_factory=dict, description="keys of the algorithm's own configuration")
    batch_size: int = Field(default=128, ge=1, description="transitions per update; insertion.md section 3")
    warmup_transitions: int = Field(
        default=500, ge=0, description="transitions before the first update; residual-rl.md section 3"
    )
    updates_per_transition: float = Field(
        default=1.0, gt=0.0, description="update-to-data ratio; residual-rl.md section 3"
    )
    checkpoint_every_updates: int = Field(default=500, ge=1, description="updates from one checkpoint to the next")
    replay: ReplayConfig = Field(default_factory=ReplayConfig)
    threads: int = Field(
        default=1, ge=1, description="torch's threads in this process; results are bit-equal for equal numbers only"
    )
    device: str = Field(default="cpu", description="where the networks live; exact resume is promised on the CPU")

    @model_validator(mode="after")
    def _check_algorithm(self) -> TrainerConfig:
        parse_config(self.method, self.algorithm)
        if self.replay.capacity < self.batch_size:
            raise ValueError(f"replay.capacity {self.replay.capacity} is below batch_size {self.batch_size}")
        return self

    def transitions_needed(self, update: int) -> int:
        """n_k: how many transitions must have come in before update number ``update`` (from 1)."""
        return max(1, self.warmup_transitions + math.ceil(update / self.updates_per_transition))
