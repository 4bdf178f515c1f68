"""QoS profiles, presets and compatibility."""

from __future__ import annotations

import pytest
from rclpy._unsupported import UnsupportedFeature
from rclpy.duration import Duration, Infinite
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    InvalidQoSProfileException,
    LivelinessPolicy,
    QoSCompatibility,
    QoSPresetProfiles,
    QoSProfile,
    QoSReliabilityPolicy,
    ReliabilityPolicy,
    from_rmw,
    qos_check_compatible,
    qos_profile_action_status_default,
    qos_profile_best_available,
    qos_profile_parameters,
    qos_profile_sensor_data,
    qos_profile_system_default,
    to_rmw,
)

from embedded_ros2.rmw import api


def test_depth_makes_a_reliable_volatile_profile():
    profile = QoSProfile(depth=7)
    assert (profile.history, profile.depth) == (HistoryPolicy.KEEP_LAST, 7)
    assert profile.reliability is ReliabilityPolicy.RELIABLE
    assert profile.durability is DurabilityPolicy.VOLATILE


@pytest.mark.parametrize("policies", [{}, {"history": HistoryPolicy.KEEP_LAST}])
def test_incomplete_profiles_raise(policies):
    with pytest.raises(InvalidQoSProfileException):
        QoSProfile(**policies)


@pytest.mark.parametrize(
    ("policies", "error"),
    [
        ({"depth": "10"}, TypeError),
        ({"depth": -1}, ValueError),
        ({"depth": 1, "reliability": 17}, ValueError),
        ({"depth": 1, "lifespan": 3}, TypeError),
        ({"depth": 1, "speed": 3}, TypeError),
    ],
)
def test_invalid_policies_raise(policies, error):
    with pytest.raises(error):
        QoSProfile(**policies)


def test_former_names_are_the_same_classes():
    assert QoSReliabilityPolicy is ReliabilityPolicy


def test_profiles_compare_by_value():
    assert QoSProfile(depth=1) == QoSProfile(depth=1)
    assert QoSProfile(depth=1) != QoSProfile(depth=2)


def test_presets():
    assert qos_profile_sensor_data.reliability is ReliabilityPolicy.BEST_EFFORT
    assert qos_profile_sensor_data.depth == 5
    assert qos_profile_parameters.depth == 1000
    assert qos_profile_action_status_default.durability is DurabilityPolicy.TRANSIENT_LOCAL
    assert QoSPresetProfiles.SENSOR_DATA.value == qos_profile_sensor_data
    assert QoSPresetProfiles.get_from_short_key("sensor_data") == qos_profile_sensor_data
    assert ReliabilityPolicy.get_from_short_key("best_effort") is ReliabilityPolicy.BEST_EFFORT


def test_system_defaults_are_resolved_for_the_middleware():
    qos = to_rmw(qos_profile_system_default)
    assert (qos.reliability, qos.durability) == (api.Reliability.RELIABLE, api.Durability.VOLATILE)
    assert (qos.history, qos.depth) == (api.History.KEEP_LAST, 42)
    assert qos.liveliness is api.Liveliness.AUTOMATIC


def test_profile_survives_the_middleware():
    profile = QoSProfile(
        depth=3,
        reliability=ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
        deadline=Duration(seconds=1),
        liveliness=LivelinessPolicy.MANUAL_BY_TOPIC,
    )
    back = from_rmw(to_rmw(profile))
    assert (back.depth, back.reliability, back.durability) == (3, profile.reliability, profile.durability)
    assert (back.deadline, back.lifespan) == (Duration(seconds=1), Infinite)
    assert back.liveliness is LivelinessPolicy.MANUAL_BY_TOPIC


def test_best_available_is_refused_by_name():
    with pytest.raises(UnsupportedFeature, match="BEST_AVAILABLE"):
        to_rmw(qos_profile_best_available)


@pytest.mark.parametrize(
    ("publisher", "subscription", "expected"),
    [
        ({}, {}, QoSCompatibility.OK),
        ({"reliability": ReliabilityPolicy.BEST_EFFORT}, {}, QoSCompatibility.ERROR),
        ({}, {"reliability": ReliabilityPolicy.BEST_EFFORT}, QoSCompatibility.OK),
        ({}, {"durability": DurabilityPolicy.TRANSIENT_LOCAL}, QoSCompatibility.ERROR),
        ({}, {"deadline": Duration(seconds=1)}, QoSCompatibility.ERROR),
        ({"deadline": Duration(seconds=1)}, {"deadline": Duration(seconds=2)}, QoSCompatibility.OK),
        ({}, {"liveliness": LivelinessPolicy.MANUAL_BY_TOPIC}, QoSCompatibility.ERROR),
        ({"reliability": ReliabilityPolicy.SYSTEM_DEFAULT}, {}, QoSCompatibility.WARNING),
    ],
)
def test_compatibility(publisher, subscription, expected):
    compatibility, reason = qos_check_compatible(QoSProfile(depth=1, **publisher), QoSProfile(depth=1, **subscription))
    assert compatibility is expected
    assert bool(reason) == (expected is not QoSCompatibility.OK)
