"""gymnasium-robotics with a newer MuJoCo: the change stays where it is needed."""

from __future__ import annotations

import sys

import mujoco
import pytest

from tenon.simulation.robotics_package import RoboticsPackageError, robotics_module


def test_only_the_module_that_compares_sees_plain_integers():
    utilities = robotics_module("utils.mujoco_utils")
    assert type(utilities.mujoco.mjtJoint.mjJNT_HINGE) is int
    assert utilities.mujoco.mjtJoint.mjJNT_HINGE == mujoco.mjtJoint.mjJNT_HINGE.value
    assert robotics_module("envs.robot_env").mujoco is mujoco
    assert isinstance(mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint)


def test_asking_twice_changes_nothing_twice():
    before = robotics_module("utils.mujoco_utils").mujoco
    assert robotics_module("utils.mujoco_utils").mujoco is before


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium_robotics.utils.mujoco_utils", None)
    with pytest.raises(RoboticsPackageError, match=r'pip install "gymnasium-robotics>=1.4"'):
        robotics_module("envs.fetch.reach")
