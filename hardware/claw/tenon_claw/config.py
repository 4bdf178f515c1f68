"""What the claw's driver needs to know: ``driver.settings`` of a robot's file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from tenon.configuration.base import Config
from tenon_claw import control_table as table

SERVO_ID_MAX = 252
ServoId = Annotated[int, Field(ge=0, le=SERVO_ID_MAX)]


class ServoConfig(Config):
    """One servo of the bus.

    joint: what it moves, a name of the hand's file. zero_tick: its position where that joint is at 0 rad; a finger's
    whole range must lie within one turn of the servo. direction: 1 where the joint turns with the servo.
    """

    servo_id: ServoId
    joint: Annotated[str, Field(min_length=1)]
    zero_tick: Annotated[int, Field(ge=0, lt=table.TICKS_PER_TURN)] = table.TICKS_PER_TURN // 2
    direction: Literal[-1, 1] = 1


class DriverSettings(Config):
    """hand: a file in ``config/hands``. port: the serial adapter's lasting name (manual.md has the udev rule).

    servos: of the fingers, in the order of the hand's joints. valve: the servo below the valve, whose encoder tells its
    angle and which turns it back before an episode.
    current_limit_a: most that a finger's servo draws while it works; valve_current_limit_a, valve_speed_rad_s: of the
    valve's as it turns back. torque_constant_nm_a: of an XM430-W210, from its manual's stall point.
    temperature_max_c: a hotter servo is a fault; it must be below the servo's own limit, at which it shuts down.
    effort_max_nm, effort_time_s: a joint that pushes harder for this long is a fault, before the servo's own overload;
    less than current_limit_a allows, or it would never be.
    period_s: from one turn of read and write to the next.
    on_loss: what the fingers do when commands or the bus are lost. release: after bus_watchdog_s of silence each servo
    stops by its own watchdog, with the torque that it has; the driver lets them go as soon as it reaches them. hold:
    they go where they were last told, and stay there. For an overload or a hot servo they let go in any case.
    misses_max: answers in a row that may be missing or damaged. answer_margin_s: how long an answer may take beyond
    its time on the wire: on a USB adapter its latency timer.
    connect_timeout_s: how long the servos may take to be all there, where the claw is switched on with the session.
    return_delay_s: what ``tenon claw setup`` writes into the servos.
    """

    hand: str = "claw"
    port: Path
    baud_rate: int = 1_000_000
    servos: Annotated[tuple[ServoConfig, ...], Field(min_length=1)]
    valve: ServoConfig
    current_limit_a: PositiveFloat = Field(default=0.46, le=3.2)
    valve_current_limit_a: PositiveFloat = Field(default=0.6, le=3.2)
    valve_speed_rad_s: PositiveFloat = 2.0
    torque_constant_nm_a: PositiveFloat = 1.3
    temperature_max_c: PositiveInt = 65
    effort_max_nm: PositiveFloat = 0.45
    effort_time_s: PositiveFloat = 2.0
    period_s: PositiveFloat = 0.01
    on_loss: Literal["release", "hold"] = "release"
    bus_watchdog_s: PositiveFloat = Field(default=0.2, le=2.0)
    misses_max: PositiveInt = 5
    answer_margin_s: PositiveFloat = 0.006
    connect_timeout_s: NonNegativeFloat = 0.0
    return_delay_s: float = Field(default=0.0, ge=0.0, le=508e-6)

    @model_validator(mode="after")
    def _is_a_bus(self) -> DriverSettings:
        ids = [servo.servo_id for servo in (*self.servos, self.valve)]
        if len(set(ids)) != len(ids):
            raise ValueError(f"servo_id must differ, two servos that answer to one collide: {ids}")
        if self.baud_rate not in table.BAUD_RATES.values():
            raise ValueError(f"baud_rate {self.baud_rate} is none of {', '.join(map(str, table.BAUD_RATES.values()))}")
        most_nm = self.current_limit_a * self.torque_constant_nm_a
        if self.effort_max_nm >= most_nm:
            raise ValueError(
                f"effort_max_nm is {self.effort_max_nm:g}, but current_limit_a lets no joint push harder than "
                f"{most_nm:.2f} Nm, so that no overload would ever be seen: set it below that"
            )
        return self
