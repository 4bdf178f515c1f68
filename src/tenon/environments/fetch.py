"""Fetch tasks as goal-conditioned environments: the state ends with the desired goal.

Source: demos-her.md, section 4 and 8 (Gym's Fetch, T = 50, eq. 20).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tenon.configuration import Config
from tenon.data.goals import goal_reward
from tenon.data.transitions import EnvironmentSpec, GoalSpec, ObservationSpec
from tenon.simulation.fetch import Fetch, FetchReading, FetchTask
from tenon.simulation.fetch_stack import MOST_BLOCKS

Array = NDArray[np.float32]
GoalObservation = dict[str, Array]

GOAL_SIZE, ACTION_SIZE = 3, 4
SEED_RANGE = 2**31
_STEPS_PER_BLOCK = 50


class FetchConfig(Config):
    """The task. The tolerance, 5 cm, is that of the simulation."""

    task: FetchTask = Field(default="pick", description="pick-and-place, push, slide, reach or stack; demos-her.md 4")
    blocks: int = Field(
        default=2, ge=2, le=MOST_BLOCKS, description="of stack: n, the blocks of the tower; demos-her.md 4"
    )
    stack_reward: Literal["all_reached", "per_part"] = Field(
        default="all_reached",
        description="of stack, what it pays: all_reached, 1 for the whole tower, else 0, eq. (21); per_part, -1 and 1 "
        "for each block that is in place, eq. (22)",
    )
    horizon_steps: int | None = Field(
        default=None, gt=0, description="None: 50, and for stack 50 (n - 1); demos-her.md 4"
    )

    @model_validator(mode="after")
    def _check_stack(self) -> FetchConfig:
        fields = type(self).model_fields
        given = [name for name in ("blocks", "stack_reward") if getattr(self, name) != fields[name].default]
        if self.task != "stack" and given:
            raise ValueError(f"{' and '.join(given)}: of the task stack alone, this one is {self.task}: leave it out")
        return self


class FetchEnv(gymnasium.Env[GoalObservation, Array]):  # type: ignore[misc]
    """Observation: state (28,) or (13,) of Gym's observation and the desired goal; achieved_goal (3,), in m.

    A tower of n blocks: state (10 + 18 n,), achieved_goal (3 n,). Action (4,) in [-1, 1]. Reward, eq. (20): 0 within
    5 cm of the goal, else -1 (a tower: eq. (21) or (22)), by the function that judges relabelled goals. Success does
    not end an episode; it is truncated after horizon_steps. info: success at this step, and in_air: the goal of
    pick-and-place is further than the tolerance above the table.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, config: FetchConfig | None = None) -> None:
        self.config = config or FetchConfig()
        stacks, blocks = self.config.task == "stack", self.config.blocks
        self.fetch = Fetch(self.config.task, blocks)
        self.horizon_steps = self.config.horizon_steps or _STEPS_PER_BLOCK * (blocks - 1 if stacks else 1)
        parts = blocks if stacks else 1
        self.goal = GoalSpec(
            size=GOAL_SIZE * parts,
            parts=parts,
            tolerance=self.fetch.tolerance_m,
            reward=self.config.stack_reward if stacks else "miss_penalty",
        )
        state_size = self.fetch.reset(0).observation.size + self.goal.size
        self.spec: EnvironmentSpec = EnvironmentSpec(
            observation=ObservationSpec(state_size=state_size, goal=self.goal), action_size=ACTION_SIZE
        )
        self.observation_space = gymnasium.spaces.Dict(
            {name: _unbounded(size) for name, size in (("state", state_size), ("achieved_goal", self.goal.size))}
        )
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[GoalObservation, dict[str, Any]]:
        """With a seed, the episode of that number.

        options: {"state": of ``state()``, "goal": (3,) or (3 n,)}, or one of them, to start in the middle of a
        demonstration (demos-her.md 2.5). Raises ValueError for a state or goal that does not fit.
        """
        super().reset(seed=seed)
        episode = seed if seed is not None else int(self.np_random.integers(SEED_RANGE))
        reading = self.fetch.reset(episode)
        chosen = options or {}
        if "state" in chosen:
            reading = self.fetch.restore(chosen["state"])
        if "goal" in chosen:
            reading = self.fetch.set_goal(chosen["goal"])
        self._steps = 0
        return _observation(reading), {"episode": episode, "in_air": self._in_air(reading)}

    def step(self, action: Array) -> tuple[GoalObservation, float, bool, bool, dict[str, Any]]:
        reading = self.fetch.step(np.asarray(action, np.float64))
        observation = _observation(reading)
        achieved, desired = observation["achieved_goal"], observation["state"][-self.goal.size :]
        reward = float(goal_reward(torch.from_numpy(achieved), torch.from_numpy(desired), self.goal))
        self._steps += 1
        success = reward == self.goal.reward_bounds[1]
        truncated = self._steps >= self.horizon_steps
        return observation, reward, False, truncated, {"success": success, "in_air": self._in_air(reading)}

    def state(self) -> NDArray[np.float64]:
        """The simulator's state, for ``reset``. Actions replayed from it give the same motion."""
        return self.fetch.state()

    def close(self) -> None:
        self.fetch.close()

    def _in_air(self, reading: FetchReading) -> bool:
        table_z_m = self.fetch.table_goal_z_m
        if self.config.task != "pick" or table_z_m is None:
            return False
        return bool(reading.desired_goal[2] - table_z_m > self.goal.tolerance)


def _observation(reading: FetchReading) -> GoalObservation:
    state = np.concatenate((reading.observation, reading.desired_goal)).astype(np.float32)
    return {"state": state, "achieved_goal": reading.achieved_goal.astype(np.float32)}


def _unbounded(size: int) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
