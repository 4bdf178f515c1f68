"""A simulated hand-eye calibration: the arm's wrist camera looks at a board on the table from many postures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import ConfigurationError
from tenon.configuration.camera import IntrinsicsConfig, ideal_intrinsics
from tenon.control.board import Board
from tenon.control.geometry import matrix_from_quaternion, pose, quaternion_from_matrix, unit
from tenon.control.kinematics import Kinematics
from tenon.control.types import Pose, Vector
from tenon.simulation.arms import arm_mjcf
from tenon.simulation.mjcf import element
from tenon.simulation.rendering import Cameras

PICTURE_PX = (640, 480)
FIELD_OF_VIEW_RAD = 0.8
DISTANCE_M = (0.13, 0.20)
TILT_RAD = 0.6
PIXELS_PER_SQUARE = 80
TRIES = 400
BOARD_CENTRE_M = (0.42, 0.05, 0.02)


@dataclass(frozen=True, slots=True, eq=False)
class BoardPicture:
    """What one posture gives: the flange as the arm says, the picture."""

    flange_in_base: Pose
    rgb: NDArray[np.uint8]


class BoardStand:
    """An arm with a camera over a board. camera_in_flange: the truth that a calibration is to find."""

    def __init__(self, arm: ArmConfig, board: Board, camera_in_flange: Pose) -> None:
        self._arm, self._board = arm, board
        self._camera_in_flange = camera_in_flange
        self._camera = Kinematics(arm, camera_in_flange)
        self._flange = Kinematics(arm)
        self.lens: IntrinsicsConfig = ideal_intrinsics(*PICTURE_PX, FIELD_OF_VIEW_RAD)

    def pictures(self, count: int, generator: np.random.Generator) -> Iterator[BoardPicture]:
        """From postures over the board that differ in tilt, turn and distance. Raises ConfigurationError."""
        model = self._model()
        data = mujoco.MjData(model)
        cameras = Cameras(model)
        try:
            for joints in self._postures(count, generator):
                data.qpos[: len(joints)] = joints
                mujoco.mj_forward(model, data)
                yield BoardPicture(self._flange.forward(joints), cameras.render(data, "eye", *PICTURE_PX))
        finally:
            cameras.close()

    def _postures(self, count: int, generator: np.random.Generator) -> Iterator[Vector]:
        found = 0
        for _ in range(TRIES):
            solution = self._camera.inverse(self._view(generator), np.array(self._arm.home_rad))
            if solution.converged:
                found += 1
                yield solution.joint_position_rad
            if found == count:
                return
        raise ConfigurationError(f"{self._arm.name} reaches {found} of {count} postures over the board")

    def _view(self, generator: np.random.Generator) -> Pose:
        """A place of the camera's optical frame from which it looks at the board's middle."""
        tilt, around, turn = generator.uniform((0.0, 0.0, -0.6), (TILT_RAD, 2 * np.pi, 0.6))
        outwards = np.array((np.sin(tilt) * np.cos(around), np.sin(tilt) * np.sin(around), np.cos(tilt)))
        place = np.array(BOARD_CENTRE_M) + generator.uniform(*DISTANCE_M) * outwards
        level = np.array((np.cos(turn), np.sin(turn), 0.0))
        right = np.cross(np.cross(-outwards, level), -outwards)
        right /= np.linalg.norm(right)
        return pose(place, quaternion_from_matrix(np.column_stack((right, np.cross(-outwards, right), -outwards))))

    def _model(self) -> mujoco.MjModel:
        config = self._board.config
        width_m, height_m = config.size_m
        axes = matrix_from_quaternion(unit(self._camera_in_flange.quaternion_xyzw))
        eye = element(
            "camera",
            name="eye",
            pos=tuple(self._camera_in_flange.position_m),
            xyaxes=(*axes[:, 0], *(-axes[:, 1])),
            fovy=math.degrees(FIELD_OF_VIEW_RAD),
        )
        paper = element(
            "geom", type="box", size=(width_m / 2, height_m / 2, 1e-4), pos=BOARD_CENTRE_M, material="board"
        )
        encoded, png = cv2.imencode(".png", self._board.draw(PIXELS_PER_SQUARE))
        assert encoded
        text = element(
            "mujoco",
            element("compiler", angle="radian", autolimits=True),
            element(
                "visual",
                element("global", offwidth=PICTURE_PX[0], offheight=PICTURE_PX[1]),
                element("quality", offsamples=8, shadowsize=0),
                element("map", znear=0.005),
                element("headlight", ambient=(0.9, 0.9, 0.9), diffuse=(0, 0, 0), specular=(0, 0, 0)),
            ),
            element("default", element("default", element("geom", contype=0, conaffinity=0, group=4), class_="visual")),
            element(
                "asset",
                element("texture", name="board", type="2d", file="board.png"),
                element("material", name="board", texture="board", texuniform=False, specular=0, shininess=0),
            ),
            element("worldbody", paper, arm_mjcf(self._arm, eye)),
        )
        return mujoco.MjModel.from_xml_string(text, {"board.png": png.tobytes()})
