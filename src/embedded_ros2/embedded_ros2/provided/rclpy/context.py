"""``Context``, as in rclpy: one participant in a ROS domain, with the command line's ROS arguments."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from ._rclpy_pybind11 import RCLError
from ._ros_arguments import RosArguments, parse_arguments
from .exceptions import NotInitializedException

if TYPE_CHECKING:
    from embedded_ros2.rmw import api

MAX_DOMAIN_ID = 232
"""The highest ROS_DOMAIN_ID that DDS-based peers can use."""

_initialised: weakref.WeakSet[Context] = weakref.WeakSet()


class Context:
    """The life span of ROS in this process, from ``init`` to ``shutdown``.

    The middleware's session is opened with the first node, so that ``rclpy.init`` is cheap.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._initialised = False
        self._valid = False
        self._callbacks: list[Callable[[], Callable[[], None] | None]] = []
        self._rmw_context: api.Context | None = None
        self._domain_id = 0
        self.arguments = RosArguments()

    def init(
        self, args: Sequence[str] | None = None, *, initialize_logging: bool = True, domain_id: int | None = None
    ) -> None:
        """Parses the ROS arguments of ``args`` (default: sys.argv) and makes the context usable.

        :raises RuntimeError: when called twice, or when the domain id is invalid.
        :raises UnknownROSArgsError: on ROS arguments that do not exist.
        """
        with self._lock:
            if self._initialised:
                raise RuntimeError("Context.init() must only be called once")
            self.arguments = parse_arguments(sys.argv if args is None else args)
            self._domain_id = _checked_domain_id(domain_id)
            self._initialised = self._valid = True
        _initialised.add(self)
        if initialize_logging:
            from .logging import configure_logging

            configure_logging(self.arguments)

    def ok(self) -> bool:
        """Whether the context is initialised and not shut down."""
        return self._valid

    def get_domain_id(self) -> int:
        """Returns the ROS domain.

        :raises NotInitializedException: before ``init``.
        """
        if not self._initialised:
            raise NotInitializedException("Context must be initialized before it can have a domain id")
        return self._domain_id

    def rmw_context(self) -> api.Context:
        """Returns the middleware's session and opens it when needed.

        :raises NotInitializedException: when the context is not initialised or is shut down.
        """
        with self._lock:
            if not self._valid:
                raise NotInitializedException("the context is not valid")
            if self._rmw_context is None:
                from embedded_ros2.rmw import load_backend

                self._rmw_context = load_backend().open_context(self._domain_id)
            return self._rmw_context

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        """Calls ``callback`` at shutdown (at once after it). Bound methods are held weakly."""
        if not callable(callback):
            raise TypeError(f"callback should be a callable, got {type(callback)}")
        with self._lock:
            if self._initialised and not self._valid:
                callback()
                return
            is_method = hasattr(callback, "__self__")
            self._callbacks.append(weakref.WeakMethod(callback, self._forget) if is_method else lambda: callback)

    def _forget(self, reference: Callable[[], Callable[[], None] | None]) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._callbacks.remove(reference)

    def shutdown(self) -> None:
        """Ends the context: waits end, publishers stop, the middleware's session closes.

        :raises RuntimeError: before ``init``.
        :raises RCLError: when the context was shut down before.
        """
        if not self._initialised:
            raise RuntimeError("Context must be initialized before it can be shutdown")
        was_valid = self._valid
        self.try_shutdown()
        if not was_valid:
            raise RCLError("failed to shutdown: rcl_shutdown already called on the given context")

    def try_shutdown(self) -> None:
        """Ends the context unless that was done before."""
        self.invalidate()
        with self._lock:
            rmw_context, self._rmw_context = self._rmw_context, None
        if rmw_context is not None:
            rmw_context.close()

    def invalidate(self) -> None:
        """Makes ``ok()`` false and wakes all waits, but leaves the session open. Safe in a signal handler."""
        if not self._valid:
            return
        self._valid = False
        with self._lock:
            callbacks, self._callbacks = self._callbacks, []
        for reference in callbacks:
            callback = reference()
            if callback is not None:
                callback()

    def __enter__(self) -> Context:
        self.init()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.try_shutdown()


def _checked_domain_id(domain_id: int | None) -> int:
    text = os.environ.get("ROS_DOMAIN_ID", "").strip() if domain_id is None else str(domain_id)
    try:
        value = int(text or 0)
    except ValueError:
        raise RuntimeError(f"ROS_DOMAIN_ID is '{text}', it must be an integer from 0 to {MAX_DOMAIN_ID}") from None
    if not 0 <= value <= MAX_DOMAIN_ID:
        raise RuntimeError(f"Domain id ({value}) should be from 0 to {MAX_DOMAIN_ID}")
    return value


def invalidate_all() -> None:
    """Invalidates every context of the process; what SIGINT and SIGTERM do."""
    for context in tuple(_initialised):
        context.invalidate()


@atexit.register
def _close_sessions() -> None:
    for context in tuple(_initialised):
        with contextlib.suppress(Exception):  # the interpreter ends; a session that fails to close cannot matter
            context.try_shutdown()
