"""Calibrations as files: versions that are never lost, and sessions that refuse what is not theirs or too old."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tenon.configuration.arm import FrameConfig
from tenon.configuration.base import ConfigurationError, load
from tenon.configuration.calibration import (
    CalibrationConfig,
    GoalPicture,
    HandEye,
    MeasuredTare,
    TaughtGoal,
    TaughtReset,
)
from tenon.configuration.resolve import config_root, resolve_session
from tenon.control.frames import optical_frame
from tenon.session.calibrations import Wanted, add, check, read_or_begin, sha256_of, version_path
from tenon.session.frames import mounted_cameras
from tenon.session.setup import load_setup
from tenon.session.stand import load_stand

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
DOWN = (1.0, 0.0, 0.0, 0.0)
WANTED = Wanted(robot="sim", joints=6, task="hard", connector="hard", cameras=["wrist"])


def taken(**changes: Any) -> dict[str, Any]:
    return {"by": "ada", "at": NOW, "samples": 100, **changes}


def goal(**changes: Any) -> TaughtGoal:
    keys = {"task": "hard", "connector": "hard", "tcp_in_base": frame(DOWN), "spread_m": 1e-5}
    return TaughtGoal(**taken(**{**keys, **changes}))


def frame(quaternion: tuple[float, float, float, float], position: tuple[float, float, float] = (0.451, 0.001, 0.07)):
    return FrameConfig(position_m=position, quaternion_xyzw=quaternion)


def calibration(**parts: Any) -> CalibrationConfig:
    return CalibrationConfig(name="here", robot="sim", **parts)


def test_every_new_part_is_a_version_and_the_old_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "calibrations" / "here.yaml"
    first = add(path, "sim", goal=goal())
    second = add(path, "sim", goal=goal(by="grace"))
    third = add(path, "sim", reset=TaughtReset(**taken(joint_position_rad=(0.0,) * 6, spread_rad=0.0)))
    assert [first.version, second.version, third.version] == [1, 2, 3]
    assert [first.previous, second.previous, third.previous] == ["", first.identity, second.identity]
    assert third.goal == second.goal, "what was not taken anew stays"
    assert load(CalibrationConfig, version_path(path, 1)) == first
    assert load(CalibrationConfig, version_path(path, 2)) == second
    assert load(CalibrationConfig, path) == third
    assert len({first.identity, second.identity, third.identity}) == 3


def test_another_robots_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "here.yaml"
    add(path, "sim", goal=goal())
    with pytest.raises(ConfigurationError, match=r"taken on robot 'sim', this is 'ur5'.*--name"):
        read_or_begin(path, "ur5")


def test_a_stand_where_nothing_ages_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "here.yaml"
    path.write_text(yaml.safe_dump({"name": "here", "robot": "sim", "valid_days": None}))
    assert add(path, "sim", goal=goal()).valid_days is None


def test_what_fits_passes() -> None:
    check(calibration(goal=goal()), WANTED, NOW + timedelta(days=29))


@pytest.mark.parametrize(
    ("parts", "wanted", "says"),
    [
        ({}, {"robot": "ur5"}, "taken on robot 'sim', the session runs 'ur5'"),
        ({"goal": goal()}, {"task": "usb"}, "goal is of task 'hard'.*the session has 'usb'"),
        ({"goal": goal()}, {"connector": "usb"}, "with connector 'hard', the session has 'hard' with 'usb'"),
        (
            {"goal": goal()},
            {"connector": "mine", "connector_file": "own/mine.yaml"},
            r"\(tenon calibrate goal --robot sim --task hard --connector own/mine.yaml --name sim-hard-mine\)",
        ),
        ({"goal": goal(tcp_in_base=frame((0.995, 0.0, 0.0998, 0.0)))}, {}, "leans 11.5 degrees from straight down"),
        (
            {"reset": TaughtReset(**taken(joint_position_rad=(0.0,) * 7, spread_rad=0.0))},
            {},
            "has 7 joint angles, the arm has 6",
        ),
        (
            {
                "hand_eye": HandEye(
                    **taken(
                        camera="wrist",
                        camera_in_flange=frame(DOWN),
                        position_residual_m=1e-4,
                        rotation_residual_rad=1e-3,
                        reprojection_px=0.3,
                    )
                )
            },
            {"cameras": []},
            "hand_eye is of camera 'wrist', the session has none",
        ),
    ],
    ids=["robot", "task", "connector", "connector of one's own", "tilt", "joints", "camera"],
)
def test_what_is_of_another_stand_is_refused(parts: dict[str, Any], wanted: dict[str, Any], says: str) -> None:
    asked = Wanted(**{**{key: getattr(WANTED, key) for key in Wanted.__dataclass_fields__}, **wanted})
    with pytest.raises(ConfigurationError, match=says):
        check(calibration(**parts), asked, NOW)


def test_what_is_too_old_is_refused_with_the_command_that_takes_it_anew() -> None:
    tare = MeasuredTare(**taken(wrench=(0.0,) * 6, joint_position_rad=(0.0,) * 6, spread_n=0.1))
    old = calibration(goal=goal(), tare=tare.model_copy(update={"at": NOW - timedelta(days=40)}))
    with pytest.raises(ConfigurationError, match=r"tare was taken 40 days ago.*tenon calibrate tare --robot sim"):
        check(old, WANTED, NOW)


def test_goal_that_is_taught_anew_does_not_take_the_place_of_another_connectors() -> None:
    """Where the task now has another connector, the usual name is that of the calibration at hand."""
    asked = replace(WANTED, connector="usb")
    with pytest.raises(ConfigurationError, match="--task hard --name sim-hard-usb"):
        check(calibration(goal=goal()).model_copy(update={"name": "sim-hard"}), asked, NOW)


def test_a_goal_image_that_was_changed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "goal.png"
    file.write_bytes(b"picture")
    picture = GoalPicture(**taken(camera="wrist", task="hard", file=file, sha256=sha256_of(file)))
    check(calibration(goal_image=picture), WANTED, NOW)
    file.write_bytes(b"another")
    with pytest.raises(ConfigurationError, match="missing or was changed since"):
        check(calibration(goal_image=picture), WANTED, NOW)


def test_a_session_goes_by_what_was_taught() -> None:
    plain, taught = load_setup("sim"), load_setup("sim", {"calibration": "sim-hard"})
    kept = load(CalibrationConfig, config_root() / "calibrations" / "sim-hard.yaml")
    assert kept.goal is not None
    assert kept.reset is not None
    assert kept.hand_eye is not None
    np.testing.assert_allclose(taught.nominal_goal_in_base.position_m, kept.goal.tcp_in_base.position_m)
    assert taught.arm.home_rad == kept.reset.joint_position_rad
    assert taught.calibration_labels == {"stand": kept.label}
    assert plain.calibration_labels == {}
    assert taught.configuration_hash != plain.configuration_hash
    mounted = mounted_cameras(taught.stand)[optical_frame("wrist")]
    np.testing.assert_allclose(mounted.position_m, kept.hand_eye.camera_in_flange.position_m)
    np.testing.assert_allclose(
        mounted.position_m, mounted_cameras(plain.stand)[optical_frame("wrist")].position_m, atol=5e-4
    )


def test_a_session_of_another_task_refuses_the_calibration() -> None:
    with pytest.raises(ConfigurationError, match="its goal is of task 'hard'"):
        load_stand(resolve_session("sim", {"calibration": "sim-hard", "task": "usb"}))
