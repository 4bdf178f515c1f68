"""``validate_parameter_name``, as in rclpy."""

from __future__ import annotations

from typing import Literal

from .exceptions import InvalidParameterException


def validate_parameter_name(name: str) -> Literal[True]:
    """Returns True for a non-empty name.

    :raises InvalidParameterException: otherwise.
    """
    if not name:
        raise InvalidParameterException(name)
    return True
