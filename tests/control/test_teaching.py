"""A pose is taken from an arm that rests, and from no other."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.control.geometry import pose, quaternion_from_rotation_vector
from tenon.control.teaching import PoseTeaching, TeachingConfig, TeachingError
from tenon.control.types import Pose, RobotState

PERIOD_NS = 20_000_000


def reading(index: int, offset_m: float = 0.0, *, flipped: bool = False) -> RobotState:
    quaternion = quaternion_from_rotation_vector((3.0, 0.01 * np.sin(index), 0.0))
    return RobotState(
        stamp_ns=index * PERIOD_NS,
        joint_position_rad=np.full(6, 0.1),
        joint_velocity_rad_s=np.zeros(6),
        joint_effort_nm=np.zeros(6),
        tcp_in_base=Pose(np.array((0.4 + offset_m, 0.0, 0.1)), -quaternion if flipped else quaternion),
    )


def test_the_mean_of_a_resting_arm_is_taken() -> None:
    generator, teaching = np.random.default_rng(0), PoseTeaching()
    index = 0
    while not teaching.done:
        teaching.add(reading(index, 5e-5 * generator.standard_normal(), flipped=index % 2 == 1))
        index += 1
    taught = teaching.result()
    assert taught.samples == 51
    np.testing.assert_allclose(taught.tcp_in_base.position_m, (0.4, 0.0, 0.1), atol=3e-5)
    assert abs(taught.tcp_in_base.quaternion_xyzw @ quaternion_from_rotation_vector((3.0, 0.0, 0.0))) > 0.9999, (
        "q and -q are the same turn"
    )
    assert 0.0 < taught.spread_m < 1e-4


def test_an_arm_that_moves_is_refused() -> None:
    teaching = PoseTeaching()
    for index in range(60):
        teaching.add(reading(index, 1e-4 * index))
    with pytest.raises(TeachingError, match=r"the arm moves: its TCP varies by 1\.73 mm"):
        teaching.result()


def test_too_few_readings_are_refused() -> None:
    teaching = PoseTeaching(TeachingConfig(samples_min=20))
    for index in (0, 30, 60):
        teaching.add(reading(index))
    with pytest.raises(TeachingError, match="3 readings came, 20 over 1 s are needed"):
        teaching.result()


def test_nan_is_refused() -> None:
    teaching = PoseTeaching()
    for index in range(60):
        state = reading(index)
        teaching.add(
            RobotState(
                state.stamp_ns,
                state.joint_position_rad,
                state.joint_velocity_rad_s,
                state.joint_effort_nm,
                pose((np.nan, 0.0, 0.1)),
            )
        )
    with pytest.raises(TeachingError, match="NaN"):
        teaching.result()
