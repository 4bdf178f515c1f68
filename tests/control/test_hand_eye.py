"""The camera's place on the arm, found from pictures, against the truth that the pictures were rendered from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import load
from tenon.configuration.resolve import config_root
from tenon.control.board import Board, BoardConfig
from tenon.control.geometry import compose, distance, inverse, pose, quaternion_from_rotation_vector
from tenon.control.hand_eye import HandEyeConfig, HandEyeError, HandEyeSample, solve_hand_eye
from tenon.control.types import Pose
from tenon.simulation.board import BoardStand

CAMERA_IN_FLANGE = pose((0.01, -0.07, 0.05), quaternion_from_rotation_vector((0.35, 0.05, -0.1)))
BOARD_IN_BASE = pose((0.4, 0.1, 0.02), (1.0, 0.0, 0.0, 0.0))


def turned(generator: np.random.Generator, size_rad: float) -> np.ndarray:
    return quaternion_from_rotation_vector(size_rad * generator.standard_normal(3))


def samples(
    count: int, *, tilt_rad: float = 0.4, noise_m: float = 0.0, noise_rad: float = 0.0, seed: int = 0
) -> list[HandEyeSample]:
    """Postures of a flange that looks about, and what the camera then sees, with noise."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        flange = compose(
            pose(np.array((0.4, 0.0, 0.3)) + 0.05 * generator.standard_normal(3), (1.0, 0.0, 0.0, 0.0)),
            Pose(np.zeros(3), turned(generator, tilt_rad)),
        )
        seen = compose(inverse(compose(flange, CAMERA_IN_FLANGE)), BOARD_IN_BASE)
        noise = Pose(noise_m * generator.standard_normal(3), turned(generator, noise_rad))
        made.append(HandEyeSample(flange, compose(seen, noise)))
    return made


def test_without_noise_the_place_is_exact() -> None:
    result = solve_hand_eye(samples(8))
    metres, radians = distance(result.camera_in_flange, CAMERA_IN_FLANGE)
    assert metres < 1e-9
    assert radians < 1e-9
    assert distance(result.board_in_base, BOARD_IN_BASE)[0] < 1e-9
    assert result.position_residual_m < 1e-9


def test_noise_shows_in_the_residuals_and_averages_out_in_the_place() -> None:
    result = solve_hand_eye(samples(40, noise_m=5e-4, noise_rad=2e-3))
    metres, radians = distance(result.camera_in_flange, CAMERA_IN_FLANGE)
    assert metres < 5e-4
    assert radians < 2e-3
    assert result.position_residual_m == pytest.approx(5e-4 * np.sqrt(3), rel=0.35)
    assert result.rotation_residual_rad == pytest.approx(2e-3 * np.sqrt(3), rel=0.35)


def test_postures_that_are_too_alike_are_refused_with_what_to_do() -> None:
    with pytest.raises(HandEyeError, match=r"too alike.*Tilt the camera"):
        solve_hand_eye(samples(12, tilt_rad=0.02))


def test_turning_about_one_axis_alone_is_refused() -> None:
    """The place along that axis would be anybody's guess."""
    about_z = [
        HandEyeSample(flange, compose(inverse(compose(flange, CAMERA_IN_FLANGE)), BOARD_IN_BASE))
        for angle in np.linspace(-1.0, 1.0, 10)
        for flange in [pose((0.4, 0.0, 0.3), quaternion_from_rotation_vector((0.0, 0.0, angle)))]
    ]
    with pytest.raises(HandEyeError, match=r"about its second axis the flange turns by 0\.0 degrees"):
        solve_hand_eye(about_z)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(HandEyeError, match="5 samples show the board, 8 are needed"):
        solve_hand_eye(samples(5))


def test_a_board_that_was_moved_is_found_out_and_the_sample_named() -> None:
    moved = samples(10)
    moved[3] = replace(moved[3], board_in_camera=compose(moved[3].board_in_camera, pose((0.03, 0.0, 0.0))))
    with pytest.raises(HandEyeError, match=r"contradict each other.*sample 4 is off most"):
        solve_hand_eye(moved)


def test_limits_are_the_configurations() -> None:
    noisy: Sequence[HandEyeSample] = samples(10, noise_m=5e-4)
    with pytest.raises(HandEyeError, match=r"allowed are 0\.10 mm"):
        solve_hand_eye(noisy, HandEyeConfig(position_residual_max_m=1e-4))


def test_rendered_pictures_of_a_board_lead_to_the_camera() -> None:
    """The whole way: an arm in MuJoCo, a ChArUco board on the table, OpenCV's corners, the solver."""
    board = Board(BoardConfig())
    arm = load(ArmConfig, config_root() / "arms" / "ur5.yaml")
    stand = BoardStand(arm, board, CAMERA_IN_FLANGE)
    seen = []
    for picture in stand.pictures(10, np.random.default_rng(1)):
        sighting = board.find(picture.rgb, stand.lens)
        assert sighting is not None
        assert sighting.reprojection_px < 1.0
        seen.append(HandEyeSample(picture.flange_in_base, sighting.board_in_camera))
    result = solve_hand_eye(seen)
    metres, radians = distance(result.camera_in_flange, CAMERA_IN_FLANGE)
    assert metres < 5e-4
    assert radians < 3e-3
    assert result.position_residual_m < 5e-4


def test_a_picture_without_the_board_shows_none() -> None:
    board = Board(BoardConfig())
    stand = BoardStand(load(ArmConfig, config_root() / "arms" / "ur5.yaml"), board, CAMERA_IN_FLANGE)
    grey = np.full((480, 640, 3), 128, np.uint8)
    assert board.find(grey, stand.lens) is None
