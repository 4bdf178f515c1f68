"""Rotations and poses.

Quaternions are unit, in x, y, z, w order (REP 103); rotation vectors are axis times angle (rad).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tenon.control.types import Pose, Vector

SMALL_ANGLE_RAD = 1e-9


def unit(quaternion_xyzw: Sequence[float] | Vector) -> Vector:
    """The quaternion scaled to length 1. Raises ValueError for one that is zero or not finite."""
    quaternion = np.asarray(quaternion_xyzw, dtype=np.float64)
    length = math.sqrt(float(quaternion @ quaternion))
    if not math.isfinite(length) or length < SMALL_ANGLE_RAD:
        raise ValueError(f"quaternion {quaternion.tolist()} describes no rotation: its length is {length}")
    return quaternion / length


def multiply(left_xyzw: Vector, right_xyzw: Vector) -> Vector:
    """Hamilton product: the rotation ``right`` followed by ``left``."""
    ax, ay, az, aw = (float(value) for value in left_xyzw)
    bx, by, bz, bw = (float(value) for value in right_xyzw)
    return np.array(
        (
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        )
    )


def conjugate(quaternion_xyzw: Vector) -> Vector:
    """The inverse of a unit quaternion."""
    x, y, z, w = quaternion_xyzw
    return np.array((-x, -y, -z, w))


def rotate(quaternion_xyzw: Vector, vector: Vector) -> Vector:
    """The vector (3,) turned by the rotation."""
    return matrix_from_quaternion(quaternion_xyzw) @ np.asarray(vector, dtype=np.float64)


def matrix_from_quaternion(quaternion_xyzw: Vector) -> Vector:
    """(3, 3) rotation matrix."""
    x, y, z, w = (float(value) for value in quaternion_xyzw)
    return np.array(
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
            (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
            (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
        )
    )


def quaternion_from_matrix(matrix: Vector) -> Vector:
    """Unit quaternion of a (3, 3) rotation matrix, w >= 0. Branches on the largest component (Shepperd, 1978)."""
    m = np.asarray(matrix, dtype=np.float64)
    trace = float(np.trace(m))
    squares = np.array((1 + 2 * m[0, 0] - trace, 1 + 2 * m[1, 1] - trace, 1 + 2 * m[2, 2] - trace, 1 + trace))
    largest = int(np.argmax(squares))
    if largest == 3:
        quaternion = np.array((m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], squares[3]))
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        quaternion = np.empty(4)
        quaternion[i] = squares[i]
        quaternion[j] = m[j, i] + m[i, j]
        quaternion[k] = m[k, i] + m[i, k]
        quaternion[3] = m[k, j] - m[j, k]
    quaternion = unit(quaternion)
    return -quaternion if quaternion[3] < 0 else quaternion


def quaternion_from_rotation_vector(rotation_rad: Sequence[float] | Vector) -> Vector:
    """Exponential map: axis times angle (3,) to a unit quaternion."""
    rotation = np.asarray(rotation_rad, dtype=np.float64)
    angle = math.sqrt(float(rotation @ rotation))
    if angle < SMALL_ANGLE_RAD:
        return unit(np.append(rotation / 2, 1.0))
    return np.append(rotation * (math.sin(angle / 2) / angle), math.cos(angle / 2))


def rotation_vector(quaternion_xyzw: Vector) -> Vector:
    """Logarithm: the shortest rotation as axis times angle, (3,), length in [0, pi]."""
    quaternion = np.asarray(quaternion_xyzw, dtype=np.float64)
    if quaternion[3] < 0:
        quaternion = -quaternion
    sine = math.sqrt(float(quaternion[:3] @ quaternion[:3]))
    if sine < SMALL_ANGLE_RAD:
        return 2.0 * quaternion[:3]
    return quaternion[:3] * (2.0 * math.atan2(sine, float(quaternion[3])) / sine)


def roll_pitch_yaw(quaternion_xyzw: Vector) -> tuple[float, float, float]:
    """The rotation as turns about the fixed axes x, y, z in this order (rad), as URDF writes it; pitch in +-pi/2."""
    m = matrix_from_quaternion(unit(quaternion_xyzw))
    level = math.hypot(m[0, 0], m[1, 0])
    pitch = math.atan2(-m[2, 0], level)
    if level < SMALL_ANGLE_RAD:  # pitch of a right angle: roll and yaw turn about the same axis, yaw is left out
        return math.atan2(-m[1, 2], m[1, 1]), pitch, 0.0
    return math.atan2(m[2, 1], m[2, 2]), pitch, math.atan2(m[1, 0], m[0, 0])


def compose(a_to_b: Pose, b_to_c: Pose) -> Pose:
    """The pose of c in a: first ``a_to_b`` (b in a), then ``b_to_c`` (c in b)."""
    return Pose(
        a_to_b.position_m + rotate(a_to_b.quaternion_xyzw, b_to_c.position_m),
        unit(multiply(a_to_b.quaternion_xyzw, b_to_c.quaternion_xyzw)),
    )


def inverse(pose: Pose) -> Pose:
    """The pose of a in b, given that of b in a."""
    back = conjugate(pose.quaternion_xyzw)
    return Pose(-rotate(back, pose.position_m), back)


def interpolate(start: Pose, end: Pose, fraction: float) -> Pose:
    """From start (fraction 0) to end (1): straight in position, along the shortest arc in rotation (slerp)."""
    turn = rotation_vector(multiply(conjugate(start.quaternion_xyzw), end.quaternion_xyzw))
    return Pose(
        start.position_m + fraction * (end.position_m - start.position_m),
        unit(multiply(start.quaternion_xyzw, quaternion_from_rotation_vector(fraction * turn))),
    )


def distance(first: Pose, second: Pose) -> tuple[float, float]:
    """How far two poses are apart: (metres, radians)."""
    turn = rotation_vector(multiply(conjugate(first.quaternion_xyzw), second.quaternion_xyzw))
    return float(np.linalg.norm(first.position_m - second.position_m)), float(np.linalg.norm(turn))


def pose(
    position_m: Sequence[float] | Vector, quaternion_xyzw: Sequence[float] | Vector = (0.0, 0.0, 0.0, 1.0)
) -> Pose:
    """A Pose from any sequences, with the quaternion scaled to length 1."""
    return Pose(np.asarray(position_m, dtype=np.float64).copy(), unit(quaternion_xyzw))
