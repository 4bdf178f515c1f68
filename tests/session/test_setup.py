"""What identifies the configuration that recorded data depend on, and what is refused in it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenon.configuration.base import ConfigurationError
from tenon.configuration.resolve import ConfigKind, resolve
from tenon.configuration.session import SessionConfig
from tenon.session.setup import APART_FROM_DATA, load_setup

MONDAY: dict[str, Any] = {
    "controller": "teleop",
    "teleop": "keyboard",
    "train": False,
    "run_directory": "runs/monday",
    "episodes": 10,
    "operator": "ana",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"run_directory": "runs/tuesday", "episodes": 7, "operator": "ben", "seed": 100},
        {"teleop": "gamepad"},
        {"controller": "p_controller", "teleop": None},
        {"algorithm": "awac", "weights_every_updates": 50},
        {"recording": {"compression": "lz4"}},
    ],
)
def test_which_run_it_is_who_acts_and_how_is_trained_leave_the_hash_of_the_data_as_it_is(
    changes: dict[str, Any],
) -> None:
    monday, other = load_setup("sim", MONDAY), load_setup("sim", {**MONDAY, **changes})
    assert other.data_hash == monday.data_hash
    assert other.configuration_hash != monday.configuration_hash, "reports tell all of the configuration"


@pytest.mark.parametrize(
    "changes",
    [
        {"state_rate_hz": 200.0},
        {"task": "usb"},
        {"connector": "usb"},
        {"robot": "ur5-emulated"},
        {"reward": "completion"},
        {"goal_error_m": 0.002},
        {"calibration": "sim-hard"},
        {"cameras": ("wrist",)},
        {"reset": {"withdraw_m": 0.03}},
    ],
)
def test_what_a_recorded_step_depends_on_changes_the_hash_of_the_data(changes: dict[str, Any]) -> None:
    assert load_setup("sim", {**MONDAY, **changes}).data_hash != load_setup("sim", MONDAY).data_hash


def test_what_is_left_out_are_keys_of_a_session() -> None:
    assert set(APART_FROM_DATA) <= set(SessionConfig.model_fields)


@pytest.mark.parametrize("name", ["wrist", "d435"])
def test_a_robots_own_camera_goes_by_the_name_that_the_session_has_for_it(tmp_path: Path, name: str) -> None:
    """Else its pictures were in a frame that nothing publishes, and its calibration would be another camera's."""
    camera = tmp_path / "d435.yaml"
    camera.write_text(f"name: {name}\nsource: simulation\nwidth: 64\nheight: 64\nrate_hz: 10.0\n")
    robot = tmp_path / "lab.yaml"
    shipped = yaml.safe_load(resolve(ConfigKind.ROBOTS, "sim").read_text())
    robot.write_text(yaml.safe_dump({**shipped, "cameras": {"wrist": str(camera)}}))
    fits = contextlib.nullcontext() if name == "wrist" else pytest.raises(ConfigurationError, match="write name: wrist")
    with fits:
        assert load_setup("sim", {"robot": str(robot)}).stand.cameras[0].name == "wrist"
