"""Calibrations on disk, and whether one fits a stand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import yaml

from tenon.configuration.base import ConfigurationError, load
from tenon.configuration.calibration import CalibrationConfig, Taken
from tenon.configuration.resolve import SUFFIXES, ConfigKind, config_root
from tenon.control.geometry import matrix_from_quaternion, unit
from tenon.data.mapped_array import write_beside

TILT_MAX_RAD = 0.05
"""A taught goal may lean this far from straight down: tasks count height along the base's z."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session asks of its calibration. connector_file: as the session names it, None where it is the task's."""

    robot: str
    joints: int
    task: str
    connector: str
    cameras: Sequence[str]
    connector_file: str | None = None


def name_of(robot: str, task: str, connector: str | None = None) -> str:
    """What a calibration is called where nobody has named it. All are names of files, or their paths.

    connector: where it is not the task's, so that its goal does not take the place of that one's.
    """
    files = [robot, task, *([] if connector is None else [connector])]
    return "-".join(Path(file).stem for file in files).lower().replace("_", "-")


def calibrate_command(
    part: str, robot: str, task: str, *, connector: str | None = None, name: str | None = None
) -> str:
    """What to type to take a part of a calibration. connector: where it is not the task's. name: of the calibration."""
    options = {"robot": robot, "task": task, "connector": connector, "name": name}
    typed = " ".join(f"--{option} {value}" for option, value in options.items() if value is not None)
    return f"tenon calibrate {part.replace('_', '-')} {typed}"


def path_of(name: str, *, root: Path | None = None) -> Path:
    """Where the newest version of a calibration lies, or will lie."""
    return (root or config_root()) / ConfigKind.CALIBRATIONS / f"{name}.yaml"


def path_named(name: str) -> Path:
    """Of what a session names: a name, FOLDER/NAME of an older version, or a path."""
    return Path(name).expanduser() if name.endswith(SUFFIXES) else path_of(name)


def version_path(path: Path, version: int) -> Path:
    """Where an older version is kept."""
    return path.with_suffix("") / f"v{version:04d}.yaml"


def read_or_begin(path: Path, robot: str) -> CalibrationConfig | None:
    """The newest version; None where there is none yet. Raises ConfigurationError where it is another robot's."""
    if not path.is_file():
        return None
    known = load(CalibrationConfig, path)
    if known.robot != robot:
        raise ConfigurationError(
            f"{path} was taken on robot {known.robot!r}, this is {robot!r}: give this one a name of its own (--name)"
        )
    return known


def add(path: Path, robot: str, **parts: Taken) -> CalibrationConfig:
    """Writes a new version with these parts; the others stay as they were. The version before is kept beside.

    Raises ConfigurationError where the file is of another robot, StorageError where it cannot be written.
    """
    known = read_or_begin(path, robot)
    if known is None:
        made = CalibrationConfig(name=path.stem, robot=robot).model_copy(update=parts)
    else:
        kept = version_path(path, known.version)
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_beside(kept, path.read_bytes())
        changes = {**parts, "version": known.version + 1, "previous": known.identity}
        made = known.model_copy(update=changes)
    # That nothing ages is said in so many words; parts that there are none of are left out.
    written = {**made.model_dump(mode="json", exclude_none=True), "valid_days": made.valid_days}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_beside(path, yaml.safe_dump(written, sort_keys=False).encode())
    return load(CalibrationConfig, path)


def check(calibration: CalibrationConfig, wanted: Wanted, now: datetime) -> None:
    """Raises ConfigurationError for a calibration of another robot, task or camera, and for one that is too old."""
    where = f"calibration {calibration.name!r}"
    if calibration.robot != wanted.robot:
        raise ConfigurationError(
            f"{where} was taken on robot {calibration.robot!r}, the session runs {wanted.robot!r}: name one "
            "of this robot"
        )
    _check_goal(calibration, wanted, where)
    _check_joints(calibration, wanted, where)
    _check_cameras(calibration, wanted, where)
    if calibration.valid_days is None:
        return
    for name, part in calibration.parts.items():
        if now - part.at > timedelta(days=calibration.valid_days):
            raise ConfigurationError(
                f"{where}: its {name} was taken {(now - part.at).days} days ago, valid_days allows "
                f"{calibration.valid_days:g}: take it anew ({_command(name, wanted, calibration.name)})"
            )


def _command(part: str, wanted: Wanted, name: str) -> str:
    return calibrate_command(part, wanted.robot, wanted.task, connector=wanted.connector_file, name=name)


def _check_goal(calibration: CalibrationConfig, wanted: Wanted, where: str) -> None:
    goal = calibration.goal
    if goal is None:
        return
    if (goal.task, goal.connector) != (wanted.task, wanted.connector):
        raise ConfigurationError(
            f"{where}: its goal is of task {goal.task!r} with connector {goal.connector!r}, the session has "
            f"{wanted.task!r} with {wanted.connector!r}: teach this one under a name of its own "
            f"({_command('goal', wanted, _another_name(wanted, calibration.name))}), and name that by `calibration:`"
        )
    tilt = tilt_of(goal.tcp_in_base.quaternion_xyzw)
    if tilt > TILT_MAX_RAD:
        raise ConfigurationError(
            f"{where}: its goal leans {np.degrees(tilt):.1f} degrees from straight down, allowed are "
            f"{np.degrees(TILT_MAX_RAD):.1f}: level the socket, or hold the plug straight, and teach it anew"
        )


def _another_name(wanted: Wanted, taken: str) -> str:
    """The usual one; where that is the one that is taken, it says of which connector it is."""
    usual = name_of(wanted.robot, wanted.task, wanted.connector_file)
    return usual if usual != taken else name_of(wanted.robot, wanted.task, wanted.connector)


def _check_joints(calibration: CalibrationConfig, wanted: Wanted, where: str) -> None:
    for name in ("reset", "tare"):
        part = getattr(calibration, name)
        if part is not None and len(part.joint_position_rad) != wanted.joints:
            raise ConfigurationError(
                f"{where}: its {name} has {len(part.joint_position_rad)} joint angles, the arm has {wanted.joints}"
            )


def _check_cameras(calibration: CalibrationConfig, wanted: Wanted, where: str) -> None:
    for name in ("hand_eye", "goal_image"):
        part = getattr(calibration, name)
        if part is not None and part.camera not in wanted.cameras:
            raise ConfigurationError(
                f"{where}: its {name} is of camera {part.camera!r}, the session has "
                f"{', '.join(wanted.cameras) or 'none'}: name that camera under cameras"
            )
    picture = calibration.goal_image
    if picture is None:
        return
    if not picture.file.is_file() or sha256_of(picture.file) != picture.sha256:
        raise ConfigurationError(
            f"{where}: its goal image {picture.file} is missing or was changed since: take it anew (tenon calibrate "
            "goal-image)"
        )
    if picture.task != wanted.task:
        raise ConfigurationError(
            f"{where}: its goal image is of task {picture.task!r}, the session has {wanted.task!r}: take one "
            "of this task"
        )


def tilt_of(quaternion_xyzw: Sequence[float]) -> float:
    """The angle (rad) between the tool's axis and straight down."""
    axis = matrix_from_quaternion(unit(quaternion_xyzw))[:, 2]
    return float(np.arccos(np.clip(-axis[2], -1.0, 1.0)))


def sha256_of(path: Path) -> str:
    """Of a file's bytes, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
