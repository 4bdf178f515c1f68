"""Forward kinematics, Jacobian and inverse kinematics of an arm, from its parameters alone (no simulator)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from tenon.configuration.arm import ArmConfig, FrameConfig
from tenon.configuration.base import Config
from tenon.control.geometry import (
    conjugate,
    matrix_from_quaternion,
    multiply,
    pose,
    quaternion_from_matrix,
    rotation_vector,
)
from tenon.control.types import Pose, Vector


class InverseKinematicsConfig(Config):
    """Damped least squares (Wampler, 1986): dq = J^T (J J^T + damping^2 I)^-1 error.

    damping: larger is calmer near singular postures. step_limit_rad: largest change of a joint per iteration.
    """

    damping: PositiveFloat = 3e-3
    step_limit_rad: PositiveFloat = 0.3
    iterations: PositiveInt = 200
    position_tolerance_m: PositiveFloat = 1e-6
    rotation_tolerance_rad: PositiveFloat = Field(default=1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class InverseKinematicsResult:
    """joint_position_rad (n,), within the joint limits. Use it only where ``converged`` holds."""

    joint_position_rad: Vector
    converged: bool
    position_error_m: float
    rotation_error_rad: float
    iterations: int


class Kinematics:
    """The chain base -> joints -> flange -> tool of one arm.

    tool: the TCP's pose in the flange; the flange itself when left out.
    """

    def __init__(self, arm: ArmConfig, tool: Pose | None = None) -> None:
        self._arm = arm
        self._frames = [_homogeneous(frame_pose(joint.frame)) for joint in arm.joints]
        self._axes = [np.array(joint.axis) for joint in arm.joints]
        self._skews = [_skew(axis) for axis in self._axes]
        end = _homogeneous(frame_pose(arm.flange))
        self._end = end if tool is None else end @ _homogeneous(tool)
        self._lower = np.array([joint.lower_rad for joint in arm.joints])
        self._upper = np.array([joint.upper_rad for joint in arm.joints])

    @property
    def size(self) -> int:
        """Number of joints."""
        return len(self._frames)

    def forward(self, joint_position_rad: Vector) -> Pose:
        """The TCP in the base. joint_position_rad: (n,)."""
        return _pose_of(self._chain(joint_position_rad)[-1])

    def jacobian(self, joint_position_rad: Vector) -> Vector:
        """(6, n) geometric Jacobian of the TCP in axes of the base: linear rows (m/rad), then angular."""
        return self._jacobian_of(self._chain(joint_position_rad))

    def inverse(
        self, target: Pose, seed_rad: Vector, config: InverseKinematicsConfig | None = None
    ) -> InverseKinematicsResult:
        """Joint angles that bring the TCP to ``target`` (in the base), searched from ``seed_rad`` (n,)."""
        config = config or InverseKinematicsConfig()
        joints = np.array(seed_rad, dtype=np.float64)
        for iteration in range(config.iterations + 1):
            chain = self._chain(joints)
            error = self._error(chain[-1], target)
            position_error, rotation_error = (float(np.linalg.norm(part)) for part in (error[:3], error[3:]))
            converged = position_error < config.position_tolerance_m and rotation_error < config.rotation_tolerance_rad
            if converged or iteration == config.iterations:
                break
            jacobian = self._jacobian_of(chain)
            gram = jacobian @ jacobian.T + config.damping**2 * np.eye(6)
            step = jacobian.T @ np.linalg.solve(gram, error)
            joints = np.clip(
                joints + np.clip(step, -config.step_limit_rad, config.step_limit_rad), self._lower, self._upper
            )
        return InverseKinematicsResult(joints, converged, position_error, rotation_error, iteration)

    def _chain(self, joint_position_rad: Vector) -> list[Vector]:
        """(4, 4) transforms in the base: of each joint, turned, then of the TCP."""
        angles = np.asarray(joint_position_rad, dtype=np.float64)
        if angles.shape != (self.size,):
            raise ValueError(f"{self._arm.name} has {self.size} joints, angles of shape {angles.shape} were given")
        transform, chain = np.eye(4), []
        for frame, skew, angle in zip(self._frames, self._skews, angles, strict=True):
            turn = np.eye(4)
            turn[:3, :3] += np.sin(angle) * skew + (1 - np.cos(angle)) * (skew @ skew)
            transform = transform @ frame @ turn
            chain.append(transform)
        chain.append(transform @ self._end)
        return chain

    def _jacobian_of(self, chain: list[Vector]) -> Vector:
        jacobian = np.empty((6, self.size))
        tip = chain[-1][:3, 3]
        for column, (transform, axis) in enumerate(zip(chain[:-1], self._axes, strict=True)):
            direction = transform[:3, :3] @ axis
            jacobian[:3, column] = np.cross(direction, tip - transform[:3, 3])
            jacobian[3:, column] = direction
        return jacobian

    @staticmethod
    def _error(transform: Vector, target: Pose) -> Vector:
        current = quaternion_from_matrix(transform[:3, :3])
        turn = rotation_vector(multiply(target.quaternion_xyzw, conjugate(current)))
        return np.concatenate((target.position_m - transform[:3, 3], turn))


def frame_pose(frame: FrameConfig) -> Pose:
    """The pose that a configured frame stands for."""
    return pose(frame.position_m, frame.quaternion_xyzw)


def _homogeneous(value: Pose) -> Vector:
    matrix = np.eye(4)
    matrix[:3, :3] = matrix_from_quaternion(value.quaternion_xyzw)
    matrix[:3, 3] = value.position_m
    return matrix


def _pose_of(matrix: Vector) -> Pose:
    return Pose(matrix[:3, 3].copy(), quaternion_from_matrix(matrix[:3, :3]))


def _skew(axis: Vector) -> Vector:
    x, y, z = axis
    return np.array(((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0)))
