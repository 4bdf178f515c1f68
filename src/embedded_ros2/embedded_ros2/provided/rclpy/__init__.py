"""The embedded rclpy: rclpy's names and semantics (Jazzy) where no ROS 2 is installed.

It provides what robot nodes use. What is left out raises ``UnsupportedFeature`` with its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import utilities
from .context import Context
from .signals import SignalHandlerOptions, install_signal_handlers, uninstall_signal_handlers
from .task import Future
from .utilities import get_default_context as get_default_context
from .utilities import get_rmw_implementation_identifier as get_rmw_implementation_identifier
from .utilities import ok as ok

if TYPE_CHECKING:
    from .executors import Executor
    from .node import Node

_global_executor: Executor | None = None


class InitContextManager:
    """What ``init`` returns: the end of a ``with`` block shuts down."""

    def __init__(self, context: Context | None, installed_signal_handlers: SignalHandlerOptions | None = None) -> None:
        self.context = context or get_default_context()
        self._options = installed_signal_handlers
        self._is_default = context is None

    def __enter__(self) -> InitContextManager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try_shutdown(context=None if self._is_default else self.context)


def init(
    *,
    args: Sequence[str] | None = None,
    context: Context | None = None,
    domain_id: int | None = None,
    signal_handler_options: SignalHandlerOptions | None = None,
) -> InitContextManager:
    """Initialises a context, the default one unless another is given.

    :param args: command line with ``--ros-args``; sys.argv when None.
    :param domain_id: ROS domain; ``ROS_DOMAIN_ID`` when None.
    :param signal_handler_options: default is ALL for the default context, NO for others.
    :raises RuntimeError: when the context is initialised already.
    :raises UnknownROSArgsError: on ROS arguments that do not exist.
    """
    if signal_handler_options is None:
        signal_handler_options = SignalHandlerOptions.ALL if context is None else SignalHandlerOptions.NO
    (context or get_default_context()).init(args, domain_id=domain_id)
    install_signal_handlers(signal_handler_options)
    return InitContextManager(context, signal_handler_options)


def get_global_executor() -> Executor:
    """Returns the executor that ``spin`` and its siblings use where none is given."""
    global _global_executor
    if _global_executor is None or _global_executor.context is not get_default_context():
        from .executors import SingleThreadedExecutor

        _global_executor = SingleThreadedExecutor()
    return _global_executor


def shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """Shuts a context down, the default one unless another is given.

    :param uninstall_handlers: puts signal handlers back; by default only with the default context.
    :raises RuntimeError: when it was not initialised, or is shut down already.
    """
    is_default = context is None
    try:
        (context or get_default_context(shutting_down=True)).shutdown()
    finally:
        _after_shutdown(is_default=is_default, uninstall_handlers=uninstall_handlers)


def try_shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """Shuts a context down unless that was done already."""
    is_default = context is None
    utilities.try_shutdown(context=context)
    _after_shutdown(is_default=is_default, uninstall_handlers=uninstall_handlers)


def _after_shutdown(*, is_default: bool, uninstall_handlers: bool | None) -> None:
    global _global_executor
    if is_default:
        _global_executor = None
    if uninstall_handlers or (uninstall_handlers is None and is_default):
        uninstall_signal_handlers()


def create_node(node_name: str, **options: Any) -> Node:
    """Creates a node; the options are those of ``rclpy.node.Node``."""
    from .node import Node

    return Node(node_name, **options)


def spin_once(node: Node, *, executor: Executor | None = None, timeout_sec: float | None = None) -> None:
    """Runs one callback of the executor's nodes, or returns after the time-out."""
    executor = executor or get_global_executor()
    try:
        executor.add_node(node)
        executor.spin_once(timeout_sec=timeout_sec)
    finally:
        executor.remove_node(node)


def spin(node: Node, executor: Executor | None = None) -> None:
    """Runs callbacks until the context is shut down.

    :raises ExternalShutdownException: when that happens while waiting for work.
    """
    executor = executor or get_global_executor()
    try:
        executor.add_node(node)
        executor.spin()
    finally:
        executor.remove_node(node)


def spin_until_future_complete(
    node: Node, future: Future[Any], executor: Executor | None = None, timeout_sec: float | None = None
) -> None:
    """Runs callbacks until the future is done or the time is over."""
    executor = executor or get_global_executor()
    try:
        executor.add_node(node)
        executor.spin_until_future_complete(future, timeout_sec)
    finally:
        executor.remove_node(node)
