"""An arm's URDF from its parameters: the same chain, masses, limits and capsules as its MJCF (see arms.py).

For tools that read robot descriptions (RViz, Foxglove, MoveIt, Gazebo). Links are named after their joints; the base is
``base``, the last two frames are ``flange`` and ``tcp``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tenon.configuration.arm import ArmConfig, CapsuleConfig, JointConfig, Triple
from tenon.control.frames import BASE_FRAME
from tenon.control.geometry import pose, quaternion_from_rotation_vector, roll_pitch_yaw
from tenon.control.kinematics import FLANGE_FRAME, TCP_FRAME, frame_pose
from tenon.control.types import Pose, Vector
from tenon.simulation.arms import BASE_PLATE_SIZE_M
from tenon.simulation.mjcf import element

DIGITS = 12
"""Of an angle: enough for 1e-9 m at the tip, and few enough to give the same text on every machine."""
LINK_COLOUR = (0.55, 0.57, 0.6, 1.0)


def urdf(arm: ArmConfig, tool: Pose | None = None, mounted: Mapping[str, Pose] | None = None) -> str:
    """The description as text. tool: the TCP in the flange. mounted: further frames in the flange, by name."""
    parts = [_base_link(arm)]
    parent = BASE_FRAME
    for joint in arm.joints:
        parts += [_link(joint), _joint(joint, parent)]
        parent = joint.link_name
    parts += _fixed(FLANGE_FRAME, parent, frame_pose(arm.flange))
    fixed = {TCP_FRAME: tool if tool is not None else pose((0.0, 0.0, 0.0)), **(mounted or {})}
    for name, place in fixed.items():
        parts += _fixed(name, FLANGE_FRAME, place)
    return '<?xml version="1.0"?>\n' + element("robot", *(f"\n  {part}" for part in parts), "\n", name=arm.name) + "\n"


def capsule_pose(capsule: CapsuleConfig) -> tuple[Pose, float]:
    """The middle of a capsule, its z along the axis, in the frame that the capsule is given in; the axis' length."""
    start, end = np.array(capsule.start_m), np.array(capsule.end_m)
    axis = end - start
    length = float(np.linalg.norm(axis))
    return pose((start + end) / 2, _turn_of_z_to(axis / length)), length


def _turn_of_z_to(direction: Vector) -> Vector:
    """The shortest rotation that brings +z to a unit vector (3,)."""
    across = np.cross((0.0, 0.0, 1.0), direction)
    sine = float(np.linalg.norm(across))
    angle = math.atan2(sine, float(direction[2]))
    axis = across / sine if sine > 0.0 else np.array((1.0, 0.0, 0.0))
    return quaternion_from_rotation_vector(angle * axis)


def _base_link(arm: ArmConfig) -> str:
    radius, half_height = BASE_PLATE_SIZE_M
    cylinder = element("geometry", element("cylinder", radius=radius, length=2 * half_height))
    place = _origin(pose((0.0, 0.0, half_height)))
    mass = arm.base_mass_kg
    level, upright = mass * (3 * radius**2 + (2 * half_height) ** 2) / 12, mass * radius**2 / 2
    inertial = element("inertial", place, element("mass", value=mass), _inertia((level, level, upright)))
    return element(
        "link", inertial, element("visual", place, cylinder), element("collision", place, cylinder), name=BASE_FRAME
    )


def _link(joint: JointConfig) -> str:
    inertial = element(
        "inertial",
        _origin(pose(joint.centre_of_mass_m)),
        element("mass", value=joint.mass_kg),
        _inertia(joint.inertia_kg_m2),
    )
    colour = element("material", element("color", rgba=LINK_COLOUR), name="arm")
    shapes = "".join(
        element("visual", shape, colour) + element("collision", shape) for shape in _capsule(joint.capsule)
    )
    return element("link", inertial, shapes, name=joint.link_name)


def _capsule(capsule: CapsuleConfig) -> list[str]:
    """URDF knows no capsules: a cylinder and a ball at either end."""
    middle, length = capsule_pose(capsule)
    cylinder = element("geometry", element("cylinder", radius=capsule.radius_m, length=length))
    ball = element("geometry", element("sphere", radius=capsule.radius_m))
    ends = (pose(capsule.start_m), pose(capsule.end_m))
    return [_origin(middle) + cylinder, *(_origin(end) + ball for end in ends)]


def _joint(joint: JointConfig, parent: str) -> str:
    return element(
        "joint",
        _origin(frame_pose(joint.frame)),
        element("parent", link=parent),
        element("child", link=joint.link_name),
        element("axis", xyz=joint.axis),
        element(
            "limit",
            lower=joint.lower_rad,
            upper=joint.upper_rad,
            velocity=joint.velocity_limit_rad_s,
            effort=joint.effort_limit_nm,
        ),
        element("dynamics", damping=joint.damping_nm_s, friction=0.0),
        name=joint.name,
        type="revolute",
    )


def _fixed(name: str, parent: str, place: Pose) -> list[str]:
    joint = element(
        "joint",
        _origin(place),
        element("parent", link=parent),
        element("child", link=name),
        name=f"{name}_fixed_joint",
        type="fixed",
    )
    return [element("link", name=name), joint]


def _inertia(principal_kg_m2: Triple) -> str:
    xx, yy, zz = principal_kg_m2
    return element("inertia", ixx=xx, iyy=yy, izz=zz, ixy=0.0, ixz=0.0, iyz=0.0)


def _origin(place: Pose) -> str:
    angles = " ".join(f"{angle + 0.0:.{DIGITS}g}" for angle in roll_pitch_yaw(place.quaternion_xyzw))
    return element("origin", xyz=tuple(place.position_m), rpy=angles)
