"""``validate_namespace``, as in rclpy."""

from __future__ import annotations

from typing import Literal

from ._names import check_namespace
from .exceptions import InvalidNamespaceException


def validate_namespace(namespace: str) -> Literal[True]:
    """Returns True for a valid absolute namespace.

    :raises InvalidNamespaceException: otherwise.
    """
    if problem := check_namespace(namespace):
        raise InvalidNamespaceException(namespace, problem.message, problem.index)
    return True
