"""A peg on three slide joints over a socket: insertion without an arm, for tests that must be fast.

Source: the acceptance models of residual RL (section 8.1 of both specifications): 10 x 5 mm peg of 1 kg, Cartesian impedance
of 1500 N/m with critical damping on each axis, a command per 100 steps of 1 ms. The residual controller, the observation and
the sparse reward are those of the full environment.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from tenon.configuration.base import Config
from tenon.control.residual import ResidualConfig, ResidualController
from tenon.control.types import Vector
from tenon.environments.insertion_reward import electrical_reward
from tenon.simulation.connector_mjcf import connector_mjcf
from tenon.simulation.connectors import ConnectorConfig, RectangleConfig
from tenon.simulation.mjcf import element
from tenon.simulation.scene import CONTACT_SENSOR, PLUG_BODY, PhysicsConfig, connector_defaults, physics_options
from tenon.simulation.tasks import ObservationScaleConfig

Array = NDArray[np.float32]

SEED_RANGE = 2**31


class FlyingPegConfig(Config):
    """The model and the task.

    command_bias_m: added to x of every command (residual-rl.md 2.8: the learner has to find it). command_noise_m:
    standard deviation of what is added to every axis. goal_error_m: half width of the uniform error of the known goal.
    """

    connector: ConnectorConfig = ConnectorConfig(
        name="peg", plug=RectangleConfig(width_m=0.010, height_m=0.005), depth_m=0.010, clearance_m=0.0005
    )
    mass_kg: PositiveFloat = 1.0
    stiffness_n_m: PositiveFloat = 1500.0
    physics: PhysicsConfig = PhysicsConfig(timestep_s=0.001, contact_time_constant_s=0.002)
    substeps: PositiveInt = 100
    horizon_steps: PositiveInt = 20
    start_height_m: PositiveFloat = 0.05
    goal_error_m: NonNegativeFloat = 0.0
    command_bias_m: NonNegativeFloat = 0.0
    command_noise_m: NonNegativeFloat = 0.0
    success_tolerance_m: PositiveFloat = 0.002
    force_filter_time_constant_s: PositiveFloat = 0.01
    residual: ResidualConfig = ResidualConfig(authority_m=(0.002, 0.002, 0.002), step_limit_m=0.012)
    observation_scale: ObservationScaleConfig = ObservationScaleConfig()


class FlyingPegEnv(gymnasium.Env[Array, Array]):
    """Observation (4,): [x - x_hat (3), f_z], scaled. Action (3,) in [-1, 1]: the residual. Reward: 1 per connected step."""

    metadata = {"render_modes": []}

    def __init__(self, config: FlyingPegConfig | None = None) -> None:
        self.config = config or FlyingPegConfig()
        self.controller = ResidualController(self.config.residual)
        self._model = mujoco.MjModel.from_xml_string(_mjcf(self.config))
        self._data = mujoco.MjData(self._model)
        self._divisors = self.config.observation_scale.divisors
        time_constant_s = self.config.force_filter_time_constant_s
        self._smoothing = 1.0 - math.exp(-self.config.physics.timestep_s / time_constant_s)
        self._seated = np.array((0.0, 0.0, -self.config.connector.depth_m))
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """With a seed, the episode of that number: the same error and the same command noise every time."""
        super().reset(seed=seed)
        episode = seed if seed is not None else int(self.np_random.integers(SEED_RANGE))
        scale = float((options or {}).get("goal_error_scale", 1.0))
        self._noise = np.random.default_rng((episode, 1))
        error = np.random.default_rng(episode).uniform(-1, 1, 2)
        self._goal = self._seated + np.array((*(scale * self.config.goal_error_m * error), 0.0))
        self._steps, self._peak_force_n, self._force_n = 0, 0.0, np.zeros(3)
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[:] = self._goal + np.array((0.0, 0.0, self.config.start_height_m))
        self._data.ctrl[:] = self._data.qpos
        mujoco.mj_forward(self._model, self._data)
        return self._observation(), {"episode": episode}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One command. info: success, depth_m, peak_force_n, command (ResidualCommand)."""
        config = self.config
        command = self.controller.command(self._position, self._goal, action, press_n=float(self._force_n[2]))
        bias = np.array((config.command_bias_m, 0.0, 0.0))
        self._data.ctrl[:] = command.target_m + bias + config.command_noise_m * self._noise.standard_normal(3)
        for _ in range(config.substeps):
            mujoco.mj_step(self._model, self._data)
            self._force_n += self._smoothing * (-self._data.sensordata[:3] - self._force_n)
            self._peak_force_n = max(self._peak_force_n, float(np.linalg.norm(self._force_n)))
        self._steps += 1
        depth = -float(self._position[2])
        success = depth >= config.connector.depth_m - config.success_tolerance_m
        info = {"success": success, "depth_m": depth, "peak_force_n": self._peak_force_n, "command": command}
        truncated = self._steps >= config.horizon_steps
        return self._observation(), electrical_reward(connected=success), False, truncated, info

    @property
    def _position(self) -> Vector:
        """The middle of the tip; the mouth is the origin, z points out of it."""
        return self._data.qpos.copy()

    def _observation(self) -> Array:
        values = np.append(self._position - self._goal, self._force_n[2])
        return (values / self._divisors).astype(np.float32)


def _mjcf(config: FlyingPegConfig) -> str:
    """The peg's frame is turned tool-down at its tip, so that slide positions are the tip's in axes of the world."""
    parts = connector_mjcf(config.connector)
    down = "0 1 0 0"
    damping = 2 * math.sqrt(config.stiffness_n_m * config.mass_kg)
    joints = "".join(
        element("joint", name=axis, type="slide", axis=direction)
        for axis, direction in zip("xyz", ((1, 0, 0), (0, 1, 0), (0, 0, 1)), strict=True)
    )
    depth = config.connector.depth_m
    peg = element(
        "body",
        joints,
        element("inertial", mass=config.mass_kg, pos=(0, 0, 0), diaginertia=(1e-3, 1e-3, 1e-3)),
        element("body", parts.plug, name=PLUG_BODY, quat=down, pos=(0, 0, depth), gravcomp=1),
        name="slides",
        gravcomp=1,
    )
    actuators = "".join(
        element("position", joint=axis, kp=config.stiffness_n_m, kv=damping) for axis in "xyz"
    )
    return element(
        "mujoco",
        element("compiler", angle="radian", autolimits=True),
        physics_options(config.physics),
        connector_defaults(config.connector, config.physics),
        element("asset", parts.assets),
        element("worldbody", element("body", parts.socket, name="socket", quat=down), peg),
        element("actuator", actuators),
        element("sensor", element("contact", name=CONTACT_SENSOR, body1=PLUG_BODY, reduce="netforce", data="force")),
        model="flying peg",
    )
