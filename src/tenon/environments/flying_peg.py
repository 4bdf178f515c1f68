"""The peg without an arm as a Gymnasium environment: residual, observation and reward of the full one, cheaper.

Source: the acceptance tests of residual RL (residual-rl.md 8.1, "biased controller") and of connector insertion
(insertion.md 8.1, four sockets).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from tenon.configuration.base import Config
from tenon.configuration.session import RewardName
from tenon.control.residual import ResidualCommand, ResidualConfig, ResidualController
from tenon.control.types import Vector
from tenon.data.transitions import EnvironmentSpec, ImageSpec
from tenon.environments.observation import ACTION_SIZE, insertion_space, insertion_spec, insertion_state
from tenon.environments.rewards import make_reward
from tenon.rewards import RewardObservation
from tenon.simulation.flying_peg import FlyingPeg, FlyingPegModelConfig
from tenon.simulation.tasks import ObservationScaleConfig

Array = NDArray[np.float32]
PegObservation = Array | dict[str, NDArray[Any]]

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
    pure_step_m: PositiveFloat | None = Field(
        default=None,
        description="pure RL, a baseline: no hand-written controller, and action 1 is so long a step: 5 mm "
        "(insertion.md 8.1) or 10 mm (residual-rl.md 8.1)",
    )
    observation_scale: ObservationScaleConfig = ObservationScaleConfig()
    reward: RewardName = Field(
        default="electrical",
        description="electrical: 1 per connected step. dense: eq. (48), sign repaired. goal_image: minus the "
        "difference to the picture of the seated peg (insertion.md 2.3)",
    )
    observation: Literal["state", "image", "state_and_image"] = Field(
        default="state",
        description="image: the camera's grey picture, and the state is all zero, so that the picture is all there is",
    )


class FlyingPegEnv(gymnasium.Env[PegObservation, Array]):  # type: ignore[misc]
    """Observation (4,): [x - x_hat (3) in m, f_z in N], or with images {"state": (4,), "image": (32, 32, 1) uint8}.

    Action (3,) in [-1, 1]: the residual, or all of the command in pure RL. An episode is truncated after horizon_steps
    and never terminated. ``command`` is the last step's ResidualCommand.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, config: FlyingPegConfig | None = None) -> None:
        self.config = config or FlyingPegConfig()
        self.peg = FlyingPeg(self.config.model)
        self.controller = ResidualController(_controller(self.config))
        self.command: ResidualCommand | None = None
        sees_image, needs_image = self.config.observation != "state", self.config.reward == "goal_image"
        size_px = self.config.model.camera.size_px
        image = ImageSpec(height=size_px, width=size_px, channels=1) if sees_image else None
        self.spec: EnvironmentSpec = insertion_spec(self.config.observation_scale, image)
        self.observation_space = insertion_space(image)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)
        self._draws = sees_image or needs_image
        self._reward = make_reward(
            self.config.reward,
            self.config.model.connector,
            self.config.success_tolerance_m,
            goal_image=self._goal_image() if needs_image else None,
        )

    @property
    def position_m(self) -> Vector:
        """Where the tip is (3,)."""
        return self.peg.position_m

    @property
    def goal_m(self) -> Vector:
        """The estimated goal (3,) of this episode, which the hand-written controller heads for."""
        return np.array(self._goal)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[PegObservation, dict[str, Any]]:
        """With a seed, the episode of that number: the same error, retention and command noise every time.

        options: {"goal_error_scale": 0.0} for a perfectly known goal, all else as in the noisy episode.
        """
        super().reset(seed=seed)
        episode = seed if seed is not None else int(self.np_random.integers(SEED_RANGE))
        scale = float((options or {}).get("goal_error_scale", 1.0))
        self._noise = np.random.default_rng((episode, 1))
        generator = np.random.default_rng(episode)
        error = generator.uniform(-1, 1, 2)
        retention = self.config.model.connector.retention
        retention_n = float(generator.uniform(retention.minimum_n, retention.maximum_n))
        self._goal = self.peg.seated_m + np.array((*(scale * self.config.goal_error_m * error), 0.0))
        self._steps = 0
        self.command = None
        start_m = self._goal + np.array((0.0, 0.0, self.config.start_height_m))
        self.peg.place(start_m, retention_n=retention_n)
        self._image = self.peg.image() if self._draws else None
        return self._observation(), {"episode": episode}

    def step(self, action: Array) -> tuple[PegObservation, float, bool, bool, dict[str, Any]]:
        """One command. info: success, depth_m, peak_force_n (of the episode), vertical_force_n (now)."""
        config = self.config
        residual, press_n = np.asarray(action, np.float64), float(self.peg.force_n[2])
        self.command = self.controller.command(self.peg.position_m, self._goal, residual, press_n=press_n)
        disturbance = config.command_noise_m * self._noise.standard_normal(3)
        disturbance[0] += config.command_bias_m
        self.peg.step(self.command.target_m + disturbance)
        self._image = self.peg.image() if self._draws else None
        self._steps += 1
        success = self.peg.depth_m >= config.model.connector.depth_m - config.success_tolerance_m
        info = {
            "success": success,
            "depth_m": self.peg.depth_m,
            "peak_force_n": self.peg.peak_force_n,
            "vertical_force_n": float(self.peg.force_n[2]),
        }
        truncated = self._steps >= config.horizon_steps
        return self._observation(), self._reward_now(connected=success), False, truncated, info

    def close(self) -> None:
        self.peg.close()

    def _goal_image(self) -> NDArray[np.uint8]:
        """Taken once, as a person would: the peg is put home by hand."""
        self.peg.place(self.peg.seated_m)
        return self.peg.image()

    def _observation(self) -> PegObservation:
        state = insertion_state(self.peg.position_m, self._goal, float(self.peg.force_n[2]))
        if self.config.observation == "state":
            return state
        assert self._image is not None
        return {"state": np.zeros_like(state) if self.config.observation == "image" else state, "image": self._image}

    def _reward_now(self, *, connected: bool) -> float:
        observation = RewardObservation(
            position_error_m=self.peg.position_m - self._goal,
            pressing_force_n=float(self.peg.force_n[2]),
            electrical=connected,
            image=self._image,
        )
        return self._reward.reward(observation).value


def _controller(config: FlyingPegConfig) -> ResidualConfig:
    return config.residual if config.pure_step_m is None else config.residual.alone(config.pure_step_m)
