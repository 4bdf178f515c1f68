"""From corner to corner of a maze, to be learnt from data in which nobody goes that far.

Source: iql.md, section 8, "stitching in a point maze".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration import Config
from tenon.data.transitions import EnvironmentSpec, Observation, ObservationSpec, Transition
from tenon.environments.scripted import ScriptedEpisode, noisy_action
from tenon.simulation.point_maze import Cell, PointMaze

Array = NDArray[np.float32]
Vector = NDArray[np.float64]

STATE_SIZE, ACTION_SIZE = 4, 2
SEED_RANGE = 2**31


class MazeConfig(Config):
    """The task. Cells are (row, column)."""

    action_repeat: int = Field(default=5, gt=0, description="of 10 ms; iql.md 8")
    horizon_steps: int = Field(default=250, gt=0, description="iql.md 8")
    start_cell: tuple[int, int] = Field(default=(1, 1), description="a corner; iql.md 8")
    goal_cell: tuple[int, int] = Field(default=(6, 6), description="the opposite corner, 10 cells away; iql.md 8")
    goal_radius_m: float = Field(default=0.5, gt=0.0, description="iql.md 8")
    start_noise_m: float = Field(default=0.25, ge=0.0, description="half width, x and y; as gymnasium-robotics")
    actuator_gain: float = Field(default=1.0, gt=0.0, description="0.6 for fine-tuning; iql.md 8")


class MazeEnv(gymnasium.Env[Array, Array]):  # type: ignore[misc]
    """Observation (4,): x, y in m and their velocities. Action (2,) in [-1, 1]: force.

    Reward: -1, and 0 within goal_radius_m of the goal, where the episode terminates.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, config: MazeConfig | None = None) -> None:
        self.config = config or MazeConfig()
        self.maze = PointMaze(self.config.actuator_gain)
        for name, cell in (("start_cell", self.config.start_cell), ("goal_cell", self.config.goal_cell)):
            if cell not in self.maze.cells:
                raise ValueError(f"{name} {cell} is no free cell of the maze: {', '.join(map(str, self.maze.cells))}")
        self._start_m, self._goal_m = (
            self.maze.centre_m(cell) for cell in (self.config.start_cell, self.config.goal_cell)
        )
        self.spec: EnvironmentSpec = EnvironmentSpec(
            observation=ObservationSpec(state_size=STATE_SIZE), action_size=ACTION_SIZE
        )
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (STATE_SIZE,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """With a seed, the episode of that number."""
        super().reset(seed=seed)
        episode = seed if seed is not None else int(self.np_random.integers(SEED_RANGE))
        self.place(self._start_m, np.random.default_rng(episode))
        self._steps = 0
        return self.observation(), {"episode": episode}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """info: success."""
        self.maze.step(np.asarray(action, np.float64), self.config.action_repeat)
        self._steps += 1
        success = self.at_goal()
        truncated = not success and self._steps >= self.config.horizon_steps
        return self.observation(), float(success) - 1.0, success, truncated, {"success": success}

    def place(self, position_m: Vector, rng: np.random.Generator) -> None:
        """Puts the point near there, at rest."""
        noise_m = self.config.start_noise_m
        self.maze.place(position_m + rng.uniform(-noise_m, noise_m, 2))

    def at_goal(self) -> bool:
        return bool(np.linalg.norm(self.maze.state[:2] - self._goal_m) < self.config.goal_radius_m)

    def observation(self) -> Array:
        return self.maze.state.astype(np.float32)

    def close(self) -> None:
        self.maze.close()


class MazeScriptConfig(Config):
    """Short walks. Numbers without a source are ours: 1,500 walks have with them as many steps as iql.md 8 says."""

    noise: float = Field(default=0.5, ge=0.0, description="standard deviation per entry of the action; iql.md 8")
    cells_apart: int = Field(default=4, gt=0, description="start and end of a walk, at most; iql.md 8")
    position_gain_per_m: float = Field(default=4.0, gt=0.0, description="of the way-point controller")
    velocity_gain_s_m: float = Field(default=1.0, ge=0.0, description="of the way-point controller, as in D4RL")
    passed_m: float = Field(default=0.3, gt=0.0, description="the next way point follows within this")
    arrived_m: float = Field(default=0.16, gt=0.0, description="a walk ends within this of its last way point")
    limit_steps: int = Field(default=100, gt=0, description="of a walk")


def maze_walks(
    env: MazeEnv, episodes: int, rng: np.random.Generator, config: MazeScriptConfig, session: str
) -> Iterator[ScriptedEpisode]:
    """``episodes`` walks between random cells, with the reward of ``env``'s goal.

    A walk goes on after it was at the goal, but a transition into the goal is terminal: what follows it has an episode
    number of its own, so one walk may hold several.
    """
    first_episode = 0
    for _ in range(episodes):
        start = env.maze.cells[int(rng.integers(len(env.maze.cells)))]
        near = [cell for cell, apart in env.maze.distances(start).items() if 0 < apart <= config.cells_apart]
        end = near[int(rng.integers(len(near)))]
        walk = ScriptedEpisode(tuple(_walk(env, env.maze.path(start, end), rng, config, session, first_episode)))
        first_episode = walk.transitions[-1].episode + 1
        yield walk


def _walk(
    env: MazeEnv,
    path: list[Cell],
    rng: np.random.Generator,
    config: MazeScriptConfig,
    session: str,
    first_episode: int,
) -> Iterator[Transition]:
    way_points = [env.maze.centre_m(cell) for cell in path]
    env.place(way_points[0], rng)
    observation = env.observation()
    episode, step, arrived = first_episode, 0, False
    for taken in range(1, config.limit_steps + 1):
        action = noisy_action(_towards(way_points, env.maze.state, config), config.noise, rng)
        env.maze.step(action.astype(np.float64), env.config.action_repeat)
        next_observation, success = env.observation(), env.at_goal()
        arrived = bool(np.linalg.norm(env.maze.state[:2] - way_points[-1]) < config.arrived_m)
        yield Transition(
            session=session,
            episode=episode,
            step=step,
            observation=Observation(observation),
            action=action,
            reward=float(success) - 1.0,
            next_observation=Observation(next_observation),
            terminated=success,
            truncated=not success and (arrived or taken == config.limit_steps),
            success=success,
        )
        if arrived:
            return
        episode, step = (episode + 1, 0) if success else (episode, step + 1)
        observation = next_observation


def _towards(way_points: list[Vector], state: Vector, config: MazeScriptConfig) -> Vector:
    """Proportional-derivative control to the next way point; those that were passed are dropped."""
    while len(way_points) > 1 and np.linalg.norm(way_points[0] - state[:2]) < config.passed_m:
        del way_points[0]
    force: Vector = config.position_gain_per_m * (way_points[0] - state[:2]) - config.velocity_gain_s_m * state[2:]
    return force
