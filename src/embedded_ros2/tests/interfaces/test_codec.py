"""CDR: bytes equal those of an independent codec, and no bytes from outside do harm."""

import array
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from embedded_ros2.interfaces import DeserializationError, deserialize, get_message, registry, serialize
from embedded_ros2.interfaces.codec import STRUCT_CODES
from embedded_ros2.interfaces.definitions import FLOATS, INTEGER_BITS, Array

STORE = get_typestore(Stores.ROS2_JAZZY)
NAMES = [
    n for n in STORE.fielddefs if n.split("/")[0] in ("std_msgs", "geometry_msgs", "sensor_msgs", "rcl_interfaces")
]
JointState = get_message("sensor_msgs/msg/JointState")


def random_value(field, rng):
    """A value for one element of a field."""
    if field.is_nested:
        return random_message(field.base, rng)
    if field.base == "string":
        return "äb" * int(rng.integers(0, 4))
    if field.base == "bool":
        return bool(rng.integers(2))
    if field.base == "byte":
        return bytes([int(rng.integers(128))])  # rosbags takes bytes for signed
    if field.base in FLOATS:
        return float(np.float32(rng.normal()))
    bits = INTEGER_BITS[field.base] - (field.base[0] == "i")
    return int(rng.integers(0, 2**bits, dtype=np.uint64, endpoint=False)) if bits < 64 else int(rng.integers(2**62))


def random_message(name, rng):
    message = get_message(name)()
    for field in registry.definition(name).fields:
        if field.array is Array.NONE:
            setattr(message, field.name, random_value(field, rng))
            continue
        count = field.size if field.array is Array.FIXED else int(rng.integers(0, min(field.size or 4, 4) + 1))
        setattr(message, field.name, [random_value(field, rng) for _ in range(count)])
    return message


def to_rosbags(message):
    definition = message._definition
    values = {}
    for field in definition.fields:
        value = getattr(message, field.name)
        if field.is_nested:
            value = [to_rosbags(v) for v in value] if isinstance(value, list) else to_rosbags(value)
        elif field.base == "byte":
            value = np.array([v[0] for v in value], np.uint8) if isinstance(value, list) else value[0]
        elif field.array is not Array.NONE and field.base != "string":
            value = np.array(value, {"?": "bool"}.get(STRUCT_CODES[field.base], STRUCT_CODES[field.base]))
        values[field.name] = value
    if not values:
        values["structure_needs_at_least_one_member"] = 0
    return STORE.types[definition.name](**values)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_equal_those_of_rosbags_and_come_back(name):
    rng = np.random.default_rng(7)
    for _ in range(5):
        message = random_message(name, rng)
        data = serialize(message)
        assert bytes(data) == bytes(STORE.serialize_cdr(to_rosbags(message), name))
        assert deserialize(data, type(message)) == message


def test_nan_and_infinity_travel():
    state = deserialize(serialize(JointState(position=[math.nan, math.inf])), JointState)
    assert math.isnan(state.position[0]) and state.position[1] == math.inf
    value = get_message("std_msgs/msg/Float32")(data=math.nan)
    assert math.isnan(deserialize(serialize(value), type(value)).data)


def test_deserialized_arrays_can_be_changed():
    Imu = get_message("sensor_msgs/msg/Imu")
    message = deserialize(bytes(serialize(Imu())), Imu)
    message.orientation_covariance[0] = 1.0
    assert message != Imu()


@pytest.mark.parametrize(
    "name", ["sensor_msgs/msg/JointState", "rcl_interfaces/msg/ParameterEvent", "sensor_msgs/msg/Imu"]
)
def test_every_truncation_is_an_error(name):
    message = random_message(name, np.random.default_rng(3))
    data = bytes(serialize(message))
    for length in range(len(data)):
        with pytest.raises(DeserializationError, match=name):
            deserialize(data[:length], type(message))


@pytest.mark.parametrize("header", [b"\0\0\0\0", b"\0\3\0\0", b"\xff\xff\xff\xff"])
def test_other_encapsulations_are_refused(header):
    data = bytes(serialize(JointState()))
    with pytest.raises(DeserializationError, match="no little-endian CDR"):
        deserialize(header + data[4:], JointState)


def test_huge_count_is_an_error_and_no_allocation():
    for name in ("sensor_msgs/msg/Image", "sensor_msgs/msg/JointState", "tf2_msgs/msg/TFMessage"):
        class_ = get_message(name)
        data = bytearray(serialize(class_()))
        with pytest.raises(DeserializationError):
            deserialize(bytes(data[:4]) + b"\xff\xff\xff\xff" * 8, class_)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["JointState", "CameraInfo", "PointCloud2", "BatteryState", "Joy"]))
def test_arbitrary_bytes_raise_one_kind_of_error(data, name):
    class_ = get_message(f"sensor_msgs/msg/{name}")
    try:
        message = deserialize(b"\0\1\0\0" + data, class_)
    except DeserializationError:
        return
    assert isinstance(message, class_)


def test_empty_structure_is_one_byte():
    Empty = get_message("std_msgs/msg/Empty")
    assert serialize(Empty()) == b"\0\1\0\0\0"
    assert deserialize(b"\0\1\0\0\0", Empty) == Empty()


def test_empty_string_without_terminator_is_read():
    String = get_message("std_msgs/msg/String")
    assert deserialize(b"\0\1\0\0\0\0\0\0", String).data == ""


def test_payload_is_not_aliased():
    Image = get_message("sensor_msgs/msg/Image")
    data = serialize(Image(data=array.array("B", [1, 2, 3])))
    image = deserialize(data, Image)
    data[-3:] = b"\0\0\0"
    assert image.data == array.array("B", [1, 2, 3])
