"""Fixtures of the conformance tests: each test has its own context, without any transport unless it asks for one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node

PATIENCE_S = 20.0
"""How long a test waits for what must happen; generous, because the machine may be busy."""

_domains = itertools.count(1)


@pytest.fixture(autouse=True)
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_loopback")


@pytest.fixture
def domain_id() -> int:
    """A domain that no other test of this process uses."""
    return next(_domains) % 200


@pytest.fixture
def make_context(domain_id: int) -> Iterator[Callable[..., Context]]:
    contexts: list[Context] = []

    def make(*arguments: str) -> Context:
        context = Context()
        context.init(["program", *arguments], domain_id=domain_id)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.try_shutdown()


@pytest.fixture
def context(make_context: Callable[..., Context]) -> Context:
    return make_context()


@pytest.fixture
def make_node(context: Context) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(name: str = "node", **options: Any) -> Node:
        options.setdefault("context", context)
        node = rclpy.create_node(name, **options)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.destroy_node()


@pytest.fixture
def node(make_node: Callable[..., Node]) -> Node:
    return make_node()


@pytest.fixture
def executor(context: Context, node: Node) -> Iterator[SingleThreadedExecutor]:
    """An executor with ``node`` in it."""
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield executor
    executor.shutdown(timeout_sec=PATIENCE_S)


@pytest.fixture
def spin_until() -> Callable[[Executor, Callable[[], bool]], None]:
    """Spins until a condition holds; fails when it never does."""

    def spin(executor: Executor, condition: Callable[[], bool]) -> None:
        give_up = threading.Event()
        timer = threading.Timer(PATIENCE_S, lambda: (give_up.set(), executor.wake()))
        timer.start()
        try:
            while not condition():
                assert not give_up.is_set(), "the condition was not reached"
                executor.spin_once(timeout_sec=PATIENCE_S)
        finally:
            timer.cancel()

    return spin


@pytest.fixture
def spin_in_thread() -> Iterator[Callable[[Executor], None]]:
    """Spins executors on threads of their own until the test ends."""
    running: list[tuple[Executor, threading.Thread]] = []

    def start(executor: Executor) -> None:
        thread = threading.Thread(target=executor.spin, daemon=True)
        thread.start()
        running.append((executor, thread))

    yield start
    for executor, thread in running:
        executor.shutdown(timeout_sec=PATIENCE_S)
        thread.join(PATIENCE_S)
