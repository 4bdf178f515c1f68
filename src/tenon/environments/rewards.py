"""The rewards of insertion by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenon.configuration.session import RewardName
from tenon.rewards import (
    DenseInsertionConfig,
    DenseInsertionReward,
    ElectricalReward,
    GoalImageConfig,
    GoalImageReward,
    Reward,
)
from tenon.simulation.connectors import ConnectorConfig


def make_reward(
    name: RewardName,
    connector: ConnectorConfig,
    success_tolerance_m: float,
    *,
    goal_image: NDArray[np.uint8] | None = None,
) -> Reward:
    """The reward of a task. "dense" counts as inserted what is deeper than the onset of the retention."""
    if name == "electrical":
        return ElectricalReward()
    if name == "goal_image":
        if goal_image is None:
            raise ValueError("the reward goal_image needs a picture of the seated plug")
        return GoalImageReward(goal_image, GoalImageConfig())
    inserted_below_m = connector.depth_m * (1.0 - connector.retention.begins_at)
    return DenseInsertionReward(
        DenseInsertionConfig(inserted_below_m=inserted_below_m, success_within_m=success_tolerance_m)
    )
