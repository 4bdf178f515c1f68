"""Zeroing the force."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from tenon.configuration.session import TareConfig
from tenon.control.tare import TareError, WrenchTare
from tenon.control.types import Pose, RobotState

MS = 1_000_000
BIAS = np.array((1.0, -2.0, 5.0, 0.1, 0.2, -0.3))
CONFIG = TareConfig(window_s=1.0, samples_min=50)


def reading(stamp_ns: int, wrench: np.ndarray = BIAS, *, z: float = 0.2, speed: float = 0.0) -> RobotState:
    return RobotState(
        stamp_ns=stamp_ns,
        joint_position_rad=np.zeros(6),
        joint_velocity_rad_s=np.zeros(6),
        joint_effort_nm=np.zeros(6),
        tcp_in_base=Pose(np.array((0.4, 0.0, z)), np.array((1.0, 0.0, 0.0, 0.0))),
        tcp_velocity_in_base=np.array((0.0, 0.0, speed, 0.0, 0.0, 0.0)),
        wrench_in_base=wrench,
    )


def collect(readings: Iterable[RobotState]) -> WrenchTare:
    tare = WrenchTare(CONFIG)
    for item in readings:
        tare.add(item)
    return tare


def test_constant_bias_of_five_newton_is_removed_below_two_tenths() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.5, (101, 6))
    tare = collect(reading(k * 10 * MS, BIAS + noise[k]) for k in range(101))
    assert tare.done
    assert np.abs(BIAS - tare.bias()).max() < 0.2


def test_window_has_to_be_full_and_dense() -> None:
    early = collect(reading(k * 10 * MS) for k in range(100))
    assert not early.done
    with pytest.raises(TareError, match=r"100 readings over 0\.99 s"):
        early.bias()
    thin = collect(reading(k * 100 * MS) for k in range(11))
    assert thin.done
    with pytest.raises(TareError, match=r"50 over 1\.00 s are needed"):
        thin.bias()


def test_repeated_readings_count_once() -> None:
    tare = collect(reading(k // 10 * 100 * MS) for k in range(110))
    with pytest.raises(TareError, match="11 readings"):
        tare.bias()


def test_no_reading_at_all_is_refused() -> None:
    with pytest.raises(TareError, match="0 readings"):
        WrenchTare(CONFIG).bias()


@pytest.mark.parametrize(
    ("moving", "message"),
    [({"speed": 0.01}, "10.0 mm/s"), ({"z": 0.202}, "drifted by 2.00 mm")],
)
def test_arm_that_does_not_come_to_rest_is_refused(moving: dict[str, float], message: str) -> None:
    tare = collect([reading(0)])
    with pytest.raises(TareError, match=message):
        tare.add(reading(round(CONFIG.rest_s * 1e9) + MS, **moving))


def test_speed_that_is_no_number_is_refused_at_once() -> None:
    tare = collect([reading(0)])
    with pytest.raises(TareError, match="moves at nan"):
        tare.add(reading(10 * MS, speed=np.nan))


def test_window_begins_once_the_arm_rests() -> None:
    """Its weight swings while it moves; none of that is in the mean."""
    swinging = [reading(k * 10 * MS, BIAS + 10.0, speed=0.02) for k in range(100)]
    tare = collect([*swinging, *(reading((100 + k) * 10 * MS) for k in range(101))])
    assert tare.done
    np.testing.assert_allclose(tare.bias(), BIAS)


def test_creeping_arm_is_measured_anew() -> None:
    """Slow enough to rest, but further from where the window began than allowed."""
    creeping = [reading(k * 10 * MS, BIAS + 1.0, z=0.2 + 2e-5 * k, speed=0.002) for k in range(90)]
    tare = collect([*creeping, *(reading((90 + k) * 10 * MS, z=0.205) for k in range(101))])
    np.testing.assert_allclose(tare.bias(), BIAS)


@pytest.mark.parametrize(("touch_n", "message"), [(20.0, "varies by 10.00 N"), (np.nan, "NaN")])
def test_touched_tool_or_broken_sensor_is_refused(touch_n: float, message: str) -> None:
    push = np.array((0.0, 0.0, touch_n, 0.0, 0.0, 0.0))
    tare = collect(reading(k * 10 * MS, BIAS + (k % 2) * push) for k in range(102))
    with pytest.raises(TareError, match=message):
        tare.bias()
