"""A ChArUco board in a picture: a chess board whose white squares hold markers, so that a part of it is enough."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, model_validator

from tenon.configuration.base import Config
from tenon.configuration.camera import IntrinsicsConfig
from tenon.control.geometry import pose, quaternion_from_rotation_vector
from tenon.control.types import Pose

DICTIONARY = "DICT_4X4_50"
MARKERS = 50
CORNERS_MIN = 8


class BoardConfig(Config):
    """columns, rows: squares. square_m, marker_m: edges of a square and of the marker inside; measure the print."""

    columns: int = Field(default=7, ge=3, le=20)
    rows: int = Field(default=5, ge=3, le=20)
    square_m: PositiveFloat = 0.012
    marker_m: PositiveFloat = 0.009

    @model_validator(mode="after")
    def _marker_fits(self) -> BoardConfig:
        if self.marker_m >= self.square_m:
            raise ValueError(f"marker_m {self.marker_m} must be below square_m {self.square_m}")
        if self.columns * self.rows // 2 > MARKERS:
            raise ValueError(
                f"{self.columns} x {self.rows} squares need more than the {MARKERS} markers of {DICTIONARY}"
            )
        return self

    @property
    def size_m(self) -> tuple[float, float]:
        return self.columns * self.square_m, self.rows * self.square_m


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A board as one picture shows it. reprojection_px: root mean square of its corners."""

    board_in_camera: Pose
    corners: int
    reprojection_px: float


class Board:
    """Finds the board of a configuration. Its frame: origin at a corner, x along the columns, z into the board."""

    def __init__(self, config: BoardConfig) -> None:
        self.config = config
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, DICTIONARY))
        self._board = cv2.aruco.CharucoBoard(
            (config.columns, config.rows), config.square_m, config.marker_m, dictionary
        )
        self._detector = cv2.aruco.CharucoDetector(self._board)

    def find(self, rgb: NDArray[np.uint8], lens: IntrinsicsConfig) -> Sighting | None:
        """rgb: (height, width, 3). None where too little of the board is seen."""
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        corners, numbers, _, _ = self._detector.detectBoard(grey)
        if numbers is None or len(numbers) < CORNERS_MIN:
            return None
        points, pixels = self._board.matchImagePoints(corners, numbers)
        distortion = np.array(lens.distortion)
        found, turn, shift = cv2.solvePnP(points, pixels, lens.matrix, distortion, flags=cv2.SOLVEPNP_ITERATIVE)
        if not found:
            return None
        again, _ = cv2.projectPoints(points, turn, shift, lens.matrix, distortion)
        off_px = again.reshape(-1, 2) - pixels.reshape(-1, 2)
        error_px = float(np.sqrt(np.mean(np.sum(off_px**2, axis=-1))))
        return Sighting(pose(shift.ravel(), quaternion_from_rotation_vector(turn.ravel())), len(numbers), error_px)

    def draw(self, pixels_per_square: int) -> NDArray[np.uint8]:
        """(height, width) grey, for printing and for simulated boards."""
        size = (self.config.columns * pixels_per_square, self.config.rows * pixels_per_square)
        return np.asarray(self._board.generateImage(size, marginSize=0, borderBits=1))
