"""What the simulated arm needs to know."""

from __future__ import annotations

from pydantic import NonNegativeInt

from tenon.configuration.base import Config


class MujocoDriverConfig(Config):
    """robot, task: names of files in config/robots and config/tasks (or paths). seed: of the first episode."""

    robot: str
    task: str
    seed: NonNegativeInt = 0
