"""The reward that a session names, made for its connector and its camera."""

from __future__ import annotations

import cv2

from tenon.configuration.base import ConfigurationError
from tenon.configuration.session import RewardName
from tenon.data.images import Image, resize
from tenon.rewards import (
    CompletionReward,
    DenseInsertionConfig,
    DenseInsertionReward,
    ElectricalReward,
    GoalImageConfig,
    GoalImageReward,
    Reward,
)
from tenon.session.setup import SessionSetup

OF_DETECTOR: tuple[RewardName, ...] = ("electrical", "completion")
"""Rewards that pay by the word of the stand's own detector."""


def create_reward(setup: SessionSetup) -> Reward:
    """Raises ConfigurationError for a reward that this stand cannot measure, and for a goal image or a classifier that
    is missing, damaged or of another size."""
    name = setup.config.reward
    if lacks_detector(setup):
        raise ConfigurationError(
            f"session {setup.config.name!r}: reward {name!r} needs a detector of the connection, and robot "
            f"{setup.config.robot!r} has none (detector in its file): run it with `--reward dense` (goal_image, "
            "daib), or wire a continuity tester (docs/first-day.md)"
        )
    if name == "electrical":
        return ElectricalReward()
    if name == "completion":
        return CompletionReward()
    if name == "dense":
        # Inserted: deeper than the mouth, seen from the goal at full depth.
        return DenseInsertionReward(DenseInsertionConfig(inserted_below_m=setup.connector.depth_m))
    if name == "daib":
        return _classifier_reward(setup)
    return GoalImageReward(_goal_image(setup), GoalImageConfig())


def lacks_detector(setup: SessionSetup) -> bool:
    """Whether the session's reward asks a detector that the stand does not have."""
    return setup.config.reward in OF_DETECTOR and not setup.job.has_detector


def _classifier_reward(setup: SessionSetup) -> Reward:
    """Torch is imported here: the other rewards do without, and their node starts sooner."""
    from tenon.data.checkpoint import CheckpointError
    from tenon.rewards.daib import ClassifierReward, RewardClassifier

    folder, size = setup.config.reward_checkpoint, setup.config.observation_image
    assert folder is not None  # SessionConfig has seen to it
    try:
        classifier = RewardClassifier.load(folder)
    except CheckpointError as error:
        raise ConfigurationError(f"reward_checkpoint {folder}: no classifier that can be used: {error}") from error
    if (classifier.image.height, classifier.image.width) != (size.height, size.width):
        raise ConfigurationError(
            f"reward_checkpoint {folder}: judges pictures of {classifier.image.width} x {classifier.image.height} "
            f"pixels, session {setup.config.name!r} takes {size.width} x {size.height}: set observation_image to the "
            f"classifier's size, or name a classifier of this one"
        )
    return ClassifierReward(classifier)


def _goal_image(setup: SessionSetup) -> Image:
    path, size = setup.goal_image, setup.config.observation_image
    if path is None:
        raise ConfigurationError(
            f"session {setup.config.name!r}: reward 'goal_image' needs goal_image, a picture of the finished state "
            "taken by this session's camera"
        )
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ConfigurationError(f"goal_image {path}: no picture that can be read. Take it anew")
    return resize(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), size.height, size.width)
