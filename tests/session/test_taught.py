"""A real arm goes only where a person has taught it to go; what is simulated needs nobody for that."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tenon.configuration.base import ConfigurationError
from tenon.session.setup import load_setup
from tenon.session.taught import check_goal_is_taught
from tenon_session.testing.sessions import taught_session


@pytest.mark.parametrize("session", ["sim", "demo", "job"])
@pytest.mark.parametrize("robot", ["ur5", "ur5e", "sawyer"])
def test_real_arm_is_refused_the_goal_of_a_simulation(session: str, robot: str) -> None:
    setup = load_setup(session, {"robot": robot, "reward": "dense"})  # what teaches the goal loads it as well
    with pytest.raises(ConfigurationError, match=f"robot '{robot}' is a real arm, and session '{session}' names no"):
        check_goal_is_taught(setup)


def test_refusal_says_where_the_arm_would_go_and_what_to_type() -> None:
    setup = load_setup("sim", {"robot": "ur5", "task": "usb", "connector": "dsub"})
    goes = r"it would go to where task 'usb' says, \(0\.45, 0, 0\.\d+\) m\. "
    teach = r"Teach it \(tenon calibrate goal --robot ur5 --task usb --connector dsub\), and name it by `calibration:`"
    with pytest.raises(ConfigurationError, match=goes + teach):
        check_goal_is_taught(setup)


@pytest.mark.parametrize("robot", ["sim", "sawyer-sim", "ur5-gazebo", "ur5-emulated", "sawyer-emulated"])
def test_simulated_arm_goes_where_its_task_says(robot: str) -> None:
    check_goal_is_taught(load_setup("sim", {"robot": robot}))


def test_claw_has_nothing_to_be_taught() -> None:
    check_goal_is_taught(load_setup("valve", {"robot": "claw"}))


@pytest.mark.parametrize("robot", ["ur5", "ur5e", "sawyer"])
def test_first_days_session_runs_on_the_real_arm(tmp_path: Path, robot: str) -> None:
    setup = load_setup(taught_session(tmp_path, robot))
    check_goal_is_taught(setup)
    assert setup.nominal_goal_in_base.position_m[0] == 0.4504


def test_calibration_without_a_goal_does_not_do(tmp_path: Path) -> None:
    session = taught_session(tmp_path, "ur5")
    (tmp_path / "ur5-usb.yaml").write_text(yaml.safe_dump({"name": "ur5-usb", "robot": "ur5"}))
    with pytest.raises(ConfigurationError, match=r"calibration 'ur5-usb' has no goal.*--name ur5-usb\)"):
        check_goal_is_taught(load_setup(session))
