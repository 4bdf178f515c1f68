"""The insertion task as numbers, and what varies between its episodes.

Everything that evaluates the task (Gymnasium environment, ROS graph, calibration) draws its episodes with
``draw_episode``, so episode number 7 is the same episode everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from tenon.configuration.base import Config
from tenon.control.geometry import pose
from tenon.control.residual import ResidualConfig
from tenon.control.types import Pose, Vector
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.scene import TOOL_DOWN_XYZW, SceneConfig


class ForceSensorConfig(Config):
    """What the simulated wrist sensor adds to the true wrench.

    bias: constant until the next reset, uniform in +-bias, so that the tare matters. noise: standard deviation per
    reading. filter_time_constant_s: of the first-order low-pass that such sensors apply before they report.
    """

    force_bias_n: NonNegativeFloat = 0.0
    torque_bias_nm: NonNegativeFloat = 0.0
    force_noise_n: NonNegativeFloat = 0.0
    torque_noise_nm: NonNegativeFloat = 0.0
    filter_time_constant_s: PositiveFloat = 0.01


class ObservationScaleConfig(Config):
    """Divisors that bring [x - x_hat (3), f_z] from SI to about [-1, 1] near the socket."""

    position_m: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.001, 0.001, 0.01)
    force_n: PositiveFloat = 5.0

    @property
    def divisors(self) -> Vector:
        """(4,)"""
        return np.array((*self.position_m, self.force_n))


class InsertionTaskConfig(Config):
    """One connector over its socket.

    connector: name of a file in config/connectors. start_height_m: of the tip above the seated position at the start.
    goal_error_m: half width of the uniform error of the programmed socket position, x and y, per episode.
    goal_error_min_m: where it is given, the error lies in a ring between it and goal_error_m instead (0: a disc).
    socket_shift_m: half width of the uniform shift of the socket itself. success_tolerance_m: the connection is made
    when the tip is this close to full depth. reference_ramp_s: the arm's set point moves to a new reference linearly
    within this time. force_limit_n: what the connector and the arm must never see.
    """

    connector: str
    scene: SceneConfig = SceneConfig()
    control_period_s: PositiveFloat = 0.1
    horizon_steps: PositiveInt = 50
    start_height_m: PositiveFloat = 0.05
    goal_error_m: NonNegativeFloat = 0.001
    goal_error_min_m: NonNegativeFloat | None = None
    socket_shift_m: NonNegativeFloat = 0.0
    success_tolerance_m: PositiveFloat = 0.002
    reference_ramp_s: NonNegativeFloat = 0.1
    force_limit_n: PositiveFloat = 30.0
    residual: ResidualConfig = ResidualConfig()
    force_sensor: ForceSensorConfig = ForceSensorConfig()
    observation_scale: ObservationScaleConfig = ObservationScaleConfig()

    @model_validator(mode="after")
    def _ring_is_a_ring(self) -> InsertionTaskConfig:
        if self.goal_error_min_m is not None and self.goal_error_min_m > self.goal_error_m:
            raise ValueError(
                f"goal_error_min_m {self.goal_error_min_m} must not be above goal_error_m {self.goal_error_m}"
            )
        return self


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeDraw:
    """What is particular about one episode.

    goal_error_m: estimated minus true goal (3,), z is 0. socket_shift_m: of the socket from its nominal place (3,).
    retention_n: dry friction of the contact springs.
    """

    seed: int
    goal_error_m: Vector
    socket_shift_m: Vector
    retention_n: float


def draw_episode(
    task: InsertionTaskConfig, connector: ConnectorConfig, seed: int, *, goal_error_scale: float = 1.0
) -> EpisodeDraw:
    """Episode number ``seed``. goal_error_scale: 0 for a perfectly known goal, all else as in the noisy episode."""
    generator = np.random.default_rng(seed)
    error, shift, retention = generator.uniform(-1, 1, 2), generator.uniform(-1, 1, 2), generator.uniform()
    limits = connector.retention
    return EpisodeDraw(
        seed=seed,
        goal_error_m=goal_error_scale * goal_error(error, task.goal_error_m, task.goal_error_min_m),
        socket_shift_m=np.array((*(task.socket_shift_m * shift), 0.0)),
        retention_n=limits.minimum_n + (limits.maximum_n - limits.minimum_n) * float(retention),
    )


def goal_error(uniform: Vector, size_m: float, minimum_m: float | None = None) -> Vector:
    """(3,) in axes of the base, z is 0. uniform (2,): drawn from [-1, 1].

    Uniform in the square of half width size_m, or, with minimum_m, uniform in area between that radius and size_m.
    """
    if minimum_m is None:
        return np.array((*(size_m * uniform), 0.0))
    angle = math.pi * uniform[0]
    radius = math.sqrt(minimum_m**2 + (size_m**2 - minimum_m**2) * (uniform[1] + 1) / 2)
    return np.array((radius * math.cos(angle), radius * math.sin(angle), 0.0))


def seated_pose(task: InsertionTaskConfig, connector: ConnectorConfig) -> Pose:
    """The TCP in the base when the plug is home, as the task is programmed: what a person teaches once by hand."""
    x, y, z = task.scene.socket_mouth_in_base_m
    return pose((x, y, z - connector.depth_m), TOOL_DOWN_XYZW)
