"""From a session's setup to what its graph is started with and measured against."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenon.configuration.resolve import config_root
from tenon.configuration.session import SessionConfig

if TYPE_CHECKING:
    from tenon.session.setup import SessionSetup

LAUNCH_FILE = Path("launch", "session.launch.yaml")
TRAINER_NODE = "trainer_node"
NODES = (
    "arm_driver",
    "safety_supervisor",
    "command_mux",
    "observation_node",
    "policy_node",
    "reward_node",
    TRAINER_NODE,
    "recorder_node",
    "session_manager",
)
"""Without these, and the controller of its kind of work, a session does not begin."""
EMULATOR_NODE, CAMERA_NODE = "emulated_stand", "camera_node"


def nodes_of(setup: SessionSetup, *, trainer: bool) -> list[str]:
    """The nodes that a session's graph consists of."""
    chosen = [setup.job.controller_node, *(name for name in NODES if trainer or name != TRAINER_NODE)]
    return [*chosen, *beside_the_arm(setup)[1]]


def beside_the_arm(setup: SessionSetup) -> tuple[dict[str, str], list[str]]:
    """What a robot needs beside its driver: arguments of a launch file, and the nodes that it then starts.

    A simulated camera belongs to the simulated arm; of real ones the first is started, the one that policies see.
    """
    arguments, nodes = {}, []
    if setup.robot.emulator is not None:
        arguments["emulator"] = "true"
        nodes.append(EMULATOR_NODE)
    files = [setup.robot.cameras.get(name, name) for name in setup.config.cameras]
    cameras = zip(files, setup.stand.cameras, strict=True)
    real = next((file for file, camera in cameras if camera.source != "simulation"), None)
    if real is not None:
        arguments |= {"real_camera": "true", "camera": real}
        nodes.append(CAMERA_NODE)
    return arguments, nodes


def launch_file() -> Path:
    """The launch file of a session, beside the configuration tree."""
    return config_root().parent / LAUNCH_FILE


def launch_arguments(session_file: Path, setup: SessionSetup, *, trainer: bool) -> dict[str, str]:
    """Arguments of the launch file: every node reads the resolved session and knows where data go."""
    from tenon.session.stand import Stand

    return {
        "session": str(session_file.absolute()),
        "run_directory": str(setup.run_directory),
        "trainer": "true" if trainer else "false",
        "controller_node": setup.job.controller_node,
        **beside_the_arm(setup)[0],
        **({} if isinstance(setup.stand, Stand) else {"stand_package": setup.robot.driver.package}),
    }


def expected_rates_hz(config: SessionConfig) -> dict[str, float]:
    """The contract's rates by topic, in session time."""
    return {
        "camera/image_raw": config.camera_rate_hz,
        "joint_states": config.state_rate_hz,
        "observation": config.control_rate_hz,
        "residual/command": config.control_rate_hz,
        "command/safe": config.control_rate_hz,
    }


def absolute(name: str | None) -> str | None:
    """What was typed, a path made absolute: a run that is resumed elsewhere must find it. A name stays as it is."""
    if name is None or not (os.sep in name or name.endswith((".yaml", ".yml"))):
        return name
    return str(Path(name).expanduser().absolute())


def absolute_path(path: Path | None) -> str | None:
    """As ``absolute``, of what is always a path."""
    return None if path is None else str(path.expanduser().absolute())


def typed(**options: Any) -> dict[str, Any]:
    """The options that were typed: those that are not None."""
    return {name: value for name, value in options.items() if value is not None}
