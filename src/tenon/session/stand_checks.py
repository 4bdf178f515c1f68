"""What must fit together at every stand, whatever its job."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError
from tenon.configuration.camera import CameraConfig
from tenon.configuration.hand import HandConfig
from tenon.configuration.safety import SafetyConfig
from tenon.configuration.session import SessionConfig
from tenon.simulation.scene import WRIST_CAMERA

PERIOD_TOLERANCE_S = 1e-9
COMMAND_LOST_MAX_S = 1.0
"""A driver's process that ended is started anew after a second: by then the supervisor must hold a fault."""


def check_limits(safety: SafetyConfig, safety_name: str, robot: str, arm: ArmConfig | HandConfig) -> None:
    """The limits must be those of this robot's arm and joints. Raises ConfigurationError."""
    limited = tuple(joint.name for joint in safety.joints)
    if limited != tuple(arm.joint_names):
        raise ConfigurationError(
            f"safety {safety_name!r} limits the joints {', '.join(limited)}, but robot {robot!r} has "
            f"{', '.join(arm.joint_names)}: name the safety file of this robot"
        )
    if safety.robot != arm.name:
        raise ConfigurationError(
            f"safety {safety_name!r} has the limits of a {safety.robot!r} (robot in its file), but the arm of robot "
            f"{robot!r} is {arm.name!r}: name a safety file of this arm, or correct the one of them that is wrong"
        )


def check_cameras(robot: str, cameras: Sequence[CameraConfig]) -> None:
    """Of several real cameras one is started with a session, the first; what it sees is what policies see.

    Raises ConfigurationError where that is another camera than theirs.
    """
    real = next((camera.name for camera in cameras if camera.source != "simulation"), None)
    if real not in (None, WRIST_CAMERA):
        raise ConfigurationError(
            f"the first real camera of robot {robot!r} is {real!r}, and its pictures would go to policies and rewards, "
            f"which look through {WRIST_CAMERA!r}: give this robot a {WRIST_CAMERA!r} of its own (cameras in its file) "
            f"and name it before {real!r} in the session's cameras, or leave {real!r} out of them and start it beside "
            f"the session: python -m tenon_perception.camera_node --ros-args -r __ns:=/{real} -p camera:={real}"
        )


def check_patience(safety: SafetyConfig, safety_name: str, session: SessionConfig) -> None:
    """Periods are of the session, and silence must be a fault before anything is started anew. Raises
    ConfigurationError.
    """
    lost_s = safety.command_lost_periods * session.control_period_s
    if lost_s > COMMAND_LOST_MAX_S:
        raise ConfigurationError(
            f"safety {safety_name!r}: command_lost_periods of {safety.command_lost_periods:g} are {lost_s:g} s at the "
            f"control rate of session {session.name!r}, allowed are {COMMAND_LOST_MAX_S:g} s: lower it"
        )


def check_period(session: SessionConfig, task_period_s: float) -> None:
    """A task's numbers hold for the control period that it was made for. Raises ConfigurationError."""
    if abs(task_period_s - session.control_period_s) > PERIOD_TOLERANCE_S:
        raise ConfigurationError(
            f"task {session.task!r} was made for a control period of {task_period_s:g} s, session "
            f"{session.name!r} runs at {session.control_period_s:g} s: set control_rate_hz to {1 / task_period_s:g}"
        )
