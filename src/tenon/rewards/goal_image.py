"""The image reward: how much the picture differs from a picture of the finished state."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration import Config
from tenon.rewards.base import Formula, RewardError, RewardObservation, RewardResult

_WHITE = 255.0
# ITU-R BT.601, as OpenCV turns RGB to grey.
_LUMA = np.array([0.299, 0.587, 0.114])


class GoalImageConfig(Config):
    """success_above: success where the reward is above this; the reward is 0 for the goal image itself, -1 at worst."""

    success_above: float = Field(default=-0.02, ge=-1.0, le=0.0)


class GoalImageReward(Formula):
    """r = -|o_goal - o|_1 / n over n grey pixels in [0, 1]: insertion.md 2.3, scaled into [-1, 0].

    goal: (height, width) or (height, width, 1 or 3), uint8. The goal image must be retaken after any move of the camera
    (insertion.md, pitfall 9).
    """

    name: ClassVar[str] = "goal_image"

    def __init__(self, goal: NDArray[np.uint8], config: GoalImageConfig):
        self._goal = grey(goal)
        self._config = config

    def reward(self, observation: RewardObservation) -> RewardResult:
        if observation.image is None:
            raise RewardError("the image reward needs an image, none was measured: check the camera")
        seen = grey(observation.image)
        if seen.shape != self._goal.shape:
            raise RewardError(
                f"the image is {seen.shape[0]} x {seen.shape[1]}, the goal image {self._goal.shape[0]} x "
                f"{self._goal.shape[1]} pixels: retake the goal image with this camera and this resize"
            )
        value = -float(np.abs(self._goal - seen).mean())
        return RewardResult(value=value, success=value > self._config.success_above)


def grey(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(height, width) in [0, 1] of a grey or RGB image of uint8. Raises RewardError for anything else."""
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3) or image.size == 0:
        raise RewardError(f"an image is {image.shape} of {image.dtype}: (height, width[, 1 or 3]) of uint8 is needed")
    if channels == 3:
        luminance: NDArray[np.float64] = image @ _LUMA / _WHITE
        return luminance
    return image.reshape(image.shape[:2]).astype(np.float64) / _WHITE
