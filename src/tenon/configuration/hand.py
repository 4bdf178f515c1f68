"""A claw as numbers: fingers around a palm, three servos each. Kinematics, simulation and driver are made from it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from tenon.configuration.base import Config

Name = Annotated[str, Field(min_length=1)]


class HandJointConfig(Config):
    """One joint, the same on each finger. velocity_limit_rad_s, torque_limit_nm: what the servo may ever do."""

    name: Name
    lower_rad: float
    upper_rad: float
    velocity_limit_rad_s: PositiveFloat
    torque_limit_nm: PositiveFloat

    @model_validator(mode="after")
    def _is_possible(self) -> HandJointConfig:
        if self.lower_rad >= self.upper_rad:
            raise ValueError(f"lower_rad {self.lower_rad} must be below upper_rad {self.upper_rad}")
        return self


class FingerConfig(Config):
    """A finger hangs down from the palm. azimuth_rad: where it sits around the palm's axis.

    Its joints, from the palm on: swing, about the axis that points away from the palm's middle (positive:
    counter-clockwise around the palm); bend and tip, which both take the tip away from the palm's middle.
    """

    name: Name
    azimuth_rad: float


class HandConfig(Config):
    """A claw after the D'Claw (Ahn et al., 2020), in primitive shapes. Palm frame: z up, x at azimuth 0.

    base_radius_m: from the palm's axis to the swing axis' origin of each finger. link_lengths_m: swing to bend, bend
    to tip, tip to the middle of the fingertip's ball. stiffness_nm_rad, damping_nm_s_rad: of the servo's position
    controller. armature_kg_m2: rotor and gears, at the joint. friction_nm: dry, of the gears, with torque and without.
    """

    name: Name
    fingers: Annotated[tuple[FingerConfig, ...], Field(min_length=1)]
    joints: tuple[HandJointConfig, HandJointConfig, HandJointConfig]
    base_radius_m: PositiveFloat
    link_lengths_m: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    link_masses_kg: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    tip_radius_m: PositiveFloat
    stiffness_nm_rad: PositiveFloat
    damping_nm_s_rad: PositiveFloat
    armature_kg_m2: PositiveFloat
    friction_nm: NonNegativeFloat

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Finger by finger, from the palm on."""
        return tuple(f"{finger.name}_{joint.name}" for finger in self.fingers for joint in self.joints)
