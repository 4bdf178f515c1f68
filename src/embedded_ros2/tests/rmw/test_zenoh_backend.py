"""What only the Zenoh backend has: bytes on the network, other processes, configuration, shared memory."""

import logging
import signal
import subprocess
import sys

import pytest
import zenoh

from embedded_ros2.rmw import load_backend
from embedded_ros2.rmw.api import Durability, EndpointKind, InterfaceId, Qos
from embedded_ros2.rmw.zenoh import wire
from embedded_ros2.rmw.zenoh.configuration import (
    OVERRIDE_VARIABLE,
    SESSION_FILE_VARIABLE,
    ConfigurationError,
    session_config,
)

STRING = InterfaceId("std_msgs/msg/String", "RIHS01_" + "1" * 64)
ADD = InterfaceId("example_interfaces/srv/AddTwoInts", "RIHS01_" + "3" * 64)
DOMAIN = 42

pytestmark = pytest.mark.usefixtures("zenoh_environment")

_TALKER = """
import sys, time
from embedded_ros2.rmw import load_backend
from embedded_ros2.rmw.api import Durability, InterfaceId, Qos
context = load_backend("rmw_zenoh_cpp").open_context(int(sys.argv[1]))
node = context.create_node("talker", "/")
qos = Qos(durability=Durability.TRANSIENT_LOCAL, depth=1)
publisher = node.create_publisher("/image", InterfaceId("std_msgs/msg/String", "RIHS01_" + "1" * 64), qos)
publisher.publish(bytes(range(256)) * 4096)
sys.stdin.read()
"""


@pytest.fixture
def context():
    opened = load_backend("rmw_zenoh_cpp").open_context(DOMAIN)
    yield opened
    opened.close()


@pytest.fixture
def raw_session():
    with zenoh.open(session_config()) as session:
        yield session


@pytest.fixture
def talker():
    process = subprocess.Popen([sys.executable, "-c", _TALKER, str(DOMAIN)], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_another_process_is_heard_and_its_death_is_noticed(context, talker, wait_until):
    received = []
    node = context.create_node("listener", "/")
    qos = Qos(durability=Durability.TRANSIENT_LOCAL, depth=1)
    node.create_subscription("/image", STRING, qos, lambda payload, info: received.append((payload, info)))
    wait_until(lambda: received)
    payload, info = received[0]
    assert payload == bytes(range(256)) * 4096
    publishers = [e for e in context.endpoints() if e.kind is EndpointKind.PUBLISHER]
    assert info.publisher_gid == publishers[0].gid and not info.from_intra_process
    talker.send_signal(signal.SIGKILL)
    wait_until(lambda: context.nodes() == [("listener", "/")] and len(context.endpoints()) == 1)


def test_sample_without_a_proper_attachment_is_dropped(context, raw_session, wait_until, caplog):
    received = []
    node = context.create_node("listener", "/")
    node.create_subscription("/chatter", STRING, Qos(), lambda payload, info: received.append((payload, info)))
    publisher = raw_session.declare_publisher(wire.data_key(DOMAIN, "/chatter", STRING))
    wait_until(lambda: publisher.matching_status.matching)
    gid = bytes(range(16))
    with caplog.at_level(logging.WARNING):
        publisher.put(b"none")
        publisher.put(b"short", attachment=b"12")
        publisher.put(b"good", attachment=wire.Attachment(9, 5, gid).pack())
        wait_until(lambda: received)
    assert [payload for payload, _ in received] == [b"good"]
    info = received[0][1]
    assert (info.publication_sequence_number, info.source_timestamp_ns, info.publisher_gid) == (9, 5, gid)
    assert "attachment" in caplog.text


def test_publication_carries_key_and_attachment_of_rmw_zenoh(context, raw_session, wait_until):
    samples = []
    subscriber = raw_session.declare_subscriber(f"{DOMAIN}/**", samples.append)
    publisher = context.create_node("talker", "/").create_publisher("/chatter", STRING, Qos())
    wait_until(lambda: publisher._publisher.matching_status.matching)
    publisher.publish(b"hello")
    wait_until(lambda: samples)
    subscriber.undeclare()
    assert str(samples[0].key_expr) == f"{DOMAIN}/chatter/std_msgs::msg::dds_::String_/{STRING.type_hash}"
    attachment = wire.unpack_attachment(samples[0].attachment.to_bytes())
    assert attachment.sequence_number == 1 and attachment.gid == publisher.gid


def test_request_without_a_proper_attachment_is_not_served(context, raw_session, wait_until):
    requests = []
    node = context.create_node("server", "/")
    node.create_service("/add", ADD, Qos(), lambda payload, request: requests.append((payload, request)))
    key = wire.data_key(DOMAIN, "/add", ADD)
    querier = raw_session.declare_querier(key, target=zenoh.QueryTarget.ALL_COMPLETE)
    wait_until(lambda: querier.matching_status.matching)
    assert list(querier.get(payload=b"bad")) == []
    querier.get(payload=b"good", attachment=wire.Attachment(4, 5, bytes(16)).pack())
    wait_until(lambda: requests)
    assert [payload for payload, _ in requests] == [b"good"]
    assert requests[0][1].sequence_number == 4


def test_humble_has_no_type_hashes(context, monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "humble")
    publisher = context.create_node("talker", "/").create_publisher("/chatter", STRING, Qos())
    assert publisher._key.endswith("/TypeHashNotSupported")
    assert context.endpoints()[0].interface.type_hash == "TypeHashNotSupported"


def test_foreign_tokens_do_not_disturb_the_graph(context, raw_session, wait_until):
    prefix = f"@ros2_lv/{DOMAIN}/1234/0"
    keep = [raw_session.liveliness().declare_token(f"{prefix}/{rest}") for rest in ("junk", "1/XX/%/%/n", "2/NN/%/%/n")]
    wait_until(lambda: context.nodes() == [("n", "/")])
    for token in keep:
        token.undeclare()
    wait_until(lambda: not context.nodes())


def test_session_file_replaces_the_defaults(tmp_path, monkeypatch):
    path = tmp_path / "session.json5"
    path.write_text('{mode: "client", connect: {endpoints: ["tcp/robot:7447"]}}')
    monkeypatch.setenv(SESSION_FILE_VARIABLE, str(path))
    monkeypatch.delenv(OVERRIDE_VARIABLE)
    assert session_config().get_json("mode") == '"client"'


def test_defaults_stay_on_this_machine_without_multicast(monkeypatch):
    monkeypatch.delenv(OVERRIDE_VARIABLE)
    config = session_config()
    assert config.get_json("listen/endpoints") == '["tcp/localhost:0"]'
    assert config.get_json("connect/endpoints") == '["tcp/localhost:7447"]'
    assert config.get_json("scouting/multicast/enabled") == "false"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        (OVERRIDE_VARIABLE, "mode", "has no '='"),
        (OVERRIDE_VARIABLE, "no/such/key=1", "no/such/key=1"),
        (OVERRIDE_VARIABLE, 'mode="nonsense"', "nonsense"),
        (SESSION_FILE_VARIABLE, "/nowhere/session.json5", "/nowhere/session.json5"),
    ],
)
def test_unusable_configuration_names_its_origin(monkeypatch, variable, value, says):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=variable) as caught:
        session_config()
    assert says in str(caught.value)


def test_missing_router_is_reported_with_the_command_that_starts_one(monkeypatch, free_endpoint, caplog):
    monkeypatch.setenv(OVERRIDE_VARIABLE, f'connect/endpoints=["{free_endpoint()}"]')
    with caplog.at_level(logging.WARNING):
        load_backend("rmw_zenoh_cpp").open_context(DOMAIN).close()
    assert "python -m embedded_ros2.router" in caplog.text
    caplog.clear()
    monkeypatch.setenv("ZENOH_ROUTER_CHECK_ATTEMPTS", "-1")
    with caplog.at_level(logging.WARNING):
        load_backend("rmw_zenoh_cpp").open_context(DOMAIN).close()
    assert caplog.text == ""
