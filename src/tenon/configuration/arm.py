"""An arm as numbers: the joint chain, its masses and limits. Kinematics and simulation are both made from it."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, PositiveFloat, model_validator

from tenon.configuration.base import Config

Triple = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

UNIT_TOLERANCE = 1e-3


class CapsuleConfig(Config):
    """The drawn shape of a link, in the frame of its joint: a capsule between two points."""

    start_m: Triple
    end_m: Triple
    radius_m: PositiveFloat


class FrameConfig(Config):
    """A fixed transform, child in parent."""

    position_m: Triple = (0.0, 0.0, 0.0)
    quaternion_xyzw: Quaternion = (0.0, 0.0, 0.0, 1.0)

    @model_validator(mode="after")
    def _is_a_rotation(self) -> FrameConfig:
        norm = math.sqrt(sum(value * value for value in self.quaternion_xyzw))
        if abs(norm - 1.0) > UNIT_TOLERANCE:
            raise ValueError(f"quaternion_xyzw has length {norm:.4f}, a rotation needs 1 (order is x, y, z, w)")
        return self


class JointConfig(Config):
    """One revolute joint and the link that it moves.

    frame: the joint's frame in the previous link's. axis: rotation axis in that frame. inertia_kg_m2: principal moments
    about the centre of mass, along the axes of the frame. armature_kg_m2: reflected rotor inertia.
    """

    name: Annotated[str, Field(min_length=1)]
    frame: FrameConfig
    axis: Triple
    lower_rad: float
    upper_rad: float
    velocity_limit_rad_s: PositiveFloat
    effort_limit_nm: PositiveFloat
    mass_kg: PositiveFloat
    centre_of_mass_m: Triple
    inertia_kg_m2: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    armature_kg_m2: PositiveFloat
    damping_nm_s: PositiveFloat
    capsule: CapsuleConfig

    @model_validator(mode="after")
    def _is_possible(self) -> JointConfig:
        if self.lower_rad >= self.upper_rad:
            raise ValueError(f"lower_rad {self.lower_rad} must be below upper_rad {self.upper_rad}")
        length = math.sqrt(sum(value * value for value in self.axis))
        if abs(length - 1.0) > UNIT_TOLERANCE:
            raise ValueError(f"axis {self.axis} has length {length:.4f}, it must be 1")
        return self

    @property
    def link_name(self) -> str:
        """The link that it moves, as frames and robot descriptions call it."""
        return f"{self.name.removesuffix('_joint')}_link"


class ArmConfig(Config):
    """A serial arm of revolute joints with a flange.

    flange: in the last joint's frame; its +z leaves the arm. home_rad: a comfortable posture, tool pointing down, from
    which inverse kinematics starts.
    """

    name: Annotated[str, Field(min_length=1)]
    base_mass_kg: PositiveFloat
    joints: Annotated[tuple[JointConfig, ...], Field(min_length=1)]
    flange: FrameConfig
    home_rad: tuple[float, ...]

    @model_validator(mode="after")
    def _home_fits(self) -> ArmConfig:
        if len(self.home_rad) != len(self.joints):
            raise ValueError(f"home_rad has {len(self.home_rad)} values for {len(self.joints)} joints")
        for joint, angle in zip(self.joints, self.home_rad, strict=True):
            if not joint.lower_rad <= angle <= joint.upper_rad:
                raise ValueError(f"home_rad of {joint.name} is {angle}, outside [{joint.lower_rad}, {joint.upper_rad}]")
        names = [joint.name for joint in self.joints]
        if len(set(names)) != len(names):
            raise ValueError(f"joint names must differ: {names}")
        return self

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)
