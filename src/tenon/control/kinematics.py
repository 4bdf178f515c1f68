"""Forward kinematics, Jacobian and inverse kinematics of an arm, by Pinocchio, from the arm's parameters alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from tenon.configuration.arm import ArmConfig, FrameConfig
from tenon.configuration.base import Config
from tenon.control.geometry import conjugate, multiply, pose, quaternion_from_matrix, rotation_vector, unit
from tenon.control.types import Pose, Vector

FLANGE_FRAME, TCP_FRAME = "flange", "tcp"
BASE_AXES = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED


class InverseKinematicsConfig(Config):
    """Damped least squares within the joint limits: dq = J^T (J J^T + damping^2 I)^-1 error.

    damping: far from singular postures. Where the smallest singular value of J falls below singular_value_min, damping
    grows towards singular_damping (Nakamura and Hanafusa, 1986), so that joints do not race through a singularity.
    step_limit_rad: largest change of a joint per iteration. restarts: further searches from random postures, after one
    that did not converge, where ``inverse`` is handed a generator.
    """

    damping: PositiveFloat = 3e-3
    singular_damping: PositiveFloat = 0.05
    singular_value_min: PositiveFloat = 0.03
    step_limit_rad: PositiveFloat = 0.3
    iterations: PositiveInt = 200
    restarts: NonNegativeInt = 20
    position_tolerance_m: PositiveFloat = 1e-6
    rotation_tolerance_rad: PositiveFloat = Field(default=1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class InverseKinematicsResult:
    """joint_position_rad (n,), within the joint limits. Use it only where ``converged`` holds.

    smallest_singular_value: of the Jacobian there; near 0 some motion of the TCP would need boundless joint speeds.
    at_limit: names of the joints that stand at a limit.
    """

    joint_position_rad: Vector
    converged: bool
    position_error_m: float
    rotation_error_rad: float
    iterations: int
    smallest_singular_value: float
    at_limit: tuple[str, ...]


class Kinematics:
    """The chain base -> joints -> flange -> tool of one arm. Not thread-safe.

    tool: the TCP's pose in the flange; the flange itself when left out.
    """

    def __init__(self, arm: ArmConfig, tool: Pose | None = None) -> None:
        self._arm = arm
        self._model = arm_model(arm, tool)
        self._data = self._model.createData()
        self._tcp = self._model.getFrameId(TCP_FRAME)
        self._lower = np.array([joint.lower_rad for joint in arm.joints])
        self._upper = np.array([joint.upper_rad for joint in arm.joints])

    @property
    def size(self) -> int:
        """Number of joints."""
        return int(self._model.nq)

    def forward(self, joint_position_rad: Vector) -> Pose:
        """The TCP in the base. joint_position_rad: (n,)."""
        pin.framesForwardKinematics(self._model, self._data, self._angles(joint_position_rad))
        return _pose_of(self._data.oMf[self._tcp])

    def links(self, joint_position_rad: Vector) -> tuple[Pose, ...]:
        """Every link in the link before it, the first in the base; n of them, in the order of the joints."""
        pin.forwardKinematics(self._model, self._data, self._angles(joint_position_rad))
        return tuple(_pose_of(self._data.liMi[index]) for index in range(1, self._model.njoints))

    def jacobian(self, joint_position_rad: Vector) -> Vector:
        """(6, n) geometric Jacobian of the TCP in axes of the base: linear rows (m/rad), then angular."""
        angles = self._angles(joint_position_rad)
        return np.asarray(pin.computeFrameJacobian(self._model, self._data, angles, self._tcp, BASE_AXES))

    def smallest_singular_value(self, joint_position_rad: Vector) -> float:
        """Of the Jacobian: 0 in a singular posture."""
        return _smallest_singular_value(self.jacobian(joint_position_rad))

    def inverse(
        self,
        target: Pose,
        seed_rad: Vector,
        config: InverseKinematicsConfig | None = None,
        generator: np.random.Generator | None = None,
    ) -> InverseKinematicsResult:
        """Joint angles that bring the TCP to ``target`` (in the base), searched from ``seed_rad`` (n,).

        generator: where the search does not converge, ``restarts`` others begin at random postures; the best result is
        returned. Without one there is no such jump: the solution stays on the seed's branch.
        """
        config = config or InverseKinematicsConfig()
        best = self._search(target, np.array(seed_rad, dtype=np.float64), config)
        for _ in range(config.restarts if generator is not None else 0):
            if best.converged:
                break
            assert generator is not None
            other = self._search(target, generator.uniform(self._lower, self._upper), config)
            if other.converged or other.position_error_m < best.position_error_m:
                best = other
        return best

    def _search(self, target: Pose, joints: Vector, config: InverseKinematicsConfig) -> InverseKinematicsResult:
        for iteration in range(config.iterations + 1):
            jacobian = self.jacobian(joints)
            error = self._error(target)
            position_error, rotation_error = (float(np.linalg.norm(part)) for part in (error[:3], error[3:]))
            converged = position_error < config.position_tolerance_m and rotation_error < config.rotation_tolerance_rad
            if converged or iteration == config.iterations:
                break
            step = self._step(jacobian, error, joints, config)
            joints = np.clip(
                joints + np.clip(step, -config.step_limit_rad, config.step_limit_rad), self._lower, self._upper
            )
        return InverseKinematicsResult(
            joint_position_rad=joints,
            converged=converged,
            position_error_m=position_error,
            rotation_error_rad=rotation_error,
            iterations=iteration,
            smallest_singular_value=_smallest_singular_value(jacobian),
            at_limit=tuple(
                joint.name
                for joint, angle in zip(self._arm.joints, joints, strict=True)
                if angle in (joint.lower_rad, joint.upper_rad)
            ),
        )

    def _step(self, jacobian: Vector, error: Vector, joints: Vector, config: InverseKinematicsConfig) -> Vector:
        """The damped step. Joints that stand at a limit and would go on are left out, and the others do their work."""
        free = np.ones(self.size, dtype=bool)
        step = np.zeros(self.size)
        while free.any():
            own = jacobian[:, free]
            gram = own @ own.T + _damping(own, config) ** 2 * np.eye(6)
            step[:] = 0.0
            step[free] = own.T @ np.linalg.solve(gram, error)
            blocked = ((joints <= self._lower) & (step < 0.0)) | ((joints >= self._upper) & (step > 0.0))
            if not blocked.any():
                break
            free &= ~blocked
        return step

    def _error(self, target: Pose) -> Vector:
        """From where the last Jacobian was computed to the target, in axes of the base: (6,) m and rad."""
        placement = self._data.oMf[self._tcp]
        turn = multiply(target.quaternion_xyzw, conjugate(quaternion_from_matrix(placement.rotation)))
        return np.concatenate((target.position_m - placement.translation, rotation_vector(turn)))

    def _angles(self, joint_position_rad: Vector) -> Vector:
        angles = np.asarray(joint_position_rad, dtype=np.float64)
        if angles.shape != (self.size,):
            raise ValueError(f"{self._arm.name} has {self.size} joints, angles of shape {angles.shape} were given")
        return angles


def arm_model(arm: ArmConfig, tool: Pose | None = None) -> pin.Model:
    """The arm as Pinocchio sees it, with the frames "flange" and "tcp"."""
    model = pin.Model()
    model.name = arm.name
    parent = 0
    for joint in arm.joints:
        axis = np.array(joint.axis)
        turning = pin.JointModelRevoluteUnaligned(axis / np.linalg.norm(axis))
        limits = ([joint.effort_limit_nm], [joint.velocity_limit_rad_s], [joint.lower_rad], [joint.upper_rad])
        bounds = (np.array(value) for value in limits)
        parent = model.addJoint(parent, turning, _placement(frame_pose(joint.frame)), joint.name, *bounds)
    flange = _placement(frame_pose(arm.flange))
    tcp = flange if tool is None else flange * _placement(tool)
    for name, placement in ((FLANGE_FRAME, flange), (TCP_FRAME, tcp)):
        model.addFrame(pin.Frame(name, parent, placement, pin.FrameType.OP_FRAME))
    return model


def frame_pose(frame: FrameConfig) -> Pose:
    """The pose that a configured frame stands for."""
    return pose(frame.position_m, frame.quaternion_xyzw)


def _damping(jacobian: Vector, config: InverseKinematicsConfig) -> float:
    share = _smallest_singular_value(jacobian) / config.singular_value_min
    if share >= 1.0:
        return config.damping
    return config.damping + (config.singular_damping - config.damping) * (1.0 - share**2)


def _smallest_singular_value(jacobian: Vector) -> float:
    """Of the six directions: an arm of fewer joints than directions cannot move in some of them at all."""
    rows, columns = jacobian.shape
    return float(np.linalg.svd(jacobian, compute_uv=False)[-1]) if columns >= rows else 0.0


def _placement(value: Pose) -> pin.SE3:
    x, y, z, w = unit(value.quaternion_xyzw)
    return pin.SE3(pin.Quaternion(w, x, y, z), np.array(value.position_m))


def _pose_of(placement: pin.SE3) -> Pose:
    return Pose(placement.translation.copy(), quaternion_from_matrix(placement.rotation))
