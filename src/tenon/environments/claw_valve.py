"""Turning a valve with a claw of three fingers, and the script whose demonstrations it is to be learnt from.

Source: awac.md section 4, "D'Claw"; the robot's session runs the same task (``tenon session run --task valve``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration import Config
from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.finger_kinematics import FingerKinematics
from tenon.data.transitions import EnvironmentSpec, Observation
from tenon.environments.scripted import ScriptedEpisode, noisy_action, run_script
from tenon.simulation.claw import Claw
from tenon.simulation.valve_task import ValveTask, ValveTaskConfig, distance_rad

Array = NDArray[np.float32]
Vector = NDArray[np.float64]

SEED_RANGE = 2**31
RAMP_STEPS = 10
"""Pieces in which the servos' set point goes to a command, as the inner loop of a session does."""


class ClawValveEnv(gymnasium.Env[Array, Array]):  # type: ignore[misc]
    """Observation (22,): joint angles, joint speeds, sine and cosine of the valve and of the angle that it shall have.

    Action (9,) in [-1, 1]: desired joint angles. Reward: 0 on each step on which the valve is within the tolerance,
    else -1. Success does not end an episode; it is truncated after horizon_steps.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, config: ValveTaskConfig | None = None) -> None:
        """Raises ConfigurationError where the claw's file is missing."""
        self.config = config or ValveTaskConfig()
        hand = load_named(HandConfig, ConfigKind.HANDS, self.config.hand)
        self.task = ValveTask(self.config, hand)
        self.claw = Claw(hand, self.config.valve)
        self.claw.set_torque_limits(np.full(self.task.joints, self.config.torque_limit_nm))
        self.spec: EnvironmentSpec = self.task.spec
        state_size = self.spec.observation.state_size
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (state_size,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (self.spec.action_size,), np.float32)
        self._substeps = round(self.config.control_period_s / RAMP_STEPS / self.config.valve.timestep_s)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """With a seed, the episode of that number."""
        super().reset(seed=seed)
        draw = self.task.draw(seed if seed is not None else int(self.np_random.integers(SEED_RANGE)))
        self.claw.place(draw.joint_position_rad, draw.valve_rad)
        self._target_rad, self._set_point_rad, self._steps = draw.target_rad, draw.joint_position_rad, 0
        return self._observation(), {"episode": draw.seed}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One control period. info: success, valve_rad, distance_rad (to go)."""
        start_rad, end_rad = self._set_point_rad, self.task.targets(self.claw.joint_position_rad, action)
        for piece in range(1, RAMP_STEPS + 1):
            self.claw.set_targets(start_rad + piece / RAMP_STEPS * (end_rad - start_rad))
            self.claw.step(self._substeps)
        self._set_point_rad = end_rad
        self._steps += 1
        valve_rad = self.claw.valve_rad
        success = self.task.is_turned(valve_rad, self._target_rad)
        info = {"success": success, "valve_rad": valve_rad, "distance_rad": distance_rad(valve_rad, self._target_rad)}
        return self._observation(), float(success) - 1.0, False, self._steps >= self.config.horizon_steps, info

    def _observation(self) -> Array:
        claw = self.claw
        return self.task.observe(claw.joint_position_rad, claw.joint_velocity_rad_s, claw.valve_rad, self._target_rad)


class ValveScriptConfig(Config):
    """A gait of the three fingers: push a prong around, lift off outwards, come back, reach in behind the next one."""

    noise: float = Field(default=0.03, ge=0.0, description="standard deviation per entry of the action; ours")
    stroke_rad: float = Field(default=1.0, gt=0.0, description="half of a push, around the valve's axis; ours")
    stroke_spread_rad: float = Field(default=0.1, ge=0.0, description="how it differs between fingers, +-; ours")
    inside_m: float = Field(default=0.047, gt=0.0, description="the tip's distance from the axis as it pushes; ours")
    outside_m: float = Field(default=0.088, gt=0.0, description="the same as it comes back; ours")
    clear_m: float = Field(default=0.078, gt=0.0, description="further out than this it hits no prong; ours")
    tip_height_m: float = Field(default=0.05, gt=0.0, description="above the table; ours")
    push_rad: float = Field(default=0.26, gt=0.0, description="around the axis per step, ahead of the tip; ours")
    return_rad: float = Field(default=0.45, gt=0.0, description="the same on the way back; ours")
    radial_m: float = Field(default=0.022, gt=0.0, description="in or out per step; ours")
    done_rad: float = Field(default=0.12, gt=0.0, description="it holds once the valve is this close; ours")


class ValveScript:
    """Reads all it does from the observation; nothing is remembered from step to step."""

    def __init__(self, task: ValveTask, config: ValveScriptConfig, rng: np.random.Generator) -> None:
        self._task, self._config, self._rng = task, config, rng
        self._kinematics = FingerKinematics(task.hand)
        self._down_m = task.config.valve.palm_height_m - config.tip_height_m
        self._azimuths_rad = np.array([finger.azimuth_rad for finger in task.hand.fingers])
        spread = config.stroke_spread_rad
        self._stroke_rad = config.stroke_rad + rng.uniform(-spread, spread, len(self._azimuths_rad))

    def act(self, observation: Observation) -> Array:
        """Towards where each tip is to be next, and noise."""
        joints = self._task.joints
        state = observation.state.astype(np.float64)
        position_rad, valve = state[:joints], state[2 * joints :]
        to_go_rad = np.arctan2(valve[2], valve[3]) - np.arctan2(valve[0], valve[1])
        if distance_rad(float(to_go_rad), 0.0) < self._config.done_rad:
            wanted_rad = position_rad
        else:
            wanted_rad = self._next_angles(position_rad.reshape(-1, 3)).ravel()
        return noisy_action(self._task.action(wanted_rad), self._config.noise, self._rng)

    def _next_angles(self, angles_rad: Vector) -> Vector:
        """(fingers, 3) to (fingers, 3)."""
        config, stroke_rad = self._config, self._stroke_rad
        away_m, across_m, _ = self._kinematics.tip(angles_rad).T
        radius_m, around_rad = np.hypot(away_m, across_m), np.arctan2(across_m, away_m)
        clear = radius_m > config.clear_m
        pushes, lifts = ~clear & (around_rad < stroke_rad), ~clear & (around_rad >= stroke_rad)
        returns, enters = clear & (around_rad > -stroke_rad), clear & (around_rad <= -stroke_rad)
        around_rad = np.where(pushes, around_rad + config.push_rad, around_rad)
        around_rad = np.where(returns, around_rad - config.return_rad, around_rad)
        wanted_m = np.where(pushes | enters, config.inside_m, config.outside_m)
        assert np.all(pushes | lifts | returns | enters)
        radius_m = radius_m + np.clip(wanted_m - radius_m, -config.radial_m, config.radial_m)
        tip_m = np.stack(
            (radius_m * np.cos(around_rad), radius_m * np.sin(around_rad), np.full_like(radius_m, self._down_m)), -1
        )
        return self._kinematics.angles(tip_m)


def valve_demonstrations(
    env: ClawValveEnv, episodes: int, rng: np.random.Generator, config: ValveScriptConfig, session: str
) -> Iterator[ScriptedEpisode]:
    """Each with strokes of its own, as no two of a person's are the same."""
    for number in range(episodes):
        script = ValveScript(env.task, config, rng)
        seed = int(rng.integers(SEED_RANGE))
        yield run_script(env, script.act, session=session, episode=number, seed=seed)
