"""Whether the wrist camera tells home from nearly home: what a reward from pictures needs."""

from __future__ import annotations

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.control.geometry import matrix_from_quaternion
from tenon.control.types import Pose
from tenon.data.images import Image
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import InsertionSimulation
from tenon.simulation.looks import SurroundingsConfig
from tenon.simulation.profiles import text_mm
from tenon.simulation.scene import PLUG_IN_FLANGE_M, WRIST_CAMERA, WRIST_MOUNTS, wrist_camera_in_flange
from tenon.simulation.tasks import InsertionTaskConfig

SHORT_M = 0.0015
PICTURE_PX = 64
SEEN = 8
"""Of 255: a pixel that changes by less in every colour looks the same."""
LEAST_PIXELS = 6


NEAR_PLANE_M = 0.0538
"""What is nearer to the camera along its axis is not drawn: znear times the extent of the stand's scene."""


def picture_doubts(arm: ArmConfig, connector: ConnectorConfig, task: InsertionTaskConfig) -> list[str]:
    """What the wrist camera's picture does not tell, and what to do, a sentence each.

    Raises ConfigurationError for a connector that does not fit the task, RenderingError without OpenGL.
    """
    return [doubt for doubt in (too_near(connector), alike(differing_pixels(arm, connector, task))) if doubt]


def differing_pixels(arm: ArmConfig, connector: ConnectorConfig, task: InsertionTaskConfig) -> int:
    """How many of the wrist camera's 64 x 64 pixels differ between home and SHORT_M short of it.

    Raises ConfigurationError for a connector that does not fit the task, RenderingError without OpenGL.
    """
    simulation = InsertionSimulation(arm, connector, task)
    try:
        simulation.prepare_episode(0, goal_error_scale=0.0)
        home, short = (_seen(simulation, lift_m).astype(int) for lift_m in (0.0, SHORT_M))
    finally:
        simulation.close()
    return int(np.count_nonzero(np.abs(home - short).max(axis=2) > SEEN))


def alike(pixels: int) -> str:
    """What to do where so few pixels differ; empty where the picture tells."""
    if pixels >= LEAST_PIXELS:
        return ""
    return (
        f"home and {SHORT_M * 1e3:g} mm short look alike: {pixels} of {PICTURE_PX**2} pixels differ, so no reward from "
        "the picture can judge it. Set shoulder_gap_m, a smaller handle or collar, or a colour of the plug that is "
        "neither the handle's nor the panel's (appearance)"
    )


def too_near(connector: ConnectorConfig) -> str:
    """By how much a large plug stands in the camera; empty where the picture holds all of it."""
    surroundings = connector.surroundings or SurroundingsConfig()
    camera = wrist_camera_in_flange(WRIST_MOUNTS[surroundings.camera_mount])
    forwards = matrix_from_quaternion(camera.quaternion_xyzw)[:, 2]
    outline = np.concatenate(connector.plug.outlines())
    ends_m = (PLUG_IN_FLANGE_M + connector.grasp_m + z_m for z_m in (-connector.shoulder_gap_m, connector.depth_m))
    corners = np.concatenate([np.column_stack((outline, np.full(len(outline), z_m))) for z_m in ends_m])
    nearest_m = float(np.min((corners - camera.position_m) @ forwards))
    if nearest_m >= NEAR_PLANE_M:
        return ""
    return (
        f"the plug reaches to {text_mm(nearest_m)} from the wrist camera, which draws nothing nearer than "
        f"{text_mm(NEAR_PLANE_M)}: {text_mm(NEAR_PLANE_M - nearest_m)} of it are not in the picture, so the plug has to "
        "be that much smaller towards the camera"
    )


def _seen(simulation: InsertionSimulation, lift_m: float) -> Image:
    goal = simulation.goal_in_base
    simulation.place(Pose(goal.position_m + np.array((0.0, 0.0, lift_m)), goal.quaternion_xyzw))
    return simulation.render(WRIST_CAMERA, PICTURE_PX, PICTURE_PX)
