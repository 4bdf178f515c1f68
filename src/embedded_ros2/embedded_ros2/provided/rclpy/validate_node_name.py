"""``validate_node_name``, as in rclpy."""

from __future__ import annotations

from typing import Literal

from ._names import check_node_name
from .exceptions import InvalidNodeNameException


def validate_node_name(node_name: str) -> Literal[True]:
    """Returns True for a valid node name.

    :raises InvalidNodeNameException: otherwise.
    """
    if problem := check_node_name(node_name):
        raise InvalidNodeNameException(node_name, problem.message, problem.index)
    return True
