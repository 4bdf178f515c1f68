"""Block assembly as a Gymnasium environment: a residual learns to set a block between two that stand turned.

Source: Johannink et al., 2019, section "simulated environment"; residual-rl.md, sections 2.3 (reward) and 4.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import Config
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.residual import BoxConfig, ResidualCommand, ResidualConfig, ResidualController
from tenon.control.types import Vector
from tenon.data.transitions import EnvironmentSpec, ObservationSpec
from tenon.simulation.blocks import HELD, STANDING, BlockAssembly, BlocksModelConfig

Array = NDArray[np.float32]

ACTION_SIZE = 3
SEED_RANGE = 2**31
_POSE_SIZE = 6
STATE_SIZE = 3 + _POSE_SIZE * (1 + len(STANDING))
_YAW = 2


class BlocksConfig(Config):
    """The task. Where no source stands, a number is ours."""

    robot: str = Field(default="sawyer", description="an arm of config/arms; residual-rl.md 4")
    model: BlocksModelConfig = BlocksModelConfig()
    rotation_rad: NonNegativeFloat = Field(
        default=0.3, description="r: each standing block is turned by a draw from [-r, r]; residual-rl.md 4"
    )
    start_height_m: PositiveFloat = 0.12
    start_beside_m: NonNegativeFloat = Field(default=0.01, description="half width of the start's draw in x and y")
    control_period_s: PositiveFloat = Field(default=0.1, description="10 Hz")
    horizon_steps: PositiveInt = Field(default=50, description="residual-rl.md 3")
    residual: ResidualConfig = Field(
        default=ResidualConfig(
            authority_m=(0.003, 0.012, 0.005),
            step_limit_m=0.015,
            box=BoxConfig(lower_m=(-0.08, -0.08, -0.005), upper_m=(0.08, 0.08, 0.2)),
            fence=None,
        ),
        description="ours, per axis: with more across the gap the policy shakes out what is in; along it, a turned "
        "block's corner is 13 mm beside its middle",
    )
    tilt_weight_m_rad: NonNegativeFloat = Field(default=0.1, description="lambda; residual-rl.md 2.3")
    place_weight: NonNegativeFloat = Field(default=1.0, description="mu; residual-rl.md 2.3")
    yaw_weight_m_rad: NonNegativeFloat = Field(default=0.1, description="beta; residual-rl.md 2.3")
    reward_scale_per_m: PositiveFloat = Field(default=10.0, description="of the whole reward")
    inserted_m: PositiveFloat = Field(default=0.01, description="success: the held block is this close to its place")
    in_place_m: PositiveFloat = Field(default=0.015, description="success: so are the standing ones to theirs")
    upright_rad: PositiveFloat = Field(default=0.1, description="success: none is tilted further")
    position_scale_m: PositiveFloat = Field(default=0.02, description="a learner's unit of length")
    angle_scale_rad: PositiveFloat = Field(default=0.2, description="a learner's unit of angle")


class BlocksEnv(gymnasium.Env[Array, Array]):  # type: ignore[misc]
    """Observation (21,): TCP (3) in m from its goal; then of the held, the left and the right block its middle (3) in m
    from where it belongs and its rotation vector (3) in rad.

    Action (3,) in [-1, 1]: the residual, or all of the command where the configuration has no hand-written controller.
    Reward: minus the scaled sum of the held block's distance and of what the standing ones have been tilted, moved and
    turned away. An episode is truncated after horizon_steps and never terminated.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, config: BlocksConfig | None = None) -> None:
        self.config = config or BlocksConfig()
        self.blocks = BlockAssembly(load_named(ArmConfig, ConfigKind.ARMS, self.config.robot), self.config.model)
        self.controller = ResidualController(self.config.residual)
        self.command: ResidualCommand | None = None
        lengths, angles = (self.config.position_scale_m,) * 3, (self.config.angle_scale_rad,) * 3
        scale = (*lengths, *(1 + len(STANDING)) * (*lengths, *angles))
        self.spec: EnvironmentSpec = EnvironmentSpec(
            observation=ObservationSpec(state_size=STATE_SIZE, state_scale=scale), action_size=ACTION_SIZE
        )
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (STATE_SIZE,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)
        self._substeps = round(self.config.control_period_s / self.config.model.physics.timestep_s)
        held_m = np.array((0.0, 0.0, self.config.model.height_m / 2))
        self._places_m = np.vstack((held_m, self.blocks.places_m))
        self._goal_m = np.zeros(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """With a seed, the episode of that number."""
        super().reset(seed=seed)
        config = self.config
        episode = seed if seed is not None else int(self.np_random.integers(SEED_RANGE))
        rng = np.random.default_rng(episode)
        beside_m = rng.uniform(-config.start_beside_m, config.start_beside_m, 2)
        yaws_rad = rng.uniform(-config.rotation_rad, config.rotation_rad, len(STANDING))
        self.blocks.place(np.append(beside_m, config.start_height_m), yaws_rad)
        self._steps = 0
        self.command = None
        return self._observation(self._state()), {"episode": episode, "yaws_rad": yaws_rad}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One control period. info: success, distance_m (of the held block), tilt_rad and moved_m (the worse one's)."""
        config = self.config
        self.command = self.controller.command(self.blocks.tcp_m, self._goal_m, np.asarray(action, np.float64))
        self.blocks.step(self.command.target_m, self._substeps)
        self._steps += 1
        state = self._state()
        distance_m = float(np.linalg.norm(state[0][0]))
        tilts_rad = [float(np.linalg.norm(turned[:_YAW])) for _, turned in state[1:]]
        moved_m = [float(np.linalg.norm(off_m)) for off_m, _ in state[1:]]
        yaws_rad = [abs(float(turned[_YAW])) for _, turned in state[1:]]
        cost_m = (
            distance_m
            + config.tilt_weight_m_rad * sum(tilts_rad)
            + config.place_weight * sum(moved_m)
            + config.yaw_weight_m_rad * sum(yaws_rad)
        )
        success = (
            distance_m <= config.inserted_m
            and max(moved_m) <= config.in_place_m
            and max(tilts_rad) <= config.upright_rad
        )
        info = {"success": success, "distance_m": distance_m, "tilt_rad": max(tilts_rad), "moved_m": max(moved_m)}
        reward, truncated = -config.reward_scale_per_m * cost_m, self._steps >= config.horizon_steps
        return self._observation(state), reward, False, truncated, info

    def _state(self) -> list[tuple[Vector, Vector]]:
        """Of the held, the left and the right block: how far it is from its place, and its rotation vector."""
        read = [self.blocks.block(name) for name in (HELD, *STANDING)]
        return [(middle_m - place_m, turned) for (middle_m, turned), place_m in zip(read, self._places_m, strict=True)]

    def _observation(self, state: list[tuple[Vector, Vector]]) -> Array:
        seen = [self.blocks.tcp_m, *(part for pair in state for part in pair)]
        return np.concatenate(seen).astype(np.float32)
