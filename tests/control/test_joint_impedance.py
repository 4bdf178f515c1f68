"""Joint impedance: a spring and a damper within limits, an integral that does not wind up, a soft beginning."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from tenon.control.joint_impedance import JointImpedance, JointImpedanceConfig

PERIOD_S = 0.01
STILL = np.zeros(2)


def config(**changes):
    given = {
        "stiffness_nm_rad": (100.0, 100.0),
        "damping_nm_s_rad": (5.0, 5.0),
        "integral_nm_rad_s": (0.0, 0.0),
        "torque_limit_nm": (10.0, 10.0),
        "ramp_s": 0.0,
    }
    return JointImpedanceConfig(**{**given, **changes})


def torque(law, error_rad, *, speed=0.0, reference_speed=0.0, turns=1):
    for _ in range(turns):
        result = law.torque(
            np.zeros(2), np.full(2, speed), np.full(2, error_rad), PERIOD_S, np.full(2, reference_speed)
        )
    return result


def test_spring_and_damper():
    law = JointImpedance(config())
    assert torque(law, 0.02) == pytest.approx((2.0, 2.0))
    assert torque(law, 0.02, speed=0.1) == pytest.approx((1.5, 1.5))
    assert torque(law, 0.0, speed=0.1, reference_speed=0.1) == pytest.approx((0.0, 0.0))


def test_torque_stays_within_its_limit():
    assert torque(JointImpedance(config(torque_limit_nm=(10.0, 3.0))), -5.0) == pytest.approx((-10.0, -3.0))


def test_integral_removes_what_the_spring_leaves_and_is_capped():
    law = JointImpedance(config(integral_nm_rad_s=(50.0, 0.0), integral_limit_nm=2.0, torque_limit_nm=(99.0, 99.0)))
    torque(law, 0.02, turns=100)
    assert law.integral_nm == pytest.approx((1.0, 0.0))
    torque(law, 0.02, turns=1000)
    assert law.integral_nm == pytest.approx((2.0, 0.0))


def test_integral_does_not_wind_up_at_the_limit_and_leaves_it_at_once():
    law = JointImpedance(config(integral_nm_rad_s=(100.0, 100.0), torque_limit_nm=(3.0, 3.0)))
    torque(law, 1.0, turns=500)
    assert law.integral_nm == pytest.approx((0.0, 0.0))
    assert torque(law, -0.01) == pytest.approx((-1.01, -1.01))


def test_integral_may_leave_a_limit_that_it_reached():
    law = JointImpedance(config(integral_nm_rad_s=(100.0, 100.0), torque_limit_nm=(3.0, 3.0)))
    torque(law, 0.02, turns=100)
    gathered = law.integral_nm[0]
    torque(law, -0.02, turns=10)
    assert law.integral_nm[0] == pytest.approx(gathered - 0.2)


def test_torque_grows_from_nothing_after_a_reset():
    law = JointImpedance(config(ramp_s=0.1))
    shares = [torque(law, 0.02)[0] / 2.0 for _ in range(12)]
    assert shares == pytest.approx([min(1.0, 0.1 * turn) for turn in range(1, 13)])
    law.reset()
    assert torque(law, 0.02)[0] == pytest.approx(0.2)


def test_one_value_per_joint_is_needed():
    with pytest.raises(ValidationError, match="one value per joint"):
        config(torque_limit_nm=(1.0, 1.0, 1.0))
