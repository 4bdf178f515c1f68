"""Inverse kinematics at limits and in singular postures: what is reached, what is said, how calmly."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import load
from tenon.configuration.resolve import config_root
from tenon.control.geometry import pose
from tenon.control.kinematics import InverseKinematicsConfig, Kinematics
from tenon.control.types import Pose

TRIES = 30


def arm(name: str) -> ArmConfig:
    return load(ArmConfig, config_root() / "arms" / f"{name}.yaml")


def limits(config: ArmConfig) -> tuple[np.ndarray, np.ndarray]:
    return np.array([j.lower_rad for j in config.joints]), np.array([j.upper_rad for j in config.joints])


@pytest.mark.parametrize("name", ["ur5", "sawyer"])
def test_restarts_find_nearly_every_pose_that_the_arm_can_take(name: str) -> None:
    config = arm(name)
    kinematics, home = Kinematics(config), np.array(config.home_rad)
    lower, upper = limits(config)
    generator = np.random.default_rng(5)
    found = 0
    for _ in range(TRIES):
        target = kinematics.forward(generator.uniform(lower, upper))
        result = kinematics.inverse(target, home, generator=generator)
        assert (result.joint_position_rad >= lower).all()
        assert (result.joint_position_rad <= upper).all()
        found += result.converged
    assert found >= TRIES - 2


def test_without_a_generator_the_solution_stays_on_the_seeds_branch() -> None:
    config = arm("ur5")
    kinematics, home = Kinematics(config), np.array(config.home_rad)
    target = kinematics.forward(home + 0.1)
    np.testing.assert_allclose(kinematics.inverse(target, home).joint_position_rad, home + 0.1, atol=1e-4)


def test_a_joint_at_its_limit_is_named_and_the_others_go_on() -> None:
    config = arm("sawyer")
    kinematics = Kinematics(config)
    lower, upper = limits(config)
    seed = np.array(config.home_rad)
    seed[5] = upper[5]
    target = kinematics.forward(np.clip(seed + np.array((0.2, 0.1, -0.1, 0.1, 0.2, 0.0, 0.3)), lower, upper))
    result = kinematics.inverse(target, seed)
    assert result.converged
    stuck = kinematics.inverse(pose((3.0, 0.0, 0.3)), seed, InverseKinematicsConfig(iterations=30))
    assert not stuck.converged
    assert set(stuck.at_limit) <= set(config.joint_names)


def test_a_stretched_arm_is_singular_and_says_so() -> None:
    """A UR5 with a straight elbow cannot move its hand along the arm."""
    config = arm("ur5")
    kinematics, home = Kinematics(config), np.array(config.home_rad)
    stretched = home.copy()
    stretched[2] = 0.0
    assert kinematics.smallest_singular_value(stretched) < 1e-3
    assert kinematics.smallest_singular_value(home) > 0.1


def test_damping_grows_near_a_singular_posture_so_joints_do_not_race() -> None:
    config = arm("ur5")
    kinematics = Kinematics(config)
    stretched = np.array(config.home_rad)
    stretched[2] = 1e-3
    here = kinematics.forward(stretched)
    outwards = Pose(here.position_m + 0.02 * here.position_m / np.linalg.norm(here.position_m), here.quaternion_xyzw)
    one = InverseKinematicsConfig(iterations=1, step_limit_rad=10.0)
    careless = one.model_copy(update={"singular_damping": one.damping})
    calm = np.abs(kinematics.inverse(outwards, stretched, one).joint_position_rad - stretched).max()
    raced = np.abs(kinematics.inverse(outwards, stretched, careless).joint_position_rad - stretched).max()
    assert calm < 0.3 * raced
