"""The arm's file and the shipped limits lie within what the robot's joints can."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.safety import SafetyConfig

ROUNDED_RAD = 0.01
PUBLISHED_RAD = (
    (-3.0503, 3.0503),
    (-3.8095, 2.2736),
    (-3.0426, 3.0426),
    (-3.0439, 3.0439),
    (-2.9761, 2.9761),
    (-2.9761, 2.9761),
    (-4.7124, 4.7124),
)
"""right_j0 to right_j6: Rethink's URDF (sawyer_description)."""


def test_joint_limits_are_the_published_ones_rounded_inwards():
    joints = load_named(ArmConfig, ConfigKind.ARMS, "sawyer").joints
    for joint, (lower_rad, upper_rad) in zip(joints, PUBLISHED_RAD, strict=True):
        assert lower_rad <= joint.lower_rad == pytest.approx(lower_rad, abs=ROUNDED_RAD), joint.name
        assert upper_rad >= joint.upper_rad == pytest.approx(upper_rad, abs=ROUNDED_RAD), joint.name


def test_shipped_limits_are_inside_the_stops():
    joints = load_named(SafetyConfig, ConfigKind.SAFETY, "sawyer").joints
    for joint, (lower_rad, upper_rad) in zip(joints, PUBLISHED_RAD, strict=True):
        angles_rad = (lower_rad, joint.lower_rad - 0.05, joint.upper_rad + 0.05, upper_rad)
        assert all(low <= high for low, high in pairwise(angles_rad)), joint.name
