"""Queries for actions, as in rclpy. An action is on the graph where its feedback topic is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _names

if TYPE_CHECKING:
    from ..node import Node

NamesAndTypes = list[tuple[str, list[str]]]


def get_action_names_and_types(node: Node) -> NamesAndTypes:
    """Returns every action that has a server or a client, with its types."""
    return _actions(node.get_topic_names_and_types())


def get_action_server_names_and_types_by_node(
    node: Node, remote_node_name: str, remote_node_namespace: str
) -> NamesAndTypes:
    """Returns the actions that a node serves.

    :raises NodeNameNonExistentError: when there is no such node.
    """
    return _actions(node.get_publisher_names_and_types_by_node(remote_node_name, remote_node_namespace))


def get_action_client_names_and_types_by_node(
    node: Node, remote_node_name: str, remote_node_namespace: str
) -> NamesAndTypes:
    """Returns the actions that a node calls.

    :raises NodeNameNonExistentError: when there is no such node.
    """
    return _actions(node.get_subscriber_names_and_types_by_node(remote_node_name, remote_node_namespace))


def _actions(topics: NamesAndTypes) -> NamesAndTypes:
    return [
        (topic.removesuffix(_names.FEEDBACK), [name.removesuffix(_names.FEEDBACK_TYPE_SUFFIX) for name in types])
        for topic, types in topics
        if topic.endswith(_names.FEEDBACK)
    ]
