"""The peg without an arm as a Gymnasium environment: residual, observation and reward of the full one, cheaper.

Source: the acceptance tests of residual RL (section 8.1 of both specifications).
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from tenon.configuration.base import Config
from tenon.control.residual import ResidualCommand, ResidualConfig, ResidualController
from tenon.data.transitions import EnvironmentSpec
from tenon.environments.observation import insertion_spec, insertion_state
from tenon.simulation.flying_peg import FlyingPeg, FlyingPegModelConfig
from tenon.simulation.tasks import ObservationScaleConfig

Array = NDArray[np.float32]

SEED_RANGE = 2**31


class FlyingPegConfig(Config):
    """The task.

    command_bias_m: added to x of every command (residual-rl.md 2.8: the learner has to find it). command_noise_m:
    standard deviation of what is added to every axis. goal_error_m: half width of the uniform error of the known goal.
    """

    model: FlyingPegModelConfig = FlyingPegModelConfig()
    horizon_steps: PositiveInt = 20
    start_height_m: PositiveFloat = 0.05
    goal_error_m: NonNegativeFloat = 0.0
    command_bias_m: NonNegativeFloat = 0.0
    command_noise_m: NonNegativeFloat = 0.0
    success_tolerance_m: PositiveFloat = 0.002
    residual: ResidualConfig = ResidualConfig(authority_m=(0.002, 0.002, 0.002), step_limit_m=0.012)
    observation_scale: ObservationScaleConfig = ObservationScaleConfig()


class FlyingPegEnv(gymnasium.Env[Array, Array]):  # type: ignore[misc]
    """Observation (4,): [x - x_hat (3) in m, f_z in N]. Action (3,): residual in [-1, 1]. Reward: 1 per connected step.

    ``command`` is the last step's ResidualCommand.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, config: FlyingPegConfig | None = None) -> None:
        self.config = config or FlyingPegConfig()
        self.peg = FlyingPeg(self.config.model)
        self.controller = ResidualController(self.config.residual)
        self.command: ResidualCommand | None = None
        self.spec: EnvironmentSpec = insertion_spec(self.config.observation_scale)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """With a seed, the episode of that number: the same error and the same command noise every time."""
        super().reset(seed=seed)
        episode = seed if seed is not None else int(self.np_random.integers(SEED_RANGE))
        scale = float((options or {}).get("goal_error_scale", 1.0))
        self._noise = np.random.default_rng((episode, 1))
        error = np.random.default_rng(episode).uniform(-1, 1, 2)
        self._goal = self.peg.seated_m + np.array((*(scale * self.config.goal_error_m * error), 0.0))
        self._steps = 0
        self.command = None
        self.peg.place(self._goal + np.array((0.0, 0.0, self.config.start_height_m)))
        return self._observation(), {"episode": episode}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One command. info: success, depth_m, peak_force_n."""
        config = self.config
        residual, press_n = np.asarray(action, np.float64), float(self.peg.force_n[2])
        self.command = self.controller.command(self.peg.position_m, self._goal, residual, press_n=press_n)
        disturbance = config.command_noise_m * self._noise.standard_normal(3)
        disturbance[0] += config.command_bias_m
        self.peg.step(self.command.target_m + disturbance)
        self._steps += 1
        success = self.peg.depth_m >= config.model.connector.depth_m - config.success_tolerance_m
        info = {"success": success, "depth_m": self.peg.depth_m, "peak_force_n": self.peg.peak_force_n}
        truncated = self._steps >= config.horizon_steps
        return self._observation(), float(success), False, truncated, info

    def _observation(self) -> Array:
        return insertion_state(self.peg.position_m, self._goal, float(self.peg.force_n[2]))
