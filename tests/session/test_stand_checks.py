"""What does not belong together at a stand, found as its session is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenon.configuration.base import ConfigurationError, load_yaml
from tenon.configuration.resolve import ConfigKind, resolve
from tenon.session.picture_check import cameras_not_started
from tenon.session.setup import load_setup

REAL = {"source": "device", "device": "/dev/video0", "width": 64, "height": 48, "rate_hz": 30.0}
REAL_LIGHT = {"exposure_us": 5000, "white_balance_k": 4000}


def robot_with(directory: Path, real: tuple[str, ...]) -> str:
    """The file of a UR5 with devices of its own for these cameras of a session."""
    files = {}
    for name in real:
        files[name] = str(directory / f"{name}.yaml")
        Path(files[name]).write_text(yaml.safe_dump({"name": name, **REAL, **REAL_LIGHT}))
    robot = directory / "lab.yaml"
    robot.write_text(yaml.safe_dump({**load_yaml(resolve(ConfigKind.ROBOTS, "ur5")), "cameras": files}))
    return str(robot)


@pytest.mark.parametrize(
    ("real", "cameras"), [(("overview",), ["wrist", "overview"]), (("wrist", "overview"), ["overview", "wrist"])]
)
def test_pictures_of_another_camera_never_go_out_as_the_policys(
    tmp_path: Path, real: tuple[str, ...], cameras: list[str]
) -> None:
    told = "first real camera of robot .* is 'overview'.* look through 'wrist': give this robot a 'wrist' of its own"
    with pytest.raises(ConfigurationError, match=told):
        load_setup("sim", {"robot": robot_with(tmp_path, real), "cameras": cameras})


@pytest.mark.parametrize("real", [(), ("wrist",), ("wrist", "overview")])
def test_policys_own_camera_is_the_one_that_is_started(tmp_path: Path, real: tuple[str, ...]) -> None:
    setup = load_setup("sim", {"robot": robot_with(tmp_path, real), "cameras": ["wrist", "overview"]})
    assert [camera.source == "device" for camera in setup.stand.cameras] == ["wrist" in real, "overview" in real]


@pytest.mark.parametrize(
    ("real", "told"),
    [
        ((), ["'wrist' is a simulated one", "'overview' is a simulated one"]),
        (("wrist",), ["'overview' is a simulated one"]),
        (("wrist", "overview"), ["'overview' is not started with the session.* -r __ns:=/overview -p camera:="]),
    ],
)
def test_camera_that_shows_nothing_in_a_session_is_told(tmp_path: Path, real: tuple[str, ...], told: list[str]) -> None:
    setup = load_setup("sim", {"robot": robot_with(tmp_path, real), "cameras": ["wrist", "overview"]})
    said = cameras_not_started(setup.insertion_stand)
    assert len(said) == len(told)
    assert all(re.search(pattern, text) for pattern, text in zip(told, said, strict=True))


def test_simulated_stand_shows_all_cameras() -> None:
    assert cameras_not_started(load_setup("sim").insertion_stand) == []


@pytest.mark.parametrize(
    "changes", [{"robot": "ur5e", "safety": "ur5"}, {"robot": "sim", "safety": "ur5e"}], ids=lambda one: one["robot"]
)
def test_limits_of_another_arm_with_the_same_joints_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="name a safety file of this arm, or correct the one"):
        load_setup("sim", changes)


def test_limits_under_another_name_are_those_of_their_arm(tmp_path: Path) -> None:
    file = tmp_path / "ur5-by-the-window.yaml"
    file.write_text(resolve(ConfigKind.SAFETY, "ur5").read_text())
    assert load_setup("sim", {"safety": str(file)}).stand.safety_name == str(file)
