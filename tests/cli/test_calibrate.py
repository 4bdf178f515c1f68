"""`tenon calibrate` at the simulated stand: what a person would do, done by a simulated hand, kept as versions."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tenon.cli.calibrate import Goal
from tenon.cli.checks.files import check_configuration
from tenon.cli.checks.finding import Severity
from tenon.cli.checks.robot import check_calibration, check_cameras, check_robot, check_stand
from tenon.cli.doctor import Doctor
from tenon.cli.errors import UsageError
from tenon.cli.main import main
from tenon.configuration.base import load
from tenon.configuration.calibration import CalibrationConfig, TaughtGoal
from tenon.configuration.camera import CameraConfig
from tenon.configuration.resolve import ROOT_VARIABLE, config_root
from tenon.configuration.session import SessionConfig
from tenon.control.geometry import distance
from tenon.control.kinematics import frame_pose
from tenon.session.calibrations import add
from tenon.session.frames import mounted_cameras
from tenon.session.setup import SessionSetup, load_setup
from tenon_session.teaching import StandError
from tenon_session.testing.sessions import taught_session

GRAPH_TIMEOUT_S = 240.0
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


def test_hand_eye_finds_where_the_simulation_mounts_the_camera(stand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_eye = ("calibrate", "hand-eye", "--robot", "sim")
    assert main([*hand_eye, "--postures", "9", "--by", "ada"]) == 0
    assert "the board seems to move by" in capsys.readouterr().err
    kept = load(CalibrationConfig, stand / "sim-hard.yaml")
    assert kept.hand_eye is not None
    assert (kept.hand_eye.by, kept.hand_eye.camera, kept.hand_eye.samples) == ("ada", "wrist", 9)
    truth = next(iter(mounted_cameras(load_setup("sim").stand).values()))
    metres, radians = distance(frame_pose(kept.hand_eye.camera_in_flange), truth)
    assert metres < 5e-4
    assert radians < 3e-3
    folder = next((stand / "sim-hard").glob("hand_eye_*"))
    assert main([*hand_eye, "--samples", str(folder), "--name", "again"]) == 0
    assert load(CalibrationConfig, stand / "again.yaml").hand_eye is not None
    assert check_configuration(stand.parent)[0].severity is Severity.OK, "pictures of the board are no calibration"
    index = yaml.safe_load((folder / "samples.yaml").read_text())
    index["samples"] = [index["samples"][0]] * 9
    (folder / "samples.yaml").write_text(yaml.safe_dump(index))
    assert main([*hand_eye, "--samples", str(folder), "--name", "alike"]) == 1
    assert "the postures are too alike" in capsys.readouterr().err
    assert not (stand / "alike.yaml").exists()


def test_a_board_can_be_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "board.png"
    assert main(["calibrate", "hand-eye", "--robot", "sim", "--print-board", str(out)]) == 0
    assert "84 x 60 mm" in capsys.readouterr().err
    assert cv2.imread(str(out)).shape == (1000, 1400, 3)


@pytest.mark.session
def test_a_goal_is_taught_by_hand(router: None, stand: Path) -> None:
    command = [sys.executable, "-m", "tenon.cli.main", "calibrate", "goal", "--robot", "sim"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=GRAPH_TIMEOUT_S, check=False)
    assert run.returncode == 0, run.stderr
    assert "off from where the task says" in run.stderr
    kept = load(CalibrationConfig, stand / "sim-hard.yaml")
    assert kept.goal is not None
    off_m = np.array(kept.goal.tcp_in_base.position_m) - load_setup("sim").nominal_goal_in_base.position_m
    assert np.abs(off_m).max() < CLEARANCE_M
    assert kept.goal.samples > 20


def test_goal_is_taught_for_a_connector_of_ones_own(stand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under a name of its own: the goal of the task's connector stays."""
    mine = stand.parent / "mine.yaml"
    mine.write_text((stand.parent / "connectors" / "usb.yaml").read_text().replace("name: usb", "name: mine"))
    setup, path, _ = Goal(robot="ur5", task="usb", connector=str(mine))._open()
    assert (setup.connector.name, path) == ("mine", stand / "ur5-usb-mine.yaml")
    doctor = Doctor(robot="ur5", task="usb", connector=str(mine))
    found = {finding.check: finding for finding in doctor._check_stand()}
    command = f"tenon calibrate goal --robot ur5 --task usb --connector {mine} --name ur5-usb-mine"
    assert found["calibration"].remedy == command
    assert f"--connector {mine} --controller" in found["next"].seen


def test_nodes_of_a_stand_see_the_connector_and_no_calibration_of_the_session(
    stand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the session's own goal, of another connector, would keep this one from being taught."""
    stand.mkdir()
    seen: list[SessionSetup] = []

    class Node:
        def __init__(self, parameters: Mapping[str, str]) -> None:
            seen.append(load_setup(parameters["session"]))
            raise StandError("seen")

    monkeypatch.setattr("tenon_session.graph.router", contextlib.nullcontext)
    monkeypatch.setattr("tenon_session.teaching.TeachingNode", Node)
    asked = ("--robot", "sim", "--session", "first", "--task", "usb", "--connector", "dsub")
    shutil.copy(taught_session(stand, "sim"), stand.parent / "sessions" / "first.yaml")
    assert main(["calibrate", "goal", *asked]) == 1
    (setup,) = seen
    assert (setup.config.name, setup.connector.name, setup.stand.calibration) == ("first", "dsub", None)


def test_another_robots_calibration_is_not_written_over(stand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stand.mkdir()
    (stand / "sim-hard.yaml").write_text("name: sim-hard\nrobot: ur5\n")
    assert main(["calibrate", "goal", "--robot", "sim"]) == 2
    assert "taken on robot 'ur5'" in " ".join(capsys.readouterr().err.split())


def test_doctor_walks_through_a_robots_stand(stand: Path) -> None:
    found = [*check_robot(load_setup("sim")), *check_stand(load_setup("sim"), "sim", None)]
    seen = {finding.check: finding for finding in found}
    assert seen["device"].severity is Severity.OK
    assert seen["calibration"].severity is Severity.WARNING
    assert seen["calibration"].remedy == "tenon calibrate goal --robot sim --task hard --name sim-hard"
    assert "tenon session run --session sim --robot sim --task hard" in seen["next"].seen


def test_doctor_looks_at_the_calibration_that_the_session_names(stand: Path) -> None:
    stand.mkdir()
    (stand / "mine.yaml").write_text("name: mine\nrobot: sim\n")
    session = yaml.safe_load((stand.parent / "sessions" / "sim.yaml").read_text())
    (stand.parent / "sessions" / "own.yaml").write_text(
        yaml.safe_dump({**session, "name": "own", "calibration": "mine"})
    )
    found = {finding.check: finding for finding in Doctor(robot="sim", session="own")._check_stand()}
    assert found["calibration"].seen.startswith("mine v1")
    assert "tenon session run --session own" in found["next"].seen


def test_calibration_that_the_session_names_is_added_to(stand: Path) -> None:
    session = yaml.safe_load((stand.parent / "sessions" / "sim.yaml").read_text())
    own = {**session, "name": "own", "connector": "dsub", "calibration": "ur5-by-the-window", "robot": "ur5"}
    (stand.parent / "sessions" / "own.yaml").write_text(yaml.safe_dump(own))
    assert Goal(session="own", robot="ur5")._open()[1] == stand / "ur5-by-the-window.yaml"
    assert Goal(session="own", robot="ur5", connector="usb")._open()[1].stem == f"ur5-{session['task']}-usb"
    (stand.parent / "sessions" / "own.yaml").write_text(yaml.safe_dump({**own, "calibration": "ur5-usb/v0001"}))
    with pytest.raises(UsageError, match="'ur5-usb/v0001', which may be an older version"):
        Goal(session="own", robot="ur5")._open()
    assert Goal(session="own", robot="ur5", name="mine")._open()[1] == stand / "mine.yaml"


def test_doctor_says_that_a_calibration_without_a_goal_does_not_move_a_real_arm(stand: Path) -> None:
    stand.mkdir()
    (stand / "mine.yaml").write_text("name: mine\nrobot: ur5\n")
    session = yaml.safe_load((stand.parent / "sessions" / "sim.yaml").read_text())
    own = {**session, "name": "own", "robot": "ur5", "reward": "dense", "calibration": "mine"}
    (stand.parent / "sessions" / "own.yaml").write_text(yaml.safe_dump(own))
    found = {finding.check: finding for finding in Doctor(robot="ur5", session="own")._check_stand()}
    assert (
        "calibration 'mine' has no goal, without which a real arm is refused: tenon calibrate goal"
        in found["next"].seen
    )


def test_doctor_says_that_what_was_taught_is_not_used(stand: Path) -> None:
    stand.mkdir()
    (stand / "sim-hard.yaml").write_text("name: sim-hard\nrobot: sim\n")
    found = {finding.check: finding for finding in Doctor(robot="sim")._check_stand()}
    assert "session 'sim' names no calibration" in found["next"].seen
    assert "calibration: sim-hard" in found["next"].seen
    assert found["calibration goal-image"].severity is Severity.INFO


def test_doctor_says_that_a_real_arm_is_not_moved_without_a_taught_goal(stand: Path) -> None:
    found = {finding.check: finding for finding in Doctor(robot="ur5", task="usb")._check_stand()}
    assert "no session moves a real arm without a taught goal" in found["calibration"].seen
    assert "session 'sim' names no calibration and is refused on a real arm" in found["next"].seen


def test_doctor_finds_what_was_taught_for_a_task_of_ones_own(stand: Path) -> None:
    stand.mkdir()
    (stand / "sim-own-task.yaml").write_text("name: sim-own-task\nrobot: sim\n")
    own = stand.parent / "own_task.yaml"
    shutil.copy(stand.parent / "tasks" / "hard.yaml", own)
    found = {finding.check: finding for finding in Doctor(robot="sim", task=str(own))._check_stand()}
    assert found["calibration"].seen.startswith("sim-own-task v1")


def test_doctor_says_that_a_real_stand_has_no_simulated_camera() -> None:
    found = {finding.check: finding for finding in Doctor(robot="ur5", task="usb")._check_stand()}
    assert found["camera wrist"].severity is Severity.WARNING
    assert "cameras: {wrist: NAME}" in found["camera wrist"].remedy


@pytest.mark.parametrize(("days", "severity"), [(1, Severity.OK), (26, Severity.WARNING), (31, Severity.ERROR)])
def test_doctor_tells_how_old_a_calibration_is(tmp_path: Path, days: int, severity: Severity) -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    path = tmp_path / "calibrations" / "here.yaml"
    goal = {
        "by": "ada",
        "at": now - timedelta(days=days),
        "samples": 50,
        "task": "hard",
        "connector": "hard",
        "tcp_in_base": {"position_m": (0.4, 0.0, 0.1), "quaternion_xyzw": (1.0, 0.0, 0.0, 0.0)},
        "spread_m": 1e-5,
    }
    add(path, "sim", goal=TaughtGoal.model_validate(goal))
    sim, other = (SessionConfig(name="here", robot=robot, task="hard", episodes=1) for robot in ("sim", "ur5"))
    found = {finding.check: finding for finding in check_calibration(path, sim, now, simulated=True)}
    assert found["calibration goal"].severity is severity
    assert found["calibration reset"].severity is Severity.INFO
    assert check_calibration(path, other, now, simulated=False)[0].severity is Severity.ERROR


def test_doctor_names_a_camera_that_is_not_there() -> None:
    camera = CameraConfig(
        name="wrist",
        source="device",
        device="/dev/video97",
        width=64,
        height=48,
        rate_hz=30,
        exposure_us=5000,
        white_balance_k=4000,
    )
    found = check_cameras([camera], simulated=False)[0]
    assert found.severity is Severity.ERROR
    assert found.seen.startswith("missing: camera 'wrist': device /dev/video97 cannot be opened")


@pytest.mark.parametrize("task", [None, "valve"])
def test_doctor_looks_at_an_emulated_claw_and_says_what_to_type_first(task: str | None) -> None:
    doctor = Doctor(robot="claw-emulated", task=task)
    found = {finding.check: finding for finding in (*doctor._check_robot(), *doctor._check_stand())}
    assert {finding.severity for finding in found.values()} <= {Severity.OK, Severity.INFO}, found
    assert "--robot claw-emulated --task valve --controller gait" in found["next"].seen
