"""Joint angles and servo positions."""

from __future__ import annotations

from tenon_claw import control_table as table
from tenon_claw.config import ServoConfig


def to_rad(config: ServoConfig, tick: int) -> float:
    """A servo's position as its joint's angle."""
    return config.direction * (tick - config.zero_tick) * table.RAD_PER_TICK


def to_tick(config: ServoConfig, position_rad: float) -> int:
    """A joint's angle as its servo's position."""
    return config.zero_tick + round(config.direction * position_rad / table.RAD_PER_TICK)
