"""What the driver of a Sawyer is told by the robot's file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tenon.configuration.base import Config
from tenon.control.joint_impedance import JointImpedanceConfig

ROBOT_RATE_MAX_HZ = 1000.0


class DriverSettings(Config):
    """master_uri: of the robot, http://ADDRESS:11311/. host: this machine's address in the robot's eyes; left out, the
    one that faces the robot.

    control: "torque", compliance by joint impedance here; "position", the robot's own servos, hard to the touch, at
    speed_ratio of their speed. rate_hz: how often the robot is asked to tell its joints' state; the loop turns at what
    comes, and refuses less than rate_share of it, because the gains are made for that rate.
    missed_cycles: without a reading or with old ones alone, the arm is stopped after so many periods.
    command_timeout_s: the robot itself holds, when it has heard no command for so long. silence_s: without a word on
    /robot/state, which tells of the emergency stop 100 times a second, or without a force at the hand, the arm is
    stopped after this time.
    network_timeout_s: of each call to the robot's computer, and how long its ROS master may be silent then: joint
    states would go on without it, but nothing that breaks meanwhile comes back.
    wrench_frame: axes in which the robot reports the force at its hand. wrench_sign: -1 where it reports what the hand
    exerts instead of what is exerted on it; the manual tells how to find both out.
    gripper: hold the plug with the electric gripper, and refuse to start without it.
    """

    master_uri: Annotated[str, Field(pattern=r"^https?://[^/]+:\d+/?$")]
    host: str | None = None
    limb: str = "right"
    control: Literal["torque", "position"] = "torque"
    impedance: JointImpedanceConfig
    rate_hz: Annotated[PositiveFloat, Field(ge=50.0, le=ROBOT_RATE_MAX_HZ)] = 500.0
    rate_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    missed_cycles: PositiveInt = 30
    command_timeout_s: Annotated[PositiveFloat, Field(le=1.0)] = 0.1
    speed_ratio: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3
    network_timeout_s: PositiveFloat = 2.0
    silence_s: PositiveFloat = 1.0
    wrench_frame: Literal["base", "hand"] = "base"
    wrench_sign: Literal[1, -1] = 1
    gripper: bool = False

    @model_validator(mode="after")
    def _stops_in_time(self) -> DriverSettings:
        if self.command_timeout_s * self.rate_hz < 2.0:
            raise ValueError(
                f"command_timeout_s is {self.command_timeout_s}, at {self.rate_hz:g} Hz it must be "
                f"{2.0 / self.rate_hz:g} or more: one late command must not stop the arm"
            )
        return self

    @property
    def stale_s(self) -> float:
        """A reading must come within this time."""
        return self.missed_cycles / self.rate_hz
