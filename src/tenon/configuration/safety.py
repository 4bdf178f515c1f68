"""Limits that the safety supervisor enforces, one file per robot and stand in ``config/safety``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, model_validator

from tenon.configuration.base import Config

Triple = tuple[float, float, float]
Periods = Annotated[float, Field(gt=0.0, le=2.0)]


class WorkspaceConfig(Config):
    """A box in axes of the base, faces included. A target of the TCP outside it is refused, never moved inside."""

    min_m: Triple
    max_m: Triple

    @model_validator(mode="after")
    def _has_a_volume(self) -> WorkspaceConfig:
        for axis, low, high in zip("xyz", self.min_m, self.max_m, strict=True):
            if low >= high:
                raise ValueError(f"min_m on {axis} is {low}, it must be below max_m, {high}")
        return self


class JointLimitConfig(Config):
    """What one joint may do in a session: often less than the arm could."""

    name: Annotated[str, Field(min_length=1)]
    lower_rad: float
    upper_rad: float
    speed_max_rad_s: PositiveFloat

    @model_validator(mode="after")
    def _is_possible(self) -> JointLimitConfig:
        if self.lower_rad >= self.upper_rad:
            raise ValueError(f"lower_rad {self.lower_rad} must be below upper_rad {self.upper_rad}")
        return self


class SafetyConfig(Config):
    """All limits of the supervisor. What ends in ``_periods`` counts in control periods of the session.

    robot: the arm or hand whose limits these are.
    tcp_speed_max_m_s, tcp_acceleration_max_m_s2, tcp_turn_max_rad_s: of the motion that the references ask for, mean
    over the control period that each is meant for.
    jump_max_m, jump_max_rad, joint_jump_max_rad: a target may be this far from the measured pose.
    force_max_n, torque_max_nm: length of the measured wrench's halves (hardware.md 4: hard limit 50 N).
    command_timeout_periods: after a motion reference the next must arrive within this, and a reference must answer an
    observation no older. state_timeout_periods, image_timeout_periods: greatest age of the newest reading while motion
    is commanded. What is late holds the arm until a command finds all in time again.
    command_lost_periods: after so long without such a command it is a fault.
    tick_timeout_periods: greatest time between two turns of the supervisor's own loop while motion is commanded.
    future_tolerance_periods: a stamp may be this far ahead of the supervisor's clock (``/clock`` may arrive later than
    the reading that carries the same time).
    """

    robot: Annotated[str, Field(min_length=1)]
    workspace: WorkspaceConfig
    joints: Annotated[tuple[JointLimitConfig, ...], Field(min_length=1)]
    tcp_speed_max_m_s: PositiveFloat
    tcp_acceleration_max_m_s2: PositiveFloat
    tcp_turn_max_rad_s: PositiveFloat
    jump_max_m: PositiveFloat
    jump_max_rad: PositiveFloat
    joint_jump_max_rad: PositiveFloat
    force_max_n: PositiveFloat
    torque_max_nm: PositiveFloat
    command_timeout_periods: Periods = 2.0
    command_lost_periods: Annotated[float, Field(gt=0.0, le=10.0)] = 5.0
    state_timeout_periods: Periods = 1.5
    image_timeout_periods: Periods = 1.5
    tick_timeout_periods: Periods = 2.0
    future_tolerance_periods: Periods = 1.0

    @model_validator(mode="after")
    def _is_held_before_it_is_a_fault(self) -> SafetyConfig:
        if self.command_lost_periods < self.command_timeout_periods:
            raise ValueError(
                f"command_lost_periods is {self.command_lost_periods:g}, it must not be less than "
                f"command_timeout_periods, {self.command_timeout_periods:g}"
            )
        return self

    @model_validator(mode="after")
    def _joints_differ(self) -> SafetyConfig:
        names = [joint.name for joint in self.joints]
        if len(set(names)) != len(names):
            raise ValueError(f"joint names must differ: {names}")
        return self
