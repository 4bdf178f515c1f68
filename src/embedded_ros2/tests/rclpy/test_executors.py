"""Executors, callback groups, futures, tasks and coroutines."""

from __future__ import annotations

import threading
import time

import pytest
import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.task import Future, Task
from std_msgs.msg import Int32, String
from std_srvs.srv import Trigger

PATIENCE_S = 20.0


@pytest.fixture
def threads(context, node):
    """A multi-threaded executor with ``node`` in it."""
    executor = MultiThreadedExecutor(4, context=context)
    executor.add_node(node)
    yield executor
    executor.shutdown(timeout_sec=PATIENCE_S)


def test_spin_once_returns_after_the_timeout(executor):
    start = time.monotonic()
    executor.spin_once(timeout_sec=0.02)
    assert time.monotonic() - start >= 0.02


def test_spin_once_runs_one_callback(node, executor):
    calls = []
    for name in "ab":
        node.create_guard_condition(lambda name=name: calls.append(name)).trigger()
    executor.spin_once(timeout_sec=0)
    assert calls == ["a"]
    executor.spin_once(timeout_sec=0)
    assert calls == ["a", "b"]


def test_guard_condition_wakes_from_another_thread(node, executor, spin_until):
    calls = []
    guard = node.create_guard_condition(lambda: calls.append(1))
    threading.Timer(0.02, guard.trigger).start()
    spin_until(executor, lambda: calls)


def test_busy_topic_does_not_starve_others(node, executor):
    order = []
    node.create_subscription(Int32, "busy", lambda message: order.append("busy"), 100)
    node.create_subscription(Int32, "rare", lambda message: order.append("rare"), 100)
    for _ in range(50):
        node.create_publisher(Int32, "busy", 10).publish(Int32())
    node.create_publisher(Int32, "rare", 10).publish(Int32())
    for _ in range(4):
        executor.spin_once(timeout_sec=0)
    assert "rare" in order


def test_exception_in_a_callback_propagates_out_of_spin(node, executor):
    def fail():
        raise ValueError("from the callback")

    node.create_guard_condition(fail).trigger()
    with pytest.raises(ValueError, match="from the callback"):
        executor.spin()
    calls = []
    node.create_guard_condition(lambda: calls.append(1)).trigger()
    executor.spin_once(timeout_sec=0)
    assert calls == [1]


def test_exception_in_a_thread_propagates_out_of_spin(node, threads):
    def fail():
        raise ValueError("from the thread")

    node.create_guard_condition(fail).trigger()
    with pytest.raises(ValueError, match="from the thread"):
        threads.spin()


def test_spin_ends_when_the_context_is_shut_down(executor, context):
    threading.Timer(0.02, context.try_shutdown).start()
    with pytest.raises(ExternalShutdownException):
        executor.spin()


def test_spin_ends_when_the_executor_is_shut_down(executor):
    threading.Timer(0.02, executor.shutdown).start()
    executor.spin()


def test_executor_is_spun_by_one_thread_at_a_time(node, executor):
    errors = []

    def spin_again():
        try:
            executor.spin_once(timeout_sec=0)
        except RuntimeError as error:
            errors.append(str(error))

    node.create_guard_condition(spin_again).trigger()
    executor.spin_once(timeout_sec=0)
    assert errors == ["Executor is already spinning"]


def test_shutdown_waits_for_running_callbacks(node, threads, spin_in_thread):
    started, release, finished = threading.Event(), threading.Event(), threading.Event()

    def work():
        started.set()
        release.wait(PATIENCE_S)
        finished.set()

    node.create_guard_condition(work).trigger()
    spin_in_thread(threads)
    assert started.wait(PATIENCE_S)
    assert threads.shutdown(timeout_sec=0.01) is False
    release.set()
    assert threads.shutdown(timeout_sec=PATIENCE_S) is True
    assert finished.is_set()


def test_node_belongs_to_one_executor(node, executor, context):
    other = SingleThreadedExecutor(context=context)
    assert executor.add_node(node) is False
    assert other.add_node(node) is True
    assert node.executor is other
    assert executor.get_nodes() == []
    other.remove_node(node)
    assert node.executor is None


def test_removed_node_is_not_called(node, executor):
    calls = []
    guard = node.create_guard_condition(lambda: calls.append(1))
    guard.trigger()
    executor.remove_node(node)
    executor.spin_once(timeout_sec=0)
    assert calls == []
    executor.add_node(node)
    executor.spin_once(timeout_sec=0)
    assert calls == [1]


def test_mutually_exclusive_callbacks_never_overlap(node, threads, spin_in_thread):
    running, overlaps, calls = [], [], []

    def work():
        running.append(1)
        overlaps.append(len(running))
        time.sleep(0.002)
        running.pop()
        calls.append(1)

    group = MutuallyExclusiveCallbackGroup()
    for _ in range(4):
        node.create_timer(0.001, work, group)
    spin_in_thread(threads)
    _wait_for(lambda: len(calls) >= 20)
    assert max(overlaps) == 1


def test_reentrant_callbacks_overlap(node, threads, spin_in_thread):
    barrier = threading.Barrier(3)
    met = []

    def work(message):
        barrier.wait(PATIENCE_S)
        met.append(message.data)

    node.create_subscription(Int32, "topic", work, 10, callback_group=ReentrantCallbackGroup())
    publisher = node.create_publisher(Int32, "topic", 10)
    for number in range(3):
        publisher.publish(Int32(data=number))
    spin_in_thread(threads)
    _wait_for(lambda: len(met) == 3)


def test_groups_run_beside_each_other(node, threads, spin_in_thread):
    release, calls = threading.Event(), []
    node.create_guard_condition(lambda: release.wait(PATIENCE_S)).trigger()
    node.create_guard_condition(lambda: calls.append("blocked")).trigger()
    node.create_guard_condition(lambda: calls.append("free"), MutuallyExclusiveCallbackGroup()).trigger()
    spin_in_thread(threads)
    _wait_for(lambda: calls == ["free"])
    release.set()
    _wait_for(lambda: calls == ["free", "blocked"])


def test_async_callback_keeps_its_group_while_it_waits(node, executor, spin_until):
    future, order = Future(), []

    async def wait():
        order.append("waits")
        order.append(await future)

    node.create_guard_condition(wait).trigger()
    node.create_guard_condition(lambda: order.append("same group")).trigger()
    node.create_guard_condition(lambda: order.append("other group"), MutuallyExclusiveCallbackGroup()).trigger()
    spin_until(executor, lambda: "other group" in order)
    assert order == ["waits", "other group"]
    future.set_result("result")
    spin_until(executor, lambda: "same group" in order)
    assert order == ["waits", "other group", "result", "same group"]


def test_waiting_coroutine_does_not_keep_the_executor_busy(node, executor):
    future = Future()

    async def wait():
        await future

    node.create_guard_condition(wait).trigger()
    executor.spin_once(timeout_sec=0)
    assert not executor._ready
    future.cancel()


def test_exception_in_a_coroutine_propagates_out_of_spin(node, executor, spin_until):
    future = Future()

    async def fail():
        await future
        raise ValueError("late")

    node.create_guard_condition(fail).trigger()
    executor.spin_once(timeout_sec=0)
    future.set_result(None)
    with pytest.raises(ValueError, match="late"):
        executor.spin_once(timeout_sec=0)


def test_awaiting_something_else_raises(node, executor):
    import asyncio

    async def wait():
        await asyncio.sleep(1)

    node.create_guard_condition(wait).trigger()
    with pytest.raises(RuntimeError):
        executor.spin_once(timeout_sec=0)


@pytest.mark.parametrize("kind", ["function", "coroutine function", "coroutine"])
def test_create_task(executor, kind):
    async def add(a, b):
        return a + b

    if kind == "function":
        task = executor.create_task(lambda a, b: a + b, 1, b=2)
    elif kind == "coroutine function":
        task = executor.create_task(add, 1, b=2)
    else:
        task = executor.create_task(add(1, 2))
    executor.spin_until_future_complete(task, timeout_sec=PATIENCE_S)
    assert task.done()
    assert task.result() == 3


def test_tasks_await_each_other(executor):
    async def inner():
        return 1

    async def outer():
        return await executor.create_task(inner) + 1

    task = executor.create_task(outer)
    executor.spin_until_future_complete(task, timeout_sec=PATIENCE_S)
    assert task.result() == 2


def test_done_callbacks_run_on_the_executor(executor):
    calls = []
    future = Future(executor=executor)
    future.add_done_callback(calls.append)
    future.set_result(1)
    assert calls == []
    executor.spin_once(timeout_sec=0)
    assert calls == [future]


def test_done_callbacks_without_executor_run_at_once():
    calls = []
    future = Future()
    future.add_done_callback(calls.append)
    future.set_result(1)
    future.add_done_callback(calls.append)
    assert calls == [future, future]


def test_future_states():
    future = Future()
    assert (future.done(), future.result(), future.exception(), future.cancelled()) == (False, None, None, False)
    future.set_exception(ValueError("x"))
    assert future.done()
    assert isinstance(future.exception(), ValueError)
    with pytest.raises(ValueError, match="x"):
        future.result()
    cancelled = Future()
    cancelled.cancel()
    assert cancelled.cancelled()
    assert cancelled.done()


def test_exception_that_nobody_retrieves_is_printed(capsys):
    future = Future()
    future.set_exception(ValueError("lost"))
    del future
    assert "lost" in capsys.readouterr().err


def test_task_runs_by_calling_it():
    task = Task(lambda: 5)
    task()
    assert task.result() == 5
    failing = Task(lambda: 1 / 0)
    failing()
    assert isinstance(failing.exception(), ZeroDivisionError)


def test_spin_until_future_complete_times_out(executor):
    start = time.monotonic()
    executor.spin_until_future_complete(Future(), timeout_sec=0.02)
    assert time.monotonic() - start >= 0.02


def test_spin_until_future_complete_ends_when_another_thread_completes_it(executor):
    future = Future()
    threading.Timer(0.02, lambda: future.set_result("done")).start()
    executor.spin_until_future_complete(future)
    assert future.result() == "done"


def test_await_a_service_in_a_callback(node, executor, spin_until):
    async def serve(request, response):
        response.success = True
        return response

    node.create_service(Trigger, "service", serve)
    client = node.create_client(Trigger, "service", callback_group=MutuallyExclusiveCallbackGroup())
    results = []

    async def call(message):
        results.append(await client.call_async(Trigger.Request()))

    node.create_subscription(String, "topic", call, 10, callback_group=ReentrantCallbackGroup())
    node.create_publisher(String, "topic", 10).publish(String())
    spin_until(executor, lambda: results)
    assert results[0].success


def test_functions_of_rclpy_use_the_global_executor():
    rclpy.init(args=[])
    try:
        node = rclpy.create_node("node")
        calls = []
        guard = node.create_guard_condition(lambda: calls.append(1))
        guard.trigger()
        rclpy.spin_once(node, timeout_sec=PATIENCE_S)
        assert calls == [1]
        assert node.executor is None
        future = Future()
        node.create_guard_condition(lambda: future.set_result(1)).trigger()
        rclpy.spin_until_future_complete(node, future, timeout_sec=PATIENCE_S)
        assert future.done()
        threading.Timer(0.02, rclpy.shutdown).start()
        with pytest.raises(ExternalShutdownException):
            rclpy.spin(node)
    finally:
        rclpy.try_shutdown()


def test_single_thread_in_a_pool_is_warned_about(context):
    with pytest.warns(UserWarning, match="SingleThreadedExecutor"):
        MultiThreadedExecutor(1, context=context)


def _wait_for(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition was not reached"
        time.sleep(0.001)
