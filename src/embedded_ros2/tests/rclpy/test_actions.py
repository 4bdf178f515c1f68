"""Action servers and clients."""

from __future__ import annotations

import threading

import pytest
from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from example_interfaces.action import Fibonacci
from rclpy._rclpy_pybind11 import RCLError
from rclpy.action import (
    ActionClient,
    ActionServer,
    CancelResponse,
    GoalResponse,
    get_action_client_names_and_types_by_node,
    get_action_names_and_types,
    get_action_server_names_and_types_by_node,
)
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.task import Future
from unique_identifier_msgs.msg import UUID

PATIENCE_S = 20.0


@pytest.fixture
def server_node(make_node, executor):
    node = make_node("server")
    executor.add_node(node)
    return node


@pytest.fixture
def client(node):
    client = ActionClient(node, Fibonacci, "fibonacci")
    yield client
    client.destroy()


@pytest.fixture
def complete(executor):
    """Spins until a future is done and returns its result."""

    def spin(future):
        executor.spin_until_future_complete(future, timeout_sec=PATIENCE_S)
        assert future.done()
        return future.result()

    return spin


def succeed(goal_handle):
    goal_handle.succeed()
    return Fibonacci.Result(sequence=[goal_handle.request.order])


def goal(order=1):
    return Fibonacci.Goal(order=order)


def test_goal_succeeds(server_node, client, complete):
    ActionServer(server_node, Fibonacci, "fibonacci", succeed)
    goal_handle = complete(client.send_goal_async(goal(7)))
    assert goal_handle.accepted
    result = complete(goal_handle.get_result_async())
    assert (result.status, list(result.result.sequence)) == (GoalStatus.STATUS_SUCCEEDED, [7])
    assert goal_handle.status == GoalStatus.STATUS_SUCCEEDED


def test_goal_aborts(server_node, client, complete):
    def abort(goal_handle):
        goal_handle.abort()
        return Fibonacci.Result()

    ActionServer(server_node, Fibonacci, "fibonacci", abort)
    goal_handle = complete(client.send_goal_async(goal()))
    assert complete(goal_handle.get_result_async()).status == GoalStatus.STATUS_ABORTED


@pytest.mark.parametrize("outcome", ["raises", "sets no state"])
def test_goal_without_a_final_state_is_aborted(server_node, client, complete, outcome):
    def execute(goal_handle):
        if outcome == "raises":
            raise ValueError("from the execute callback")
        return Fibonacci.Result()

    ActionServer(server_node, Fibonacci, "fibonacci", execute)
    goal_handle = complete(client.send_goal_async(goal()))
    assert complete(goal_handle.get_result_async()).status == GoalStatus.STATUS_ABORTED


@pytest.mark.parametrize("answer", [GoalResponse.REJECT, "something else"])
def test_goal_is_rejected(server_node, client, complete, answer):
    ActionServer(server_node, Fibonacci, "fibonacci", succeed, goal_callback=lambda request: answer)
    assert not complete(client.send_goal_async(goal())).accepted


def test_goal_callback_gets_the_goal(server_node, client, complete):
    orders = []

    async def accept(request):
        orders.append(request.order)
        return GoalResponse.ACCEPT

    ActionServer(server_node, Fibonacci, "fibonacci", succeed, goal_callback=accept)
    complete(client.send_goal_async(goal(3)))
    assert orders == [3]


def test_goal_id_is_used_once(server_node, client, complete):
    ActionServer(server_node, Fibonacci, "fibonacci", succeed)
    goal_id = UUID(uuid=list(range(16)))
    assert complete(client.send_goal_async(goal(), goal_uuid=goal_id)).accepted
    assert not complete(client.send_goal_async(goal(), goal_uuid=goal_id)).accepted


def test_feedback_reaches_its_goal(server_node, client, complete, executor, spin_until):
    async def execute(goal_handle):
        for number in range(goal_handle.request.order):
            goal_handle.publish_feedback(Fibonacci.Feedback(sequence=[number]))
        return succeed(goal_handle)

    ActionServer(server_node, Fibonacci, "fibonacci", execute)
    received = []
    goal_handle = complete(client.send_goal_async(goal(3), feedback_callback=received.append))
    complete(goal_handle.get_result_async())
    spin_until(executor, lambda: len(received) == 3)
    assert [list(message.feedback.sequence) for message in received] == [[0], [1], [2]]
    assert received[0].goal_id == goal_handle.goal_id


def test_feedback_of_another_type_raises(server_node, client, complete):
    errors = []

    def execute(goal_handle):
        try:
            goal_handle.publish_feedback(Fibonacci.Result())
        except TypeError as error:
            errors.append(str(error))
        return succeed(goal_handle)

    ActionServer(server_node, Fibonacci, "fibonacci", execute)
    complete(complete(client.send_goal_async(goal())).get_result_async())
    assert "Fibonacci.Feedback" in errors[0]


def _waiting_server(server_node, gate, **options):
    async def execute(goal_handle):
        await gate
        if goal_handle.is_cancel_requested:
            goal_handle.canceled()
            return Fibonacci.Result()
        return succeed(goal_handle)

    return ActionServer(server_node, Fibonacci, "fibonacci", execute, **options)


def test_goal_is_cancelled(server_node, client, complete):
    gate = Future()
    _waiting_server(server_node, gate, cancel_callback=lambda goal_handle: CancelResponse.ACCEPT)
    goal_handle = complete(client.send_goal_async(goal()))
    response = complete(goal_handle.cancel_goal_async())
    assert response.return_code == CancelGoal.Response.ERROR_NONE
    assert [info.goal_id for info in response.goals_canceling] == [goal_handle.goal_id]
    gate.set_result(None)
    assert complete(goal_handle.get_result_async()).status == GoalStatus.STATUS_CANCELED


def test_cancelling_is_rejected_by_default(server_node, client, complete):
    gate = Future()
    _waiting_server(server_node, gate)
    goal_handle = complete(client.send_goal_async(goal()))
    response = complete(goal_handle.cancel_goal_async())
    assert response.return_code == CancelGoal.Response.ERROR_REJECTED
    assert list(response.goals_canceling) == []
    gate.set_result(None)
    assert complete(goal_handle.get_result_async()).status == GoalStatus.STATUS_SUCCEEDED


def test_finished_and_unknown_goals_cannot_be_cancelled(server_node, node, client, complete):
    ActionServer(server_node, Fibonacci, "fibonacci", succeed)
    goal_handle = complete(client.send_goal_async(goal()))
    complete(goal_handle.get_result_async())
    response = complete(goal_handle.cancel_goal_async())
    assert response.return_code == CancelGoal.Response.ERROR_GOAL_TERMINATED
    request = CancelGoal.Request()
    request.goal_info.goal_id.uuid = [7] * 16
    service = node.create_client(CancelGoal, "fibonacci/_action/cancel_goal")
    assert complete(service.call_async(request)).return_code == CancelGoal.Response.ERROR_UNKNOWN_GOAL_ID


def test_request_without_id_cancels_all_goals(server_node, node, client, complete):
    gate = Future()
    _waiting_server(server_node, gate, cancel_callback=lambda goal_handle: CancelResponse.ACCEPT)
    handles = [complete(client.send_goal_async(goal())) for _ in range(3)]
    service = node.create_client(CancelGoal, "fibonacci/_action/cancel_goal")
    response = complete(service.call_async(CancelGoal.Request()))
    assert len(response.goals_canceling) == len(handles)
    gate.set_result(None)


def test_deferred_goal_executes_when_it_is_told_to(server_node, client, complete):
    deferred = []
    ActionServer(server_node, Fibonacci, "fibonacci", succeed, handle_accepted_callback=deferred.append)
    goal_handle = complete(client.send_goal_async(goal(4)))
    result = goal_handle.get_result_async()
    assert deferred[0].status == GoalStatus.STATUS_ACCEPTED
    assert not result.done()
    deferred[0].execute()
    assert complete(result).status == GoalStatus.STATUS_SUCCEEDED
    assert not deferred[0].is_active


def test_execute_takes_another_callback(server_node, client, complete):
    def other(goal_handle):
        goal_handle.succeed()
        return Fibonacci.Result(sequence=[99])

    ActionServer(
        server_node, Fibonacci, "fibonacci", succeed, handle_accepted_callback=lambda handle: handle.execute(other)
    )
    goal_handle = complete(client.send_goal_async(goal()))
    assert list(complete(goal_handle.get_result_async()).result.sequence) == [99]


def test_impossible_transitions_raise(server_node, client, complete):
    deferred = []
    ActionServer(server_node, Fibonacci, "fibonacci", succeed, handle_accepted_callback=deferred.append)
    complete(client.send_goal_async(goal()))
    with pytest.raises(RCLError, match="invalid transition from state ACCEPTED with event SUCCEED"):
        deferred[0].succeed()
    with pytest.raises(RCLError, match="CANCELED"):
        deferred[0].canceled()


def test_status_follows_the_goal(server_node, client, complete, executor, spin_until):
    gate = Future()
    _waiting_server(server_node, gate)
    goal_handle = complete(client.send_goal_async(goal()))
    spin_until(executor, lambda: goal_handle.status == GoalStatus.STATUS_EXECUTING)
    gate.set_result(None)
    spin_until(executor, lambda: goal_handle.status == GoalStatus.STATUS_SUCCEEDED)


def test_result_is_forgotten_after_the_timeout(server_node, client, complete, executor, spin_until):
    server = ActionServer(server_node, Fibonacci, "fibonacci", succeed, result_timeout=0.05)
    goal_handle = complete(client.send_goal_async(goal()))
    assert complete(goal_handle.get_result_async()).status == GoalStatus.STATUS_SUCCEEDED
    spin_until(executor, lambda: not server._goal_handles)
    assert complete(goal_handle.get_result_async()).status == GoalStatus.STATUS_UNKNOWN


def test_result_request_does_not_block_the_callback_group(server_node, client, complete):
    gate = Future()
    _waiting_server(server_node, gate)
    first = complete(client.send_goal_async(goal(1)))
    result = first.get_result_async()
    second = complete(client.send_goal_async(goal(2)))
    gate.set_result(None)
    assert complete(result).status == complete(second.get_result_async()).status == GoalStatus.STATUS_SUCCEEDED


def test_blocking_calls_with_a_spinning_thread(make_node, context, spin_in_thread):
    executor = MultiThreadedExecutor(4, context=context)
    server_node, client_node = make_node("a"), make_node("b")
    executor.add_node(server_node)
    executor.add_node(client_node)
    spin_in_thread(executor)
    cancelled = threading.Event()

    def execute(goal_handle):
        if goal_handle.request.order:
            return succeed(goal_handle)
        cancelled.wait(PATIENCE_S)
        goal_handle.canceled()
        return Fibonacci.Result()

    def cancel(goal_handle):
        return CancelResponse.ACCEPT

    group = ReentrantCallbackGroup()
    ActionServer(server_node, Fibonacci, "fibonacci", execute, callback_group=group, cancel_callback=cancel)
    client = ActionClient(client_node, Fibonacci, "fibonacci")
    assert client.wait_for_server(PATIENCE_S)
    assert client.send_goal(goal(5)).status == GoalStatus.STATUS_SUCCEEDED
    future = client.send_goal_async(goal(0))
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(PATIENCE_S)
    assert future.result().cancel_goal().return_code == CancelGoal.Response.ERROR_NONE
    cancelled.set()
    assert future.result().get_result().status == GoalStatus.STATUS_CANCELED


def test_rejected_goal_has_no_result(make_node, context, spin_in_thread):
    executor = MultiThreadedExecutor(2, context=context)
    node = make_node("a")
    executor.add_node(node)
    ActionServer(node, Fibonacci, "fibonacci", succeed, goal_callback=lambda request: GoalResponse.REJECT)
    client = ActionClient(node, Fibonacci, "fibonacci")
    spin_in_thread(executor)
    assert client.send_goal(goal()) is None


def test_wait_for_server(client, server_node):
    assert client.wait_for_server(timeout_sec=0.01) is False
    server = ActionServer(server_node, Fibonacci, "fibonacci", succeed)
    assert client.wait_for_server(timeout_sec=PATIENCE_S) is True
    server.destroy()
    assert not client.server_is_ready()


def test_goal_of_another_type_raises(client):
    with pytest.raises(TypeError, match=r"Fibonacci\.Goal"):
        client.send_goal_async(Fibonacci.Result())


def test_execute_callback_must_be_callable(server_node):
    with pytest.raises(TypeError, match="not callable"):
        ActionServer(server_node, Fibonacci, "fibonacci", None)


def test_actions_on_the_graph(server_node, client, node):
    ActionServer(server_node, Fibonacci, "fibonacci", succeed)
    expected = [("/fibonacci", ["example_interfaces/action/Fibonacci"])]
    assert get_action_names_and_types(node) == expected
    assert get_action_server_names_and_types_by_node(node, "server", "/") == expected
    assert get_action_server_names_and_types_by_node(node, "node", "/") == []
    assert get_action_client_names_and_types_by_node(node, "node", "/") == expected
    names = dict(node.get_service_names_and_types())
    assert names["/fibonacci/_action/send_goal"] == ["example_interfaces/action/Fibonacci_SendGoal"]
    assert names["/fibonacci/_action/cancel_goal"] == ["action_msgs/srv/CancelGoal"]
