"""The controller's frame and its way of writing poses.

What a UR controller calls base is turned by 180 degrees about z against the base of the URDF, which is Tenon's.
A pose is x, y, z in m and a rotation vector in rad.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenon.control.geometry import multiply, quaternion_from_rotation_vector, rotation_vector
from tenon.control.types import Pose, Vector

HALF_TURN_XYZW = np.array((0.0, 0.0, 1.0, 0.0))
"""Either way: the same turn leads back."""


def turned(vector: Vector) -> Vector:
    """(3,) or (6,) from one base to the other."""
    signs = np.tile((-1.0, -1.0, 1.0), vector.shape[0] // 3)
    return vector * signs


def pose_from_controller(values: Sequence[float]) -> Pose:
    """Six numbers in the controller's base -> the pose in Tenon's."""
    return _turned_pose(pose_of(values))


def pose_to_controller(pose: Pose) -> list[float]:
    """A pose in Tenon's base -> six numbers in the controller's."""
    return values_of(_turned_pose(pose))


def pose_of(values: Sequence[float]) -> Pose:
    """Six numbers -> a pose, in the frame that they are in."""
    array = np.asarray(values, dtype=np.float64)
    return Pose(array[:3].copy(), quaternion_from_rotation_vector(array[3:]))


def values_of(pose: Pose) -> list[float]:
    """A pose -> six numbers, in the same frame."""
    return [*map(float, pose.position_m), *map(float, rotation_vector(pose.quaternion_xyzw))]


def _turned_pose(pose: Pose) -> Pose:
    return Pose(turned(pose.position_m), multiply(HALF_TURN_XYZW, pose.quaternion_xyzw))
