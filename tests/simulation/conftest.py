"""Stands for the simulation tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import load_yaml, parse
from tenon.configuration.resolve import ConfigKind, load_named, resolve
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import InsertionSimulation
from tenon.simulation.tasks import InsertionTaskConfig

MakeSimulation = Callable[..., InsertionSimulation]


@pytest.fixture
def make_simulation() -> MakeSimulation:
    """A stand of shipped parts. connector, task: changes to their YAML."""

    def make(robot: str = "ur5", name: str = "hard", *, connector=None, task=None) -> InsertionSimulation:
        connector_file = {**load_yaml(resolve(ConfigKind.CONNECTORS, name)), **(connector or {})}
        task_file = {**load_yaml(resolve(ConfigKind.TASKS, name)), **(task or {})}
        return InsertionSimulation(
            load_named(ArmConfig, ConfigKind.ARMS, robot),
            parse(ConnectorConfig, connector_file, where="connector"),
            parse(InsertionTaskConfig, task_file, where="task"),
        )

    return make
