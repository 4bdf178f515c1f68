"""What a policy sees of an insertion, without a camera: error to the estimated goal and pressing force."""

from __future__ import annotations

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
