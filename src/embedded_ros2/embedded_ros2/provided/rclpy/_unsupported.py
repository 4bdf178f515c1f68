# ruff: noqa: N818 (the names are those of rclpy)
"""The error for what the embedded rclpy leaves out: always by name, never silently."""

from __future__ import annotations

_HINT = "the embedded rclpy does not offer it; source a real ROS 2 installation to use it"


class UnsupportedFeature(NotImplementedError):
    """Raised when a node uses a part of rclpy that the embedded distribution does not have."""

    def __init__(self, feature: str, remedy: str = _HINT) -> None:
        super().__init__(f"{feature} is not supported: {remedy}")


class UnsupportedModule(UnsupportedFeature, ImportError):
    """Raised on import of an rclpy module that is left out, so that optional imports can fall back."""
