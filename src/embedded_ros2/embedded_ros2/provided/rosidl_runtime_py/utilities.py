"""Classes of interfaces by name, as in the real ``rosidl_runtime_py.utilities``."""

from embedded_ros2.interfaces import get_action, get_interface, get_message, get_service

__all__ = ["get_action", "get_interface", "get_message", "get_service"]
