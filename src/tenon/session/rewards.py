"""The reward that a session names, made for its connector and its camera."""

from __future__ import annotations

import cv2

from tenon.configuration.base import ConfigurationError
from tenon.data.images import Image, resize
from tenon.rewards import (
    DenseInsertionConfig,
    DenseInsertionReward,
    ElectricalReward,
    GoalImageConfig,
    GoalImageReward,
    Reward,
)
from tenon.session.setup import SessionSetup


def create_reward(setup: SessionSetup) -> Reward:
    """Raises ConfigurationError for a goal image that is missing or cannot be read."""
    name = setup.config.reward
    if name == "electrical":
        return ElectricalReward()
    if name == "dense":
        # Inserted: deeper than the mouth, seen from the goal at full depth.
        return DenseInsertionReward(DenseInsertionConfig(inserted_below_m=setup.connector.depth_m))
    return GoalImageReward(_goal_image(setup), GoalImageConfig())


def _goal_image(setup: SessionSetup) -> Image:
    path, size = setup.config.goal_image, setup.config.observation_image
    if path is None:
        raise ConfigurationError(
            f"session {setup.config.name!r}: reward 'goal_image' needs goal_image, a picture of the finished state "
            "taken by this session's camera"
        )
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ConfigurationError(f"goal_image {path}: no picture that can be read. Take it anew")
    return resize(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), size.height, size.width)
