"""What the driver of Gazebo's arm needs to know: driver.settings in the robot's file."""

from __future__ import annotations

from pydantic import PositiveFloat

from tenon.configuration.base import Config


class DriverSettings(Config):
    """joint_stiffness_nm_rad, joint_damping_nm_s_rad: on the way to the first posture, and for joint references.

    first_speed_rad_s: of that first way: Gazebo starts an arm with all joints at zero.
    first_tolerance_rad: it has arrived within this, and the session may have it.
    """

    joint_stiffness_nm_rad: PositiveFloat = 400.0
    joint_damping_nm_s_rad: PositiveFloat = 40.0
    first_speed_rad_s: PositiveFloat = 0.5
    first_tolerance_rad: PositiveFloat = 0.02
