"""Opening a drawer with a hook, and the script whose mixed data it is to be learnt from.

Source: awac.md, section 8, "drawer with a hook", after the Sawyer task of Nair et al., 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration import Config
from tenon.data.transitions import EnvironmentSpec, Observation, ObservationSpec
from tenon.environments.scripted import ScriptedEpisode, noisy_action, run_script
from tenon.simulation.drawer import Drawer, DrawerModelConfig

Array = NDArray[np.float32]
Triple = tuple[float, float, float]

STATE_SIZE, ACTION_SIZE = 4, 3
DECIMETRES = 10.0
SEED_RANGE = 2**31


class DrawerConfig(Config):
    """The task."""

    model: DrawerModelConfig = DrawerModelConfig()
    speed_limit_m_s: float = Field(default=0.15, gt=0.0, description="of the hook at action 1, per axis; awac.md 8")
    control_period_s: float = Field(default=0.1, gt=0.0, description="10 Hz; awac.md 8")
    horizon_steps: int = Field(default=60, gt=0, description="awac.md 8")
    open_m: float = Field(default=0.10, gt=0.0, description="success: the drawer is open further; awac.md 8")
    hover_m: Triple = Field(default=(0.0, 0.0, 0.06), description="the hover pose, above the slot; ours")
    start_lower_m: Triple = Field(default=(-0.05, -0.12, -0.03), description="start around the hover pose; awac.md 8")
    start_upper_m: Triple = Field(default=(0.05, 0.12, 0.05), description="start around the hover pose; awac.md 8")


class DrawerEnv(gymnasium.Env[Array, Array]):  # type: ignore[misc]
    """Observation (4,): hook x, y, z and how far the drawer is open, in decimetres; the origin is the closed slot.

    Action (3,) in [-1, 1]: the hook's velocity. Reward: 0 on each step on which the drawer is open far enough, else -1.
    Success does not end an episode; it is truncated after horizon_steps.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, config: DrawerConfig | None = None) -> None:
        self.config = config or DrawerConfig()
        self.drawer = Drawer(self.config.model)
        self.spec: EnvironmentSpec = EnvironmentSpec(
            observation=ObservationSpec(state_size=STATE_SIZE), action_size=ACTION_SIZE
        )
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (STATE_SIZE,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)
        self._substeps = round(self.config.control_period_s / self.config.model.timestep_s)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """With a seed, the episode of that number."""
        super().reset(seed=seed)
        episode = seed if seed is not None else int(self.np_random.integers(SEED_RANGE))
        offset = np.random.default_rng(episode).uniform(self.config.start_lower_m, self.config.start_upper_m)
        self.drawer.place(np.array(self.config.hover_m) + offset)
        self._steps = 0
        return self._observation(), {"episode": episode}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One control period. info: success, opened_m."""
        command = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        self.drawer.step(self.config.speed_limit_m_s * command, self._substeps)
        self._steps += 1
        opened_m = self.drawer.opened_m
        success = opened_m > self.config.open_m
        truncated = self._steps >= self.config.horizon_steps
        return self._observation(), float(success) - 1.0, False, truncated, {"success": success, "opened_m": opened_m}

    def _observation(self) -> Array:
        return (DECIMETRES * np.append(self.drawer.hook_m, self.drawer.opened_m)).astype(np.float32)


class DrawerScriptConfig(Config):
    """Mixed data: most trajectories miss the handle, most of these on the same side, and all are kept."""

    noise: float = Field(default=0.25, ge=0.0, description="standard deviation per entry of the action; awac.md 8")
    beside_share: float = Field(default=0.85, ge=0.0, le=1.0, description="share that aims beside; awac.md 8")
    beside_m: float = Field(default=0.026, gt=0.0, description="how far beside the handle's middle; awac.md 8")
    same_side_share: float = Field(default=0.75, ge=0.0, le=1.0, description="of those beside: at +y; awac.md 8")
    lowered_m: float = Field(default=-0.015, description="height at which the hook is in the slot; ours")
    pulled_m: float = Field(default=0.13, gt=0.0, description="x to which the hook pulls; ours")
    near_m: float = Field(default=0.005, gt=0.0, description="a way point is reached within this per axis; ours")


class DrawerScript:
    """One trajectory: above the aim, down, pull. It aims at y = aim_y_m."""

    def __init__(self, task: DrawerConfig, config: DrawerScriptConfig, aim_y_m: float, rng: np.random.Generator):
        self._config, self._rng = config, rng
        self._reach_m = task.speed_limit_m_s * task.control_period_s
        x, _, z = task.hover_m
        self._way_points = [
            (x, aim_y_m, z),
            (x, aim_y_m, config.lowered_m),
            (config.pulled_m, aim_y_m, config.lowered_m),
        ]

    def act(self, observation: Observation) -> Array:
        """Towards the present way point, as fast as allowed, and noise."""
        hook_m = observation.state[:3].astype(np.float64) / DECIMETRES
        if len(self._way_points) > 1 and self._is_reached(hook_m):
            del self._way_points[0]
        wanted = (np.array(self._way_points[0]) - hook_m) / self._reach_m
        return noisy_action(wanted, self._config.noise, self._rng)

    def _is_reached(self, hook_m: NDArray[np.float64]) -> bool:
        x, y, z = np.abs(np.array(self._way_points[0]) - hook_m) < self._config.near_m
        descends = self._way_points[0][2] == self._config.lowered_m
        return bool(z) if descends else bool(x and y)


def drawer_episodes(
    env: DrawerEnv, episodes: int, rng: np.random.Generator, config: DrawerScriptConfig, session: str
) -> Iterator[ScriptedEpisode]:
    """The shares of the script are kept exactly, in an order drawn from ``rng``."""
    for number, aim_y_m in enumerate(rng.permutation(_aims_m(episodes, config))):
        script = DrawerScript(env.config, config, float(aim_y_m), rng)
        seed = int(rng.integers(SEED_RANGE))
        yield run_script(env, script.act, session=session, episode=number, seed=seed)


def _aims_m(episodes: int, config: DrawerScriptConfig) -> NDArray[np.float64]:
    beside = round(config.beside_share * episodes)
    same_side = round(config.same_side_share * beside)
    shares = (episodes - beside, same_side, beside - same_side)
    return np.repeat((0.0, config.beside_m, -config.beside_m), shares)
