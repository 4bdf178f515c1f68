"""The tasks of the flying peg by name, and demonstrations of them.

Sources: residual-rl.md 8.1 (a biased command) and insertion.md 8.1 (four sockets, calibrated so that the hand-written
controller fares as it did on the real connectors).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pydantic import Field

from tenon.configuration import Config, parse
from tenon.control.p_controller import PController, PControllerConfig
from tenon.control.residual import ResidualConfig
from tenon.data.transitions import FloatArray, Observation
from tenon.environments.flying_peg import SEED_RANGE, FlyingPegConfig, FlyingPegEnv
from tenon.environments.scripted import ScriptedEpisode, ScriptError, noisy_action, run_script
from tenon.simulation.connectors import AppearanceConfig, ConnectorConfig, RectangleConfig, RetentionConfig
from tenon.simulation.flying_peg import FlyingPegModelConfig

RESIDUAL_STEP_LIMIT_M = 0.012
"""Of base and residual together: both at their bounds, 10 mm and 2 mm, pass."""

PEG_COLOURS = AppearanceConfig(plug=(0.95, 0.95, 0.9), handle=(0.8, 0.8, 0.8), socket=(0.35, 0.35, 0.4))
"""Peg, socket and the black behind them differ in a grey picture."""


class PegSocketConfig(Config):
    """One row of the table of insertion.md 8.1; what it does not give is as in residual-rl.md 8.1."""

    clearance_m: float = Field(gt=0.0, description="per side")
    retention_n: tuple[float, float] = Field(default=(0.0, 0.0), description="uniform per episode, below 8 mm of 10")
    stiffness_z_n_m: float = Field(default=1500.0, gt=0.0, description="of the impedance; 1500 along x and y")

    def model(self, name: str) -> FlyingPegModelConfig:
        """The peg over this socket."""
        minimum_n, maximum_n = self.retention_n
        connector = ConnectorConfig(
            name=name,
            plug=RectangleConfig(width_m=0.010, height_m=0.005),
            depth_m=0.010,
            clearance_m=self.clearance_m,
            retention=RetentionConfig(minimum_n=minimum_n, maximum_n=maximum_n),
            appearance=PEG_COLOURS,
        )
        return FlyingPegModelConfig(connector=connector, stiffness_n_m=(1500.0, 1500.0, self.stiffness_z_n_m))


PEG_SOCKETS: Mapping[str, PegSocketConfig] = {
    "easy": PegSocketConfig(clearance_m=0.0007, stiffness_z_n_m=1000.0),
    "medium": PegSocketConfig(clearance_m=0.0006, stiffness_z_n_m=1000.0),
    "hard": PegSocketConfig(clearance_m=0.0005, retention_n=(0.0, 2.0)),
    "stall": PegSocketConfig(clearance_m=0.0005, retention_n=(2.0, 2.0)),
}
"""As the thesis' connectors: easy is its USB, medium its D-Sub, hard its Model-E."""


def biased_peg(**options: Any) -> FlyingPegConfig:
    """residual-rl.md 8.1: H = 20, residual of 2 mm, noise of 0.2 mm. options: any key, command_bias_m above all.

    Raises ConfigurationError.
    """
    return parse(FlyingPegConfig, {"command_noise_m": 0.0002, **options}, where="environment flying-peg")


def socket_peg(socket: str, **options: Any) -> FlyingPegConfig:
    """insertion.md 8.1: H = 50, residual of 1 mm, goal error +-1 mm. options: any key. Raises ConfigurationError."""
    task = {
        "model": PEG_SOCKETS[socket].model(socket),
        "horizon_steps": 50,
        "goal_error_m": 0.001,
        "residual": ResidualConfig(authority_m=(0.001, 0.001, 0.001), step_limit_m=RESIDUAL_STEP_LIMIT_M),
    }
    return parse(FlyingPegConfig, {**task, **options}, where=f"environment flying-peg-{socket}")


class PegScriptConfig(Config):
    """The hand-written controller with dither; insertion.md 2.4 (demonstrations by joystick, 10 in the scripts)."""

    base: PControllerConfig = Field(default=PControllerConfig(), description="k_p = [1, 1, 0.3], eq. (50)")
    dither_m: float = Field(default=0.001, ge=0.0, description="uniform, per axis and step; insertion.md 8.1")
    attempts: int = Field(default=20, gt=0, description="episodes that are tried per demonstration; ours")


class PegScript:
    """What action makes the environment command the controller's step and the dither, as far as its actions reach."""

    def __init__(self, env: FlyingPegEnv, config: PegScriptConfig, rng: np.random.Generator) -> None:
        self._env, self._config, self._rng = env, config, rng
        residual = env.controller.config
        self._controller = PController(config.base)
        self._base = None if residual.base is None else PController(residual.base)
        self._authority_m = np.array(residual.authority_m)

    def act(self, observation: Observation) -> FloatArray:
        """The environment is asked for the error, as a picture does not tell it."""
        position_m, goal_m = self._env.peg.position_m, self._env.goal_m
        wanted = self._controller.step(position_m, goal_m) + self._config.dither_m * self._rng.uniform(-1.0, 1.0, 3)
        by_itself = 0.0 if self._base is None else self._base.step(position_m, goal_m)
        return noisy_action((wanted - by_itself) / self._authority_m, 0.0, self._rng)


def peg_demonstrations(
    env: FlyingPegEnv, episodes: int, rng: np.random.Generator, config: PegScriptConfig, session: str
) -> Iterator[ScriptedEpisode]:
    """``episodes`` episodes that end in success; others are thrown away. Raises ScriptError where there are none."""
    script = PegScript(env, config, rng)
    for number in range(episodes):
        for _ in range(config.attempts):
            seed = int(rng.integers(SEED_RANGE))
            episode = run_script(env, script.act, session=session, episode=number, seed=seed)
            if episode.success:
                yield episode
                break
        else:
            raise ScriptError(
                f"demonstration {number}: none of {config.attempts} episodes of the hand-written controller ended in "
                f"success on {env.config.model.connector.name!r}: take an easier socket, or raise attempts"
            )
