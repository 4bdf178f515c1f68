"""Admittance: it stands where the impedance of the same stiffness would, on any period, and no further than allowed."""

from __future__ import annotations

import numpy as np
import pytest

from tenon.control.admittance import Admittance, AdmittanceConfig
from tenon.control.geometry import pose, rotation_vector
from tenon.control.impedance import CartesianImpedance, CartesianImpedanceConfig
from tenon.control.types import Pose

DOWN = (1.0, 0.0, 0.0, 0.0)
REFERENCE = pose((0.4, 0.1, 0.2), DOWN)
EXACT = AdmittanceConfig(force_deadband_n=0.0, torque_deadband_nm=0.0)


def settled(admittance: Admittance, wrench: np.ndarray, period_s: float = 0.008, time_s: float = 4.0) -> Pose:
    for _ in range(round(time_s / period_s)):
        result = admittance.step(REFERENCE, wrench, period_s)
    return result


def test_without_force_the_reference_is_followed_without_lag() -> None:
    admittance = Admittance(EXACT)
    for x_m in (0.4, 0.41, 0.45):
        commanded = admittance.step(pose((x_m, 0.1, 0.2), DOWN), np.zeros(6), 0.008)
        assert commanded.position_m == pytest.approx((x_m, 0.1, 0.2))


@pytest.mark.parametrize("period_s", [0.002, 0.008, 0.05])
def test_at_rest_it_stands_where_the_impedance_of_that_stiffness_stands(period_s: float) -> None:
    wrench = np.array((3.0, -2.0, 8.0, 0.2, -0.1, 0.3))
    stands = settled(Admittance(EXACT), wrench, period_s)
    spring = CartesianImpedance(CartesianImpedanceConfig())
    assert spring.wrench(stands, np.zeros(6), REFERENCE) == pytest.approx(-wrench, abs=0.02)


def test_it_gives_way_as_slowly_as_its_damper_says() -> None:
    """A damper of 300 Ns/m under 6 N, before the spring counts: 20 mm/s."""
    damping, one = (300.0, 300.0, 300.0), (1.0, 1.0, 1.0)
    config = AdmittanceConfig(
        force_deadband_n=0.0, stiffness_n_m=one, damping_n_s_m=damping, inertia_kg=(0.1, 0.1, 0.1)
    )
    pushed = settled(Admittance(config), np.array((6.0, 0, 0, 0, 0, 0)), 0.002, time_s=0.5)
    assert pushed.position_m[0] - REFERENCE.position_m[0] == pytest.approx(0.01, rel=0.02)


def test_small_forces_move_nothing_and_large_ones_no_further_than_allowed() -> None:
    config = AdmittanceConfig(force_deadband_n=1.0, torque_deadband_nm=0.1, offset_max_m=0.02, offset_max_rad=0.1)
    assert settled(Admittance(config), np.array((0.9, -0.9, 0.9, 0.09, 0, 0))).position_m == pytest.approx(
        REFERENCE.position_m
    )
    admittance = Admittance(config)
    far = settled(admittance, np.array((500.0, 0, 0, 0, 0, 50.0)))
    assert np.abs(far.position_m - REFERENCE.position_m).max() == pytest.approx(0.02)
    assert np.abs(admittance.offset[3:]).max() == pytest.approx(0.1)
    back = admittance.step(REFERENCE, np.zeros(6), 0.008)
    assert np.abs(back.position_m - REFERENCE.position_m).max() < 0.02, "it does not wind up"


def test_reset_forgets_what_gave_way() -> None:
    admittance = Admittance(EXACT)
    settled(admittance, np.array((5.0, 0, 0, 0, 0, 1.0)))
    admittance.reset()
    fresh = admittance.step(REFERENCE, np.zeros(6), 0.008)
    assert fresh.position_m == pytest.approx(REFERENCE.position_m)
    assert rotation_vector(fresh.quaternion_xyzw)[0] == pytest.approx(np.pi)


@pytest.mark.parametrize("delay_periods", [1, 3])
def test_against_a_hard_wall_behind_a_delay_it_settles_without_chatter(delay_periods: int) -> None:
    """8 kN/m, and a robot that does what it was told one or three periods of 8 ms ago. Pressed 3 mm in: 4.8 N."""
    wall_n_m, period_s, force_n = 8000.0, 0.008, 0.0
    admittance, told, forces = Admittance(EXACT), [0.0] * (delay_periods + 1), []
    reference = pose((0.4, 0.1, 0.197), DOWN)
    for _ in range(400):
        commanded = admittance.step(reference, np.array((0, 0, force_n, 0, 0, 0)), period_s)
        told.append(0.2 - float(commanded.position_m[2]))
        force_n = wall_n_m * max(0.0, told[-1 - delay_periods])
        forces.append(force_n)
    assert np.ptp(forces[-100:]) < 0.05
    assert forces[-1] == pytest.approx(1600 * 8000 / 9600 * 0.003, rel=0.02)
