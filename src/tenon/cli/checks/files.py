"""Configuration files that do not load, and episodes that were cut off."""

from __future__ import annotations

from pathlib import Path

from tenon.cli.checks.finding import Finding, error, ok, warning
from tenon.configuration import Config, ConfigurationError, load, parse
from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import load_yaml
from tenon.configuration.calibration import CalibrationConfig
from tenon.configuration.camera import CameraConfig
from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, config_root
from tenon.configuration.robot import RobotConfig
from tenon.configuration.safety import SafetyConfig
from tenon.data.episode_lock import is_being_written
from tenon.data.episodes import layout_from_name
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.family import FamilyConfig
from tenon.simulation.task_kinds import model_of_task

LISTED = 5
MODELS: dict[str, type[Config]] = {
    ConfigKind.ARMS: ArmConfig,
    ConfigKind.CALIBRATIONS: CalibrationConfig,
    ConfigKind.CAMERAS: CameraConfig,
    ConfigKind.CONNECTORS: ConnectorConfig,
    ConfigKind.FAMILIES: FamilyConfig,
    ConfigKind.HANDS: HandConfig,
    ConfigKind.ROBOTS: RobotConfig,
    ConfigKind.SAFETY: SafetyConfig,
}


def check_configuration(root: Path | None = None) -> list[Finding]:
    """Loads every file of the configuration tree with the model of its folder; a session with all that it names."""
    try:
        tree = root or config_root()
        files = sorted(tree.rglob("*.yaml"))
    except ConfigurationError as failure:
        return [error("configuration", str(failure), "run in a checkout of Tenon")]
    findings = []
    for path in files:
        try:
            _load(path, path.relative_to(tree).parts[0])
        except ConfigurationError as failure:
            findings.append(error("configuration", str(failure), f"correct {path}"))
    return findings or [ok("configuration", f"{len(files)} files load")]


def _load(path: Path, kind: str) -> None:
    from tenon.session.setup import load_setup
    from tenon.training.config import TrainerConfig

    if kind == ConfigKind.SESSIONS:
        load_setup(path)
    elif kind == ConfigKind.ALGORITHMS:
        parse(TrainerConfig, load_yaml(path), where=str(path))
    elif kind == ConfigKind.TASKS:
        load(model_of_task(path), path)
    elif kind in MODELS:
        load(MODELS[kind], path)


def check_partial_episodes(runs: Path) -> Finding:
    """Recordings that a crash or a full disk cut off, and that nobody has repaired yet."""
    partial = sorted(path for path in runs.glob("**/*.part") if path.is_dir() and _is_cut_off(path))
    if not partial:
        return ok("episodes", f"no cut-off recording under {runs}")
    names = ", ".join(str(path) for path in partial[:LISTED]) + (" ..." if len(partial) > LISTED else "")
    remedy = f"recover their whole messages, each with: tenon dataset repair {partial[0]}"
    return warning("episodes", f"{len(partial)} cut-off recordings: {names}", remedy)


def _is_cut_off(path: Path) -> bool:
    layout = layout_from_name(path)
    if layout is None or layout.is_repaired:
        return False
    return not (is_being_written(layout) or layout.repaired.finished.exists())
