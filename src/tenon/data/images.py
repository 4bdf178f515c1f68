"""The one way in which Tenon resizes pictures, in training and on the robot alike.

Two libraries' "bilinear" differ by more than a trained encoder forgives (hardware.md, section 5), so every picture
that a network or a reward sees goes through here.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def resize(rgb: Image, height: int, width: int) -> Image:
    """(h, w, 3) uint8 -> (height, width, 3) uint8 by area averaging; returned as it is when the size is right."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"a picture is (height, width, 3) uint8, got {rgb.shape} {rgb.dtype}")
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
