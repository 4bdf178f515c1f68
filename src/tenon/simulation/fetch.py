"""The Fetch arm's tasks of gymnasium-robotics, with a simulator state that can be kept and restored.

Source: demos-her.md, section 4 (eq. 20) and pitfall 5 (reset fidelity). 25 Hz; action 1 moves the gripper's target by
5 cm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tenon.simulation.fetch_stack import stack_task
from tenon.simulation.robotics_package import robotics_module
from tenon.simulation.saved_state import refresh, restore_state, saved_state

Vector = NDArray[np.float64]
FetchTask = Literal["pick", "push", "slide", "reach", "stack"]

_TASKS: dict[FetchTask, tuple[str, str]] = {
    "pick": ("envs.fetch.pick_and_place", "MujocoFetchPickAndPlaceEnv"),
    "push": ("envs.fetch.push", "MujocoFetchPushEnv"),
    "slide": ("envs.fetch.slide", "MujocoFetchSlideEnv"),
    "reach": ("envs.fetch.reach", "MujocoFetchReachEnv"),
}


@dataclass(frozen=True, slots=True, eq=False)
class FetchReading:
    """observation (25,), or (10,) without an object; achieved_goal and desired_goal (3,) in m.

    Of stacked blocks: (10 + 15 blocks,), and (3 blocks,).
    """

    observation: Vector
    achieved_goal: Vector
    desired_goal: Vector


class Fetch:
    """One task. blocks: how many are stacked. Raises RoboticsPackageError where gymnasium-robotics is missing."""

    def __init__(self, task: FetchTask, blocks: int = 2) -> None:
        made = stack_task(blocks) if task == "stack" else _shipped(task)
        self._env = _with_fresh_poses(made)(reward_type="sparse")
        self.tolerance_m = float(self._env.distance_threshold)
        self.table_goal_z_m: float | None = float(self._env.height_offset) if self._env.has_object else None

    def reset(self, seed: int) -> FetchReading:
        """Objects and goal are drawn from ``seed``."""
        return _reading(self._env.reset(seed=seed)[0])

    def step(self, action: Vector) -> FetchReading:
        """action (4,) in [-1, 1]: displacement of the gripper, and its opening."""
        return _reading(self._env.step(action)[0])

    def state(self) -> Vector:
        """All that the simulation continues from."""
        return saved_state(self._env.model, self._env.data)

    def restore(self, state: Vector) -> FetchReading:
        """Continues from ``state`` with the goal as it is. Raises ValueError for a state of another task."""
        restore_state(self._env.model, self._env.data, np.asarray(state, np.float64))
        return _reading(self._env._get_obs())

    def set_goal(self, goal_m: Vector) -> FetchReading:
        """Raises ValueError unless the goal is as many finite numbers as the task's own."""
        goal = np.asarray(goal_m, np.float64)
        if goal.shape != self._env.goal.shape or not np.isfinite(goal).all():
            raise ValueError(f"a goal is {self._env.goal.size} finite numbers in m, got {goal.tolist()}")
        self._env.goal = goal.copy()
        return _reading(self._env._get_obs())

    def close(self) -> None:
        self._env.close()


def _shipped(task: FetchTask) -> Any:
    module, name = _TASKS[task]
    return getattr(robotics_module(module), name)


def _with_fresh_poses(task: Any) -> Any:
    """The task, with poses as new as its joints after each step.

    As shipped, observation and gripper target are read from poses one time step old; no saved state holds those.
    """

    class WithFreshPoses(task):  # type: ignore[misc]
        def _step_callback(self) -> None:
            super()._step_callback()
            refresh(self.model, self.data)

    return WithFreshPoses


def _reading(observation: dict[str, Vector]) -> FetchReading:
    return FetchReading(observation["observation"], observation["achieved_goal"], observation["desired_goal"])
