"""A finger's closed form against the simulation of the whole claw, which is built body by body."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest

from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, load_named
from tenon.control.finger_kinematics import FingerKinematics
from tenon.simulation.claw import ValveConfig, claw_mjcf

HAND = load_named(HandConfig, ConfigKind.HANDS, "claw")
KINEMATICS = FingerKinematics(HAND)


def some_angles(count):
    low, high = np.array([(joint.lower_rad, joint.upper_rad) for joint in HAND.joints]).T
    return np.random.default_rng(0).uniform(np.maximum(low, -0.4), np.minimum(high, 1.3), (count, 3))


def test_tips_are_where_the_simulation_has_them():
    valve = ValveConfig()
    model = mujoco.MjModel.from_xml_string(claw_mjcf(HAND, valve))
    data = mujoco.MjData(model)
    for angles in some_angles(20):
        data.qpos[:9] = np.tile(angles, 3)
        mujoco.mj_kinematics(model, data)
        away_m, across_m, down_m = KINEMATICS.tip(angles)
        for finger in HAND.fingers:
            body = data.body(f"{finger.name}_tip")
            tip = body.xpos + body.xmat.reshape(3, 3) @ (0.0, 0.0, -HAND.link_lengths_m[2])
            cosine, sine = math.cos(finger.azimuth_rad), math.sin(finger.azimuth_rad)
            expected = (
                away_m * cosine - across_m * sine,
                away_m * sine + across_m * cosine,
                valve.palm_height_m - down_m,
            )
            np.testing.assert_allclose(tip, expected, atol=1e-9)


def test_angles_bring_the_tip_where_it_was():
    angles = some_angles(200)
    angles[:, 2] = -np.abs(angles[:, 2]) - 0.1  # bowed outwards
    np.testing.assert_allclose(KINEMATICS.angles(KINEMATICS.tip(angles)), angles, atol=1e-9)


def test_a_tip_out_of_reach_is_taken_back_into_it():
    angles = KINEMATICS.angles(np.array((HAND.base_radius_m, 0.0, 1.0)))
    assert np.isfinite(angles).all()
    assert KINEMATICS.tip(angles)[2] == pytest.approx(sum(HAND.link_lengths_m))
