"""The frames of a session's stand, and its robot's description for other people's tools."""

from __future__ import annotations

import math

from tenon.configuration.camera import CameraConfig, IntrinsicsConfig, ideal_intrinsics
from tenon.control.frames import FrameTree, optical_frame
from tenon.control.kinematics import frame_pose
from tenon.control.types import Pose
from tenon.session.claw_stand import ClawStand
from tenon.session.stand import Stand
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import tcp_in_flange
from tenon.simulation.looks import SurroundingsConfig
from tenon.simulation.scene import WRIST_CAMERA, WRIST_MOUNTS, WristMount, wrist_camera_in_flange
from tenon.simulation.urdf import urdf


def frame_tree(stand: Stand) -> FrameTree:
    """All frames that are known of a stand."""
    return FrameTree(stand.arm, tcp_in_flange(stand.connector), mounted=mounted_cameras(stand))


def robot_description(stand: Stand) -> str:
    """The URDF of arm, tool and what is mounted on it."""
    return urdf(stand.arm, tcp_in_flange(stand.connector), mounted_cameras(stand))


def mounted_cameras(stand: Stand) -> dict[str, Pose]:
    """Optical frames in the flange: as calibrated, else where the simulation has mounted the camera."""
    measured = None if stand.calibration is None else stand.calibration.hand_eye
    if measured is not None:
        return {optical_frame(measured.camera): frame_pose(measured.camera_in_flange)}
    if is_simulated(stand) and any(camera.name == WRIST_CAMERA for camera in stand.cameras):
        return {optical_frame(WRIST_CAMERA): wrist_camera_in_flange(_mount(stand.connector))}
    return {}


def is_simulated(stand: Stand | ClawStand) -> bool:
    """Whether the stand itself is a simulation, be it behind a device's protocol."""
    return stand.robot.time == "simulated" or stand.robot.emulator is not None


def simulated_lens(connector: ConnectorConfig, camera: CameraConfig) -> IntrinsicsConfig:
    """Of the simulated wrist camera."""
    return ideal_intrinsics(camera.width, camera.height, math.radians(_mount(connector).field_of_view_deg))


def _mount(connector: ConnectorConfig) -> WristMount:
    return WRIST_MOUNTS[(connector.surroundings or SurroundingsConfig()).camera_mount]
