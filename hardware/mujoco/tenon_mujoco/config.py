"""What the simulated arm needs to know."""

from __future__ import annotations

from pydantic import NonNegativeInt

from tenon.configuration.base import Config


class MujocoDriverConfig(Config):
    """arm, task: names of files in config/arms and config/tasks (or paths). connector: one in config/connectors, where
    it is not the task's. seed: of the first episode."""

    arm: str
    task: str
    connector: str | None = None
    seed: NonNegativeInt = 0
