"""The frames of a stand: which there are, which is whose child, where they are for given joint angles.

Names follow REP 103 and 105 as far as these speak of arms: ``base``, a frame per link, ``flange``, ``tcp``; a camera's
optical frame (x right, y down, z into the picture) is called after the camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenon.configuration.arm import ArmConfig
from tenon.control.geometry import pose
from tenon.control.kinematics import FLANGE_FRAME, TCP_FRAME, Kinematics, frame_pose
from tenon.control.types import Pose, Vector

BASE_FRAME = "base"


def optical_frame(camera: str) -> str:
    """The frame that the pictures of a camera are in."""
    return f"{camera}_camera_optical_frame"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One edge of the tree. pose: of the child in the parent."""

    parent: str
    child: str
    pose: Pose


class FrameTree:
    """base -> links -> flange -> tcp and what else is mounted there.

    tool: the TCP in the flange. mounted: further frames in the flange, by name.
    """

    def __init__(
        self,
        arm: ArmConfig,
        tool: Pose | None = None,
        mounted: Mapping[str, Pose] | None = None,
    ) -> None:
        self._kinematics = Kinematics(arm)
        links = [joint.link_name for joint in arm.joints]
        self._edges = list(zip([BASE_FRAME, *links[:-1]], links, strict=True))
        tcp = tool if tool is not None else pose((0.0, 0.0, 0.0))
        self.fixed: tuple[Frame, ...] = (
            Frame(links[-1], FLANGE_FRAME, frame_pose(arm.flange)),
            Frame(FLANGE_FRAME, TCP_FRAME, tcp),
            *(Frame(FLANGE_FRAME, name, place) for name, place in (mounted or {}).items()),
        )

    def moving(self, joint_position_rad: Vector) -> tuple[Frame, ...]:
        """A frame per link. joint_position_rad: (n,)."""
        links = self._kinematics.links(joint_position_rad)
        return tuple(Frame(parent, child, place) for (parent, child), place in zip(self._edges, links, strict=True))
