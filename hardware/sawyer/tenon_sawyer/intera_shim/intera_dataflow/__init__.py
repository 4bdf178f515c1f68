"""``wait_for`` and ``Signal``, as scripts for the vendor's SDK use them."""

from __future__ import annotations

import errno
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from tenon_sawyer.ros1 import process

__all__ = ["Signal", "wait_for"]


def wait_for(
    test: Callable[[], Any],
    timeout: float = 1.0,
    raise_on_error: bool = True,
    rate: float = 100,
    timeout_msg: str = "timeout expired",
    body: Callable[[], Any] | None = None,
) -> bool:
    """Waits until ``test`` is true, calling ``body`` before each new look, ``rate`` times a second.

    timeout: seconds; negative or infinite waits for ever. Raises OSError (ETIMEDOUT, or ESHUTDOWN when the node ends);
    without raise_on_error returns False instead.
    """
    endless = timeout < 0.0 or timeout == float("inf")
    end_s = time.monotonic() + (0.0 if endless else timeout)
    while not test():
        problem: tuple[int, str] | None = None
        if process.is_shutdown():
            problem = (errno.ESHUTDOWN, "the node has ended")
        elif not endless and time.monotonic() >= end_s:
            problem = (errno.ETIMEDOUT, timeout_msg)
        if problem is not None:
            if raise_on_error:
                raise OSError(*problem)
            return False
        if callable(body):
            body()
        process.wait(1.0 / rate)
    return True


class Signal:
    """Listeners to be called together. Those that are methods are held weakly: they end with their object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], Callable[..., Any] | None]] = []

    def connect(self, slot: Callable[..., Any]) -> None:
        reference = weakref.WeakMethod(slot) if hasattr(slot, "__self__") else lambda: slot  # type: ignore[arg-type]
        with self._lock:
            self._listeners.append(reference)

    def disconnect(self, slot: Callable[..., Any]) -> None:
        with self._lock:
            self._listeners = [listener for listener in self._listeners if listener() not in (slot, None)]

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            slot = listener()
            if slot is not None:
                slot(*args, **kwargs)
