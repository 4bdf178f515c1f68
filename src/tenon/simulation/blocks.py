"""An arm that lowers a block between two that stand on a table: the block assembly of residual RL.

Source: Johannink et al., 2019 (residual-rl.md, section 4): a Sawyer under Cartesian position control holds a block, and
two others stand on the table with a gap between them. Sizes are ours, as the paper has none. The origin is the middle
of the gap on the table; the blocks stand beside it along x. All three are bodies of their own; the held one sticks to
the gripper by a weld with the give of a rubber-faced grip.
"""

from __future__ import annotations

import itertools
import math

import mujoco
import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import Config
from tenon.control.geometry import pose
from tenon.control.impedance import CartesianImpedanceConfig
from tenon.control.kinematics import Kinematics
from tenon.control.types import Vector
from tenon.simulation.arms import arm_mjcf
from tenon.simulation.mjcf import element, numbers, quaternion
from tenon.simulation.saved_state import refresh
from tenon.simulation.scene import (
    PLUG_IN_FLANGE_M,
    TCP_SITE,
    TOOL_DOWN_XYZW,
    PhysicsConfig,
    impedance_mjcf,
    physics_options,
    reference_mjcf,
)

Triple = tuple[float, float, float]

BLOCK_MESH = "block"
HELD, STANDING = "held", ("left", "right")
_TABLE_BIT, _BLOCK_BIT = 1, 2
_TABLE_HALF_M, _LIFTED_M = 0.5, 1e-4
_PALM = {"size": (0.03, 0.03, 0.055), "pos": (0, 0, 0.065)}


class BlocksModelConfig(Config):
    """Sizes and dynamics; where no source stands, they are ours.

    gap_in_base_m: its middle, on the table. clearance_m: on either side of the held block; the others straight.
    """

    gap_in_base_m: Triple = (0.5, 0.0, 0.0)
    width_m: PositiveFloat = Field(default=0.04, description="of each block, square")
    height_m: PositiveFloat = Field(default=0.08, description="of each block: they stand, and tip")
    clearance_m: PositiveFloat = 0.0005
    chamfer_m: NonNegativeFloat = Field(default=0.0002, description="of the edges of each block's upper and lower face")
    block_mass_kg: PositiveFloat = 0.15
    friction: PositiveFloat = 0.4
    grip_time_constant_s: PositiveFloat = Field(default=0.02, description="of the weld between gripper and held block")
    impedance: CartesianImpedanceConfig = CartesianImpedanceConfig()
    physics: PhysicsConfig = PhysicsConfig()


class BlockAssembly:
    """The scene. Positions (3,) are relative to the middle of the gap on the table, in axes of the base."""

    def __init__(self, arm: ArmConfig, config: BlocksModelConfig) -> None:
        self.config = config
        self._model = mujoco.MjModel.from_xml_string(blocks_mjcf(arm, config))
        self._data = mujoco.MjData(self._model)
        self._home_rad = np.array(arm.home_rad)
        self._kinematics = Kinematics(arm, pose((0.0, 0.0, PLUG_IN_FLANGE_M + config.height_m)))
        self._gap_m = np.array(config.gap_in_base_m)
        self._tcp = self._data.site_xpos[self._model.site(TCP_SITE).id]
        self._joints = {name: self._data.joint(name) for name in (HELD, *STANDING)}
        self._bodies = {name: self._data.body(name) for name in (HELD, *STANDING)}

    @property
    def tcp_m(self) -> Vector:
        """Where the middle of the held block's lower face would be, were the grip rigid."""
        tcp: Vector = self._tcp - self._gap_m
        return tcp

    @property
    def places_m(self) -> Vector:
        """(2, 3): where the middles of the standing blocks belong."""
        apart_m = self.config.width_m + self.config.clearance_m
        return np.array([(side * apart_m, 0.0, self.config.height_m / 2) for side in (-1.0, 1.0)])

    def block(self, name: str) -> tuple[Vector, Vector]:
        """Middle (3,) and rotation vector (3,) of a block; the held one's is from its pose in a rigid grip."""
        body = self._bodies[name]
        turned, upright = np.zeros(3), np.array((1.0, 0.0, 0.0, 0.0))
        mujoco.mju_subQuat(turned, body.xquat, upright)
        return body.xpos - self._gap_m, turned

    def place(self, tcp_m: Vector, yaws_rad: Vector) -> None:
        """Puts the arm there, at rest, and the standing blocks to their places, turned by yaws_rad (2,)."""
        solution = self._kinematics.inverse(pose(tcp_m + self._gap_m, TOOL_DOWN_XYZW), self._home_rad)
        if not solution.converged:
            raise ValueError(f"the arm cannot reach {np.round(tcp_m + self._gap_m, 3).tolist()} m: move gap_in_base_m")
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[: len(self._home_rad)] = solution.joint_position_rad
        held_m = tcp_m + np.array((0.0, 0.0, self.config.height_m / 2))
        self._put(HELD, held_m, 0.0)
        for name, place_m, yaw_rad in zip(STANDING, self.places_m, yaws_rad, strict=True):
            self._put(name, place_m + np.array((0.0, 0.0, _LIFTED_M)), float(yaw_rad))
        x, y, z, w = TOOL_DOWN_XYZW
        self._data.mocap_quat[0] = (w, x, y, z)
        self._aim(tcp_m)
        self._target_m = np.array(tcp_m)
        mujoco.mj_forward(self._model, self._data)

    def step(self, target_m: Vector, substeps: int) -> None:
        """The set point goes evenly to target_m (3,) within ``substeps`` time steps."""
        start_m = self._target_m
        for index in range(substeps):
            self._aim(start_m + (index + 1) / substeps * (target_m - start_m))
            mujoco.mj_step(self._model, self._data)
        self._target_m = np.array(target_m)
        refresh(self._model, self._data)

    def _put(self, name: str, middle_m: Vector, yaw_rad: float) -> None:
        turned = (math.cos(yaw_rad / 2), 0.0, 0.0, math.sin(yaw_rad / 2))
        self._joints[name].qpos = (*(middle_m + self._gap_m), *turned)

    def _aim(self, tcp_m: Vector) -> None:
        self._data.mocap_pos[0] = tcp_m + self._gap_m


def blocks_mjcf(arm: ArmConfig, config: BlocksModelConfig) -> str:
    """The scene as MJCF text."""
    down = quaternion(TOOL_DOWN_XYZW)
    grip = element("site", name="grip", pos=(0, 0, PLUG_IN_FLANGE_M), quat=down, group=5)
    tcp = element("site", name=TCP_SITE, pos=(0, 0, PLUG_IN_FLANGE_M + config.height_m), group=5)
    tool = element("geom", class_="visual", type="box", **_PALM) + grip + tcp
    table = element(
        "geom",
        name="table",
        type="plane",
        size=(_TABLE_HALF_M, _TABLE_HALF_M, 0.02),
        pos=config.gap_in_base_m,
        contype=_TABLE_BIT,
        conaffinity=_BLOCK_BIT,
    )
    blocks = "".join(_block(name, config) for name in (HELD, *STANDING))
    weld = element("weld", site1="grip", site2="handle", solref=(config.grip_time_constant_s, 1))
    visual = element("geom", contype=0, conaffinity=0, mass=0, rgba=(0.55, 0.57, 0.6, 1))
    return element(
        "mujoco",
        element("compiler", angle="radian", autolimits=True),
        physics_options(config.physics),
        element("default", element("default", visual, class_="visual")),
        element("asset", element("mesh", name=BLOCK_MESH, vertex=_corners(config), inertia="convex")),
        element("worldbody", reference_mjcf(), table, arm_mjcf(arm, tool), blocks),
        element("equality", weld),
        element("actuator", impedance_mjcf(config.impedance)),
        model=f"{arm.name} assembles blocks",
    )


def _block(name: str, config: BlocksModelConfig) -> str:
    geom = element(
        "geom",
        type="mesh",
        mesh=BLOCK_MESH,
        mass=config.block_mass_kg,
        friction=(config.friction, 0.002, 0.0001),
        condim=4,
        solref=(config.physics.contact_time_constant_s, 1),
        solimp=config.physics.contact_impedance,
        contype=_BLOCK_BIT,
        conaffinity=_TABLE_BIT | _BLOCK_BIT,
    )
    handle = element("site", name="handle", pos=(0, 0, config.height_m / 2), group=5) if name == HELD else ""
    return element("body", element("freejoint", name=name), geom, handle, name=name, gravcomp=int(name == HELD))


def _corners(config: BlocksModelConfig) -> str:
    """Of the block, whose convex hull it is: its upper and lower face are smaller than its middle."""
    half, high, chamfer = config.width_m / 2, config.height_m / 2, config.chamfer_m
    rings = [(half, high - chamfer), (half - chamfer, high)] if chamfer else [(half, high)]
    return numbers(
        value
        for side, z in rings
        for corner in itertools.product((-side, side), (-side, side), (-z, z))
        for value in corner
    )
