"""What a policy sees of an insertion: error to the estimated goal, pressing force, and the picture if it has one."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from tenon.control.types import Vector
from tenon.data.transitions import EnvironmentSpec, ImageSpec, ObservationSpec
from tenon.simulation.tasks import ObservationScaleConfig

STATE_SIZE, ACTION_SIZE = 4, 3


def insertion_state(position_m: Vector, estimated_goal_m: Vector, press_n: float) -> NDArray[np.float32]:
    """(4,): [x - x_hat (3) in m, f_z in N]. press_n: tare subtracted, positive when pressed down."""
    return np.append(position_m - estimated_goal_m, press_n).astype(np.float32)


def insertion_spec(scale: ObservationScaleConfig, image: ImageSpec | None = None) -> EnvironmentSpec:
    """Sizes and scale of the above for a learner; the action is the residual. image: of the camera, if any."""
    divisors = tuple(float(value) for value in scale.divisors)
    return EnvironmentSpec(
        observation=ObservationSpec(state_size=STATE_SIZE, image=image, state_scale=divisors), action_size=ACTION_SIZE
    )


def insertion_space(image: ImageSpec | None = None) -> gymnasium.spaces.Space[Any]:
    """Of ``insertion_state``, or with a picture {"state", "image"}."""
    state = gymnasium.spaces.Box(-np.inf, np.inf, (STATE_SIZE,), np.float32)
    if image is None:
        return state
    return gymnasium.spaces.Dict({"state": state, "image": gymnasium.spaces.Box(0, 255, image.shape, np.uint8)})
