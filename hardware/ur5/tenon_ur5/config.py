"""What the driver of a UR5 needs to know: what stands under driver.settings in the robot's file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from tenon.configuration.base import Config
from tenon.control.admittance import AdmittanceConfig

Pin = Annotated[int, Field(ge=0, le=7)]


class DriverSettings(Config):
    """host: the controller's address. series: cb3 (software 3, 125 Hz) or e-series (software 5, 500 Hz).

    command: joint positions (servoj), which the controller smooths and keeps when nothing comes; or joint speeds
    (speedj), followed with less delay and for as long as the watchdog allows.
    compliance: admittance (of the driver), force_mode (of the controller), or none (the arm is as stiff as it is).
    force_mode_damping: of the controller's force mode, 0 (it keeps its speed) to 1. force_damping: added by the driver.
    position_gain: share of a position error that a second of commanded speed takes out, 1/s.
    payload_kg, payload_centre_m: gripper and plug, in the flange's frame; what is wrong here is felt as a force.
    zero_force: the controller's force is zeroed when the arm is made ready, so nothing may touch the tool then.
    watchdog_hz: the program on the controller ends, and the arm stops, when it hears less often from us.
    silence_timeout_s, late_max_s: no reading for so long, or readings so old, are a fault.
    connect_timeout_s: how long a controller that does not answer yet is waited for.
    detector_input: digital input with the detector of the connection; None: it is elsewhere.
    suction_output: digital output of a suction cup. robotiq: a Robotiq gripper with its URCap. None, False: not there.
    """

    host: str
    series: Literal["cb3", "e-series"]
    command: Literal["servo", "speed"] = "servo"
    compliance: Literal["admittance", "force_mode", "none"] = "admittance"
    admittance: AdmittanceConfig = AdmittanceConfig()
    force_mode_damping: Annotated[float, Field(ge=0.0, le=1.0)] = 0.025
    force_damping_n_s_m: NonNegativeFloat = 350.0
    force_damping_nm_s_rad: NonNegativeFloat = 10.0
    position_gain: PositiveFloat = 15.0
    speed_acceleration_rad_s2: Annotated[float, Field(gt=0.0, le=40.0)] = 12.0
    servo_lookahead_s: Annotated[float, Field(ge=0.03, le=0.2)] = 0.03
    servo_gain: Annotated[float, Field(ge=100.0, le=2000.0)] = 500.0
    payload_kg: NonNegativeFloat = 1.0
    payload_centre_m: tuple[float, float, float] = (0.0, 0.0, 0.06)
    zero_force: bool = True
    watchdog_hz: PositiveFloat = 10.0
    silence_timeout_s: PositiveFloat = 0.2
    late_max_s: PositiveFloat = 0.1
    connect_timeout_s: PositiveFloat = 20.0
    detector_input: Pin | None = None
    suction_output: Pin | None = None
    robotiq: bool = False

    @property
    def period_s(self) -> float:
        """Of the controller's loop."""
        return 0.008 if self.series == "cb3" else 0.002

    @property
    def software(self) -> int:
        """Major version of the controller's software."""
        return 3 if self.series == "cb3" else 5

    @model_validator(mode="after")
    def _one_hand(self) -> DriverSettings:
        if self.robotiq and self.suction_output is not None:
            raise ValueError("an arm has one hand: set robotiq or suction_output, not both")
        return self
