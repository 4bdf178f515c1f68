"""The tasks of the flying peg by name.

Sources: residual-rl.md 8.1 (a biased command) and insertion.md 8.1 (four sockets, calibrated so that the hand-written
controller fares as it did on the real connectors).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tenon.configuration import Config, parse
from tenon.control.residual import ResidualConfig
from tenon.environments.flying_peg import FlyingPegConfig
from tenon.simulation.connectors import ConnectorConfig, RetentionConfig
from tenon.simulation.flying_peg import FlyingPegModelConfig
from tenon.simulation.looks import AppearanceConfig
from tenon.simulation.profiles import RectangleConfig

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
