"""An arm's MJCF body from its parameters: capsules to look at, published masses to move. No mesh files."""

from __future__ import annotations

from tenon.configuration.arm import ArmConfig, FrameConfig, JointConfig
from tenon.simulation.mjcf import element, numbers, quaternion

BASE_PLATE_SIZE_M = (0.075, 0.03)


def arm_mjcf(arm: ArmConfig, tool: str) -> str:
    """The arm's body tree, base at the world's origin. ``tool``: MJCF that is mounted on the flange.

    Every body is gravity compensated, as the real arms' controllers do, so no actuator has to carry it.
    """
    body = element("body", tool, name="flange", gravcomp=1, **_placed(arm.flange))
    for joint in reversed(arm.joints):
        body = _link(joint, body)
    plate_radius, plate_half_height = BASE_PLATE_SIZE_M
    plate = element(
        "geom", class_="visual", type="cylinder", size=(plate_radius, plate_half_height), pos=(0, 0, plate_half_height)
    )
    return element("body", plate, body, name="base")


def joint_actuators_mjcf(arm: ArmConfig, *, stiffness_nm_rad: float, damping_nm_s_rad: float, group: int) -> str:
    """Joint impedance inside mj_step: an actuator per joint, control = desired angle (rad), within the effort limit."""
    return "".join(
        element(
            "general",
            name=f"joint_impedance/{joint.name}",
            joint=joint.name,
            group=group,
            gaintype="fixed",
            gainprm=stiffness_nm_rad,
            biastype="affine",
            biasprm=(0, -stiffness_nm_rad, -damping_nm_s_rad),
            forcerange=(-joint.effort_limit_nm, joint.effort_limit_nm),
            ctrlrange=(joint.lower_rad, joint.upper_rad),
        )
        for joint in arm.joints
    )


def _link(joint: JointConfig, child: str) -> str:
    capsule = joint.capsule
    parts = (
        element("inertial", mass=joint.mass_kg, pos=joint.centre_of_mass_m, diaginertia=joint.inertia_kg_m2),
        element(
            "joint",
            name=joint.name,
            axis=joint.axis,
            range=(joint.lower_rad, joint.upper_rad),
            armature=joint.armature_kg_m2,
            damping=joint.damping_nm_s,
            actuatorgravcomp=False,
        ),
        element(
            "geom",
            class_="visual",
            type="capsule",
            fromto=numbers((*capsule.start_m, *capsule.end_m)),
            size=capsule.radius_m,
        ),
        child,
    )
    return element("body", *parts, name=f"{joint.name}/link", gravcomp=1, **_placed(joint.frame))


def _placed(frame: FrameConfig) -> dict[str, object]:
    return {"pos": frame.position_m, "quat": quaternion(frame.quaternion_xyzw)}
