"""Messages of ROS 1: sums and bytes as another implementation has them, and no trust in what a peer sends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from tenon_sawyer.ros1.definitions import REGISTRY, message, service
from tenon_sawyer.ros1.messages import DefinitionError, Registry, SerializationError, decode, encode
from tenon_sawyer.ros1.time import Duration, Time

ROBOT_MD5 = {
    "JointCommand": "c8c85922",
    "EndpointState": "ec04f0f9",
    "EndpointStates": "d7b5ea85",
    "CollisionDetectionState": "7bde38c1",
    "RobotAssemblyState": "df79ce5f",
    "IONodeConfiguration": "66800b32",
    "IONodeStatus": "260fce3c",
    "IODeviceConfiguration": "6757fad6",
    "IODeviceStatus": "0d0c97a2",
    "IOComponentCommand": "ede95ba2",
    "HeadState": "51024ade",
    "HeadPanCommand": "5cb68e87",
    "InteractionControlCommand": "762b5d19",
    "JointLimits": "c4c445eb",
}
"""Beginnings of the sums that the robot's own nodes announce."""
ROBOT_SERVICE_MD5 = {
    "SolvePositionIK": "7ae4607244c30c6c631f3693cd280e45",
    "SolvePositionFK": "6db8c7b904dcebec9a59022cd894ef68",
}
JOINTS = [f"right_j{index}" for index in range(7)]


@pytest.mark.parametrize("name", ROBOT_MD5)
def test_sum_is_that_of_the_robot(name):
    assert message(f"intera_core_msgs/{name}")._md5sum[:8] == ROBOT_MD5[name]


@pytest.mark.parametrize("name", ROBOT_SERVICE_MD5)
def test_sum_of_a_service_is_that_of_the_robot(name):
    assert service(f"intera_core_msgs/{name}")._md5sum == ROBOT_SERVICE_MD5[name]


@pytest.fixture(scope="module")
def store():
    """Another implementation of ROS 1 messages, with our definitions where it has none."""
    store = get_typestore(Stores.ROS1_NOETIC)
    types = {}
    for package in REGISTRY.packages() - {"std_msgs", "geometry_msgs", "sensor_msgs"}:
        for name in REGISTRY.names(package):
            text = message(f"{package}/{name}")._full_text.split("\n====")[0]
            types |= get_types_from_msg(text, f"{package}/msg/{name}")
    store.register(types)
    return store


def test_every_sum_agrees_with_another_implementation(store):
    for package in REGISTRY.packages():
        for name in REGISTRY.names(package):
            assert (
                store.generate_msgdef(f"{package}/msg/{name}", ros_version=1)[1] == message(f"{package}/{name}")._md5sum
            )


@pytest.mark.parametrize("values", [(0.0,) * 7, (1.5, -2.25, 1e-300, float("inf"), 3.0, 0.1, -0.0)])
@pytest.mark.parametrize("frame", ["", "base", "Grundplatte ü"])
def test_bytes_agree_with_another_implementation(store, values, frame):
    ours = message("sensor_msgs/JointState")(name=JOINTS, position=values, velocity=values, effort=[])
    ours.header.stamp, ours.header.frame_id = Time(1_800_000_000, 999_999_999), frame
    data = encode(ours)
    theirs = store.deserialize_ros1(data, "sensor_msgs/msg/JointState")
    assert theirs.name == JOINTS
    assert np.array_equal(theirs.position, values)
    assert theirs.header.frame_id == frame
    assert (theirs.header.stamp.sec, theirs.header.stamp.nanosec) == (1_800_000_000, 999_999_999)
    assert bytes(store.serialize_ros1(theirs, "sensor_msgs/msg/JointState")) == data
    assert decode(type(ours), data) == ours


def test_a_name_in_another_encoding_ends_no_connection():
    kind = message("std_msgs/String")
    data = encode(kind(data="Greifer")).replace(b"ei", b"\xe9\xff")
    assert encode(decode(kind, data)) == data


@pytest.mark.parametrize("kind", [float, np.float32, np.float64])
def test_seconds_keep_their_fraction(kind):
    assert Duration(kind(0.25)).to_nsec() == 250_000_000


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_never_believed(data):
    kind = message("intera_core_msgs/IODeviceStatus")
    try:
        decoded = decode(kind, data)
    except SerializationError:
        return
    assert encode(decoded) == data


def test_announced_length_is_checked_before_memory_is_taken():
    with pytest.raises(SerializationError, match="elements are announced"):
        decode(message("std_msgs/String"), b"\xff\xff\xff\xff")


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_message_that_ends_early_or_late_is_refused(cut):
    kind = message("sensor_msgs/JointState")
    data = encode(kind(name=JOINTS, position=[0.0] * 7))
    for broken in (data[:-cut], data + b"\x00" * cut):
        with pytest.raises(SerializationError, match="are no sensor_msgs/JointState"):
            decode(kind, broken)


def test_value_that_does_not_fit_is_named():
    with pytest.raises(SerializationError, match=r"intera_core_msgs/JointCommand\.mode cannot be 'torque'"):
        encode(message("intera_core_msgs/JointCommand")(mode="torque"))


def test_message_is_made_as_rospy_makes_it():
    kind = message("intera_core_msgs/HeadPanCommand")
    assert kind(0.5, 1.0, 3) == kind(target=0.5, speed_ratio=1.0, pan_mode=3)
    assert kind.SET_ACTIVE_MODE == 1
    with pytest.raises(TypeError, match="3 fields, 2 positional"):
        kind(0.5, 1.0)
    with pytest.raises(AttributeError, match="no field angle; it has target"):
        kind(angle=0.5)


def test_unknown_type_and_bad_definition_are_named():
    registry = Registry()
    registry.add("lab_msgs/Tool", "lab_msgs/Blade blade\n")
    with pytest.raises(DefinitionError, match="no definition of lab_msgs/Blade"):
        registry.message("lab_msgs/Tool")
    with pytest.raises(DefinitionError, match="line 2"):
        registry.add("lab_msgs/Bad", "float64 x\nfloat64\n")


def test_times_add_and_compare():
    assert Time(1.5) + Duration(0.75) == Time(2, 250_000_000)
    assert Time(3) - Time(1) == Duration(2)
    assert Time(1) < Time(2)
    assert -Duration(0.5) == Duration.from_nsec(-500_000_000)
    with pytest.raises(ValueError, match="after the epoch"):
        Time(-1)
