"""Services and clients."""

from __future__ import annotations

import threading

import pytest
from example_interfaces.srv import AddTwoInts
from rclpy._rclpy_pybind11 import InvalidHandle, RCLError
from rclpy.executors import MultiThreadedExecutor
from std_srvs.srv import Trigger

PATIENCE_S = 20.0


def add(request, response):
    response.sum = request.a + request.b
    return response


def test_call_async(node, executor):
    node.create_service(AddTwoInts, "add", add)
    future = node.create_client(AddTwoInts, "add").call_async(AddTwoInts.Request(a=2, b=3))
    assert not future.done()
    executor.spin_until_future_complete(future, timeout_sec=PATIENCE_S)
    assert future.result() == AddTwoInts.Response(sum=5)


def test_call_waits_while_another_thread_spins(node, executor, spin_in_thread):
    node.create_service(AddTwoInts, "add", add)
    client = node.create_client(AddTwoInts, "add")
    spin_in_thread(executor)
    assert client.call(AddTwoInts.Request(a=2, b=3)).sum == 5


def test_call_times_out(node, executor, spin_in_thread):
    client = node.create_client(AddTwoInts, "nobody")
    spin_in_thread(executor)
    with pytest.raises(TimeoutError):
        client.call(AddTwoInts.Request(), timeout_sec=0.01)
    assert client._pending == {}


def test_responses_find_their_requests(node, executor):
    node.create_service(AddTwoInts, "add", add)
    clients = [node.create_client(AddTwoInts, "add") for _ in range(2)]
    futures = [client.call_async(AddTwoInts.Request(a=n, b=n)) for n in range(5) for client in clients]
    for future in futures:
        executor.spin_until_future_complete(future, timeout_sec=PATIENCE_S)
    assert [future.result().sum for future in futures] == [2 * n for n in range(5) for _ in clients]


def test_async_service_answers_later(node, executor, spin_until):
    from rclpy.task import Future

    gate = Future()

    async def serve(request, response):
        await gate
        return add(request, response)

    node.create_service(AddTwoInts, "add", serve)
    future = node.create_client(AddTwoInts, "add", callback_group=_group()).call_async(AddTwoInts.Request(a=1, b=1))
    executor.spin_once(timeout_sec=PATIENCE_S)
    assert not future.done()
    gate.set_result(None)
    executor.spin_until_future_complete(future, timeout_sec=PATIENCE_S)
    assert future.result().sum == 2


def _group():
    from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

    return MutuallyExclusiveCallbackGroup()


def test_call_inside_a_callback_of_another_group(context, node, spin_in_thread):
    node.create_service(AddTwoInts, "add", add, callback_group=_group())
    client = node.create_client(AddTwoInts, "add", callback_group=_group())
    results = []
    node.create_guard_condition(lambda: results.append(client.call(AddTwoInts.Request(a=1), PATIENCE_S))).trigger()
    executor = MultiThreadedExecutor(3, context=context)
    executor.add_node(node)
    done = threading.Event()
    node.create_timer(0.001, lambda: done.set() if results else None, _group())
    spin_in_thread(executor)
    assert done.wait(PATIENCE_S)
    assert results[0].sum == 1


def test_service_is_ready_and_wait_for_service(node, make_node):
    client = node.create_client(Trigger, "go")
    assert not client.service_is_ready()
    assert client.wait_for_service(timeout_sec=0.01) is False
    server = make_node("server")
    threading.Timer(0.02, lambda: server.create_service(Trigger, "go", lambda request, response: response)).start()
    assert client.wait_for_service(timeout_sec=PATIENCE_S) is True
    assert client.service_is_ready()


def test_service_of_another_type_is_not_ready(node):
    node.create_service(AddTwoInts, "go", add)
    assert not node.create_client(Trigger, "go").service_is_ready()


def test_wait_for_service_ends_at_shutdown(node, context):
    client = node.create_client(Trigger, "go")
    threading.Timer(0.02, context.try_shutdown).start()
    assert client.wait_for_service() is False


def test_request_of_another_type_raises(node):
    with pytest.raises(TypeError, match="expected a request"):
        node.create_client(Trigger, "go").call_async(AddTwoInts.Request())


def test_response_of_another_type_raises(node, executor):
    node.create_service(Trigger, "go", lambda request, response: None)
    node.create_client(Trigger, "go").call_async(Trigger.Request())
    with pytest.raises(TypeError, match="expected a response"):
        executor.spin_once(timeout_sec=PATIENCE_S)


def test_removed_request_is_not_answered(node, executor):
    node.create_service(Trigger, "go", lambda request, response: response)
    client = node.create_client(Trigger, "go")
    future = client.call_async(Trigger.Request())
    client.remove_pending_request(future)
    executor.spin_until_future_complete(future, timeout_sec=0.02)
    assert not future.done()


def test_destroyed_client_and_service(node):
    service = node.create_service(Trigger, "go", lambda request, response: response)
    client = node.create_client(Trigger, "go")
    assert node.destroy_service(service)
    assert not client.service_is_ready()
    assert node.destroy_client(client)
    with pytest.raises(InvalidHandle):
        client.call_async(Trigger.Request())


def test_call_after_shutdown_raises(node, context):
    client = node.create_client(Trigger, "go")
    context.try_shutdown()
    with pytest.raises(RCLError, match="context is invalid"):
        client.call_async(Trigger.Request())
