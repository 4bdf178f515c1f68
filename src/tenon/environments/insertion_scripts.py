"""Demonstrations of insertion by the hand-written controller with dither, for the flying peg and the arm alike.

Source: insertion.md 2.4 (demonstrations by joystick, 10 in the scripts).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from pydantic import Field

from tenon.configuration import Config
from tenon.control.p_controller import PController, PControllerConfig
from tenon.control.residual import ResidualController
from tenon.control.types import Vector
from tenon.data.transitions import FloatArray, Observation
from tenon.environments.scripted import Environment, ScriptedEpisode, ScriptError, noisy_action, run_script

SEED_RANGE = 2**31


class Insertion(Environment, Protocol):
    """What the script asks of an environment, as a picture does not tell it. position_m, goal_m (3,) in one frame."""

    controller: ResidualController

    @property
    def position_m(self) -> Vector: ...

    @property
    def goal_m(self) -> Vector: ...


class InsertionScriptConfig(Config):
    """The hand-written controller with dither."""

    base: PControllerConfig = Field(default=PControllerConfig(), description="k_p = [1, 1, 0.3], eq. (50)")
    dither_m: float = Field(default=0.001, ge=0.0, description="uniform, per axis and step; insertion.md 8.1")
    attempts: int = Field(default=20, gt=0, description="episodes that are tried per demonstration; ours")


class InsertionScript:
    """What action makes the environment command the controller's step and the dither, as far as its actions reach."""

    def __init__(self, env: Insertion, config: InsertionScriptConfig, rng: np.random.Generator) -> None:
        self._env, self._config, self._rng = env, config, rng
        residual = env.controller.config
        self._controller = PController(config.base)
        self._base = None if residual.base is None else PController(residual.base)
        self._authority_m = np.array(residual.authority_m)

    def act(self, observation: Observation) -> FloatArray:
        """The environment is asked for the error."""
        position_m, goal_m = self._env.position_m, self._env.goal_m
        wanted = self._controller.step(position_m, goal_m) + self._config.dither_m * self._rng.uniform(-1.0, 1.0, 3)
        by_itself = 0.0 if self._base is None else self._base.step(position_m, goal_m)
        return noisy_action((wanted - by_itself) / self._authority_m, 0.0, self._rng)


def insertion_demonstrations(
    env: Insertion, episodes: int, rng: np.random.Generator, config: InsertionScriptConfig, session: str
) -> Iterator[ScriptedEpisode]:
    """``episodes`` episodes that end in success; others are thrown away. Raises ScriptError where there are none."""
    script = InsertionScript(env, config, rng)
    for number in range(episodes):
        for _ in range(config.attempts):
            seed = int(rng.integers(SEED_RANGE))
            episode = run_script(env, script.act, session=session, episode=number, seed=seed)
            if episode.success:
                yield episode
                break
        else:
            raise ScriptError(
                f"demonstration {number}: none of {config.attempts} episodes of the hand-written controller ended in "
                f"success: take an easier socket, or raise attempts"
            )
