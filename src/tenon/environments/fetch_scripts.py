"""Demonstrations of pick-and-place: hover, descend, close, carry.

Source: demos-her.md, section 8: clean ones, and those of the test of the Q-filter, of which every second lets go.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration import Config
from tenon.data.transitions import FloatArray, Observation
from tenon.environments.fetch import GOAL_SIZE, SEED_RANGE, FetchEnv
from tenon.environments.scripted import ScriptedEpisode, ScriptError, noisy_action, run_script

GRIPPER, OBJECT = slice(0, 3), slice(3, 6)
OPEN, CLOSE = 1.0, -1.0


class PickScriptConfig(Config):
    """Numbers without a source are ours."""

    noise: float = Field(default=0.1, ge=0.0, description="standard deviation per entry of the action; demos-her.md 8")
    gain_per_m: float = Field(
        default=10.0,
        gt=0.0,
        description="action per distance to the way point: the block is home by the middle of an episode of 50 steps",
    )
    hover_m: float = Field(default=0.08, gt=0.0, description="height above the object before the descent")
    above_m: float = Field(default=0.015, gt=0.0, description="the descent begins this close to the object, sideways")
    grasp_m: float = Field(default=0.01, gt=0.0, description="the gripper closes this close to the object")
    close_steps: int = Field(default=3, gt=0, description="for the fingers to close")
    dropping_every: int | None = Field(
        default=None,
        gt=0,
        description="every n-th demonstration lets go; 2 in the test of the Q-filter, demos-her.md 8",
    )
    drop_after_steps: tuple[int, int] = Field(default=(2, 8), description="of the carry, both included; demos-her.md 8")


class _Phase(Enum):
    HOVER = "hover"
    DESCEND = "descend"
    CLOSE = "close"
    CARRY = "carry"


class PickScript:
    """One demonstration. drop_after: so many steps into the carry it opens the gripper and stays; None: it does not."""

    def __init__(self, config: PickScriptConfig, rng: np.random.Generator, drop_after: int | None) -> None:
        self._config, self._rng, self._drop_after = config, rng, drop_after
        self._phase, self._steps_in_phase = _Phase.HOVER, 0

    def act(self, observation: Observation) -> FloatArray:
        """The phase's action, and noise."""
        gripper_m, object_m = observation.state[GRIPPER], observation.state[OBJECT]
        self._advance(object_m - gripper_m)
        displacement, fingers = self._wanted(gripper_m, object_m, observation.state[-GOAL_SIZE:])
        self._steps_in_phase += 1
        return noisy_action(np.append(displacement, fingers), self._config.noise, self._rng)

    def _wanted(
        self, gripper_m: FloatArray, object_m: FloatArray, goal_m: FloatArray
    ) -> tuple[NDArray[np.float64], float]:
        gain = self._config.gain_per_m
        still = np.zeros(3)
        if self._phase is _Phase.HOVER:
            return gain * (object_m + np.array((0.0, 0.0, self._config.hover_m)) - gripper_m), OPEN
        if self._phase is _Phase.DESCEND:
            return gain * (object_m - gripper_m).astype(np.float64), OPEN
        if self._phase is _Phase.CLOSE:
            return still, CLOSE
        if self._drop_after is not None and self._steps_in_phase >= self._drop_after:
            return still, OPEN
        return gain * (goal_m - object_m).astype(np.float64), CLOSE

    def _advance(self, to_object_m: FloatArray) -> None:
        config = self._config
        sideways_m, distance_m = np.linalg.norm(to_object_m[:2]), np.linalg.norm(to_object_m)
        if self._phase is _Phase.HOVER and sideways_m < config.above_m:
            self._enter(_Phase.DESCEND)
        elif self._phase is _Phase.DESCEND and distance_m < config.grasp_m:
            self._enter(_Phase.CLOSE)
        elif self._phase is _Phase.CLOSE and self._steps_in_phase >= config.close_steps:
            self._enter(_Phase.CARRY)

    def _enter(self, phase: _Phase) -> None:
        self._phase, self._steps_in_phase = phase, 0


def pick_demonstrations(
    env: FetchEnv, episodes: int, rng: np.random.Generator, config: PickScriptConfig, session: str
) -> Iterator[ScriptedEpisode]:
    """All are kept, and each holds the simulator's states, to reset to."""
    if env.config.task != "pick":
        raise ScriptError(f"fetch-{env.config.task} is not picked and placed: this script is for fetch-pick")
    least, most = config.drop_after_steps
    for number in range(episodes):
        drops = config.dropping_every is not None and number % config.dropping_every == config.dropping_every - 1
        drop_after = int(rng.integers(least, most + 1)) if drops else None
        script = PickScript(config, rng, drop_after)
        seed = int(rng.integers(SEED_RANGE))
        yield run_script(env, script.act, session=session, episode=number, seed=seed, state=env.state)
