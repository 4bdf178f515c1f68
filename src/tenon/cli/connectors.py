"""`tenon connectors`: families of connectors, drawn from a seed, and what any connector looks like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from tenon.cli.console import OUT, note, write_line
from tenon.cli.errors import SUCCESS, USAGE, UsageError

if TYPE_CHECKING:
    from tenon.configuration.arm import ArmConfig
    from tenon.configuration.safety import SafetyConfig
    from tenon.simulation.connectors import ConnectorConfig
    from tenon.simulation.family import FamilyConfig
    from tenon.simulation.tasks import InsertionTaskConfig

MM = 1e-3
DEFAULT_FAMILY = "fifty"


@dataclass(frozen=True)
class GenerateConnectors:
    """Draw the connectors of a family and store each as a file. Files that are there already must be equal.

    The same family file gives the same connectors on any machine.
    """

    family: tyro.conf.Positional[str] = DEFAULT_FAMILY
    """Name of a file in config/families, or its path."""
    out: Path | None = None
    """Folder for the files: by default config/connectors/FAMILY."""

    def run(self) -> int:
        from tenon.configuration.resolve import ConfigKind, config_root
        from tenon.simulation.family import connector_text, generate

        family = _family(self.family)
        folder = self.out or config_root() / ConfigKind.CONNECTORS / family.name
        files = {folder / f"{connector.name}.yaml": connector_text(connector) for connector in generate(family)}
        changed = sorted(p.name for p, text in files.items() if p.exists() and p.read_text(encoding="utf-8") != text)
        if changed:
            raise UsageError(
                f"{folder}: {len(changed)} files differ from what would be written ({', '.join(changed[:3])} ...): "
                "choose another folder with --out, or remove them first"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        others = sorted(path.name for path in folder.glob("*.yaml") if path not in files)
        if others:
            note(f"{folder}: {len(others)} files are not of this family: {', '.join(others[:3])}")
        note(f"{folder}: {len(files)} connectors, {len(family.series)} series")
        return SUCCESS


@dataclass(frozen=True)
class ListConnectors:
    """Show the connectors that can be named: series, shape, measures, camera mount, and whether they are held out."""

    series: str | None = None
    """Only of this series."""
    family: str = DEFAULT_FAMILY
    """The family that says which series are held out."""

    def run(self) -> int:
        from rich.table import Table

        family = _family(self.family)
        table = Table()
        for column in ("name", "series", "shape", "depth mm", "clearance mm", "retention N", "mount", "use"):
            table.add_column(column, justify="right" if column.endswith(("mm", "N")) else "left")
        found = [(name, config) for name, config in _stored() if self.series in (None, config.series)]
        if not found:
            known = sorted({config.series for _, config in _stored() if config.series})
            raise UsageError(f"--series {self.series}: no connector is of it. There are: {', '.join(known)}")
        for name, config in found:
            table.add_row(name, *_row(config, family))
        OUT.print(table)
        return SUCCESS


@dataclass(frozen=True)
class CheckConnectors:
    """Say of each connector what it measures, whether a task can be practised with it, and what will work badly.

    Ends with 0 where all can be practised, warnings or not, with 2 where one cannot.
    """

    connectors: tyro.conf.Positional[tuple[str, ...]]
    """Names or paths of connectors."""
    task: str = "job-far"
    """Task that is to be practised: a file in config/tasks."""
    robot: str = "sim"
    """Robot that practises: a file in config/robots."""

    def run(self) -> int:
        from tenon.configuration.arm import ArmConfig
        from tenon.configuration.base import ConfigurationError
        from tenon.configuration.resolve import ConfigKind, load_named
        from tenon.configuration.robot import RobotConfig
        from tenon.configuration.safety import SafetyConfig
        from tenon.simulation.tasks import InsertionTaskConfig

        if not self.connectors:
            raise UsageError("name one connector or more: `tenon connectors check mine.yaml`")
        robot = load_named(RobotConfig, ConfigKind.ROBOTS, self.robot)
        arm = load_named(ArmConfig, ConfigKind.ARMS, robot.arm)
        safety = load_named(SafetyConfig, ConfigKind.SAFETY, robot.safety)
        task = load_named(InsertionTaskConfig, ConfigKind.TASKS, self.task)
        status = SUCCESS
        for name in self.connectors:
            try:
                self._check(name, arm, safety, task)
            except ConfigurationError as error:
                note(f"error: {error}")
                status = USAGE
        return status

    def _check(self, name: str, arm: ArmConfig, safety: SafetyConfig, task: InsertionTaskConfig) -> None:
        from tenon.configuration.resolve import ConfigKind, load_named, resolve
        from tenon.simulation.connectors import ConnectorConfig
        from tenon.simulation.fits import check_fits, doubts, measures
        from tenon.simulation.rendering import RenderingError
        from tenon.simulation.sight import picture_doubts

        connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, name)
        with _naming_task(self.task):
            check_fits(connector, task, workspace=safety.workspace)
        write_line(f"{name}: {measures(connector, task)}")
        stem = resolve(ConfigKind.CONNECTORS, name).stem
        said = doubts(connector, task)
        if connector.name != stem:
            said.append(f"its name is {connector.name!r}, its file's {stem!r}: lists and reports will not say the same")
        try:
            said += picture_doubts(arm, connector, task)
        except RenderingError as error:
            said.append(f"its picture was not looked at: {error}")
        for doubt in said:
            note(f"warning: {name}: {doubt}")


@dataclass(frozen=True)
class ShowConnectors:
    """Draw a contact sheet: of each connector the first picture of an episode and the plug in its socket."""

    connectors: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names or paths of connectors: by default those of the family."""
    out: Path = Path("connectors.png")
    """Picture to write (.png). One that is there already is kept: choose another name."""
    family: str = DEFAULT_FAMILY
    """Family to show where no connector is named."""
    per_series: int | None = None
    """Only the first so many of each of its series."""
    task: str = "job-far"
    """Task whose start is shown."""
    arm: Annotated[str, tyro.conf.arg(aliases=["--robot"])] = "ur5"
    """Arm that holds the plug: a file in config/arms."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Episode whose start is shown."""
    columns: int = 8
    """Connectors in a row."""
    size: int = 64
    """Pixels along a picture's edge."""

    def run(self) -> int:
        from tenon.cli.goal_image import write_picture
        from tenon.configuration.arm import ArmConfig
        from tenon.configuration.resolve import ConfigKind, load_named
        from tenon.simulation.connectors import ConnectorConfig
        from tenon.simulation.family import generate
        from tenon.simulation.fits import check_fits
        from tenon.simulation.portraits import portrait, sheet
        from tenon.simulation.tasks import InsertionTaskConfig

        arm = load_named(ArmConfig, ConfigKind.ARMS, self.arm)
        task = load_named(InsertionTaskConfig, ConfigKind.TASKS, self.task)
        named = [load_named(ConnectorConfig, ConfigKind.CONNECTORS, name) for name in self.connectors]
        shown = named or _first_of_each(generate(_family(self.family)), self.per_series)
        for connector in shown:
            with _naming_task(self.task):
                check_fits(connector, task)
        if self.out.suffix != ".png" or self.out.exists():  # last, so that what is wrong with a file is always said
            raise UsageError(f"--out {self.out}: name a .png file that does not exist yet")
        portraits = [(c.name, portrait(arm, c, task, size_px=self.size, seed=self.seed)) for c in shown]
        write_picture(self.out, sheet(portraits, columns=self.columns))
        note(f"{self.out}: {len(portraits)} connectors")
        return SUCCESS


@contextmanager
def _naming_task(task: str) -> Iterator[None]:
    """Says by which task a connector was judged: nobody may have named one."""
    from tenon.configuration.base import ConfigurationError

    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{error} (judged by task {task!r}: --task takes another)") from error


def _family(name: str) -> FamilyConfig:
    from tenon.configuration.resolve import ConfigKind, load_named
    from tenon.simulation.family import FamilyConfig

    return load_named(FamilyConfig, ConfigKind.FAMILIES, name)


def _first_of_each(members: list[ConnectorConfig], count: int | None) -> list[ConnectorConfig]:
    if count is None:
        return members
    by_series: dict[str | None, list[ConnectorConfig]] = {}
    for member in members:
        by_series.setdefault(member.series, []).append(member)
    return [member for series in by_series.values() for member in series[:count]]


def _stored() -> list[tuple[str, ConnectorConfig]]:
    from tenon.configuration.resolve import ConfigKind, load_named, names
    from tenon.simulation.connectors import ConnectorConfig

    return [(n, load_named(ConnectorConfig, ConfigKind.CONNECTORS, n)) for n in names(ConfigKind.CONNECTORS)]


def _row(config: ConnectorConfig, family: FamilyConfig) -> tuple[str, ...]:
    clearance = "" if config.clearance_m is None else f"{config.clearance_m / MM:.2f}"
    mount = config.surroundings.camera_mount if config.surroundings is not None else "front"
    known = {series.name for series in family.series}
    use = "held out" if config.series in family.held_out_series else "train" if config.series in known else ""
    return (
        config.series or "",
        config.plug.shape,
        f"{config.depth_m / MM:.1f}",
        clearance,
        f"{config.retention.maximum_n:.1f}",
        mount,
        use,
    )
