# ruff: noqa: N818 (the names are those of rclpy)
"""The exceptions that real rclpy defines in its C++ extension, under the module name that nodes import them from."""

from __future__ import annotations


class RCLError(RuntimeError):
    """An operation of the ROS client library failed."""


class RCLInvalidROSArgsError(RCLError):
    """A ``--ros-args`` flag is known, but what follows it cannot be parsed."""


class UnknownROSArgsError(RuntimeError):
    """``--ros-args`` contains flags that ROS does not know."""


class NodeNameNonExistentError(RCLError):
    """A graph query named a node that is not on the graph."""


class UnsupportedEventTypeError(RCLError):
    """The middleware does not support a QoS event."""


class InvalidHandle(RuntimeError):
    """An entity is used after it was destroyed."""


class TimerCancelledError(RCLError):
    """A cancelled timer was called."""
