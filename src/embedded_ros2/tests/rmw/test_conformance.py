"""What every backend does alike, through the seam of ``embedded_ros2.rmw.api`` only."""

import itertools
import threading
import time

import pytest

from embedded_ros2.rmw.api import Durability, EndpointKind, History, InterfaceId, Liveliness, Qos, Reliability

STRING = InterfaceId("std_msgs/msg/String", "RIHS01_" + "1" * 64)
OTHER_STRING = InterfaceId("std_msgs/msg/String", "RIHS01_" + "2" * 64)
ADD = InterfaceId("example_interfaces/srv/AddTwoInts", "RIHS01_" + "3" * 64)
LATCHED = Qos(durability=Durability.TRANSIENT_LOCAL, depth=2)
LOSSLESS = Qos(history=History.KEEP_ALL)
"""A KEEP_LAST publisher may drop under congestion, as that of rmw_zenoh_cpp does; a KEEP_ALL one waits."""


class Inbox:
    """Keeps what a subscription or client gets."""

    def __init__(self):
        self.payloads = []
        self.infos = []

    def __call__(self, payload, info):
        self.payloads.append(bytes(payload))
        self.infos.append(info)


@pytest.fixture(params=["one context", "two contexts"])
def pair(request, open_context):
    """Two nodes: of one context, or of two that see each other."""
    first = open_context()
    second = first if request.param == "one context" else open_context()
    return first.create_node("talker", "/"), second.create_node("listener", "/side"), second, first


@pytest.fixture
def connected(pair, wait_until):
    """Waits until both contexts know as many endpoints."""

    def wait(count):
        for context in pair[2:]:
            wait_until(lambda context=context: len(context.endpoints()) == count)

    return wait


@pytest.mark.parametrize("reliability", list(Reliability))
def test_topic_delivers_once_and_in_order(pair, connected, wait_until, reliability):
    talker, listener, *_ = pair
    qos, inbox = Qos(reliability=reliability), Inbox()
    listener.create_subscription("/chatter", STRING, qos, inbox)
    publisher = talker.create_publisher("/chatter", STRING, qos)
    connected(2)
    for number in range(20):
        publisher.publish(b"%d" % number)
        wait_until(lambda number=number: len(inbox.payloads) > number)
    assert inbox.payloads == [b"%d" % number for number in range(20)]


def test_message_info_tells_publisher_time_and_number(pair, connected, wait_until):
    talker, listener, *_ = pair
    inbox = Inbox()
    listener.create_subscription("/chatter", STRING, Qos(), inbox)
    publisher = talker.create_publisher("/chatter", STRING, Qos())
    connected(2)
    before = time.time_ns()
    publisher.publish(b"a")
    publisher.publish(b"b")
    wait_until(lambda: len(inbox.infos) == 2)
    first, second = inbox.infos
    assert before <= first.source_timestamp_ns <= first.received_timestamp_ns <= time.time_ns()
    assert [first.publication_sequence_number, second.publication_sequence_number] == [1, 2]
    assert first.publisher_gid == publisher.gid and len(publisher.gid) == 16


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_payload_of_any_size_and_kind_arrives_whole(pair, connected, wait_until, make):
    talker, listener, *_ = pair
    inbox = Inbox()
    listener.create_subscription("/image", STRING, LOSSLESS, inbox)
    publisher = talker.create_publisher("/image", STRING, LOSSLESS)
    connected(2)
    content = bytes(range(256)) * 8192
    publisher.publish(make(content))
    publisher.publish(make(b""))
    wait_until(lambda: len(inbox.payloads) == 2)
    assert inbox.payloads == [content, b""]


def test_every_subscription_gets_every_message_of_every_publisher(pair, connected, wait_until):
    talker, listener, *_ = pair
    inboxes = [Inbox() for _ in range(3)]
    for node, inbox in zip((talker, listener, listener), inboxes, strict=True):
        node.create_subscription("/chatter", STRING, LOSSLESS, inbox)
    publishers = [node.create_publisher("/chatter", STRING, LOSSLESS) for node in (talker, listener)]
    connected(5)
    for number, publisher in itertools.product(range(3), publishers):
        publisher.publish(b"%d" % number)
    for inbox in inboxes:
        wait_until(lambda inbox=inbox: len(inbox.payloads) >= 6)
        assert sorted(inbox.payloads) == sorted([b"0", b"1", b"2"] * 2)


def test_subscription_can_ignore_publishers_of_its_context(open_context, wait_until):
    context, other = open_context(), open_context()
    node, far = context.create_node("a", "/"), other.create_node("b", "/")
    ignoring, hearing = Inbox(), Inbox()
    node.create_subscription("/chatter", STRING, Qos(), ignoring, ignore_local=True)
    node.create_subscription("/chatter", STRING, Qos(), hearing)
    near, distant = node.create_publisher("/chatter", STRING, Qos()), far.create_publisher("/chatter", STRING, Qos())
    wait_until(lambda: len(context.endpoints()) == len(other.endpoints()) == 4)
    near.publish(b"near")
    distant.publish(b"far")
    wait_until(lambda: len(hearing.payloads) == 2 and ignoring.payloads)
    assert ignoring.payloads == [b"far"]


@pytest.mark.parametrize("reliability", list(Reliability))
def test_late_joiner_gets_the_last_messages_of_a_latched_topic(pair, connected, wait_until, reliability):
    talker, listener, *_ = pair
    qos = Qos(reliability=reliability, durability=Durability.TRANSIENT_LOCAL, depth=2)
    publisher = talker.create_publisher("/weights", STRING, qos)
    for number in range(5):
        publisher.publish(b"%d" % number)
    connected(1)
    deep, shallow, volatile = Inbox(), Inbox(), Inbox()
    listener.create_subscription("/weights", STRING, Qos(durability=Durability.TRANSIENT_LOCAL, depth=10), deep)
    listener.create_subscription("/weights", STRING, Qos(durability=Durability.TRANSIENT_LOCAL, depth=1), shallow)
    listener.create_subscription("/weights", STRING, Qos(), volatile)
    wait_until(lambda: len(deep.payloads) == 2 and len(shallow.payloads) == 1)
    connected(4)
    publisher.publish(b"live")
    wait_until(lambda: all(inbox.payloads[-1:] == [b"live"] for inbox in (deep, shallow, volatile)))
    assert deep.payloads == [b"3", b"4", b"live"]
    assert shallow.payloads == [b"4", b"live"]
    assert volatile.payloads == [b"live"]
    assert deep.infos[0].publication_sequence_number == 4


def test_volatile_publisher_keeps_nothing_for_late_joiners(pair, connected, wait_until):
    talker, listener, *_ = pair
    publisher = talker.create_publisher("/chatter", STRING, Qos())
    publisher.publish(b"old")
    connected(1)
    inbox = Inbox()
    listener.create_subscription("/chatter", STRING, LATCHED, inbox)
    connected(2)
    publisher.publish(b"new")
    wait_until(lambda: inbox.payloads)
    assert inbox.payloads == [b"new"]


def test_other_type_hash_does_not_match(pair, connected, wait_until):
    talker, listener, *_ = pair
    wrong, right = Inbox(), Inbox()
    listener.create_subscription("/chatter", OTHER_STRING, Qos(), wrong)
    listener.create_subscription("/chatter", STRING, Qos(), right)
    publisher = talker.create_publisher("/chatter", STRING, Qos())
    publisher_of_other = talker.create_publisher("/chatter", OTHER_STRING, Qos())
    connected(4)
    publisher.publish(b"one")
    publisher_of_other.publish(b"two")
    wait_until(lambda: right.payloads and wrong.payloads)
    assert right.payloads == [b"one"] and wrong.payloads == [b"two"]


def test_domains_do_not_meet(open_context, wait_until):
    here, there = open_context(), open_context(domain_id=99)
    here.create_node("a", "/").create_publisher("/x", STRING, Qos())
    there.create_node("b", "/")
    assert here.nodes() == [("a", "/")] and there.nodes() == [("b", "/")]
    assert list(there.endpoints()) == []


def echo_service(node, name="/add"):
    """A service that answers from a thread of its own with what it was asked, and keeps the requests."""
    requests = []

    def on_request(payload, request):
        requests.append(request)
        answer = b"re:" + bytes(payload)
        threading.Thread(target=service.send_response, args=(request, bytearray(answer))).start()

    service = node.create_service(name, ADD, Qos(), on_request)
    return requests


def test_service_answers_each_client_with_its_own_sequence(pair, connected, wait_until):
    talker, listener, *_ = pair
    requests = echo_service(talker)
    inboxes = [Inbox() for _ in range(3)]
    nodes = (talker, listener, listener)
    clients = [node.create_client("/add", ADD, Qos(), inbox) for node, inbox in zip(nodes, inboxes, strict=True)]
    connected(4)
    for number, (index, client) in itertools.product(range(5), enumerate(clients)):
        assert client.send_request(b"%d-%d" % (index, number)) == number + 1
    for index, inbox in enumerate(inboxes):
        wait_until(lambda inbox=inbox: len(inbox.payloads) >= 5)
        answers = dict(zip(inbox.infos, inbox.payloads, strict=True))
        assert answers == {number + 1: b"re:%d-%d" % (index, number) for number in range(5)}
    assert {request.client_gid for request in requests} == {client.gid for client in clients}


def test_responses_may_come_in_another_order_than_requests(pair, connected, wait_until):
    talker, listener, *_ = pair
    pending, inbox = [], Inbox()
    service = talker.create_service("/add", ADD, Qos(), lambda payload, request: pending.append((payload, request)))
    client = listener.create_client("/add", ADD, Qos(), inbox)
    connected(2)
    client.send_request(b"a")
    client.send_request(b"b")
    wait_until(lambda: len(pending) == 2)
    for payload, request in reversed(pending):
        service.send_response(request, bytes(payload))
    wait_until(lambda: len(inbox.payloads) == 2)
    assert sorted(zip(inbox.infos, inbox.payloads, strict=True)) == [(1, b"a"), (2, b"b")]


def test_request_without_a_server_is_lost(pair, connected, wait_until):
    talker, listener, context, own = pair
    inbox = Inbox()
    client = listener.create_client("/add", ADD, Qos(), inbox)
    connected(1)
    wait_until(lambda: len(context.nodes()) == len(own.nodes()) == 2)
    assert client.send_request(b"lost") == 1
    echo_service(talker)
    connected(2)
    assert client.send_request(b"heard") == 2
    wait_until(lambda: inbox.payloads)
    assert inbox.infos == [2]


def test_graph_shows_nodes_and_endpoints_until_they_close(pair, wait_until):
    talker, _, context, own = pair
    qos = Qos(
        Reliability.BEST_EFFORT,
        Durability.TRANSIENT_LOCAL,
        History.KEEP_ALL,
        7,
        1_500_000_000,
        20_000_000,
        Liveliness.MANUAL_BY_TOPIC,
        3_000_000_001,
    )
    publisher = talker.create_publisher("/a/b", STRING, qos)
    talker.create_subscription("/c", STRING, Qos(), Inbox())
    talker.create_service("/add", ADD, Qos(), lambda *_: None)
    talker.create_client("/add", ADD, Qos(), Inbox())
    wait_until(lambda: len(context.endpoints()) == 4)
    assert sorted(context.nodes()) == [("listener", "/side"), ("talker", "/")]
    found = {endpoint.kind: endpoint for endpoint in context.endpoints()}
    assert set(found) == set(EndpointKind)
    seen = found[EndpointKind.PUBLISHER]
    assert (seen.node_name, seen.node_namespace, seen.name, seen.interface) == ("talker", "/", "/a/b", STRING)
    assert seen.qos == qos and seen.gid == publisher.gid
    publisher.close()
    publisher.close()
    wait_until(lambda: EndpointKind.PUBLISHER not in {e.kind for e in context.endpoints()})
    talker.close()
    assert ("talker", "/") not in own.nodes()
    wait_until(lambda: context.nodes() == [("listener", "/side")] and not context.endpoints())


def test_graph_listener_is_called_for_each_change_until_closed(open_context, wait_until):
    here, there = open_context(), open_context()
    calls = []
    listener = here.on_graph_change(lambda: calls.append(len(here.nodes()) + len(here.endpoints())))
    here.on_graph_change(lambda: 1 / 0)
    node = there.create_node("a", "/")
    node.create_publisher("/x", STRING, Qos())
    wait_until(lambda: 2 in calls)
    node.close()
    wait_until(lambda: calls[-1] == 0)
    listener.close()
    count = len(calls)
    there.create_node("b", "/")
    wait_until(lambda: here.nodes())
    assert len(calls) == count


def test_two_nodes_of_one_name_are_both_listed(pair, wait_until):
    *_, context, own = pair
    own.create_node("twin", "/")
    own.create_node("twin", "/")
    wait_until(lambda: context.nodes().count(("twin", "/")) == 2)


def test_closed_entities_stay_silent_and_refuse_work(pair, connected, wait_until):
    talker, listener, *_ = pair
    closed, still_open = Inbox(), Inbox()
    subscription = listener.create_subscription("/chatter", STRING, Qos(), closed)
    listener.create_subscription("/chatter", STRING, Qos(), still_open)
    publisher = talker.create_publisher("/chatter", STRING, Qos())
    client = talker.create_client("/add", ADD, Qos(), Inbox())
    connected(4)
    subscription.close()
    publisher.publish(b"x")
    wait_until(lambda: still_open.payloads)
    assert closed.payloads == []
    publisher.close()
    client.close()
    with pytest.raises(RuntimeError, match="/chatter"):
        publisher.publish(b"y")
    with pytest.raises(RuntimeError, match="/add"):
        client.send_request(b"y")
    talker.close()
    with pytest.raises(RuntimeError, match="talker"):
        talker.create_publisher("/z", STRING, Qos())


def test_context_closes_twice_and_takes_its_nodes_along(open_context, wait_until):
    here, there = open_context(), open_context()
    there.create_node("a", "/").create_publisher("/x", STRING, Qos())
    wait_until(lambda: here.endpoints())
    there.close()
    there.close()
    wait_until(lambda: not here.endpoints() and not here.nodes())


def test_publishing_from_several_threads_numbers_each_message_once(pair, connected, wait_until):
    talker, listener, *_ = pair
    inbox = Inbox()
    listener.create_subscription("/chatter", STRING, LOSSLESS, inbox)
    publisher = talker.create_publisher("/chatter", STRING, LOSSLESS)
    connected(2)
    threads = [threading.Thread(target=lambda: [publisher.publish(b"x") for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(inbox.payloads) == 200)
    assert sorted(info.publication_sequence_number for info in inbox.infos) == list(range(1, 201))


def test_callback_that_raises_ends_neither_publisher_nor_subscription(pair, connected, wait_until):
    talker, listener, *_ = pair
    inbox = Inbox()

    def on_message(payload, info):
        inbox(payload, info)
        raise ValueError("from a test")

    listener.create_subscription("/chatter", STRING, Qos(), on_message)
    publisher = talker.create_publisher("/chatter", STRING, Qos())
    connected(2)
    publisher.publish(b"a")
    publisher.publish(b"b")
    wait_until(lambda: inbox.payloads == [b"a", b"b"])


def test_closing_while_others_publish_is_a_clean_end(pair, connected):
    talker, listener, *_ = pair
    inbox, endings = Inbox(), []
    listener.create_subscription("/chatter", STRING, Qos(), inbox)
    publisher = talker.create_publisher("/chatter", STRING, Qos())
    connected(2)
    barrier = threading.Barrier(4)

    def publish_until_closed():
        barrier.wait()
        try:
            while True:
                publisher.publish(b"x" * 1000)
        except RuntimeError as error:
            endings.append(str(error))

    threads = [threading.Thread(target=publish_until_closed) for _ in range(3)]
    for thread in threads:
        thread.start()
    barrier.wait()
    publisher.close()
    for thread in threads:
        thread.join()
    assert len(endings) == 3 and all("closed" in ending for ending in endings)


def test_latched_endpoints_come_and_go_while_history_arrives(open_context, wait_until):
    contexts = [open_context() for _ in range(2)]
    nodes = [context.create_node(f"node_{index}", "/") for index, context in enumerate(contexts)]
    for _ in range(10):
        entities = []
        for node in nodes:
            publisher = node.create_publisher("/weights", STRING, LATCHED)
            publisher.publish(b"old")
            entities += [publisher, node.create_subscription("/weights", STRING, LATCHED, Inbox())]
        for entity in entities:
            entity.close()
    for context in contexts:
        wait_until(lambda context=context: not context.endpoints())
