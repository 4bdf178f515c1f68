"""A contact sheet of connectors, as the wrist camera sees them: above the socket, and home."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.data.images import Image
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.insertion import InsertionSimulation
from tenon.simulation.scene import WRIST_CAMERA
from tenon.simulation.tasks import InsertionTaskConfig

FONT, FONT_SCALE, INK, BACKGROUND = cv2.FONT_HERSHEY_SIMPLEX, 0.32, (235, 235, 235), 24
CAPTION_PX = 14


def portrait(
    arm: ArmConfig, connector: ConnectorConfig, task: InsertionTaskConfig, *, size_px: int = 96, seed: int = 0
) -> Image:
    """(size, 2 size, 3) RGB: the first picture of episode ``seed``, and the plug in its socket."""
    simulation = InsertionSimulation(arm, connector, task)
    try:
        views = []
        for seated in (False, True):
            simulation.reset(seed, goal_error_scale=1.0, seated=seated)
            views.append(simulation.render(WRIST_CAMERA, size_px, size_px))
    finally:
        simulation.close()
    return np.concatenate(views, axis=1)


def sheet(portraits: Sequence[tuple[str, Image]], *, columns: int) -> Image:
    """(height, width, 3) RGB: pictures of one size with their names below, in rows."""
    if not portraits:
        raise ValueError("there is nothing to show")
    tiles = [_captioned(name, picture) for name, picture in portraits]
    columns = min(columns, len(tiles))
    blank = np.full_like(tiles[0], BACKGROUND)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    return np.concatenate(rows)


def _captioned(name: str, picture: Image) -> Image:
    caption = np.full((CAPTION_PX, picture.shape[1], 3), BACKGROUND, np.uint8)
    cv2.putText(caption, name, (3, CAPTION_PX - 4), FONT, FONT_SCALE, INK, 1, cv2.LINE_AA)
    return np.concatenate((picture, caption))
