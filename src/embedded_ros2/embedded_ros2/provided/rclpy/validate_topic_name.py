"""``validate_topic_name``, as in rclpy."""

from __future__ import annotations

from typing import Literal

from ._names import check_topic_name
from .exceptions import InvalidServiceNameException, InvalidTopicNameException


def validate_topic_name(name: str, *, is_service: bool = False) -> Literal[True]:
    """Returns True for a name that may be expanded (relative, private and absolute ones are valid).

    :raises InvalidTopicNameException: otherwise (InvalidServiceNameException for services).
    """
    if problem := check_topic_name(name):
        error = InvalidServiceNameException if is_service else InvalidTopicNameException
        raise error(name, problem.message, problem.index)
    return True
