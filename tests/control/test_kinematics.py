"""The joint chain against the arms' published Denavit-Hartenberg tables, the Jacobian against differences."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import load
from tenon.control.geometry import conjugate, distance, matrix_from_quaternion, multiply, pose, rotation_vector
from tenon.control.kinematics import InverseKinematicsConfig, Kinematics

ARMS = Path(__file__).parents[2] / "config" / "arms"

# (a, d, alpha, theta offset) per joint: metres and degrees
UR5_DH = (
    (0.0, 0.089159, 90, 0),
    (-0.425, 0.0, 0, 0),
    (-0.39225, 0.0, 0, 0),
    (0.0, 0.10915, 90, 0),
    (0.0, 0.09465, -90, 0),
    (0.0, 0.0823, 0, 0),
)
UR5E_DH = (
    (0.0, 0.1625, 90, 0),
    (-0.425, 0.0, 0, 0),
    (-0.3922, 0.0, 0, 0),
    (0.0, 0.1333, 90, 0),
    (0.0, 0.0997, -90, 0),
    (0.0, 0.0996, 0, 0),
)
SAWYER_DH = (
    (0.081, 0.317, -90, 0),
    (0.0, 0.1925, -90, -90),
    (0.0, 0.4, 90, 0),
    (0.0, -0.1685, 90, 180),
    (0.0, 0.4, -90, 0),
    (0.0, 0.1363, 90, 0),
    (0.0, 0.13375, 0, 0),
)


def dh_flange(table, joints):
    """Flange in the DH base, (4, 4), by the classic convention."""
    transform = np.eye(4)
    for (a, d, alpha_deg, offset_deg), angle in zip(table, joints, strict=True):
        theta, alpha = angle + math.radians(offset_deg), math.radians(alpha_deg)
        ct, st, ca, sa = math.cos(theta), math.sin(theta), math.cos(alpha), math.sin(alpha)
        transform = transform @ np.array(
            ((ct, -st * ca, st * sa, a * ct), (st, ct * ca, -ct * sa, a * st), (0, sa, ca, d), (0, 0, 0, 1))
        )
    return transform


def arm(name):
    return load(ArmConfig, ARMS / f"{name}.yaml")


def random_postures(config, count, seed=0):
    lower = np.array([joint.lower_rad for joint in config.joints])
    upper = np.array([joint.upper_rad for joint in config.joints])
    return np.random.default_rng(seed).uniform(lower, upper, (count, len(lower)))


@pytest.mark.parametrize(("name", "table"), [("ur5", UR5_DH), ("ur5e", UR5E_DH)])
def test_ur_reaches_where_its_published_dh_table_says(name, table):
    """The DH base is the robot description's base turned by half a turn about z."""
    config = arm(name)
    kinematics = Kinematics(config)
    half_turn = np.diag((-1.0, -1.0, 1.0))
    for joints in random_postures(config, 50):
        expected = dh_flange(table, joints)
        flange = kinematics.forward(joints)
        np.testing.assert_allclose(flange.position_m, half_turn @ expected[:3, 3], atol=1e-6)
        axes = matrix_from_quaternion(flange.quaternion_xyzw)
        np.testing.assert_allclose(axes[:, 2], half_turn @ expected[:3, 2], atol=1e-6)


def test_sawyer_reaches_where_its_dh_table_says():
    """The table was fitted to another model of the arm, whose hand is 0.5 mm shorter."""
    config = arm("sawyer")
    kinematics = Kinematics(config)
    for joints in random_postures(config, 50):
        expected = dh_flange(SAWYER_DH, joints)
        np.testing.assert_allclose(kinematics.forward(joints).position_m, expected[:3, 3], atol=1e-3)


@pytest.mark.parametrize("name", ["ur5", "sawyer"])
def test_jacobian_is_the_derivative_of_the_forward_kinematics(name):
    config = arm(name)
    kinematics = Kinematics(config, pose((0.01, -0.02, 0.15), (0.1, 0.2, -0.1, 0.9)))
    step = 1e-6
    for joints in random_postures(config, 5):
        jacobian = kinematics.jacobian(joints)
        for column in range(kinematics.size):
            before, after = joints.copy(), joints.copy()
            before[column] -= step
            after[column] += step
            first, second = kinematics.forward(before), kinematics.forward(after)
            linear = (second.position_m - first.position_m) / (2 * step)
            turn = rotation_vector(multiply(second.quaternion_xyzw, conjugate(first.quaternion_xyzw)))
            np.testing.assert_allclose(jacobian[:3, column], linear, atol=1e-6)
            np.testing.assert_allclose(jacobian[3:, column], turn / (2 * step), atol=1e-6)


@pytest.mark.parametrize("name", ["ur5", "sawyer"])
def test_inverse_kinematics_finds_poses_near_home(name):
    config = arm(name)
    kinematics = Kinematics(config, pose((0.0, 0.0, 0.14)))
    home = np.array(config.home_rad)
    generator = np.random.default_rng(1)
    for _ in range(20):
        target = kinematics.forward(home + generator.uniform(-0.3, 0.3, kinematics.size))
        result = kinematics.inverse(target, home)
        assert result.converged
        metres, radians = distance(kinematics.forward(result.joint_position_rad), target)
        assert metres < 1e-6
        assert radians < 1e-6


def test_inverse_kinematics_says_so_when_a_pose_is_out_of_reach():
    config = arm("ur5")
    kinematics = Kinematics(config)
    search = InverseKinematicsConfig(iterations=50)
    result = kinematics.inverse(pose((3.0, 0.0, 0.3)), np.array(config.home_rad), search)
    assert not result.converged
    assert result.position_error_m > 1.0
    lower = np.array([joint.lower_rad for joint in config.joints])
    upper = np.array([joint.upper_rad for joint in config.joints])
    assert (result.joint_position_rad >= lower).all()
    assert (result.joint_position_rad <= upper).all()


def test_a_wrong_number_of_angles_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="ur5 has 6 joints"):
        Kinematics(arm("ur5")).forward(np.zeros(7))
