"""``validate_full_topic_name``, as in rclpy."""

from __future__ import annotations

from typing import Literal

from ._names import check_full_name
from .exceptions import InvalidServiceNameException, InvalidTopicNameException


def validate_full_topic_name(name: str, *, is_service: bool = False) -> Literal[True]:
    """Returns True for a valid fully qualified name.

    :raises InvalidTopicNameException: otherwise (InvalidServiceNameException for services).
    """
    if problem := check_full_name(name, "service name" if is_service else "topic name"):
        error = InvalidServiceNameException if is_service else InvalidTopicNameException
        raise error(name, problem.message, problem.index)
    return True
