"""Configurations that cannot work are refused with their remedy before anything moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tenon.configuration.base import ConfigurationError, parse
from tenon.configuration.camera import CameraConfig
from tenon.configuration.resolve import resolve_session
from tenon.configuration.safety import SafetyConfig
from tenon.configuration.session import ResetConfig, SessionConfig
from tenon.session.stand import load_stand

SESSION = {"name": "mine", "robot": "ur5", "task": "hard", "episodes": 7}
CAMERA = {"name": "wrist", "source": "simulation", "width": 64, "height": 64, "rate_hz": 10.0}
JOINT = {"name": "a", "lower_rad": -1.0, "upper_rad": 1.0, "speed_max_rad_s": 1.0}
SAFETY = {
    "robot": "test",
    "workspace": {"min_m": [0.0, 0.0, 0.0], "max_m": [1.0, 1.0, 1.0]},
    "joints": [JOINT],
    "tcp_speed_max_m_s": 0.25,
    "tcp_acceleration_max_m_s2": 5.0,
    "tcp_turn_max_rad_s": 1.0,
    "jump_max_m": 0.05,
    "jump_max_rad": 0.3,
    "joint_jump_max_rad": 0.3,
    "force_max_n": 50.0,
    "torque_max_nm": 10.0,
}


def test_periods_and_validity_follow_from_the_rates() -> None:
    config = parse(
        SessionConfig, {**SESSION, "teleop": "keyboard", "teleop_timeout_s": 0.5, "camera_rate_hz": 20.0}, where="test"
    )
    assert (config.control_period_s, config.control_period_ns) == (0.1, 100_000_000)
    assert config.command_validity_ns == 200_000_000
    assert config.teleop_timeout_ns == 500_000_000
    assert config.image_tolerance_ns == 25_000_000
    assert config.stream_timeout_ns == 1_000_000_000
    assert not config.image_needed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state_rate_hz": 20.0}, "5 times control_rate_hz"),
        ({"inner_rate_hz": 50.0}, "must not be below state_rate_hz"),
        ({"heartbeat_timeout_s": 0.2}, "below 2 control periods"),
        ({"heartbeat_rate_hz": 5.0}, "must be 13.3333 or more"),
        ({"reward": "goal_image"}, "needs a camera"),
        ({"reward": "goal_image", "cameras": ["wrist"], "camera_rate_hz": 5.0}, "needs control_rate_hz"),
        ({"reward": "applause"}, "'electrical', 'completion', 'dense', 'goal_image' or 'daib'"),
        ({"controller": "pid"}, "p_controller"),
        ({"episodes": 0}, "greater than 0"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"goal_error_m": float("nan")}, "goal_error_m"),
        ({"name": "No Spaces"}, "pattern"),
        ({"control_rate_hz": "fast"}, "valid number"),
        ({"reset": {"tolerance_m": 0.002}}, "reset.tolerance_m"),
        ({"reset": {"step_m": 0.04}}, "the arm could not move"),
        ({"taks": "hard"}, "did you mean 'task'"),
    ],
)
def test_session_that_cannot_work_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(SessionConfig, {**SESSION, **change}, where="test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workspace": {"min_m": [0, 0, 1.0], "max_m": [1, 1, 1]}}, "min_m on z is 1.0"),
        ({"joints": []}, "at least 1"),
        ({"joints": [JOINT, JOINT]}, "names must differ"),
        ({"joints": [{**JOINT, "lower_rad": 1.0}]}, "must be below upper_rad"),
        ({"force_max_n": 0.0}, "greater than 0"),
        ({"force_max_n": float("inf")}, "force_max_n"),
        ({"command_timeout_periods": 3.0}, "less than or equal to 2"),
        ({"command_lost_periods": 1.5}, "must not be less than command_timeout_periods, 2"),
    ],
)
def test_limits_that_protect_nothing_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(SafetyConfig, {**SAFETY, **change}, where="test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "device"}, "needs device"),
        ({"source": "device", "device": 0}, "fixed exposure_us and white_balance_k"),
        ({"source": "realsense"}, "needs serial"),
        ({"source": "file"}, "needs file"),
        ({"file": "a.mp4"}, "does not use it"),
        ({"source": "telescope"}, "'simulation'"),
        ({"width": 0}, "greater than 0"),
        ({"rate_hz": 1000.0}, "less than or equal to 240"),
    ],
)
def test_camera_that_cannot_work_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(CameraConfig, {**CAMERA, **change}, where="test")


def test_real_camera_with_fixed_exposure_is_accepted() -> None:
    fixed = {"source": "device", "device": "/dev/video0", "exposure_us": 8000, "white_balance_k": 4500}
    assert parse(CameraConfig, {**CAMERA, **fixed}, where="test").exposure_us == 8000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"safety": "sawyer"}, "name the safety file of this robot"),
        ({"control_rate_hz": 20.0, "heartbeat_timeout_s": 0.09}, "set control_rate_hz to 10"),
        ({"reset": ResetConfig(withdraw_m=0.2).model_dump()}, "reset.withdraw_m is 0.2"),
        ({"cameras": ["wirst"]}, "did you mean 'wrist'"),
    ],
)
def test_stand_whose_parts_do_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_stand(resolve_session("sim", change))


def test_stand_whose_reset_does_not_clear_a_deep_plug_is_refused(tmp_path: Path) -> None:
    plug = "{shape: rectangle, width_m: 0.02, height_m: 0.008}"
    (tmp_path / "deep.yaml").write_text(f"name: deep\nplug: {plug}\ndepth_m: 0.045\nclearance_m: 0.0005\n")
    with pytest.raises(ConfigurationError, match=r"46 mm above home .* reset\.withdraw_m of the session is 40 mm"):
        load_stand(resolve_session("sim", {"connector": str(tmp_path / "deep.yaml")}))
