"""The valve task as numbers: what is seen, what an action asks for, when it is done, and what varies between episodes.

Environment and session both go through here, so episode number 7 is the same episode everywhere.
Source: awac.md section 4, "D'Claw".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tenon.configuration import Config
from tenon.configuration.hand import HandConfig
from tenon.data.transitions import EnvironmentSpec, ObservationSpec
from tenon.simulation.claw import ValveConfig

Vector = NDArray[np.float64]
Range = tuple[float, float]

HALF_TURN_RAD = math.pi
VALVE_ENTRIES = 4
"""Sine and cosine of the valve's angle, sine and cosine of the angle that it shall have."""


class ValveTaskConfig(Config):
    """Turn the valve by half a turn. Where the source is "ours", awac.md gives no number."""

    kind: Literal["valve"] = Field(default="valve", description="tells this task from insertion, in config/tasks")
    hand: str = Field(default="claw", description="a file in config/hands; in a session, the robot's")
    valve: ValveConfig = ValveConfig()
    control_period_s: PositiveFloat = Field(default=0.1, description="10 Hz; ours")
    horizon_steps: PositiveInt = Field(default=100, description="ours")
    turn_rad: float = Field(default=HALF_TURN_RAD, description="from where the episode starts; awac.md 4")
    tolerance_rad: PositiveFloat = Field(default=0.25, description="success: the valve is closer; awac.md 4")
    start_spread_rad: float = Field(default=0.2, ge=0.0, description="the valve starts within +- this; ours")
    joint_spread_rad: float = Field(default=0.03, ge=0.0, description="the joints start within +- this; ours")
    start_rad: tuple[float, float, float] = Field(
        default=(0.0, 0.95, -1.3), description="swing, bend, tip of each finger, clear of the valve; ours"
    )
    start_tolerance_rad: PositiveFloat = Field(default=0.08, description="an episode begins with joints closer; ours")
    clear_rad: PositiveFloat = Field(
        default=0.35, description="a finger further than this from its start, bend and tip, may touch a prong; ours"
    )
    swing_rad: Range = Field(default=(-0.42, 0.42), description="what actions -1 and 1 ask for; ours")
    bend_rad: Range = Field(default=(-0.4, 1.4), description="what actions -1 and 1 ask for; ours")
    tip_rad: Range = Field(default=(-1.9, 0.0), description="what actions -1 and 1 ask for; ours")
    joint_speed_rad_s: PositiveFloat = Field(
        default=2.0, description="a command asks for no more than this, from where the joint is; ours"
    )
    torque_limit_nm: PositiveFloat = Field(default=0.6, description="of each servo while it works; ours")
    velocity_scale_rad_s: PositiveFloat = Field(default=2.0, description="what counts as one unit; ours")

    @model_validator(mode="after")
    def _ranges_are_ranges(self) -> ValveTaskConfig:
        for name in ("swing_rad", "bend_rad", "tip_rad"):
            low, high = getattr(self, name)
            if low >= high:
                raise ValueError(f"{name} goes from {low} to {high}: the first must be the lower")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class ValveDraw:
    """One episode. joint_position_rad (9,), valve_rad: at its start. target_rad: what the valve shall have."""

    seed: int
    joint_position_rad: Vector
    valve_rad: float
    target_rad: float


class ValveTask:
    """The task with the claw that does it. All joint vectors are (9,), finger by finger."""

    def __init__(self, config: ValveTaskConfig, hand: HandConfig) -> None:
        self.config, self.hand = config, hand
        fingers = len(hand.fingers)
        low, high = np.array((config.swing_rad, config.bend_rad, config.tip_rad)).T
        self._middle_rad = np.tile((low + high) / 2, fingers)
        self._half_rad = np.tile((high - low) / 2, fingers)
        self._step_rad = config.joint_speed_rad_s * config.control_period_s
        self._start_rad = np.tile(config.start_rad, fingers)

    @property
    def joints(self) -> int:
        return self._middle_rad.size

    @property
    def start_rad(self) -> Vector:
        """Where the fingers are clear of the valve."""
        return self._start_rad.copy()

    @property
    def spec(self) -> EnvironmentSpec:
        """What a learner must know: 22 entries of state, 9 of action."""
        speeds = (self.config.velocity_scale_rad_s,) * self.joints
        scale = ((1.0,) * self.joints) + speeds + (1.0,) * VALVE_ENTRIES
        return EnvironmentSpec(
            observation=ObservationSpec(state_size=len(scale), state_scale=scale), action_size=self.joints
        )

    def draw(self, seed: int) -> ValveDraw:
        """Episode number ``seed``."""
        generator, config = np.random.default_rng(seed), self.config
        valve_rad = config.start_spread_rad * float(generator.uniform(-1.0, 1.0))
        offset_rad = config.joint_spread_rad * generator.uniform(-1.0, 1.0, self.joints)
        return ValveDraw(seed, self._start_rad + offset_rad, valve_rad, valve_rad + config.turn_rad)

    def observe(
        self, joint_position_rad: Vector, joint_velocity_rad_s: Vector, valve_rad: float, target_rad: float
    ) -> NDArray[np.float32]:
        """(22,): angles in rad, speeds in rad/s, sine and cosine of the valve and of its target."""
        valve = (math.sin(valve_rad), math.cos(valve_rad), math.sin(target_rad), math.cos(target_rad))
        return np.concatenate((joint_position_rad, joint_velocity_rad_s, valve)).astype(np.float32)

    def targets(self, joint_position_rad: Vector, action: NDArray[np.floating]) -> Vector:
        """The joint angles that an action asks for, no further from where the joints are than one step at full speed.

        action (9,): desired angles over the task's ranges, clipped to [-1, 1]. Raises ValueError for one that is not
        finite or has another size.
        """
        action = np.asarray(action, np.float64)
        if action.shape != (self.joints,) or not np.isfinite(action).all():
            raise ValueError(f"an action is {self.joints} finite numbers in [-1, 1], got {action.tolist()}")
        wanted = self._middle_rad + self._half_rad * np.clip(action, -1.0, 1.0)
        return self.towards(joint_position_rad, wanted)

    def towards(self, joint_position_rad: Vector, wanted_rad: Vector) -> Vector:
        """(9,): as far on the way as one step at full speed takes each joint."""
        return np.asarray(np.clip(wanted_rad, joint_position_rad - self._step_rad, joint_position_rad + self._step_rad))

    def action(self, joint_position_rad: Vector) -> Vector:
        """The action that asks for these joint angles."""
        return np.asarray(np.clip((joint_position_rad - self._middle_rad) / self._half_rad, -1.0, 1.0))

    def is_turned(self, valve_rad: float, target_rad: float) -> bool:
        return distance_rad(valve_rad, target_rad) < self.config.tolerance_rad


def distance_rad(one_rad: float, other_rad: float) -> float:
    """Between two angles, the short way, in [0, pi]."""
    return abs(math.remainder(one_rad - other_rad, 2 * math.pi))
