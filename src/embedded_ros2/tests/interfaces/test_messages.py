"""Message classes behave as rosidl's Python messages do."""

import array
import copy

import numpy as np
import pytest

from embedded_ros2.interfaces import FieldError, get_action, get_message, get_service, interface_id, serialize

JointState = get_message("sensor_msgs/msg/JointState")
Image = get_message("sensor_msgs/msg/Image")
String = get_message("std_msgs/msg/String")
UInt8 = get_message("std_msgs/msg/UInt8")
Float32 = get_message("std_msgs/msg/Float32")
Imu = get_message("sensor_msgs/msg/Imu")
ParameterDescriptor = get_message("rcl_interfaces/msg/ParameterDescriptor")


def test_defaults_are_those_of_the_definition():
    assert get_message("geometry_msgs/msg/Quaternion")().w == 1.0
    state = JointState()
    assert state.header.frame_id == "" and state.name == [] and state.position == array.array("d")
    assert get_service("type_description_interfaces/srv/GetTypeDescription").Request().include_type_sources is True
    assert JointState().name is not JointState().name


def test_constructor_takes_keywords_only_and_refuses_unknown_ones():
    assert String(data="x").data == "x"
    with pytest.raises(TypeError, match="date"):
        String(date="x")
    with pytest.raises(TypeError):
        String("x")


def test_unknown_attribute_cannot_be_set():
    with pytest.raises(AttributeError):
        String().date = "x"


def test_constants_are_class_attributes():
    assert get_message("sensor_msgs/msg/BatteryState").POWER_SUPPLY_STATUS_FULL == 4
    assert get_message("diagnostic_msgs/msg/DiagnosticStatus").ERROR == b"\x02"


def test_field_types_read_as_rosidl_writes_them():
    assert JointState.get_fields_and_field_types() == {
        "header": "std_msgs/Header",
        "name": "sequence<string>",
        "position": "sequence<double>",
        "velocity": "sequence<double>",
        "effort": "sequence<double>",
    }
    assert Imu.get_fields_and_field_types()["orientation_covariance"] == "double[9]"
    ranges = ParameterDescriptor.get_fields_and_field_types()["integer_range"]
    assert ranges == "sequence<rcl_interfaces/IntegerRange, 1>"


def test_repr_reads_as_that_of_a_real_message():
    state = JointState(name=["a"], position=[1.0])
    assert repr(state) == (
        "sensor_msgs.msg.JointState(header=std_msgs.msg.Header(stamp=builtin_interfaces.msg.Time(sec=0, nanosec=0), "
        "frame_id=''), name=['a'], position=[1.0], velocity=[], effort=[])"
    )
    assert repr(get_service("std_srvs/srv/SetBool").Request()) == "std_srvs.srv.SetBool_Request(data=False)"


def test_equality_compares_types_and_all_fields():
    assert JointState(position=[1.0]) == JointState(position=np.ones(1))
    assert JointState(position=[1.0]) != JointState(position=[2.0])
    assert Imu(angular_velocity_covariance=[0.0] * 9) == Imu()
    assert Imu(angular_velocity_covariance=[1.0] * 9) != Imu()
    assert String() != get_message("std_msgs/msg/Empty")()


def test_messages_are_not_hashable_and_can_be_copied():
    with pytest.raises(TypeError):
        hash(String())
    original = JointState(name=["a"], position=[1.0])
    duplicate = copy.deepcopy(original)
    duplicate.position[0] = 5.0
    assert original.position[0] == 1.0


@pytest.mark.parametrize("value", [[1, 2], (1, 2), b"\x01\x02", bytearray(b"\x01\x02"), memoryview(b"\x01\x02")])
def test_byte_sequence_accepts_what_holds_bytes(value):
    assert Image(data=value).data == array.array("B", [1, 2])


def test_number_sequence_accepts_arrays_and_keeps_its_own_kind():
    own = array.array("d", [1.0])
    assert JointState(position=own).position is own
    assert JointState(position=np.array([1, 2], np.int32)).position == array.array("d", [1.0, 2.0])
    assert Image(data=np.arange(3, dtype=np.uint8)).data == array.array("B", [0, 1, 2])


def test_fixed_array_is_numpy():
    message = Imu(orientation_covariance=list(map(float, range(9))))
    assert isinstance(message.orientation_covariance, np.ndarray)
    assert message.orientation_covariance.dtype == np.float64


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: String(data=3), "std_msgs/msg/String: field 'data' got 3 (int); allowed is a str"),
        (lambda: UInt8(data=256), "got 256 (int); allowed is an int from 0 to 255 (uint8)"),
        (lambda: UInt8(data=1.0), "got 1.0 (float)"),
        (lambda: Float32(data=1), "got 1 (int); allowed is a float (float32)"),
        (lambda: Float32(data=1e39), "got 1e+39"),
        (lambda: JointState(header=String()), "allowed is std_msgs/msg/Header"),
        (lambda: JointState(name="abc"), "allowed is a sequence of string"),
        (lambda: JointState(name=["a", 1]), "field 'name' got 1 (int)"),
        (lambda: JointState(position="abc"), "allowed is a sequence of float64"),
        (lambda: JointState(position=["a"]), "must be real number"),
        (lambda: JointState(position=np.zeros((2, 2))), "it must have one dimension"),
        (lambda: JointState(position=b"12345678"), "allowed is a sequence of float64"),
        (lambda: Image(data=np.zeros(2)), "of dtype float64"),
        (lambda: Image(data=np.array([300])), "numbers out of range"),
        (lambda: Image(data=[300]), "field 'data' got [300] (list)"),
        (lambda: Imu(orientation_covariance=[0.0] * 8), "a sequence of exactly 9 of float64"),
        (lambda: ParameterDescriptor(integer_range=[None]), "allowed is rcl_interfaces/msg/IntegerRange"),
        (lambda: get_message("std_msgs/msg/Bool")(data=1), "allowed is True or False"),
        (lambda: get_message("std_msgs/msg/Byte")(data=1), "allowed is bytes of length 1"),
    ],
)
def test_wrong_value_is_refused_with_what_is_allowed(make, says):
    with pytest.raises(FieldError) as caught:
        make()
    assert says in str(caught.value)
    assert isinstance(caught.value, AssertionError)


def test_bound_of_a_sequence_holds():
    entry = get_message("rcl_interfaces/msg/IntegerRange")()
    assert len(ParameterDescriptor(integer_range=[entry]).integer_range) == 1
    with pytest.raises(FieldError, match="at most 1"):
        ParameterDescriptor(integer_range=[entry, entry])


def test_wrong_element_appended_later_is_named_when_serialized():
    state = JointState()
    state.name.append(5)
    with pytest.raises(FieldError, match="JointState: field 'name' got 5"):
        serialize(state)
    descriptor = ParameterDescriptor()
    descriptor.integer_range.append(String())
    with pytest.raises(FieldError, match="IntegerRange"):
        serialize(descriptor)
    flags = get_message("rcl_interfaces/msg/ParameterValue")()
    flags.bool_array_value.append(7)
    with pytest.raises(FieldError, match="bool_array_value"):
        serialize(flags)


def test_unpaired_surrogate_is_refused_when_serialized():
    with pytest.raises(FieldError, match="cannot be serialized"):
        serialize(String(data="\ud800"))


def test_service_and_action_classes_have_the_parts_of_real_ones():
    service = get_service("example_interfaces/srv/AddTwoInts")
    assert service.Request(a=1, b=2).a == 1 and service.Response(sum=3).sum == 3
    action = get_action("example_interfaces/action/Fibonacci")
    assert action.Goal(order=4).order == 4
    assert action.Result().sequence == action.Feedback().sequence == array.array("i")
    assert action.Impl.SendGoalService.Request().goal == action.Goal()
    assert action.Impl.GetResultService.Response().result == action.Result()
    assert action.Impl.FeedbackMessage().feedback == action.Feedback()
    assert interface_id(action.Impl.CancelGoalService).name == "action_msgs/srv/CancelGoal"
    assert interface_id(action.Impl.GoalStatusMessage).name == "action_msgs/msg/GoalStatusArray"
    for holder in (service, action):
        with pytest.raises(NotImplementedError):
            holder()


def test_interface_id_carries_name_and_hash():
    found = interface_id(String)
    assert found.name == "std_msgs/msg/String"
    assert found.type_hash == "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18"
    with pytest.raises(TypeError, match="no interface of the embedded ROS 2"):
        interface_id(dict)


@pytest.mark.parametrize("name", ["std_msgs/msg/Nothing", "std_msgs/srv/String"])
def test_unknown_interface_is_named_with_what_exists(name):
    get = get_message if "/msg/" in name else get_service
    with pytest.raises(LookupError, match="does not exist"):
        get(name)
