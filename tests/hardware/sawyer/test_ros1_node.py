"""Nodes among each other: what is said arrives, and everything comes back after master or peer were away."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest

from tenon_sawyer.ros1.definitions import message, service
from tenon_sawyer.ros1.master import Master
from tenon_sawyer.ros1.node import AddressError, Node
from tenon_sawyer.ros1.service import ServiceError
from tenon_sawyer.ros1.wire import WireError, decode_header, encode_header, read_header
from tenon_sawyer.ros1.xmlrpc import SUCCESS, Server, UnreachableError, call

HOST = "127.0.0.1"
CALL_S = 5.0
Float = message("std_msgs/Float64")
JointState = message("sensor_msgs/JointState")
FK = service("intera_core_msgs/SolvePositionFK")


@pytest.fixture
def master():
    running = Master(HOST)
    yield running
    running.close()


@pytest.fixture
def make_node(master):
    made = []

    def make(name):
        made.append(Node(name, master.uri, host=HOST, timeout_s=CALL_S, probe_period_s=0.1))
        return made[-1]

    yield make
    for node in made:
        node.close()


def test_messages_arrive_once_in_order_and_numbered(make_node, wait_for):
    heard = []
    publisher = make_node("robot").advertise("/joints", JointState)
    make_node("pc").subscribe("joints", JointState, lambda msg: heard.append((msg.header.seq, msg.position[0])))
    wait_for(lambda: publisher.connections == 1, "the subscription")
    for value in range(100):
        publisher.publish(JointState(position=[float(value)]))
    wait_for(lambda: len(heard) == 100, "100 messages")
    first = heard[0][0]
    assert heard == [(first + index, float(index)) for index in range(100)]


def test_two_callbacks_share_one_connection(make_node, wait_for):
    one, other = [], []
    publisher = make_node("robot").advertise("/level", Float)
    pc = make_node("pc")
    subscription = pc.subscribe("/level", Float, one.append)
    assert pc.subscribe("/level", Float, other.append) is subscription
    wait_for(lambda: publisher.connections == 1, "the subscription")
    publisher.publish(Float(data=1.0))
    wait_for(lambda: one and other, "both callbacks")
    pc.unsubscribe(subscription, one.append)
    publisher.publish(Float(data=2.0))
    wait_for(lambda: len(other) == 2, "the second message")
    assert len(one) == 1
    assert publisher.connections == 1


def test_latched_message_waits_for_those_who_come_later(make_node, wait_for):
    heard = []
    make_node("robot").advertise("/limits", Float, latch=True).publish(Float(data=0.3))
    make_node("pc").subscribe("/limits", Float, heard.append)
    wait_for(lambda: heard, "the latched message")
    assert heard[0].data == 0.3


def test_latched_message_is_there_for_a_second_callback_too(make_node, wait_for):
    one, other = [], []
    make_node("robot").advertise("/limits", Float, latch=True).publish(Float(data=0.3))
    pc = make_node("pc")
    pc.subscribe("/limits", Float, one.append)
    wait_for(lambda: one, "the latched message")
    pc.subscribe("/limits", Float, other.append)
    assert [message.data for message in other] == [0.3]
    assert len(one) == 1


def test_topic_latches_as_soon_as_one_of_its_publishers_does(make_node, wait_for):
    heard = []
    robot = make_node("robot")
    publisher = robot.advertise("/speed", Float)
    assert robot.advertise("/speed", Float, latch=True) is publisher
    publisher.publish(Float(data=0.2))
    make_node("pc").subscribe("/speed", Float, heard.append)
    wait_for(lambda: heard, "the latched message")


def test_failing_callback_deafens_nobody(make_node, wait_for):
    heard = []
    publisher = make_node("robot").advertise("/level", Float)
    pc = make_node("pc")
    pc.subscribe("/level", Float, lambda msg: 1 / 0)
    pc.subscribe("/level", Float, heard.append)
    wait_for(lambda: publisher.connections == 1, "the subscription")
    for value in (1.0, 2.0):
        publisher.publish(Float(data=value))
    wait_for(lambda: len(heard) == 2, "both messages")


def test_type_mismatch_is_named_and_nothing_is_delivered(make_node, wait_for):
    heard = []
    make_node("robot").advertise("/level", message("std_msgs/Bool"), latch=True).publish(message("std_msgs/Bool")(True))
    subscription = make_node("pc").subscribe("/level", Float, heard.append)
    wait_for(lambda: "std_msgs/Bool" in subscription.problem, "the refusal")
    assert Float._md5sum in subscription.problem
    assert not heard


def test_service_answers_probes_and_tells_of_its_failure(make_node):
    robot, pc = make_node("robot"), make_node("pc")

    def solve(request):
        if not request.tip_names:
            raise ValueError("no tip")
        return FK._response_class(isValid=[True] * len(request.tip_names))

    robot.serve("/fk", FK, solve)
    pc.wait_for_service("/fk", FK, timeout_s=5.0)
    client = pc.client("/fk", FK)
    assert client.call(FK._request_class(tip_names=["right_hand"])).isValid == (True,)
    with pytest.raises(ServiceError, match="ValueError: no tip"):
        client.call(FK._request_class())
    with pytest.raises(ServiceError, match="no service /ik"):
        pc.client("/ik", FK).call(FK._request_class())


def test_parameters_are_read_by_name_and_by_folder(make_node, master):
    node = make_node("pc")
    node.set_parameter("robot_config/right_config/joint_names", ["right_j0"])
    assert node.parameter("/robot_config/right_config/joint_names") == ["right_j0"]
    assert node.parameter("robot_config") == {"right_config": {"joint_names": ["right_j0"]}}
    with pytest.raises(KeyError):
        node.parameter("/robot_config/left_config")


def test_no_master_is_said_at_once():
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError, match="does not answer getPid"):
        Node("pc", f"http://{HOST}:{port}/", host=HOST, timeout_s=CALL_S)


def test_address_of_another_machine_is_named_at_once(master):
    with pytest.raises(AddressError, match=r"'192\.0\.2\.1' is no address of this machine.*ROS_IP"):
        Node("pc", master.uri, host="192.0.2.1", timeout_s=CALL_S)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_address_that_only_this_machine_reaches_is_no_address_for_a_robot(master, monkeypatch, host):
    """ROS_HOSTNAME=localhost in a shell's profile: all would be heard by nobody, and nothing come."""
    monkeypatch.setattr("tenon_sawyer.ros1.node.local_address", lambda uri: "192.168.1.10")
    with pytest.raises(AddressError, match=rf"'{host}' is 127\.0\.0\.1, where .* cannot reach this machine"):
        Node("pc", master.uri, host=host, timeout_s=CALL_S)


def test_publisher_that_comes_while_one_subscribes_is_heard(make_node, monkeypatch, wait_for):
    """The master tells of it before its answer to the subscription, which does not know it yet, is read."""
    robot, pc = make_node("robot"), make_node("pc")
    publisher = robot.advertise("/level", Float)
    ask = pc.call_master

    def slow(method, *arguments):
        answer = ask(method, *arguments)
        if method != "registerSubscriber":
            return answer
        call(arguments[2], "publisherUpdate", "/master", "/level", answer, timeout_s=CALL_S)
        return []

    monkeypatch.setattr(pc, "call_master", slow)
    pc.subscribe("/level", Float, lambda msg: None)
    wait_for(lambda: publisher.connections == 1, "the subscription")
    time.sleep(0.2)
    assert publisher.connections == 1


def test_node_leaves_a_master_that_is_gone_at_once(make_node, monkeypatch):
    """Pulled cable: every call waits for its timeout, and a node has many topics."""
    pc = make_node("pc")
    for name in ("/a", "/b", "/c"):
        pc.advertise(name, Float)
        pc.subscribe(name, Float, lambda msg: None)
    calls = []

    def nobody(method, *_):
        calls.append(method)
        raise UnreachableError("the cable is out")

    monkeypatch.setattr(pc, "call_master", nobody)
    pc.close()
    assert sum(method.startswith("unregister") for method in calls) <= 1


def test_graph_comes_back_after_the_master_was_away(master, make_node, wait_for):
    heard = []
    robot, pc = make_node("robot"), make_node("pc")
    pc.subscribe("/level", Float, heard.append)
    master.close()
    wait_for(lambda: pc.master_silence_s > 0.0, "the loss of the master")
    publisher = robot.advertise("/level", Float)  # while there is no master
    again = Master(HOST, master.port)
    try:
        wait_for(lambda: publisher.connections == 1, "the subscription at the new master")
        publisher.publish(Float(data=4.0))
        wait_for(lambda: heard, "a message")
        wait_for(lambda: pc.master_silence_s == 0.0, "the new master's voice")
    finally:
        for node in (robot, pc):
            node.close()
        again.close()


def test_subscriber_finds_a_robot_that_was_rebooted(make_node, wait_for):
    heard = []
    subscription = make_node("pc").subscribe("/level", Float, heard.append)
    for boot in (1, 2):
        robot = make_node("robot")
        publisher = robot.advertise("/level", Float)
        wait_for(lambda publisher=publisher: publisher.connections == 1, "the subscription")
        publisher.publish(Float(data=float(boot)))
        wait_for(lambda boot=boot: len(heard) == boot, "a message")
        robot.close()
    assert subscription.counters.connects == 2


@contextmanager
def false_publisher(node_master, topic, kind, speak):
    """A publisher that answers the handshake as it should and then sends what ``speak`` writes."""
    listener = socket.create_server((HOST, 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                read_header(connection)
                connection.sendall(encode_header({"type": kind._type, "md5sum": kind._md5sum}))
                speak(connection)

    port = listener.getsockname()[1]
    slave = Server(HOST, {"requestTopic": lambda *_: (SUCCESS, "", ["TCPROS", HOST, port])})
    threading.Thread(target=serve, daemon=True).start()
    call(node_master.uri, "registerPublisher", "/false", topic, kind._type, slave.uri, timeout_s=CALL_S)
    try:
        yield
    finally:
        call(node_master.uri, "unregisterPublisher", "/false", topic, slave.uri, timeout_s=CALL_S)
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        slave.close()


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(struct.pack("<I", 0xFFFFFFF0), id="a length of 4 GB"),
        pytest.param(struct.pack("<I", 3) + b"abc", id="bytes that are no message"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another protocol"),
    ],
)
def test_garbage_is_counted_and_the_next_connection_is_heard(master, make_node, wait_for, garbage):
    heard, spoken = [], []

    def speak(connection):
        spoken.append(garbage if len(spoken) == 0 else struct.pack("<Id", 8, 5.0))
        connection.sendall(spoken[-1])
        time.sleep(0.2)

    subscription = make_node("pc").subscribe("/level", Float, heard.append)
    with false_publisher(master, "/level", Float, speak):
        wait_for(lambda: heard, "the message after the garbage")
    assert heard[0].data == 5.0
    assert subscription.counters.garbage >= 1


def test_peer_that_sends_garbage_to_a_node_is_let_go(make_node, wait_for):
    robot = make_node("robot")
    publisher = robot.advertise("/level", Float, latch=True)
    publisher.publish(Float(data=1.0))
    slave = call(robot.master_uri, "lookupNode", "/x", "/robot", timeout_s=CALL_S)
    _, host, port = call(slave, "requestTopic", "/x", "/level", [["TCPROS"]], timeout_s=CALL_S)
    for words in (b"\xff" * 64, encode_header({"topic": "/other", "md5sum": "*"}), b""):
        with socket.create_connection((host, port), 2.0) as peer:
            peer.sendall(words)
            if words.startswith(b"\xff"):
                assert "garbage" in read_header(peer)["error"]
    heard = []
    make_node("pc").subscribe("/level", Float, heard.append)
    wait_for(lambda: heard, "a message for one who asks properly")


def test_slow_subscriber_holds_nobody_up_and_gets_nothing_old(make_node, wait_for):
    """What a subscriber does not take is dropped, so that it does not find old commands later."""
    robot = make_node("robot")
    publisher = robot.advertise("/command", JointState, buffer_bytes=4096)
    slave = call(robot.master_uri, "lookupNode", "/x", "/robot", timeout_s=CALL_S)
    _, host, port = call(slave, "requestTopic", "/x", "/command", [["TCPROS"]], timeout_s=CALL_S)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((host, port))
    with connection:
        connection.sendall(encode_header({"topic": "/command", "md5sum": "*", "callerid": "/slow"}))
        read_header(connection)
        wait_for(lambda: publisher.connections == 1, "the subscription")
        for value in range(2000):
            publisher.publish(JointState(position=[float(value)] * 50))
        assert publisher.dropped > 1900


def test_header_is_checked():
    fields = {"topic": "/a", "md5sum": "*"}
    assert decode_header(encode_header(fields)[4:]) == fields
    for broken in (b"\x01", struct.pack("<I", 100) + b"a=b", struct.pack("<I", 3) + b"abc"):
        with pytest.raises(WireError):
            decode_header(broken)
