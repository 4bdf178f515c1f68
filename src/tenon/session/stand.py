"""All that a session names, loaded: robot, arm, limits, task, connector, cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError, parse
from tenon.configuration.calibration import CalibrationConfig
from tenon.configuration.camera import CameraConfig
from tenon.configuration.resolve import ConfigKind, load_named, names
from tenon.configuration.robot import RobotConfig
from tenon.configuration.safety import SafetyConfig
from tenon.configuration.session import SEARCHES, ControllerName, SessionConfig
from tenon.configuration.teleop import TeleopConfig
from tenon.control.residual import ResidualConfig
from tenon.session.calibrations import Wanted, check
from tenon.session.stand_checks import check_cameras, check_limits, check_patience, check_period
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.fits import check_fits
from tenon.simulation.tasks import InsertionTaskConfig


@dataclass(frozen=True, slots=True)
class Stand:
    """The robot and its job as one session sees them."""

    session: SessionConfig
    robot: RobotConfig
    arm: ArmConfig
    safety: SafetyConfig
    task: InsertionTaskConfig
    connector: ConnectorConfig
    cameras: tuple[CameraConfig, ...]
    teleop: TeleopConfig | None = None
    calibration: CalibrationConfig | None = None

    @property
    def safety_name(self) -> str:
        """The file of the limits: the session's word counts, else the robot's."""
        return self.session.safety or self.robot.safety


def load_stand(session: SessionConfig, *, root: Path | None = None) -> Stand:
    """Loads what a session names and checks that it fits together. Raises ConfigurationError."""
    task = load_named(InsertionTaskConfig, ConfigKind.TASKS, session.task, root=root)
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, session.robot, root=root)
    hands = names(ConfigKind.HANDS, root=root)
    if robot.arm in hands:
        raise ConfigurationError(
            f"task {session.task!r} is for an arm, robot {session.robot!r} is a claw: choose `--task valve`, or "
            "another robot"
        )
    stand = Stand(
        session=session,
        robot=robot,
        arm=load_named(ArmConfig, ConfigKind.ARMS, robot.arm, root=root),
        safety=load_named(SafetyConfig, ConfigKind.SAFETY, session.safety or robot.safety, root=root),
        task=task,
        connector=load_named(ConnectorConfig, ConfigKind.CONNECTORS, session.connector or task.connector, root=root),
        cameras=tuple(_load_camera(robot, name, root) for name in session.cameras),
        teleop=_load_teleop(session, root),
    )
    _check(stand)
    return stand if session.calibration is None else _calibrated(stand, session.calibration, root)


def _load_camera(robot: RobotConfig, name: str, root: Path | None) -> CameraConfig:
    """The file that the robot has for a camera of the session. Raises ConfigurationError."""
    file = robot.cameras.get(name, name)
    camera = load_named(CameraConfig, ConfigKind.CAMERAS, file, root=root)
    if name in robot.cameras and camera.name != name:
        raise ConfigurationError(
            f"camera {file!r} stands in for {name!r}, but its file says name: {camera.name}: write name: {name} there, "
            "for frames and calibrations go by it"
        )
    return camera


def _calibrated(stand: Stand, name: str, root: Path | None) -> Stand:
    """The stand with what was taught at it. Raises ConfigurationError where that is of another stand, or too old."""
    calibration = load_named(CalibrationConfig, ConfigKind.CALIBRATIONS, name, root=root)
    wanted = Wanted(
        robot=stand.session.robot,
        joints=len(stand.arm.joints),
        task=stand.session.task,
        connector=stand.connector.name,
        cameras=[camera.name for camera in stand.cameras],
        connector_file=stand.session.connector,
    )
    check(calibration, wanted, datetime.now(UTC))
    arm = stand.arm
    if calibration.reset is not None:
        arm = parse(ArmConfig, {**arm.model_dump(), "home_rad": calibration.reset.joint_position_rad}, where=name)
    return replace(stand, arm=arm, calibration=calibration)


def _load_teleop(session: SessionConfig, root: Path | None) -> TeleopConfig | None:
    return None if session.teleop is None else load_named(TeleopConfig, ConfigKind.TELEOP, session.teleop, root=root)


def controllers_of(task: InsertionTaskConfig) -> tuple[ControllerName, ...]:
    """What can act in a task: what adds to its hand-written controller, and what acts alone."""
    alone: tuple[ControllerName, ...] = ("policy", "teleop")
    return (*alone, *SEARCHES) if task.residual.base is None else ("residual", "p_controller", "p_dither", *alone)


def residual_of(task: InsertionTaskConfig, controller: str) -> ResidualConfig:
    """What an action means under a controller: added to the hand-written one, or alone the step that is taken."""
    return task.residual.alone() if controller in ("policy", "teleop") else task.residual


def _check(stand: Stand) -> None:
    session, safety, task = stand.session, stand.safety, stand.task
    if session.controller not in controllers_of(task):
        what = "has no" if task.residual.base is None else "has a"
        raise ConfigurationError(
            f"controller {session.controller!r} cannot act in task {session.task!r}, which {what} hand-written "
            f"controller (residual.base): choose one of {', '.join(controllers_of(task))}"
        )
    check_limits(safety, stand.safety_name, session.robot, stand.arm)
    check_cameras(session.robot, stand.cameras)
    check_patience(safety, stand.safety_name, session)
    check_period(session, task.control_period_s)
    if task.force_limit_n > safety.force_max_n:
        raise ConfigurationError(
            f"task {session.task!r} allows {task.force_limit_n:g} N, safety {stand.safety_name!r} only "
            f"{safety.force_max_n:g} N: lower force_limit_n"
        )
    command_timeout_s = safety.command_timeout_periods * session.control_period_s
    if stand.teleop is not None and session.teleop_timeout_s >= command_timeout_s:
        raise ConfigurationError(
            f"session {session.name!r}: teleop_timeout_s is {session.teleop_timeout_s:g}, but the supervisor stops the "
            f"arm {command_timeout_s:g} s after the last command, and a person who fell silent must have handed back "
            "before: lower it"
        )
    if stand.teleop is not None and stand.teleop.lead_m / session.control_period_s > safety.tcp_speed_max_m_s:
        raise ConfigurationError(
            f"teleop {session.teleop!r}: lead_m of {stand.teleop.lead_m:g} m per control period is faster than the "
            f"{safety.tcp_speed_max_m_s:g} m/s that the robot's limits allow: lower it"
        )
    reset_speed_m_s = session.reset.lead_m / session.control_period_s
    if reset_speed_m_s > safety.tcp_speed_max_m_s:
        raise ConfigurationError(
            f"session {session.name!r}: reset.lead_m of {session.reset.lead_m:g} m per control period is up to "
            f"{reset_speed_m_s:g} m/s, safety {stand.safety_name!r} allows {safety.tcp_speed_max_m_s:g} m/s: lower it"
        )
    if session.reset.withdraw_m > task.start_height_m:
        raise ConfigurationError(
            f"session {session.name!r}: reset.withdraw_m is {session.reset.withdraw_m:g}, task {session.task!r} starts "
            f"at {task.start_height_m:g} m: lower it"
        )
    check_fits(stand.connector, task, withdraw_m=session.reset.withdraw_m)
