"""What a session with a claw names, loaded: robot, hand, limits, the valve task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tenon.configuration.base import ConfigurationError
from tenon.configuration.calibration import CalibrationConfig
from tenon.configuration.camera import CameraConfig
from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, load_named, names
from tenon.configuration.robot import RobotConfig
from tenon.configuration.safety import SafetyConfig
from tenon.configuration.session import SessionConfig
from tenon.configuration.teleop import TeleopConfig
from tenon.session.stand_checks import check_limits, check_patience, check_period
from tenon.simulation.valve_task import ValveTaskConfig

REVERSAL = 2.0
"""A joint that has not moved yet, and is then asked to go the other way, is asked for so many times its speed."""


@dataclass(frozen=True, slots=True)
class ClawStand:
    """The claw and its job as one session sees them. A claw has no camera, nothing taught, and is guided by hand."""

    session: SessionConfig
    robot: RobotConfig
    hand: HandConfig
    safety: SafetyConfig
    task: ValveTaskConfig
    cameras: tuple[CameraConfig, ...] = ()
    teleop: TeleopConfig | None = None
    calibration: CalibrationConfig | None = None

    @property
    def safety_name(self) -> str:
        """The file of the limits: the session's word counts, else the robot's."""
        return self.session.safety or self.robot.safety


def load_claw_stand(session: SessionConfig, *, root: Path | None = None) -> ClawStand:
    """Loads what a session names and checks that it fits together. Raises ConfigurationError."""
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, session.robot, root=root)
    hands = names(ConfigKind.HANDS, root=root)
    if robot.arm not in hands:
        raise ConfigurationError(
            f"task {session.task!r} is for a claw, robot {session.robot!r} is an arm: choose a robot whose file names "
            f"one of {', '.join(hands)}"
        )
    stand = ClawStand(
        session=session,
        robot=robot,
        hand=load_named(HandConfig, ConfigKind.HANDS, robot.arm, root=root),
        safety=load_named(SafetyConfig, ConfigKind.SAFETY, session.safety or robot.safety, root=root),
        task=load_named(ValveTaskConfig, ConfigKind.TASKS, session.task, root=root),
    )
    _check(stand)
    return stand


def _check(stand: ClawStand) -> None:
    session, safety, task = stand.session, stand.safety, stand.task
    if session.cameras or session.teleop or session.calibration or session.connector:
        raise ConfigurationError(
            f"session {session.name!r}: a claw's session has no cameras, teleop, calibration or connector: leave them "
            "out; `--session valve` has none"
        )
    check_limits(safety, stand.safety_name, session.robot, stand.hand)
    check_patience(safety, stand.safety_name, session)
    check_period(session, task.control_period_s)
    slowest_rad_s = min(joint.speed_max_rad_s for joint in safety.joints)
    asked_rad_s = REVERSAL * task.joint_speed_rad_s
    if asked_rad_s >= slowest_rad_s:
        raise ConfigurationError(
            f"task {session.task!r} asks for up to {asked_rad_s:g} rad/s, where a joint turns round, safety "
            f"{stand.safety_name!r} allows {slowest_rad_s:g}: lower joint_speed_rad_s"
        )
