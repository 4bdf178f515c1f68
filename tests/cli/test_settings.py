"""What a session's graph is started with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import yaml

from tenon.cli.settings import beside_the_arm, launch_arguments, launch_file, nodes_of
from tenon.configuration.camera import CameraConfig
from tenon.console.liveness import ARM, ROLES
from tenon.session.setup import SessionSetup, load_setup


def with_real_camera(setup: SessionSetup) -> SessionSetup:
    """As on a stand where the session's ``wrist`` is the camera of the file ``bench``."""
    size_and_light = {"width": 64, "height": 64, "rate_hz": 10.0, "exposure_us": 8000, "white_balance_k": 4500}
    camera = CameraConfig(name="wrist", source="device", device="/dev/video0", **size_and_light)
    robot = setup.robot.model_copy(update={"cameras": {"wrist": "bench"}})
    return dataclasses.replace(setup, stand=dataclasses.replace(setup.stand, cameras=(camera,), robot=robot))


def test_simulated_camera_needs_no_node() -> None:
    assert beside_the_arm(load_setup("demo")) == ({}, [])


def test_real_camera_and_emulator_are_started_with_the_session() -> None:
    setup = with_real_camera(load_setup("sim", {"robot": "ur5-emulated", "cameras": ["wrist"]}))
    arguments = launch_arguments(Path("session.yaml"), setup, trainer=False)
    assert arguments["real_camera"] == arguments["emulator"] == "true"
    assert arguments["camera"] == "bench"
    assert {"camera_node", "emulated_stand"} <= set(nodes_of(setup, trainer=False))


def test_launch_file_declares_every_argument_that_is_given() -> None:
    declared = {entry["arg"]["name"] for entry in yaml.safe_load(launch_file().read_text())["launch"] if "arg" in entry}
    setup = with_real_camera(load_setup("sim", {"robot": "ur5-emulated", "cameras": ["wrist"]}))
    assert set(launch_arguments(Path("session.yaml"), setup, trainer=True)) <= declared


def test_console_can_say_what_the_loss_of_any_node_means() -> None:
    setups = (
        load_setup("demo"),
        load_setup("sim", {"robot": "claw-emulated", "task": "valve", "cameras": []}),
        with_real_camera(load_setup("sim", {"robot": "ur5-emulated", "cameras": ["wrist"]})),
    )
    nodes = {name for setup in setups for name in nodes_of(setup, trainer=True)}
    assert {"joint_controller", "residual_controller", "camera_node", "emulated_stand"} <= nodes
    assert nodes - {"arm_driver"} <= ROLES.keys() - {ARM}
