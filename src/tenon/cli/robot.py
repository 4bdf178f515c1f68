"""`tenon robot`: an arm's description for other tools, from the same parameters that the simulation is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from tenon.cli.console import note, write_line, write_text
from tenon.cli.errors import SUCCESS

if TYPE_CHECKING:
    from tenon.configuration.arm import ArmConfig

CAMERA = "wrist"


@dataclass(frozen=True)
class Urdf:
    """Write an arm's URDF, for RViz, Foxglove, MoveIt: links, masses, limits, and the frames flange and tcp."""

    arm: tyro.conf.Positional[str]
    """A file in config/arms, or a path."""
    out: Path | None = None
    """File to write; left out, it is printed."""

    def run(self) -> int:
        from tenon.simulation.urdf import urdf

        return _write(urdf(_arm(self.arm)), self.out)


@dataclass(frozen=True)
class Sdf:
    """Write the stand as an SDF world for Gazebo: arm, plug, socket, table, camera, force sensor."""

    arm: tyro.conf.Positional[str]
    """A file in config/arms, or a path."""
    task: str = "usb"
    """A file in config/tasks, or a path."""
    out: Path | None = None
    """File to write; left out, it is printed."""

    def run(self) -> int:
        from tenon.configuration.camera import CameraConfig
        from tenon.configuration.resolve import ConfigKind, load_named
        from tenon.simulation.connectors import ConnectorConfig
        from tenon.simulation.sdf import SdfStand, sdf_world
        from tenon.simulation.tasks import InsertionTaskConfig

        task = load_named(InsertionTaskConfig, ConfigKind.TASKS, self.task)
        stand = SdfStand(
            arm=_arm(self.arm),
            connector=load_named(ConnectorConfig, ConfigKind.CONNECTORS, task.connector),
            task=task,
            camera=load_named(CameraConfig, ConfigKind.CAMERAS, CAMERA),
        )
        return _write(sdf_world(stand), self.out)


def _arm(name: str) -> ArmConfig:
    from tenon.configuration.arm import ArmConfig
    from tenon.configuration.resolve import ConfigKind, load_named

    return load_named(ArmConfig, ConfigKind.ARMS, name)


def _write(text: str, path: Path | None) -> int:
    if path is None:
        write_line(text.rstrip("\n"))
    else:
        write_text(path, text)
        note(f"{path}: {len(text)} characters")
    return SUCCESS
