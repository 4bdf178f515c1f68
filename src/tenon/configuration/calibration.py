"""What was taught and measured at one stand, one file each in ``config/calibrations``: poses, force, camera, picture.

Each part says who took it, when and how well it fits. A file is never changed in place: every new part makes a new
version beside the old ones (tenon.session.calibrations), and an episode records which one it ran on.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from tenon.configuration.arm import FrameConfig
from tenon.configuration.base import Config

Name = Annotated[str, Field(min_length=1)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
HASH_DIGITS = 16


class Taken(Config):
    """by: who took it. at: when, with a time zone. samples: readings that went into it."""

    by: Name
    at: AwareDatetime
    samples: PositiveInt


class TaughtGoal(Taken):
    """The TCP with the plug home, guided there by hand. connector: what it held. spread_m: standard deviation of the
    readings.
    """

    task: Name
    connector: Name
    tcp_in_base: FrameConfig
    spread_m: NonNegativeFloat


class TaughtReset(Taken):
    """The posture in which episodes begin: inverse kinematics starts from it, so elbow and wrist stay on its side."""

    joint_position_rad: tuple[float, ...]
    spread_rad: NonNegativeFloat


class MeasuredTare(Taken):
    """What the force sensor says with nothing touching the tool. wrench: force (N) then moment (Nm), axes of the base.
    joint_position_rad: the posture in which it was measured. spread_n: standard deviation of the noisiest axis.
    """

    wrench: tuple[float, float, float, float, float, float]
    joint_position_rad: tuple[float, ...]
    spread_n: NonNegativeFloat


class HandEye(Taken):
    """Where a camera sits on the arm: its optical frame in the flange.

    position_residual_m, rotation_residual_rad: root mean square, over the samples, of how far the board seems to move.
    reprojection_px: root mean square of the board's corners in the pictures.
    """

    camera: Name
    camera_in_flange: FrameConfig
    position_residual_m: NonNegativeFloat
    rotation_residual_rad: NonNegativeFloat
    reprojection_px: NonNegativeFloat


class GoalPicture(Taken):
    """The picture of the finished state. sha256: of the file."""

    camera: Name
    task: Name
    file: Path
    sha256: Hash


class CalibrationConfig(Config):
    """robot: the file in ``config/robots`` that it was taken on. version: counts up. previous: hash of the version
    before, empty for the first. valid_days: older parts are refused; None: nothing at this stand ever moves.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    version: PositiveInt = 1
    previous: str = ""
    robot: Name
    valid_days: PositiveFloat | None = 30.0
    goal: TaughtGoal | None = None
    reset: TaughtReset | None = None
    tare: MeasuredTare | None = None
    hand_eye: HandEye | None = None
    goal_image: GoalPicture | None = None

    @property
    def parts(self) -> dict[str, Taken]:
        """What there is, by name."""
        named = {key: getattr(self, key) for key in ("goal", "reset", "tare", "hand_eye", "goal_image")}
        return {key: part for key, part in named.items() if part is not None}

    @property
    def identity(self) -> str:
        """16 hex digits that change with anything in it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]

    @property
    def label(self) -> str:
        """For the metadata of an episode."""
        return f"{self.name} v{self.version} {self.identity}"
