"""A hook on three slides before a drawer with a loop handle: a small copy of a robot that opens a drawer.

Source: the acceptance test of AWAC (awac.md, section 8). The origin is the middle of the handle's slot while the drawer
is closed; x is the way in which it opens, z points up. The hook stands upright, and its position is the middle of the
ball at its lower end.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration import Config
from tenon.simulation.mjcf import box, element

Vector = NDArray[np.float64]
Triple = tuple[float, float, float]

AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
HOOK_BIT, DRAWER_BIT = 1, 2


class DrawerModelConfig(Config):
    """Sizes and dynamics. Where the source is "ours", awac.md gives no number."""

    hook_radius_m: float = Field(default=0.006, gt=0.0, description="awac.md 8")
    hook_length_m: float = Field(default=0.08, gt=0.0, description="of the capsule without its caps; ours")
    hook_mass_kg: float = Field(default=0.2, gt=0.0, description="ours")
    hook_lower_m: Triple = Field(default=(-0.10, -0.18, -0.03), description="where the slides end; ours")
    hook_upper_m: Triple = Field(default=(0.22, 0.18, 0.13), description="where the slides end; ours")
    slot_m: float = Field(default=0.017, gt=0.0, description="between the drawer's face and the bar; awac.md 8")
    inside_width_m: float = Field(default=0.030, gt=0.0, description="between the handle's posts; awac.md 8")
    bar_m: float = Field(default=0.006, gt=0.0, description="thickness and height of bar and posts; ours")
    post_width_m: float = Field(default=0.005, gt=0.0, description="of each post, along y; ours")
    face_above_bar_m: float = Field(default=0.012, gt=0.0, description="how far the face stands above the bar; ours")
    drawer_size_m: Triple = Field(default=(0.20, 0.20, 0.08), description="length, width, height, a closed box; ours")
    drawer_mass_kg: float = Field(default=1.0, gt=0.0, description="ours")
    drawer_friction_n: float = Field(default=1.5, ge=0.0, description="of the rails, dry; sim-and-hardware.md 6")
    drawer_travel_m: float = Field(default=0.16, gt=0.0, description="sim-and-hardware.md 6")
    speed_gain_n_s_m: float = Field(default=100.0, gt=0.0, description="of the hook's velocity actuators; ours")
    force_limit_n: float = Field(default=30.0, gt=0.0, description="of the hook's velocity actuators; ours")
    friction: float = Field(default=0.3, ge=0.0, description="between hook and drawer; ours")
    contact_time_constant_s: float = Field(default=0.004, gt=0.0, description="sim-and-hardware.md 6")
    timestep_s: float = Field(default=0.002, gt=0.0, description="sim-and-hardware.md 6")


class Drawer:
    """The scene."""

    def __init__(self, config: DrawerModelConfig) -> None:
        self.config = config
        self._model = mujoco.MjModel.from_xml_string(drawer_mjcf(config))
        self._data = mujoco.MjData(self._model)

    @property
    def hook_m(self) -> Vector:
        """Where the hook is (3,)."""
        return np.array(self._data.qpos[:3])

    @property
    def opened_m(self) -> float:
        return float(self._data.qpos[3])

    def place(self, hook_m: Vector) -> None:
        """Puts the hook there, at rest, before the closed drawer."""
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[:3] = hook_m
        mujoco.mj_forward(self._model, self._data)

    def step(self, velocity_m_s: Vector, substeps: int) -> None:
        """Moves the hook at (3,) for ``substeps`` time steps, as far as the contacts allow."""
        self._data.ctrl[:] = velocity_m_s
        mujoco.mj_step(self._model, self._data, nstep=substeps)


def drawer_mjcf(config: DrawerModelConfig) -> str:
    """The scene as MJCF text."""
    actuators = "".join(
        element("velocity", joint=axis, kv=config.speed_gain_n_s_m, forcerange=(-limit, limit))
        for axis, limit in zip(AXES, (config.force_limit_n,) * 3, strict=True)
    )
    geom = element(
        "geom",
        friction=(config.friction, 0.002, 0.0001),
        solref=(config.contact_time_constant_s, 1),
        condim=3,
    )
    return element(
        "mujoco",
        element("compiler", angle="radian", autolimits=True),
        element("option", timestep=config.timestep_s, integrator="implicitfast", gravity=(0, 0, 0), cone="elliptic"),
        element("default", geom),
        element("worldbody", _hook(config), _drawer(config)),
        element("actuator", actuators),
        model="drawer with a hook",
    )


def _hook(config: DrawerModelConfig) -> str:
    limits = zip(AXES.items(), config.hook_lower_m, config.hook_upper_m, strict=True)
    joints = "".join(
        element("joint", name=name, type="slide", axis=axis, range=(low, high)) for (name, axis), low, high in limits
    )
    capsule = element(
        "geom",
        type="capsule",
        fromto=(0, 0, 0, 0, 0, config.hook_length_m),
        size=(config.hook_radius_m,),
        mass=config.hook_mass_kg,
        contype=HOOK_BIT,
        conaffinity=DRAWER_BIT,
    )
    return element("body", joints, capsule, name="hook")


def _drawer(config: DrawerModelConfig) -> str:
    """One closed box, so that nothing can reach behind its face, and the loop of the handle before it."""
    length, width, height = config.drawer_size_m
    face_x, top_z = -config.slot_m / 2, config.bar_m / 2 + config.face_above_bar_m
    half_bar = config.bar_m / 2
    post_y = (config.inside_width_m + config.post_width_m) / 2
    collides = {"contype": DRAWER_BIT, "conaffinity": HOOK_BIT}
    body = box(
        (face_x - length / 2, 0, top_z - height / 2),
        (length / 2, width / 2, height / 2),
        mass=config.drawer_mass_kg,
        **collides,
    )
    bar_half_width = config.inside_width_m / 2 + config.post_width_m
    bar = box((-face_x + half_bar, 0, 0), (half_bar, bar_half_width, half_bar), mass=0.0, **collides)
    posts = [
        box((0, side * post_y, 0), (config.slot_m / 2, config.post_width_m / 2, half_bar), mass=0.0, **collides)
        for side in (-1, 1)
    ]
    slide = element(
        "joint",
        name="drawer",
        type="slide",
        axis=AXES["x"],
        range=(0, config.drawer_travel_m),
        frictionloss=config.drawer_friction_n,
    )
    return element("body", slide, body, bar, *posts, name="drawer")
