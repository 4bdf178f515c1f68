"""Where a camera sits on an arm, from pictures of one board that stands still.

Every sample says flange_in_base * camera_in_flange * board_in_camera = board_in_base, with the second and the last
unknown. A closed form (Park and Martin, 1994) begins; Gauss and Newton bring the board's apparent motion to its least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from tenon.configuration.base import Config
from tenon.control.geometry import (
    compose,
    inverse,
    matrix_from_quaternion,
    quaternion_from_matrix,
    quaternion_from_rotation_vector,
    rotation_vector,
)
from tenon.control.types import Pose, Vector


class HandEyeError(RuntimeError):
    """Samples that say too little. The message says what was seen, what is needed, what to do."""


class HandEyeConfig(Config):
    """samples_min: fewer are refused. spread_min_rad: the flange must turn by this much about two axes at least.

    position_residual_max_m, rotation_residual_max_rad: root mean square above which the result is refused.
    lever_m: weighs rotation against position: an angle counts as what it moves at this distance.
    """

    samples_min: PositiveInt = Field(default=8, ge=3)
    spread_min_rad: PositiveFloat = 0.17
    position_residual_max_m: PositiveFloat = 0.002
    rotation_residual_max_rad: PositiveFloat = 0.01
    lever_m: PositiveFloat = 0.1
    iterations: PositiveInt = 50
    step_tolerance: PositiveFloat = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class HandEyeSample:
    """One posture: the flange as the arm says, the board as the picture says."""

    flange_in_base: Pose
    board_in_camera: Pose


@dataclass(frozen=True, slots=True, eq=False)
class HandEyeResult:
    """position_residuals_m, rotation_residuals_rad: how far each sample puts the board from where all together do."""

    camera_in_flange: Pose
    board_in_base: Pose
    position_residuals_m: Vector
    rotation_residuals_rad: Vector

    @property
    def position_residual_m(self) -> float:
        """Root mean square."""
        return float(np.sqrt(np.mean(self.position_residuals_m**2)))

    @property
    def rotation_residual_rad(self) -> float:
        """Root mean square."""
        return float(np.sqrt(np.mean(self.rotation_residuals_rad**2)))


def solve_hand_eye(samples: Sequence[HandEyeSample], config: HandEyeConfig | None = None) -> HandEyeResult:
    """Raises HandEyeError for too few samples, for postures that are too alike, and for a result that does not fit."""
    config = config or HandEyeConfig()
    _check_samples(samples, config)
    result = _refine(samples, _closed_form(samples), config)
    if (
        result.position_residual_m > config.position_residual_max_m
        or result.rotation_residual_rad > config.rotation_residual_max_rad
    ):
        worst = int(np.argmax(result.position_residuals_m))
        raise HandEyeError(
            f"the samples contradict each other: the board seems to move by {1e3 * result.position_residual_m:.2f} mm "
            f"and {np.degrees(result.rotation_residual_rad):.2f} degrees (root mean square), allowed are "
            f"{1e3 * config.position_residual_max_m:.2f} mm and {np.degrees(config.rotation_residual_max_rad):.2f} "
            f"degrees; sample {worst + 1} is off most ({1e3 * result.position_residuals_m[worst]:.2f} mm). See that "
            "board and camera do not move, and that the board's squares measure what was typed"
        )
    return result


def turns_about_two_axes(samples: Sequence[HandEyeSample]) -> float:
    """Root mean square of the flange's turns (rad) about the second of their principal axes."""
    turns = [_turn_between(a.flange_in_base, b.flange_in_base) for a, b in combinations(samples, 2)]
    if not turns:
        return 0.0
    scatter = np.mean([np.outer(turn, turn) for turn in turns], axis=0)
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(scatter)[1])))


def _check_samples(samples: Sequence[HandEyeSample], config: HandEyeConfig) -> None:
    if len(samples) < config.samples_min:
        raise HandEyeError(
            f"{len(samples)} samples show the board, {config.samples_min} are needed: take more postures from which "
            "the camera sees it"
        )
    spread = turns_about_two_axes(samples)
    if spread < config.spread_min_rad:
        raise HandEyeError(
            f"the postures are too alike: about its second axis the flange turns by {np.degrees(spread):.1f} degrees "
            f"(root mean square over pairs), {np.degrees(config.spread_min_rad):.1f} are needed. Tilt the camera by 20 "
            "to 30 degrees, to the front and to the side, and turn it, between the pictures"
        )


def _turn_between(first: Pose, second: Pose) -> Vector:
    return rotation_vector(compose(inverse(first), second).quaternion_xyzw)


def _closed_form(samples: Sequence[HandEyeSample]) -> Pose:
    """The camera in the flange: A X = X B for the motions of flange (A) and camera (B) between all pairs."""
    pairs = [
        (
            compose(inverse(b.flange_in_base), a.flange_in_base),
            compose(b.board_in_camera, inverse(a.board_in_camera)),
        )
        for a, b in combinations(samples, 2)
    ]
    scatter = np.zeros((3, 3))
    for flange, camera in pairs:
        scatter += np.outer(rotation_vector(camera.quaternion_xyzw), rotation_vector(flange.quaternion_xyzw))
    left, _, right = np.linalg.svd(scatter)
    mirror = np.diag((1.0, 1.0, np.linalg.det(right.T @ left.T)))
    turn = right.T @ mirror @ left.T
    rows = [matrix_from_quaternion(flange.quaternion_xyzw) - np.eye(3) for flange, _ in pairs]
    sides = [turn @ camera.position_m - flange.position_m for flange, camera in pairs]
    shift = np.linalg.lstsq(np.concatenate(rows), np.concatenate(sides), rcond=None)[0]
    return Pose(shift, quaternion_from_matrix(turn))


def _refine(samples: Sequence[HandEyeSample], camera_in_flange: Pose, config: HandEyeConfig) -> HandEyeResult:
    board = _board(samples[0], camera_in_flange)
    for _ in range(config.iterations):
        residuals = _residuals(samples, camera_in_flange, board, config.lever_m)
        jacobian = _jacobian(samples, camera_in_flange, board, config.lever_m)
        step: Vector = np.linalg.lstsq(jacobian, -residuals, rcond=None)[0].astype(np.float64)
        camera_in_flange, board = _moved(camera_in_flange, step[:6]), _moved(board, step[6:])
        if float(np.linalg.norm(step)) < config.step_tolerance:
            break
    parts = _residuals(samples, camera_in_flange, board, 1.0).reshape(-1, 2, 3)
    lengths = np.linalg.norm(parts, axis=-1)
    return HandEyeResult(camera_in_flange, board, lengths[:, 0], lengths[:, 1])


def _board(sample: HandEyeSample, camera_in_flange: Pose) -> Pose:
    return compose(compose(sample.flange_in_base, camera_in_flange), sample.board_in_camera)


def _residuals(samples: Sequence[HandEyeSample], camera_in_flange: Pose, board: Pose, lever_m: float) -> Vector:
    """(6 n,) where each sample puts the board, seen from the board: metres, then radians times the lever."""
    parts: list[Vector] = []
    for sample in samples:
        off = compose(inverse(board), _board(sample, camera_in_flange))
        parts += [off.position_m, lever_m * rotation_vector(off.quaternion_xyzw)]
    return np.concatenate(parts)


def _jacobian(samples: Sequence[HandEyeSample], camera_in_flange: Pose, board: Pose, lever_m: float) -> Vector:
    """By central differences: twelve columns, the camera's and the board's small motions."""
    step = 1e-6
    columns = []
    for index in range(12):
        motion = np.zeros(12)
        motion[index] = step
        ahead, behind = (
            _residuals(samples, _moved(camera_in_flange, sign * motion[:6]), _moved(board, sign * motion[6:]), lever_m)
            for sign in (1.0, -1.0)
        )
        columns.append((ahead - behind) / (2.0 * step))
    return np.column_stack(columns)


def _moved(place: Pose, motion: Vector) -> Pose:
    """By a small motion (6,) in its own axes: metres, then radians."""
    return compose(place, Pose(motion[:3], quaternion_from_rotation_vector(motion[3:])))
