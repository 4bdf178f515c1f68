"""Which kind of work a task's file is about: insertion, unless its ``kind`` says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tenon.configuration.base import Config, load_yaml
from tenon.configuration.resolve import ConfigKind, names, resolve
from tenon.simulation.tasks import InsertionTaskConfig
from tenon.simulation.valve_task import ValveTaskConfig

INSERTION_KIND, VALVE_KIND = "insertion", "valve"
_MODELS: Mapping[str, type[Config]] = {VALVE_KIND: ValveTaskConfig}


def kind_of_task(name: str | Path, *, root: Path | None = None) -> str:
    """Of a file in ``config/tasks``, by name or path. Raises ConfigurationError."""
    return str(load_yaml(resolve(ConfigKind.TASKS, name, root=root)).get("kind", INSERTION_KIND))


def model_of_task(name: str | Path, *, root: Path | None = None) -> type[Config]:
    """What validates the file. Raises ConfigurationError."""
    return _MODELS.get(kind_of_task(name, root=root), InsertionTaskConfig)


def insertion_tasks(*, root: Path | None = None) -> list[str]:
    """The names of those that are about insertion. Raises ConfigurationError without a configuration tree."""
    known = names(ConfigKind.TASKS, root=root)
    return [name for name in known if kind_of_task(name, root=root) == INSERTION_KIND]
