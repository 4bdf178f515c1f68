"""Demonstrations of stacking: block by block, hover, descend, close, lift, carry, lower, let go, rise.

Source: demos-her.md, sections 4 (kept are those that end with the tower) and 8 (a tenth drops a block on its way).
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
from tenon.environments.fetch_scripts import CLOSE, GRIPPER, OPEN
from tenon.environments.scripted import ScriptedEpisode, ScriptError, noisy_action, run_script
from tenon.simulation.fetch_stack import BLOCK_M, BLOCK_STATE_SIZE

Vector = NDArray[np.float64]


class StackScriptConfig(Config):
    """Numbers without a source are ours."""

    noise: float = Field(default=0.1, ge=0.0, description="standard deviation per entry of the action; demos-her.md 8")
    gain_per_m: float = Field(default=16.0, gt=0.0, description="action per distance to the way point")
    above_m: float = Field(default=0.02, gt=0.0, description="the descent begins this close to the block, sideways")
    grasp_m: float = Field(default=0.01, gt=0.0, description="the gripper closes this close to the block")
    clearance_m: float = Field(default=0.08, gt=0.0, description="gripper and block travel this far above the storey")
    place_m: float = Field(
        default=0.007, gt=0.0, description="the block is lowered, and let go, this close to its goal"
    )
    lost_m: float = Field(default=0.04, gt=0.0, description="a block this far from the gripper is not held")
    close_steps: int = Field(default=3, gt=0, description="for the fingers to close, or to open")
    drop_share: float = Field(
        default=0.1, ge=0.0, le=1.0, description="of the demonstrations that let go of a block once; demos-her.md 8"
    )
    drop_way: tuple[float, float] = Field(
        default=(0.3, 0.9), description="where they do: the share of the carry's way that is left, drawn between these"
    )
    tries: int = Field(
        default=10,
        gt=0,
        description="for each demonstration: those that end without the tower are rejected; demos-her.md 4",
    )


class _Phase(Enum):
    HOVER = "hover"
    DESCEND = "descend"
    CLOSE = "close"
    LIFT = "lift"
    CARRY = "carry"
    LOWER = "lower"
    RELEASE = "release"
    RISE = "rise"


_HELD = (_Phase.LIFT, _Phase.CARRY, _Phase.LOWER)
_SHUT = (_Phase.CLOSE, *_HELD)


class StackScript:
    """One demonstration of a tower; a block that has fallen is taken up again.

    drop: (block, share of its carry's way that is left) where it lets go once; None: it does not.
    """

    def __init__(
        self, config: StackScriptConfig, blocks: int, rng: np.random.Generator, drop: tuple[int, float] | None
    ) -> None:
        self._config, self._blocks, self._rng, self._drop = config, blocks, rng, drop
        self._block, self._phase, self._steps_in_phase = 1, _Phase.HOVER, 0
        self._way_m = np.inf

    @property
    def has_dropped(self) -> bool:
        """Whether the drop that was asked for is behind it, or none was."""
        return self._drop is None

    def act(self, observation: Observation) -> FloatArray:
        """The phase's action, and noise; once the tower stands, it stays where it is."""
        gripper_m = observation.state[GRIPPER].astype(np.float64)
        blocks_m = stacked_m(observation.state, self._blocks).astype(np.float64)
        goals_m = observation.state[-GOAL_SIZE * self._blocks :].reshape(-1, GOAL_SIZE).astype(np.float64)
        if self._block == self._blocks:
            self._block = _lowest_missing(blocks_m, goals_m)
        if self._block == self._blocks:
            wanted_m, fingers = np.zeros(3), OPEN
        else:
            self._advance(gripper_m, blocks_m, goals_m)
            block = min(self._block, self._blocks - 1)
            wanted_m = self._wanted(gripper_m, blocks_m[block], goals_m[block])
            fingers = CLOSE if self._phase in _SHUT else OPEN
        self._steps_in_phase += 1
        return noisy_action(np.append(self._config.gain_per_m * wanted_m, fingers), self._config.noise, self._rng)

    def _wanted(self, gripper_m: Vector, block_m: Vector, goal_m: Vector) -> Vector:
        """The way from here to the phase's way point, (3,)."""
        travel_z_m = goal_m[2] + self._config.clearance_m
        match self._phase:
            case _Phase.HOVER:
                return np.append(block_m[:2] - gripper_m[:2], travel_z_m - gripper_m[2])
            case _Phase.DESCEND:
                return block_m - gripper_m
            case _Phase.LIFT | _Phase.RISE:
                return np.array((0.0, 0.0, travel_z_m - gripper_m[2]))
            case _Phase.CARRY:
                return np.append(goal_m[:2] - block_m[:2], travel_z_m - block_m[2])
            case _Phase.LOWER:
                return goal_m - block_m
            case _Phase.CLOSE | _Phase.RELEASE:
                return np.zeros(3)

    def _advance(self, gripper_m: Vector, blocks_m: Vector, goals_m: Vector) -> None:
        """Enters the next phase where this one has done its work."""
        config, phase = self._config, self._phase
        block_m, goal_m = blocks_m[self._block], goals_m[self._block]
        apart_m = np.linalg.norm(block_m - gripper_m)
        left_m = float(np.linalg.norm((goal_m - block_m)[:2]))
        waited = self._steps_in_phase >= config.close_steps
        is_up = gripper_m[2] >= goal_m[2] + config.clearance_m - config.above_m
        if phase in _HELD and apart_m > config.lost_m:
            self._enter(_Phase.RISE)
        elif phase is _Phase.CARRY and self._drops(left_m):
            self._drop = None
            self._enter(_Phase.RELEASE)
        elif phase is _Phase.HOVER and np.linalg.norm((block_m - gripper_m)[:2]) < config.above_m:
            self._enter(_Phase.DESCEND)
        elif phase is _Phase.DESCEND and apart_m < config.grasp_m:
            self._enter(_Phase.CLOSE)
        elif phase is _Phase.CLOSE and waited:
            self._enter(_Phase.LIFT)
        elif phase is _Phase.LIFT and is_up:
            self._way_m = left_m
            self._enter(_Phase.CARRY)
        elif phase is _Phase.CARRY and left_m < config.place_m:
            self._enter(_Phase.LOWER)
        elif phase is _Phase.LOWER and block_m[2] - goal_m[2] < config.place_m:
            self._enter(_Phase.RELEASE)
        elif phase is _Phase.RELEASE and waited:
            self._enter(_Phase.RISE)
        elif phase is _Phase.RISE and is_up:
            self._block = _lowest_missing(blocks_m, goals_m)
            self._enter(_Phase.HOVER)

    def _drops(self, left_m: float) -> bool:
        if self._drop is None:
            return False
        block, share = self._drop
        return self._block == block and left_m <= share * self._way_m

    def _enter(self, phase: _Phase) -> None:
        self._phase, self._steps_in_phase = phase, 0


def stacked_m(state: FloatArray, blocks: int) -> FloatArray:
    """Where the blocks are, (blocks, 3) in m, of a state of the task stack."""
    of_blocks = state[-GOAL_SIZE * blocks - BLOCK_STATE_SIZE * blocks : -GOAL_SIZE * blocks]
    return of_blocks.reshape(blocks, BLOCK_STATE_SIZE)[:, :3]


def stack_demonstrations(
    env: FetchEnv, episodes: int, rng: np.random.Generator, config: StackScriptConfig, session: str
) -> Iterator[ScriptedEpisode]:
    """Those that end with the tower; each holds the simulator's states, to reset to.

    Raises ScriptError when none of ``config.tries`` in a row does.
    """
    if env.config.task != "stack":
        raise ScriptError(f"fetch-{env.config.task} has no blocks to stack: this script is for fetch-stack-2 and so on")
    blocks = env.config.blocks
    for number in range(episodes):
        drops = rng.random() < config.drop_share
        drop = (int(rng.integers(1, blocks)), float(rng.uniform(*config.drop_way))) if drops else None
        for _ in range(config.tries):
            script = StackScript(config, blocks, rng, drop)
            seed = int(rng.integers(SEED_RANGE))
            shown = run_script(env, script.act, session=session, episode=number, seed=seed, state=env.state)
            if shown.success and script.has_dropped:
                yield shown
                break
        else:
            raise ScriptError(
                f"{config.tries} demonstrations in a row ended without the tower of {blocks} blocks: give more steps "
                f"(horizon_steps is {env.horizon_steps}) or more tries"
            )


def _lowest_missing(blocks_m: Vector, goals_m: Vector) -> int:
    """The lowest storey that is not in place, both (blocks, 3); the number of blocks where the tower stands."""
    missing = np.linalg.norm(goals_m - blocks_m, axis=1) >= BLOCK_M / 2
    return int(np.flatnonzero(missing)[0]) if missing.any() else len(blocks_m)
