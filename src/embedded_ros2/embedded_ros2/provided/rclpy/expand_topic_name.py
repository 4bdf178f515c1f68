"""``expand_topic_name``, as in rclpy."""

from __future__ import annotations

from ._names import expand
from .validate_namespace import validate_namespace
from .validate_node_name import validate_node_name
from .validate_topic_name import validate_topic_name


def expand_topic_name(topic_name: str, node_name: str, node_namespace: str) -> str:
    """Returns the fully qualified name; ``node_namespace`` is absolute.

    :raises NameValidationException: when one of the three is invalid.
    """
    validate_topic_name(topic_name)
    validate_node_name(node_name)
    validate_namespace(node_namespace)
    return expand(topic_name, node_name, node_namespace)
