"""`tenon calibrate` at the simulated stand: what a person would do, done by a simulated hand, kept as versions."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tenon.configuration.base import load
from tenon.configuration.calibration import CalibrationConfig
from tenon.configuration.resolve import ROOT_VARIABLE, config_root
from tenon.control.geometry import distance
from tenon.control.kinematics import frame_pose
from tenon.session.frames import mounted_cameras
from tenon.session.setup import load_setup

Tenon = Callable[..., subprocess.CompletedProcess[str]]
CLEARANCE_M = 0.0006
"""Of the hard socket, to a side, and what its contact gives."""


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration tree of one's own, with the launch files beside it; returns where its calibrations go."""
    checkout = config_root().parent
    for folder in ("config", "launch"):
        shutil.copytree(checkout / folder, tmp_path / folder)
    shutil.rmtree(tmp_path / "config" / "calibrations")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "config"))
    return tmp_path / "config" / "calibrations"


def test_hand_eye_finds_where_the_simulation_mounts_the_camera(tenon: Tenon, stand: Path) -> None:
    run = tenon("calibrate", "hand-eye", "--robot", "sim", "--postures", "9", "--by", "ada")
    assert run.returncode == 0, run.stderr
    assert "9: " in run.stderr
    assert "the board seems to move by" in run.stderr
    kept = load(CalibrationConfig, stand / "sim-hard.yaml")
    assert kept.hand_eye is not None
    assert (kept.hand_eye.by, kept.hand_eye.camera, kept.hand_eye.samples) == ("ada", "wrist", 9)
    truth = next(iter(mounted_cameras(load_setup("sim").stand).values()))
    metres, radians = distance(frame_pose(kept.hand_eye.camera_in_flange), truth)
    assert metres < 5e-4
    assert radians < 3e-3
    folder = next((stand / "sim-hard").glob("hand_eye_*"))
    again = tenon("calibrate", "hand-eye", "--robot", "sim", "--samples", str(folder), "--name", "again")
    assert again.returncode == 0, again.stderr
    assert load(CalibrationConfig, stand / "again.yaml").hand_eye is not None
    index = yaml.safe_load((folder / "samples.yaml").read_text())
    index["samples"] = [index["samples"][0]] * 9
    (folder / "samples.yaml").write_text(yaml.safe_dump(index))
    alike = tenon("calibrate", "hand-eye", "--robot", "sim", "--samples", str(folder), "--name", "alike")
    assert alike.returncode == 1
    assert "the postures are too alike" in alike.stderr
    assert not (stand / "alike.yaml").exists()


def test_a_board_can_be_printed(tenon: Tenon, tmp_path: Path) -> None:
    out = tmp_path / "board.png"
    run = tenon("calibrate", "hand-eye", "--robot", "sim", "--print-board", str(out))
    assert run.returncode == 0, run.stderr
    assert "84 x 60 mm" in run.stderr
    assert cv2.imread(str(out)).shape == (1000, 1400, 3)


@pytest.mark.session
def test_goal_and_reset_are_taught_by_hand(router: None, tenon: Tenon, stand: Path) -> None:
    taught = tenon("calibrate", "goal", "--robot", "sim")
    assert taught.returncode == 0, taught.stderr
    assert "off from where the task says" in taught.stderr
    kept = load(CalibrationConfig, stand / "sim-hard.yaml")
    assert kept.goal is not None
    setup = load_setup("sim")
    off_m = np.array(kept.goal.tcp_in_base.position_m) - setup.nominal_goal_in_base.position_m
    assert np.abs(off_m).max() < CLEARANCE_M
    assert kept.goal.samples > 20
    reset = tenon("calibrate", "reset", "--robot", "sim")
    assert reset.returncode == 0, reset.stderr
    kept = load(CalibrationConfig, stand / "sim-hard.yaml")
    assert (kept.version, kept.goal is not None, kept.reset is not None) == (2, True, True)
    assert load_setup("sim", {"calibration": "sim-hard"}).arm.home_rad == kept.reset.joint_position_rad


def test_what_cannot_be_done_is_said(tenon: Tenon, stand: Path) -> None:
    stand.mkdir()
    (stand / "sim-hard.yaml").write_text("name: sim-hard\nrobot: ur5\n")
    run = tenon("calibrate", "goal", "--robot", "sim")
    assert run.returncode == 2
    assert "taken on robot 'ur5'" in " ".join(run.stderr.split())
