"""The first day with a robot, step by step: what is there, what is missing, what to type next (docs/first-day.md)."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tenon.cli.checks.finding import Finding, error, info, ok, warning
from tenon.configuration.base import ConfigurationError, load, parse
from tenon.configuration.calibration import CalibrationConfig
from tenon.configuration.camera import CameraConfig
from tenon.configuration.robot import DeviceConfig, RobotConfig
from tenon.configuration.session import SessionConfig
from tenon.session.calibrations import calibrate_command
from tenon.session.claw_stand import ClawStand
from tenon.session.rewards import lacks_detector
from tenon.session.setup import SessionSetup

AGE_WARNING = 0.8
"""Share of valid_days after which a calibration is due soon."""
PARTS = ("goal", "reset", "tare", "hand_eye", "goal_image")
NEEDED = ("goal",)
EMULATED_ANSWER_S = 0.5
LIBRARIES = {
    "tenon_ur5": ("rtde_control", "ur-rtde", "ur5"),
    "tenon_claw": ("dynamixel_sdk", "dynamixel-sdk", "claw"),
    "tenon_realsense": ("pyrealsense2", "pyrealsense2", "realsense"),
}
"""By driver package: the module it needs, its distribution, the extra that brings it."""


def check_robot(setup: SessionSetup) -> list[Finding]:
    """The robot's file, the vendor's library, and the device itself, as its own package looks at it."""
    robot, name = setup.robot, setup.config.robot
    findings = [ok("robot", f"{name}: arm {robot.arm}, limits {robot.safety}, driver {robot.driver.package}")]
    findings.append(check_detector(setup))
    findings += _check_library(robot.driver.package)
    if any(finding.severity.value == "error" for finding in findings):
        return findings
    return findings + _check_device(setup, robot)


def check_detector(setup: SessionSetup) -> Finding:
    """Without one a session runs only on a reward that needs none."""
    if setup.job.has_detector:
        return ok("detector", f"the stand tells when the work is done ({setup.robot.detector or 'from its joints'})")
    seen = "nothing at this stand tells of the connection"
    if lacks_detector(setup):
        remedy = "set it to dense, goal_image or daib, or wire a continuity tester (docs/first-day.md)"
        return warning("detector", f"{seen}, and reward {setup.config.reward!r} needs that", remedy)
    return info("detector", f"{seen}; reward {setup.config.reward!r} does without")


def _check_library(package: str) -> list[Finding]:
    if package not in LIBRARIES:
        return []
    module, distribution, extra = LIBRARIES[package]
    try:
        importlib.import_module(module)
    except ImportError as failure:
        return [error("vendor library", f"{distribution}: {failure}", f"pip install -e '.[{extra}]'")]
    version = importlib.metadata.version(distribution)
    return [ok("vendor library", f"{distribution} {version}")]


def _check_device(setup: SessionSetup, robot: RobotConfig) -> list[Finding]:
    device = robot.driver
    if importlib.util.find_spec(f"{device.package}.checks") is None:
        if robot.time == "simulated":
            return [ok("device", "simulated: there is nothing to plug in")]
        return [info("device", f"{device.package} has no checks of its own; the first session will tell")]
    checks: Any = importlib.import_module(f"{device.package}.checks")
    try:
        settings = _settings(device)
    except ConfigurationError as failure:
        return [error("device", str(failure), f"correct config/robots/{setup.config.robot}.yaml")]
    with _emulated(setup, robot, settings) as (said, settings):
        return [*said, *checks.check(settings)]


def _settings(device: DeviceConfig) -> Any:
    module: Any = importlib.import_module(f"{device.package}.config")
    return parse(module.DriverSettings, device.settings, where=f"driver {device.package}: settings")


@contextmanager
def _emulated(setup: SessionSetup, robot: RobotConfig, settings: Any) -> Iterator[tuple[list[Finding], Any]]:
    """An emulated device runs while it is looked at, as it does in a session. Yields what to say, and its settings."""
    if robot.emulator is None:
        yield [], settings
        return
    said = [ok("emulator", f"{robot.emulator.package}: the device is emulated on this machine")]
    if isinstance(setup.stand, ClawStand):
        from tenon_claw.emulator.stand import EmulatedClaw, scratch_port

        # A session's port lies in its run directory; a bus in this process answers when this process lets it.
        with scratch_port() as port:
            settings = settings.model_copy(update={"port": port, "answer_margin_s": EMULATED_ANSWER_S})
            with EmulatedClaw(settings, setup.stand.hand, setup.stand.task):
                yield said, settings
        return
    from tenon_mujoco.emulator_process import EmulatorProcess

    with EmulatorProcess(robot, setup.config.task):
        yield said, settings


def check_cameras(cameras: Sequence[CameraConfig], *, simulated: bool) -> list[Finding]:
    """Opens every camera and takes a picture. simulated: whether the stand itself is."""
    return [_check_camera(camera, simulated=simulated) for camera in cameras]


def _check_camera(config: CameraConfig, *, simulated: bool) -> Finding:
    from tenon_camera.frame import CameraError
    from tenon_camera.sources import create_camera
    from tenon_camera.watched import WatchedCamera

    check = f"camera {config.name}"
    if config.source == "simulation":
        if simulated:
            return ok(check, "simulated")
        remedy = f"give this robot one of its own by cameras: {{{config.name}: NAME}} in its file (docs/first-day.md)"
        return warning(check, "its file says simulation, and nothing simulates here: no picture will come", remedy)
    camera: WatchedCamera | None = None
    try:
        camera = WatchedCamera(create_camera(config), config)
        camera.open()
        lens = camera.intrinsics
    except CameraError as failure:
        return error(check, f"{failure.fault}: {failure}", "hardware/realsense/manual.md, hardware/camera/manual.md")
    finally:
        if camera is not None:
            camera.close()
    seen = f"{config.source}: a picture of {config.width} x {config.height} pixels"
    if lens is None:
        remedy = f"give intrinsics in config/cameras/{config.name}.yaml: hand-eye calibration needs them"
        return warning(check, f"{seen}; its lens is not known", remedy)
    return ok(check, f"{seen}, focal length {lens.fx:.0f} px")


def check_calibration(path: Path, session: SessionConfig, now: datetime, *, simulated: bool) -> list[Finding]:
    """What was taught at the stand, and how old it is.

    path: where the calibration lies, or will lie. simulated: whether the stand is, which then goes to the task's goal.
    """
    robot, how = session.robot, _command("goal", session, path)
    if not path.is_file():
        so = "the task's own goal counts" if simulated else "no session moves a real arm without a taught goal"
        return [warning("calibration", f"{path.name}: nothing was taught yet; {so}", how)]
    known = load(CalibrationConfig, path)
    if known.robot != robot:
        return [error("calibration", f"{path}: taken on robot {known.robot!r}", f"take one of {robot!r}: {how}")]
    findings = [ok("calibration", f"{known.label}; a session uses it by calibration: {known.name}")]
    return findings + [_check_part(known, part, _command(part, session, path), now) for part in PARTS]


def _check_part(known: CalibrationConfig, name: str, command: str, now: datetime) -> Finding:
    """command: takes it."""
    check, part = f"calibration {name.replace('_', '-')}", known.parts.get(name)
    if part is None:
        tell = warning if name in NEEDED else info_with
        return tell(check, "not taken yet", command)
    age = now - part.at
    seen = f"{age.days} days old, by {part.by}"
    if known.valid_days is None:
        return ok(check, f"{seen}; nothing ages here")
    if age > timedelta(days=known.valid_days):
        return error(check, f"{seen}, {known.valid_days:g} are allowed", command)
    if age > AGE_WARNING * timedelta(days=known.valid_days):
        return warning(check, f"{seen}, {known.valid_days:g} are allowed", command)
    return ok(check, seen)


def info_with(check: str, seen: str, remedy: str) -> Finding:
    """Worth a thought, and no drawback."""
    return info(check, f"{seen}; if wanted: {remedy}")


def _command(part: str, session: SessionConfig, path: Path) -> str:
    return calibrate_command(part, session.robot, session.task, connector=session.connector, name=path.stem)


def check_stand(setup: SessionSetup, session: str, calibration: str | None) -> list[Finding]:
    """Cameras and calibration of a robot's stand, and what to type for the first insertion.

    session: as typed. calibration: the one that it names, which ``setup`` leaves out.
    """
    from tenon.session.calibrations import name_of, path_named, path_of
    from tenon.session.frames import is_simulated

    robot, task = setup.config.robot, setup.config.task
    if isinstance(setup.stand, ClawStand):  # it has no camera, and nothing is taught
        first = f"tenon session run --robot {robot} --task {task} --controller gait --episodes 1"
        return [info("next", f"the first episode: {first}")]
    path = path_of(name_of(robot, task, setup.config.connector)) if calibration is None else path_named(calibration)
    simulated = is_simulated(setup.stand)
    return [
        *check_cameras(setup.stand.cameras, simulated=simulated),
        *check_calibration(path, setup.config, datetime.now(UTC), simulated=simulated),
        info("next", _next(setup, session, path, named=calibration is not None, simulated=simulated)),
    ]


def _has_goal(path: Path) -> bool:
    return path.is_file() and load(CalibrationConfig, path).goal is not None


def _next(setup: SessionSetup, session: str, path: Path, *, named: bool, simulated: bool) -> str:
    """What to do for the first insertion. named: whether the session names the calibration at ``path``."""
    config = setup.config
    unused = not named and (path.is_file() or not simulated)
    connector = "" if config.connector is None else f" --connector {config.connector}"
    first = f"tenon session run --session {'NAME' if unused else session} --robot {config.robot} --task {config.task}"
    first += f"{connector} --controller p_controller --episodes 1"
    first += " --reward dense" if lacks_detector(setup) else ""
    seen = f"the first insertion: {first}"
    if named and not simulated and not _has_goal(path):
        goal = _command("goal", config, path)
        return f"calibration {path.stem!r} has no goal, without which a real arm is refused: {goal}; then {seen}"
    if not unused:
        return seen
    goes = "goes to the task's own goal" if simulated else "is refused on a real arm"
    return (
        f"session {session!r} names no calibration and {goes}: write one with calibration: {path.stem} "
        f"(docs/first-day.md), then {seen}"
    )
