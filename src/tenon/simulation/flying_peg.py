"""A peg on three slide joints over a socket: insertion without an arm, for tests that must be fast.

Source: the acceptance models of residual RL (residual-rl.md 8.1 and insertion.md 8.1): 10 x 5 mm peg of 1 kg, Cartesian
impedance of 1500 N/m with critical damping on each axis, a command held for 100 steps of 1 ms.
"""

from __future__ import annotations

import math
from typing import Annotated

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from tenon.configuration.base import Config
from tenon.control.types import Vector
from tenon.data.images import resize
from tenon.simulation.connector_mjcf import connector_mjcf
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.mjcf import element
from tenon.simulation.profiles import RectangleConfig
from tenon.simulation.rendering import Cameras
from tenon.simulation.scene import CONTACT_SENSOR, PLUG_BODY, PhysicsConfig, connector_defaults, physics_options

Triple = tuple[float, float, float]

AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
Z = 2
INERTIA_KG_M2 = (1e-3, 1e-3, 1e-3)  # without effect: the peg cannot turn
TOOL_DOWN = "0 1 0 0"
CAMERA, CAMERA_TARGET = "side", "camera_target"
HANDLE_HALF_M, HANDLE_IN_PLUG_M = (0.01, 0.006, 0.012), (0, 0, -0.012)


class PegCameraConfig(Config):
    """A fixed camera beside the socket. It looks at neither axis straight, so that both errors show. Numbers are ours.

    position_m, target_m: from the socket's mouth. oversampling: pixels that are drawn per pixel and axis, and averaged,
    as motions of less than a pixel matter.
    """

    size_px: PositiveInt = 32
    position_m: Triple = (0.07, -0.09, 0.08)
    target_m: Triple = (0.0, 0.0, 0.03)
    field_of_view_deg: Annotated[float, Field(gt=0.0, lt=180.0)] = 34.0
    oversampling: PositiveInt = 3


class FlyingPegModelConfig(Config):
    """The model.

    stiffness_n_m: per axis; the damping is critical. force_filter_time_constant_s: of the low-pass between force and
    reading.
    """

    connector: ConnectorConfig = ConnectorConfig(
        name="peg", plug=RectangleConfig(width_m=0.010, height_m=0.005), depth_m=0.010, clearance_m=0.0005
    )
    mass_kg: PositiveFloat = 1.0
    stiffness_n_m: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1500.0, 1500.0, 1500.0)
    physics: PhysicsConfig = PhysicsConfig(timestep_s=0.001, contact_time_constant_s=0.002)
    substeps: PositiveInt = 100
    force_filter_time_constant_s: PositiveFloat = 0.01
    camera: PegCameraConfig = PegCameraConfig()


class FlyingPeg:
    """The peg. Positions (3,) are of the middle of its tip; the socket's mouth is the origin, z points out of it."""

    def __init__(self, config: FlyingPegModelConfig) -> None:
        self.config = config
        self._model = mujoco.MjModel.from_xml_string(_mjcf(config))
        self._data = mujoco.MjData(self._model)
        # Views, as asking MuJoCo for one costs as much as a tenth of a step.
        self._qpos, self._sensor = self._data.qpos, self._data.sensordata
        self._friction_n = self._model.dof_frictionloss
        self._cameras = Cameras(self._model)
        self._decay, self._filter = _low_pass(config)
        self._readings_n = np.zeros((config.substeps, 3))
        self._force_n = np.zeros(3)
        self._peak_force_n = 0.0
        self._retention_n = 0.0
        self._retention_below_m = -config.connector.retention.begins_at * config.connector.depth_m

    @property
    def position_m(self) -> Vector:
        return np.array(self._data.qpos)

    @property
    def seated_m(self) -> Vector:
        """Where the tip is when the peg is home."""
        return np.array((0.0, 0.0, -self.config.connector.depth_m))

    @property
    def depth_m(self) -> float:
        return -float(self._data.qpos[Z])

    @property
    def force_n(self) -> Vector:
        """On the peg (3,), by contacts and retention, filtered."""
        return self._force_n.copy()

    @property
    def peak_force_n(self) -> float:
        """The largest filtered force since ``place``."""
        return self._peak_force_n

    def place(self, position_m: Vector, *, retention_n: NonNegativeFloat = 0.0) -> None:
        """Puts the peg there, at rest. retention_n: dry friction along z, once the peg is in deep enough."""
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[:] = position_m
        self._data.ctrl[:] = position_m
        self._retention_n = retention_n
        self._force_n[:] = 0.0
        self._peak_force_n = 0.0
        mujoco.mj_forward(self._model, self._data)

    def step(self, target_m: Vector) -> None:
        """Holds a set point for one command period."""
        model, data, readings = self._model, self._data, self._readings_n
        data.ctrl[:] = target_m
        for index in range(self.config.substeps):
            held = self._retention_n > 0.0 and self._qpos[Z] < self._retention_below_m
            self._friction_n[Z] = self._retention_n if held else 0.0
            mujoco.mj_step(model, data)
            readings[index] = self._sensor  # of the force on the socket
            if held:  # the only friction loss of the model, so its row follows those of the equalities
                readings[index, Z] -= data.efc_force[data.ne]
        filtered = np.outer(self._decay, self._force_n) - self._filter @ readings
        self._force_n = filtered[-1].copy()
        self._peak_force_n = max(self._peak_force_n, float(np.linalg.norm(filtered, axis=1).max()))

    def image(self) -> NDArray[np.uint8]:
        """The camera's grey picture (size_px, size_px, 1). Raises RenderingError."""
        camera = self.config.camera
        drawn = camera.size_px * camera.oversampling
        mujoco.mj_kinematics(self._model, self._data)
        rgb = resize(self._cameras.render(self._data, CAMERA, drawn, drawn), camera.size_px, camera.size_px)
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)[:, :, np.newaxis]

    def close(self) -> None:
        """Frees the graphics context. The physics stays usable."""
        self._cameras.close()


def _low_pass(config: FlyingPegModelConfig) -> tuple[Vector, NDArray[np.float64]]:
    """The first-order filter over the substeps of one command: what is left of its state, and the readings' weights."""
    smoothing = 1.0 - math.exp(-config.physics.timestep_s / config.force_filter_time_constant_s)
    age = np.subtract.outer(np.arange(config.substeps), np.arange(config.substeps))
    weights = np.where(age >= 0, smoothing * (1.0 - smoothing) ** np.maximum(age, 0), 0.0)
    return (1.0 - smoothing) ** np.arange(1.0, config.substeps + 1), weights


def _mjcf(config: FlyingPegModelConfig) -> str:
    """The slides are at the tip and along the world's axes; the plug hangs from them, turned tool-down."""
    parts = connector_mjcf(config.connector)
    plug_above_tip = (0, 0, config.connector.depth_m)
    handle = element(
        "geom",
        class_="visual",
        type="box",
        size=HANDLE_HALF_M,
        pos=HANDLE_IN_PLUG_M,
        rgba=(*config.connector.appearance.handle, 1),
    )
    peg = element(
        "body",
        *(_slide(name, axis, config.physics) for name, axis in AXES.items()),
        element("inertial", mass=config.mass_kg, pos=(0, 0, 0), diaginertia=INERTIA_KG_M2),
        element("body", handle, parts.plug, name=PLUG_BODY, quat=TOOL_DOWN, pos=plug_above_tip, gravcomp=1),
        name="slides",
        gravcomp=1,
    )
    socket = element("body", parts.socket, name="socket", quat=TOOL_DOWN)
    return element(
        "mujoco",
        element("compiler", angle="radian", autolimits=True),
        physics_options(config.physics),
        _visual(config.camera),
        connector_defaults(config.connector, config.physics),
        element("asset", parts.assets),
        element("worldbody", _camera(config.camera), socket, peg),
        element("actuator", _impedance(config)),
        element("sensor", element("contact", name=CONTACT_SENSOR, body1=PLUG_BODY, reduce="netforce", data="force")),
        model="flying peg",
    )


def _slide(name: str, axis: tuple[int, int, int], physics: PhysicsConfig) -> str:
    """Friction as stiff as in the scene with an arm: with MuJoCo's own, the peg creeps and any push seats it."""
    stiff = {"solreffriction": (2 * physics.timestep_s, 1), "solimpfriction": (0.999, 0.999, 0.001)}
    return element("joint", name=name, type="slide", axis=axis, **stiff)


def _impedance(config: FlyingPegModelConfig) -> str:
    return "".join(
        element("position", joint=name, kp=stiffness, kv=2 * math.sqrt(stiffness * config.mass_kg))
        for name, stiffness in zip(AXES, config.stiffness_n_m, strict=True)
    )


def _visual(camera: PegCameraConfig) -> str:
    drawn = camera.size_px * camera.oversampling
    return element(
        "visual",
        element("global", offwidth=drawn, offheight=drawn),
        element("quality", shadowsize=0, offsamples=0, numslices=10, numstacks=6, numquads=1),
        element("headlight", ambient=(0.4, 0.4, 0.4), diffuse=(0.5, 0.5, 0.5)),
        element("map", znear=0.005),
    )


def _camera(camera: PegCameraConfig) -> str:
    return (
        element("light", pos=(0.3, 0.3, 1.5), dir=(0, 0, -1), diffuse=(0.3, 0.3, 0.3), castshadow=False)
        + element("body", name=CAMERA_TARGET, pos=camera.target_m)
        + element(
            "camera",
            name=CAMERA,
            pos=camera.position_m,
            mode="targetbody",
            target=CAMERA_TARGET,
            fovy=camera.field_of_view_deg,
        )
    )
