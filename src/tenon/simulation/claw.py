"""A claw over a valve with four prongs: a small copy of the D'Claw (Ahn et al., 2020), in primitive shapes.

The base frame lies in the valve's axis on the table, z up. The palm hangs above it. The valve has a motor of its own,
which lets go while an episode runs and turns the valve back before the next one.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from tenon.configuration import Config
from tenon.configuration.hand import FingerConfig, HandConfig
from tenon.simulation.mjcf import element, numbers

Vector = NDArray[np.float64]

FINGER_BIT, VALVE_BIT = 1, 2
BEND_AXIS, SWING_AXIS = (0, -1, 0), (1, 0, 0)


class ValveConfig(Config):
    """Sizes and dynamics of the valve. Where the source is "ours", no paper gives a number."""

    prongs: PositiveInt = Field(default=4, description="awac.md 4")
    prong_length_m: PositiveFloat = Field(default=0.065, description="from the axis to the end; ours")
    prong_radius_m: PositiveFloat = Field(default=0.009, description="ours")
    prong_height_m: PositiveFloat = Field(default=0.055, description="of their middle line above the table; ours")
    palm_height_m: PositiveFloat = Field(default=0.235, description="of the swing axes above the table; ours")
    mass_kg: PositiveFloat = Field(default=0.12, description="ours")
    friction_nm: float = Field(default=0.04, ge=0.0, description="dry, of bearing and idle motor; ours")
    damping_nm_s_rad: float = Field(default=0.01, ge=0.0, description="ours")
    armature_kg_m2: PositiveFloat = Field(default=0.002, description="of the idle motor; ours")
    motor_stiffness_nm_rad: PositiveFloat = Field(default=3.0, description="while it turns the valve back; ours")
    motor_damping_nm_s_rad: PositiveFloat = Field(default=0.25, description="while it turns the valve back; ours")
    motor_torque_limit_nm: PositiveFloat = Field(default=0.8, description="ours")
    surface_friction: float = Field(default=0.6, ge=0.0, description="between fingertip and valve; ours")
    contact_time_constant_s: PositiveFloat = Field(default=0.005, description="twice the time step; MuJoCo's advice")
    timestep_s: PositiveFloat = Field(default=0.0025, description="sim-and-hardware.md 4")


class Claw:
    """The scene. Fingers are position servos with a torque limit each, whose torque can be taken away."""

    def __init__(self, hand: HandConfig, valve: ValveConfig) -> None:
        self.hand, self.valve = hand, valve
        self._model = mujoco.MjModel.from_xml_string(claw_mjcf(hand, valve))
        self._data = mujoco.MjData(self._model)
        self._joints = len(hand.joint_names)
        self._stiffness = self._model.actuator_gainprm[:, 0].copy()
        self._damping = -self._model.actuator_biasprm[:, 2].copy()
        self.drive_valve(None)

    @property
    def time_ns(self) -> int:
        """Simulated time since ``place``."""
        return round(float(self._data.time) * 1e9)

    @property
    def joint_position_rad(self) -> Vector:
        """(9,), finger by finger, from the palm on."""
        return np.array(self._data.qpos[: self._joints])

    @property
    def joint_velocity_rad_s(self) -> Vector:
        return np.array(self._data.qvel[: self._joints])

    @property
    def joint_effort_nm(self) -> Vector:
        """(9,): what the servos exert."""
        return np.array(self._data.actuator_force[: self._joints])

    @property
    def valve_rad(self) -> float:
        """Counter-clockwise seen from above, not wrapped."""
        return float(self._data.qpos[self._joints])

    @property
    def valve_velocity_rad_s(self) -> float:
        return float(self._data.qvel[self._joints])

    def place(self, joint_position_rad: Vector, valve_rad: float) -> None:
        """Puts claw and valve there, at rest, holding; time begins anew."""
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[: self._joints] = joint_position_rad
        self._data.qpos[self._joints] = valve_rad
        self._data.ctrl[: self._joints] = joint_position_rad
        self.drive_valve(None)
        mujoco.mj_forward(self._model, self._data)

    def set_targets(self, joint_position_rad: Vector) -> None:
        """(9,): where the servos go, those that have torque."""
        self._data.ctrl[: self._joints] = joint_position_rad

    def set_torque_limits(self, torque_nm: Vector) -> None:
        """(9,): none exerts more from now on; 0 lets a joint go."""
        self._model.actuator_forcerange[: self._joints] = np.outer(torque_nm, (-1.0, 1.0))

    def drive_valve(self, target_rad: float | None) -> None:
        """The valve's motor turns it there; None lets it go."""
        motor, on = self._joints, float(target_rad is not None)
        self._model.actuator_gainprm[motor, 0] = on * self._stiffness[motor]
        self._model.actuator_biasprm[motor, 1:3] = -on * self._stiffness[motor], -on * self._damping[motor]
        if target_rad is not None:
            self._data.ctrl[motor] = target_rad

    def push(self, joint_torque_nm: Vector) -> None:
        """(9,): torques from outside, as of a hand that guides the fingers, until the next call."""
        self._data.qfrc_applied[: self._joints] = joint_torque_nm

    def step(self, substeps: int) -> None:
        """Moves time on by ``substeps`` time steps."""
        mujoco.mj_step(self._model, self._data, nstep=substeps)


def claw_mjcf(hand: HandConfig, valve: ValveConfig) -> str:
    """The scene as MJCF text."""
    geom = element(
        "geom",
        friction=(valve.surface_friction, 0.005, 0.0001),
        solref=(valve.contact_time_constant_s, 1),
        condim=4,
    )
    palm = element(
        "body", *(_finger(hand, finger) for finger in hand.fingers), name="palm", pos=(0, 0, valve.palm_height_m)
    )
    return element(
        "mujoco",
        element("compiler", angle="radian", autolimits=True),
        element("option", timestep=valve.timestep_s, integrator="implicitfast", cone="elliptic", iterations=20),
        element("default", geom),
        element("worldbody", palm, _valve(valve)),
        element("actuator", _servos(hand), _motor(valve)),
        model="claw over a valve",
    )


def _finger(hand: HandConfig, finger: FingerConfig) -> str:
    """From its root to its tip; each link hangs down from its joint."""
    child = ""
    shapes = zip(reversed(hand.joints), reversed(hand.link_lengths_m), reversed(hand.link_masses_kg), strict=True)
    for number, (joint, length_m, mass_kg) in enumerate(shapes):
        is_tip, is_root = number == 0, number == len(hand.joints) - 1
        axis = SWING_AXIS if is_root else BEND_AXIS
        hinge = element(
            "joint",
            name=f"{finger.name}_{joint.name}",
            axis=axis,
            range=(joint.lower_rad, joint.upper_rad),
            armature=hand.armature_kg_m2,
            frictionloss=hand.friction_nm,
        )
        link = element(
            "geom",
            type="capsule",
            fromto=(0, 0, 0, 0, 0, -length_m),
            size=(hand.tip_radius_m,),
            mass=mass_kg,
            contype=FINGER_BIT if is_tip else 0,
            conaffinity=FINGER_BIT | VALVE_BIT if is_tip else 0,
        )
        place: dict[str, object] = {"pos": (0, 0, -_length_above(hand, number))}
        if is_root:
            x_m, y_m = (hand.base_radius_m * turn(finger.azimuth_rad) for turn in (math.cos, math.sin))
            half = finger.azimuth_rad / 2
            place = {"pos": (x_m, y_m, 0), "quat": numbers((math.cos(half), 0, 0, math.sin(half)))}
        child = element("body", hinge, link, *([child] if child else []), name=f"{finger.name}_{joint.name}", **place)
    return child


def _length_above(hand: HandConfig, number: int) -> float:
    """Of the link that body ``number``, counted from the tip, hangs from; 0 for the root, which hangs from the palm."""
    above = len(hand.joints) - 2 - number
    return hand.link_lengths_m[above] if above >= 0 else 0.0


def _valve(valve: ValveConfig) -> str:
    collides = {"contype": VALVE_BIT, "conaffinity": FINGER_BIT}
    hinge = element(
        "joint",
        name="valve",
        axis=(0, 0, 1),
        frictionloss=valve.friction_nm,
        damping=valve.damping_nm_s_rad,
        armature=valve.armature_kg_m2,
    )
    hub = element(
        "geom",
        type="cylinder",
        fromto=(0, 0, 0.005, 0, 0, valve.prong_height_m + valve.prong_radius_m),
        size=(2 * valve.prong_radius_m,),
        mass=valve.mass_kg / 2,
        **collides,
    )
    reach_m = valve.prong_length_m - valve.prong_radius_m
    prongs = [
        element(
            "geom",
            type="capsule",
            fromto=(0, 0, valve.prong_height_m, reach_m * math.cos(at), reach_m * math.sin(at), valve.prong_height_m),
            size=(valve.prong_radius_m,),
            mass=valve.mass_kg / 2 / valve.prongs,
            **collides,
        )
        for at in np.arange(valve.prongs) * 2 * math.pi / valve.prongs
    ]
    return element("body", hinge, hub, *prongs, name="valve")


def _servos(hand: HandConfig) -> str:
    return "".join(
        element(
            "position",
            name=f"{finger.name}_{joint.name}",
            joint=f"{finger.name}_{joint.name}",
            kp=hand.stiffness_nm_rad,
            kv=hand.damping_nm_s_rad,
            ctrlrange=(joint.lower_rad, joint.upper_rad),
            forcerange=(-joint.torque_limit_nm, joint.torque_limit_nm),
        )
        for finger in hand.fingers
        for joint in hand.joints
    )


def _motor(valve: ValveConfig) -> str:
    limit_nm = valve.motor_torque_limit_nm
    return element(
        "position",
        name="valve",
        joint="valve",
        kp=valve.motor_stiffness_nm_rad,
        kv=valve.motor_damping_nm_s_rad,
        forcerange=(-limit_nm, limit_nm),
    )
