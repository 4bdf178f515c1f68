"""Helpers of ``rclpy.utilities``: the default context, and command lines without their ROS arguments."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from ._ros_arguments import split_arguments
from .context import Context

if TYPE_CHECKING:
    from collections.abc import Sequence

_default_context: Context | None = None
_lock = threading.Lock()


def get_default_context(*, shutting_down: bool = False) -> Context:
    """Returns the context that is used where none is given; ``shutting_down`` makes the next call return a new one."""
    global _default_context
    with _lock:
        context = _default_context or Context()
        _default_context = None if shutting_down else context
        return context


def ok(*, context: Context | None = None) -> bool:
    """Whether the context is initialised and not shut down."""
    return (context or get_default_context()).ok()


def try_shutdown(*, context: Context | None = None) -> None:
    """Shuts the context down; does nothing when that was done already."""
    (context or get_default_context(shutting_down=True)).try_shutdown()


def remove_ros_args(args: Sequence[str] | None = None) -> list[str]:
    """Returns the arguments (default: sys.argv) without the ``--ros-args`` sections."""
    return split_arguments(sys.argv if args is None else args).non_ros


def get_rmw_implementation_identifier() -> str:
    """The name that ``RMW_IMPLEMENTATION`` selects the loaded middleware by."""
    from embedded_ros2.rmw import load_backend

    return load_backend().identifier
