"""Whether the wrist camera tells home from nearly home: what a reward from pictures needs."""

from __future__ import annotations

import math

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


def picture_doubts(arm: ArmConfig, connector: ConnectorConfig, task: InsertionTaskConfig) -> list[str]:
    """What the wrist camera's picture does not tell, and what to do, a sentence each.

    Raises ConfigurationError for a connector that does not fit the task, RenderingError without OpenGL.
    """
    return [doubt for doubt in (beyond_the_frame(connector), alike(differing_pixels(arm, connector, task))) if doubt]


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


def beyond_the_frame(connector: ConnectorConfig) -> str:
    """Where a large plug leaves the picture on the camera's side; empty where it does not."""
    surroundings = connector.surroundings or SurroundingsConfig()
    mount = WRIST_MOUNTS[surroundings.camera_mount]
    camera = wrist_camera_in_flange(mount)
    outline = np.concatenate(connector.plug.outlines())
    edge = np.column_stack((outline, np.full(len(outline), PLUG_IN_FLANGE_M + connector.grasp_m)))
    seen = (edge - camera.position_m) @ matrix_from_quaternion(camera.quaternion_xyzw)
    nearest = seen[np.argmin(seen[:, 2])]
    below_rad = math.atan2(float(nearest[1]), float(nearest[2]))
    limit_rad = math.radians(mount.field_of_view_deg) / 2
    if below_rad <= limit_rad:
        return ""
    return (
        f"the plug's near edge is {math.degrees(below_rad):.0f} degrees below the middle of the wrist camera's "
        f"picture, "
        f"which ends at {math.degrees(limit_rad):.0f}: the plug reaches {text_mm(-float(outline[:, 1].min()))} towards "
        "the camera, too far to be seen going in"
    )


def _seen(simulation: InsertionSimulation, lift_m: float) -> Image:
    goal = simulation.goal_in_base
    simulation.place(Pose(goal.position_m + np.array((0.0, 0.0, lift_m)), goal.quaternion_xyzw))
    return simulation.render(WRIST_CAMERA, PICTURE_PX, PICTURE_PX)
