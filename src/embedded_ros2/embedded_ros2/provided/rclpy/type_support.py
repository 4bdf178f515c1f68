"""Checks that a class is a ROS interface."""

from __future__ import annotations

from embedded_ros2.interfaces import interface_id
from embedded_ros2.rmw.api import InterfaceId

from .exceptions import NoTypeSupportImportedException


def check_for_type_support(interface: type) -> None:
    """Returns when the class is a message, service or action.

    :raises NoTypeSupportImportedException: otherwise.
    """
    check_is_interface(interface)


def check_is_interface(interface: type) -> InterfaceId:
    """Returns what the wire needs of a message or service class.

    :raises NoTypeSupportImportedException: when it is no ROS interface.
    """
    try:
        return interface_id(interface)
    except (AttributeError, TypeError, KeyError) as error:
        raise NoTypeSupportImportedException() from error
