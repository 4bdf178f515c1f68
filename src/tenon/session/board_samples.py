"""What a hand-eye calibration is made from, as a folder: pictures of the board, and where the flange was for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from tenon.configuration.arm import FrameConfig
from tenon.configuration.base import Config, ConfigurationError, load
from tenon.configuration.camera import IntrinsicsConfig
from tenon.control.board import Board, BoardConfig, Sighting
from tenon.control.hand_eye import HandEyeConfig, HandEyeResult, HandEyeSample, solve_hand_eye
from tenon.control.kinematics import frame_pose
from tenon.control.types import Pose
from tenon.data.mapped_array import write_beside

INDEX = "samples.yaml"


class SampleConfig(Config):
    """One posture. picture: a file in the folder."""

    picture: str
    flange_in_base: FrameConfig


class SamplesConfig(Config):
    """camera: its name. lens: of its pictures. board: what they show."""

    camera: str
    lens: IntrinsicsConfig
    board: BoardConfig
    samples: tuple[SampleConfig, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """sightings: by sample, None where the board was not seen."""

    result: HandEyeResult
    sightings: tuple[Sighting | None, ...]
    camera: str

    @property
    def seen(self) -> int:
        return sum(sighting is not None for sighting in self.sightings)

    @property
    def reprojection_px(self) -> float:
        """Root mean square over the pictures that show the board."""
        errors = [sighting.reprojection_px for sighting in self.sightings if sighting is not None]
        return float(np.sqrt(np.mean(np.square(errors))))


class SampleFolder:
    """Collects samples; what was taken is on the disk at once."""

    def __init__(self, folder: Path, camera: str, lens: IntrinsicsConfig, board: BoardConfig) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._config = SamplesConfig(camera=camera, lens=lens, board=board, samples=())
        self._board = Board(board)

    def add(self, flange_in_base: Pose, rgb: NDArray[np.uint8]) -> Sighting | None:
        """Keeps a posture; returns how the board is seen in it. Raises StorageError."""
        number = len(self._config.samples)
        name = f"{number:03d}.png"
        encoded, png = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        assert encoded
        write_beside(self._folder / name, png.tobytes())
        frame = FrameConfig(
            position_m=tuple(flange_in_base.position_m), quaternion_xyzw=tuple(flange_in_base.quaternion_xyzw)
        )
        sample = SampleConfig(picture=name, flange_in_base=frame)
        self._config = self._config.model_copy(update={"samples": (*self._config.samples, sample)})
        write_beside(self._folder / INDEX, yaml.safe_dump(self._config.model_dump(mode="json")).encode())
        return self._board.find(rgb, self._config.lens)


def solve_folder(folder: Path, config: HandEyeConfig | None = None) -> Solved:
    """Raises ConfigurationError for a folder that cannot be read, HandEyeError for samples that do not do."""
    taken = load(SamplesConfig, folder / INDEX)
    board = Board(taken.board)
    sightings = tuple(board.find(_read(folder / sample.picture), taken.lens) for sample in taken.samples)
    return Solved(solve_hand_eye(_seen(taken.samples, sightings), config), sightings, taken.camera)


def _seen(samples: Sequence[SampleConfig], sightings: Sequence[Sighting | None]) -> list[HandEyeSample]:
    return [
        HandEyeSample(frame_pose(sample.flange_in_base), sighting.board_in_camera)
        for sample, sighting in zip(samples, sightings, strict=True)
        if sighting is not None
    ]


def _read(path: Path) -> NDArray[np.uint8]:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ConfigurationError(f"{path}: no picture that can be read")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
