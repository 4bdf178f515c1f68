"""Demonstrations of pick-and-place (hover, descend, close, carry) and of stacking, block by block.

Source: demos-her.md, section 8: clean ones, those of the test of the Q-filter, of which every second lets go, and
towers, of which a tenth drop a block and pick it up again.
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
from tenon.simulation.fetch_stack import BLOCK_M, BLOCK_STATE_SIZE

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


class StackScriptConfig(Config):
    """Numbers without a source are ours."""

    noise: float = Field(default=0.1, ge=0.0, description="standard deviation per entry of the action; demos-her.md 8")
    gain_per_m: float = Field(default=12.0, gt=0.0, description="action per distance to the way point")
    above_m: float = Field(default=0.015, gt=0.0, description="the descent begins this close to the block, sideways")
    grasp_m: float = Field(default=0.01, gt=0.0, description="the gripper closes this close to the block")
    clearance_m: float = Field(default=0.08, gt=0.0, description="gripper and block travel this far above the tower")
    place_m: float = Field(default=0.01, gt=0.0, description="the block is lowered, and let go, this close to its goal")
    lost_m: float = Field(default=0.04, gt=0.0, description="a block this far from the gripper is not held")
    close_steps: int = Field(default=3, gt=0, description="for the fingers to close, or to open")
    drop_share: float = Field(
        default=0.1, ge=0.0, le=1.0, description="of the demonstrations that let go of a block once; demos-her.md 8"
    )
    drop_after_steps: tuple[int, int] = Field(default=(2, 8), description="of the carry, both included; demos-her.md 8")
    tries: int = Field(
        default=5,
        gt=0,
        description="for each demonstration: those that end without the tower are rejected; demos-her.md 4",
    )


class _Storey(Enum):
    HOVER = "hover"
    DESCEND = "descend"
    CLOSE = "close"
    LIFT = "lift"
    CARRY = "carry"
    LOWER = "lower"
    RELEASE = "release"
    RETREAT = "retreat"


_HELD = (_Storey.LIFT, _Storey.CARRY, _Storey.LOWER)
_SHUT = (_Storey.CLOSE, *_HELD)


class StackScript:
    """One demonstration of a tower. drop: (block, steps into its carry) at which it lets go once; None: it does not."""

    def __init__(
        self, config: StackScriptConfig, blocks: int, rng: np.random.Generator, drop: tuple[int, int] | None
    ) -> None:
        self._config, self._blocks, self._rng, self._drop = config, blocks, rng, drop
        self._block, self._phase, self._steps_in_phase = 1, _Storey.HOVER, 0

    def act(self, observation: Observation) -> FloatArray:
        """The phase's action, and noise; once the tower stands, it waits above it."""
        gripper_m = observation.state[GRIPPER].astype(np.float64)
        blocks_m = stacked_m(observation.state, self._blocks).astype(np.float64)
        goals_m = observation.state[-GOAL_SIZE * self._blocks :].reshape(-1, GOAL_SIZE).astype(np.float64)
        if self._block < self._blocks:
            self._advance(gripper_m, blocks_m[self._block], goals_m[self._block])
        done = self._block == self._blocks
        block = min(self._block, self._blocks - 1)
        drops = (self._block, self._steps_in_phase) == self._drop and self._phase is _Storey.CARRY
        if drops:
            self._drop = None
            self._enter(_Storey.RELEASE)
        wanted = np.zeros(3) if done else self._wanted(gripper_m, blocks_m[block], goals_m[block])
        self._steps_in_phase += 1
        fingers = CLOSE if self._phase in _SHUT and not done else OPEN
        return noisy_action(np.append(self._config.gain_per_m * wanted, fingers), self._config.noise, self._rng)

    def _wanted(
        self, gripper_m: NDArray[np.float64], block_m: NDArray[np.float64], goal_m: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The way from here to the phase's way point (3,), in m."""
        travel_z_m = goal_m[2] + self._config.clearance_m
        match self._phase:
            case _Storey.HOVER:
                return np.append(block_m[:2] - gripper_m[:2], travel_z_m - gripper_m[2])
            case _Storey.DESCEND:
                return block_m - gripper_m
            case _Storey.LIFT | _Storey.RETREAT:
                return np.array((0.0, 0.0, travel_z_m - gripper_m[2]))
            case _Storey.CARRY:
                return np.append(goal_m[:2] - block_m[:2], travel_z_m - block_m[2])
            case _Storey.LOWER:
                return goal_m - block_m
            case _:
                return np.zeros(3)

    def _advance(
        self, gripper_m: NDArray[np.float64], block_m: NDArray[np.float64], goal_m: NDArray[np.float64]
    ) -> None:
        config, phase = self._config, self._phase
        apart_m, sideways_m = np.linalg.norm(block_m - gripper_m), np.linalg.norm((block_m - gripper_m)[:2])
        from_goal_m = np.linalg.norm((goal_m - block_m)[:2])
        waited = self._steps_in_phase >= config.close_steps
        travels = gripper_m[2] >= goal_m[2] + config.clearance_m - config.above_m
        if phase in _HELD and apart_m > config.lost_m:
            self._enter(_Storey.RETREAT)
        elif phase is _Storey.HOVER and sideways_m < config.above_m:
            self._enter(_Storey.DESCEND)
        elif phase is _Storey.DESCEND and apart_m < config.grasp_m:
            self._enter(_Storey.CLOSE)
        elif phase is _Storey.CLOSE and waited:
            self._enter(_Storey.LIFT)
        elif phase is _Storey.LIFT and travels:
            self._enter(_Storey.CARRY)
        elif phase is _Storey.CARRY and from_goal_m < config.place_m:
            self._enter(_Storey.LOWER)
        elif phase is _Storey.LOWER and block_m[2] - goal_m[2] < config.place_m:
            self._enter(_Storey.RELEASE)
        elif phase is _Storey.RELEASE and waited:
            self._enter(_Storey.RETREAT)
        elif phase is _Storey.RETREAT and travels:
            self._block += int(np.linalg.norm(goal_m - block_m) < BLOCK_M / 2)
            self._enter(_Storey.HOVER)

    def _enter(self, phase: _Storey) -> None:
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
        raise ScriptError(f"there is no stacking in fetch-{env.config.task}: only fetch-stack has blocks to stack")
    blocks, (least, most) = env.config.blocks, config.drop_after_steps
    for number in range(episodes):
        for _ in range(config.tries):
            drops = rng.random() < config.drop_share
            drop = (int(rng.integers(1, blocks)), int(rng.integers(least, most + 1))) if drops else None
            script = StackScript(config, blocks, rng, drop)
            seed = int(rng.integers(SEED_RANGE))
            shown = run_script(env, script.act, session=session, episode=number, seed=seed, state=env.state)
            if shown.success:
                yield shown
                break
        else:
            raise ScriptError(
                f"{config.tries} demonstrations in a row ended without the tower of {blocks} blocks: give more steps "
                f"(horizon_steps is {env.horizon_steps}) or more tries"
            )


def pick_demonstrations(
    env: FetchEnv, episodes: int, rng: np.random.Generator, config: PickScriptConfig, session: str
) -> Iterator[ScriptedEpisode]:
    """All are kept, and each holds the simulator's states, to reset to."""
    if env.config.task != "pick":
        raise ScriptError(f"there is no script for fetch-{env.config.task}: only fetch-pick has one")
    least, most = config.drop_after_steps
    for number in range(episodes):
        drops = config.dropping_every is not None and number % config.dropping_every == config.dropping_every - 1
        drop_after = int(rng.integers(least, most + 1)) if drops else None
        script = PickScript(config, rng, drop_after)
        seed = int(rng.integers(SEED_RANGE))
        yield run_script(env, script.act, session=session, episode=number, seed=seed, state=env.state)
