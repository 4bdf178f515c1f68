"""Names and bytes of rmw_zenoh_cpp, against literals that real ones were seen to use."""

import struct

import pytest

from embedded_ros2.rmw.api import Durability, Endpoint, EndpointKind, History, InterfaceId, Qos, Reliability
from embedded_ros2.rmw.zenoh import wire

STRING = InterfaceId("std_msgs/msg/String", "RIHS01_df66")
OWNER = wire.TokenOwner(3, "aabb", 10, "talker", "/side/one", "/")
TOKEN = "@ros2_lv/3/aabb/10/11/MP/%/%side%one/talker/%chatter/std_msgs::msg::dds_::String_/RIHS01_df66/::,10:,:,:,,"


def test_data_key_has_domain_name_type_and_hash():
    assert wire.data_key(0, "/a/b", STRING) == "0/a/b/std_msgs::msg::dds_::String_/RIHS01_df66"
    service = InterfaceId("demo/action/Go_SendGoal", "RIHS01_1")
    key = wire.data_key(7, "/go/_action/send_goal", service)
    assert key == "7/go/_action/send_goal/demo::action::dds_::Go_SendGoal_/RIHS01_1"


def test_tokens_read_as_those_of_the_real_one():
    assert OWNER.node_token() == "@ros2_lv/3/aabb/10/10/NN/%/%side%one/talker"
    assert OWNER.endpoint_token(11, EndpointKind.PUBLISHER, "/chatter", STRING, Qos(depth=10)) == TOKEN


def test_token_is_parsed_back():
    assert wire.parse_token(OWNER.node_token()) == wire.NodeName("talker", "/side/one")
    expected = Endpoint(
        EndpointKind.PUBLISHER, "talker", "/side/one", "/chatter", STRING, Qos(depth=10), wire.gid_of(TOKEN)
    )
    assert wire.parse_token(TOKEN) == expected
    assert wire.session_of(TOKEN) == "aabb"


def test_unknown_further_parts_of_a_token_are_passed_over():
    parsed = wire.parse_token(TOKEN + "/backends:cuda")
    assert parsed.interface == STRING and parsed.gid == wire.gid_of(TOKEN + "/backends:cuda")


@pytest.mark.parametrize(
    "token",
    ["", "@ros2_lv/0", "other/3/aabb/10/10/NN/%/%/talker", TOKEN.replace("MP", "XX"), TOKEN.rsplit("/", 1)[0]]
    + [TOKEN.replace("::,10:,:,:,,", qos) for qos in ("", "9::,10:,:,:,,", "::,x:,:,:,,", "a:b")],
)
def test_foreign_token_is_refused(token):
    with pytest.raises(wire.WireError):
        wire.parse_token(token)


@pytest.mark.parametrize(
    ("qos", "text"),
    [
        (Qos(depth=42), "::,:,:,:,,"),
        (Qos(depth=10), "::,10:,:,:,,"),
        (Qos(Reliability.BEST_EFFORT, depth=5), "2::,5:,:,:,,"),
        (Qos(durability=Durability.TRANSIENT_LOCAL, depth=1), ":1:,1:,:,:,,"),
        (Qos(history=History.KEEP_ALL, depth=42), "::2,:,:,:,,"),
        (Qos(depth=42, deadline_ns=1_500_000_000, lifespan_ns=7), "::,:1,500000000:0,7:,,"),
    ],
)
def test_qos_is_written_and_read(qos, text):
    assert wire.format_qos(qos) == text
    assert wire.parse_qos(text) == qos


def test_infinite_durations_may_be_spelled_out():
    spelled = "1:2:1,10:9223372036,854775807:9223372036,854775807:1,9223372036,854775807"
    assert wire.parse_qos(spelled) == Qos(depth=10)


def test_gid_is_xxh3_of_the_token_with_the_low_half_first():
    # XXH3-128 of the empty input is 99aa06d3014798d86001c324468d497f (reference implementation).
    assert wire.gid_of("") == bytes.fromhex("99aa06d3014798d86001c324468d497f")[::-1]


def test_attachment_is_33_bytes_little_endian():
    gid = bytes(range(16))
    data = wire.Attachment(5, 1_700_000_000_000_000_000, gid).pack()
    assert data == struct.pack("<qq", 5, 1_700_000_000_000_000_000) + b"\x10" + gid
    assert wire.unpack_attachment(data) == wire.Attachment(5, 1_700_000_000_000_000_000, gid)


@pytest.mark.parametrize("data", [b"", bytes(32), bytes(34), bytes(33)])
def test_other_bytes_are_no_attachment(data):
    with pytest.raises(wire.WireError):
        wire.unpack_attachment(data)


def test_type_names_are_mangled_and_back():
    assert wire.dds_type_name("a_msgs/srv/B") == "a_msgs::srv::dds_::B_"
    assert wire.ros_type_name("a_msgs::srv::dds_::B_") == "a_msgs/srv/B"
    assert wire.ros_type_name("something::else") == "something::else"
