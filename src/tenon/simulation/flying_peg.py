"""A peg on three slide joints over a socket: insertion without an arm, for tests that must be fast.

Source: the acceptance models of residual RL (section 8.1 of both specifications): 10 x 5 mm peg of 1 kg, Cartesian
impedance of 1500 N/m with critical damping on each axis, a command held for 100 steps of 1 ms.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
from pydantic import PositiveFloat, PositiveInt

from tenon.configuration.base import Config
from tenon.control.types import Vector
from tenon.simulation.connector_mjcf import connector_mjcf
from tenon.simulation.connectors import ConnectorConfig, RectangleConfig
from tenon.simulation.mjcf import element
from tenon.simulation.scene import CONTACT_SENSOR, PLUG_BODY, PhysicsConfig, connector_defaults, physics_options

AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
INERTIA_KG_M2 = (1e-3, 1e-3, 1e-3)  # without effect: the peg cannot turn
TOOL_DOWN = "0 1 0 0"


class FlyingPegModelConfig(Config):
    """force_filter_time_constant_s: of the low-pass between contact force and reading."""

    connector: ConnectorConfig = ConnectorConfig(
        name="peg", plug=RectangleConfig(width_m=0.010, height_m=0.005), depth_m=0.010, clearance_m=0.0005
    )
    mass_kg: PositiveFloat = 1.0
    stiffness_n_m: PositiveFloat = 1500.0
    physics: PhysicsConfig = PhysicsConfig(timestep_s=0.001, contact_time_constant_s=0.002)
    substeps: PositiveInt = 100
    force_filter_time_constant_s: PositiveFloat = 0.01


class FlyingPeg:
    """The peg. Positions (3,) are of the middle of its tip; the socket's mouth is the origin, z points out of it."""

    def __init__(self, config: FlyingPegModelConfig) -> None:
        self.config = config
        self._model = mujoco.MjModel.from_xml_string(_mjcf(config))
        self._data = mujoco.MjData(self._model)
        self._smoothing = 1.0 - math.exp(-config.physics.timestep_s / config.force_filter_time_constant_s)
        self._force_n = np.zeros(3)
        self._peak_force_n = 0.0

    @property
    def position_m(self) -> Vector:
        return np.array(self._data.qpos)

    @property
    def seated_m(self) -> Vector:
        """Where the tip is when the peg is home."""
        return np.array((0.0, 0.0, -self.config.connector.depth_m))

    @property
    def depth_m(self) -> float:
        return -float(self._data.qpos[2])

    @property
    def force_n(self) -> Vector:
        """On the peg (3,), filtered."""
        return self._force_n.copy()

    @property
    def peak_force_n(self) -> float:
        """The largest filtered force since ``place``."""
        return self._peak_force_n

    def place(self, position_m: Vector) -> None:
        """Puts the peg there, at rest."""
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[:] = position_m
        self._data.ctrl[:] = position_m
        self._force_n[:] = 0.0
        self._peak_force_n = 0.0
        mujoco.mj_forward(self._model, self._data)

    def step(self, target_m: Vector) -> None:
        """Holds a set point for one command period."""
        self._data.ctrl[:] = target_m
        for _ in range(self.config.substeps):
            mujoco.mj_step(self._model, self._data)
            self._force_n += self._smoothing * (-self._data.sensordata[:3] - self._force_n)
            self._peak_force_n = max(self._peak_force_n, float(np.linalg.norm(self._force_n)))


def _mjcf(config: FlyingPegModelConfig) -> str:
    """The slides are at the tip and along the world's axes; the plug hangs from them, turned tool-down."""
    parts = connector_mjcf(config.connector)
    plug_above_tip = (0, 0, config.connector.depth_m)
    damping = 2 * math.sqrt(config.stiffness_n_m * config.mass_kg)
    peg = element(
        "body",
        *(element("joint", name=name, type="slide", axis=axis) for name, axis in AXES.items()),
        element("inertial", mass=config.mass_kg, pos=(0, 0, 0), diaginertia=INERTIA_KG_M2),
        element("body", parts.plug, name=PLUG_BODY, quat=TOOL_DOWN, pos=plug_above_tip, gravcomp=1),
        name="slides",
        gravcomp=1,
    )
    actuators = "".join(element("position", joint=name, kp=config.stiffness_n_m, kv=damping) for name in AXES)
    return element(
        "mujoco",
        element("compiler", angle="radian", autolimits=True),
        physics_options(config.physics),
        connector_defaults(config.connector, config.physics),
        element("asset", parts.assets),
        element("worldbody", element("body", parts.socket, name="socket", quat=TOOL_DOWN), peg),
        element("actuator", actuators),
        element("sensor", element("contact", name=CONTACT_SENSOR, body1=PLUG_BODY, reduce="netforce", data="force")),
        model="flying peg",
    )
