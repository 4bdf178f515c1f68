"""Configuration files that do not load, and episodes that were cut off."""

from __future__ import annotations

from pathlib import Path

from tenon.cli.checks.finding import Finding, error, ok, warning
from tenon.configuration import Config, ConfigurationError, load
from tenon.configuration.arm import ArmConfig
from tenon.configuration.calibration import CalibrationConfig
from tenon.configuration.camera import CameraConfig
from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import SUFFIXES, ConfigKind, config_root
from tenon.configuration.robot import RobotConfig
from tenon.configuration.safety import SafetyConfig
from tenon.configuration.teleop import TeleopConfig
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
    ConfigKind.TELEOP: TeleopConfig,
}


def check_configuration(root: Path | None = None) -> list[Finding]:
    """Loads every file of the configuration tree with the model of its folder; a session with all that it names."""
    try:
        tree = root or config_root()
        files = sorted(path for suffix in SUFFIXES for path in tree.rglob(f"*{suffix}"))
    except ConfigurationError as failure:
        return [error("configuration", str(failure), "run in a checkout of Tenon")]
    findings = []
    for path in files:
        try:
            if not _load(path, path.relative_to(tree)):
                remedy = f"move it into the folder of its kind: {', '.join(ConfigKind)}"
                findings.append(warning("configuration", f"nothing reads {path}", remedy))
        except ConfigurationError as failure:
            findings.append(error("configuration", str(failure), f"correct {path}"))
    return findings or [ok("configuration", f"{len(files)} files load")]


def _load(path: Path, place: Path) -> bool:
    """Whether anything reads a file at this place of the tree. Raises ConfigurationError where it does not load."""
    from tenon.session.setup import load_setup

    if place.parts[0] == ConfigKind.SESSIONS:
        load_setup(path)
        return True
    model = _model_of(path, place)
    if model is not None:
        load(model, path)
    return model is not None


def _model_of(path: Path, place: Path) -> type[Config] | None:
    from tenon.console.config import FILE as CONSOLE_FILE
    from tenon.console.config import ConsoleConfig
    from tenon.rewards.daib.config import ClassifierConfig
    from tenon.session.board_samples import INDEX, SamplesConfig
    from tenon.training.config import TrainerConfig

    kind = place.parts[0]
    if place == Path(CONSOLE_FILE):
        return ConsoleConfig
    if kind == ConfigKind.TASKS:
        return model_of_task(path)
    if kind == ConfigKind.CALIBRATIONS and path.name == INDEX:  # the pictures that a hand-eye calibration was made of
        return SamplesConfig
    with_torch: dict[str, type[Config]] = {ConfigKind.ALGORITHMS: TrainerConfig, ConfigKind.REWARDS: ClassifierConfig}
    return {**MODELS, **with_torch}.get(kind)


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
