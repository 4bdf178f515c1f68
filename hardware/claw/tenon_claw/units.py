"""Joint angles and servo positions."""

from __future__ import annotations

from tenon.configuration.hand import HandConfig
from tenon.control.drivers import DriverError
from tenon_claw import control_table as table
from tenon_claw.config import DriverSettings, ServoConfig


def to_rad(config: ServoConfig, tick: int) -> float:
    """A servo's position as its joint's angle."""
    return config.direction * (tick - config.zero_tick) * table.RAD_PER_TICK


def to_tick(config: ServoConfig, position_rad: float) -> int:
    """A joint's angle as its servo's position."""
    return config.zero_tick + round(config.direction * position_rad / table.RAD_PER_TICK)


def check_turns(settings: DriverSettings, hand: HandConfig) -> None:
    """Raises DriverError for a joint that goes beyond one turn of its servo, which forgets turns with its supply."""
    for number, servo in enumerate(settings.servos):
        joint = hand.joints[number % len(hand.joints)]
        low, high = sorted(to_tick(servo, angle_rad) for angle_rad in (joint.lower_rad, joint.upper_rad))
        if low < 0 or high >= table.TICKS_PER_TURN:
            raise DriverError(
                f"{servo.joint} goes from {joint.lower_rad:g} to {joint.upper_rad:g} rad, with zero_tick "
                f"{servo.zero_tick} the positions {low} to {high} of servo {servo.servo_id}; beyond 0 to "
                f"{table.TICKS_PER_TURN - 1} it forgets the turn when its supply is off: mount its horn anew, so that "
                f"zero_tick is near {table.TICKS_PER_TURN // 2}"
            )
