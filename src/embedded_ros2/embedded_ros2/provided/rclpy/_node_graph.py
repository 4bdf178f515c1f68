"""What a node can ask about the graph, as in rclpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_ros2.rmw.api import Endpoint, EndpointKind

from . import _graph, _names
from ._rclpy_pybind11 import NodeNameNonExistentError
from ._unsupported import UnsupportedFeature

if TYPE_CHECKING:
    from .context import Context
    from .topic_endpoint_info import TopicEndpointInfo

NamesAndTypes = list[tuple[str, list[str]]]


class NodeGraph:
    """The part of ``Node`` that queries the graph. Answers are what is known now; discovery takes time."""

    @property
    def context(self) -> Context:
        raise NotImplementedError

    def resolve_topic_name(self, topic: str, *, only_expand: bool = False) -> str:
        raise NotImplementedError

    def resolve_service_name(self, service: str, *, only_expand: bool = False) -> str:
        raise NotImplementedError

    def get_topic_names_and_types(self, no_demangle: bool = False) -> NamesAndTypes:
        """Returns every topic with the types that are used on it."""
        _refuse_raw_names(no_demangle=no_demangle)
        return _graph.names_and_types(self._rcl_endpoints(), _graph.TOPIC_KINDS)

    def get_service_names_and_types(self) -> NamesAndTypes:
        """Returns every service that has a server, with its types."""
        return _graph.names_and_types(self._rcl_endpoints(), (EndpointKind.SERVICE,))

    def get_node_names(self) -> list[str]:
        return [name for name, _ in self.get_node_names_and_namespaces()]

    def get_node_names_and_namespaces(self) -> list[tuple[str, str]]:
        return list(self.context.rmw_context().nodes())

    def get_fully_qualified_node_names(self) -> list[str]:
        return [_names.join(namespace, name) for name, namespace in self.get_node_names_and_namespaces()]

    def get_publisher_names_and_types_by_node(
        self, node_name: str, node_namespace: str, no_demangle: bool = False
    ) -> NamesAndTypes:
        """:raises NodeNameNonExistentError: when there is no such node."""
        _refuse_raw_names(no_demangle=no_demangle)
        return self._rcl_of_node(node_name, node_namespace, EndpointKind.PUBLISHER)

    def get_subscriber_names_and_types_by_node(
        self, node_name: str, node_namespace: str, no_demangle: bool = False
    ) -> NamesAndTypes:
        """:raises NodeNameNonExistentError: when there is no such node."""
        _refuse_raw_names(no_demangle=no_demangle)
        return self._rcl_of_node(node_name, node_namespace, EndpointKind.SUBSCRIPTION)

    def get_service_names_and_types_by_node(self, node_name: str, node_namespace: str) -> NamesAndTypes:
        """:raises NodeNameNonExistentError: when there is no such node."""
        return self._rcl_of_node(node_name, node_namespace, EndpointKind.SERVICE)

    def get_client_names_and_types_by_node(self, node_name: str, node_namespace: str) -> NamesAndTypes:
        """:raises NodeNameNonExistentError: when there is no such node."""
        return self._rcl_of_node(node_name, node_namespace, EndpointKind.CLIENT)

    def get_publishers_info_by_topic(self, topic_name: str, no_mangle: bool = False) -> list[TopicEndpointInfo]:
        _refuse_raw_names(no_demangle=no_mangle)
        return self._rcl_info(EndpointKind.PUBLISHER, topic_name)

    def get_subscriptions_info_by_topic(self, topic_name: str, no_mangle: bool = False) -> list[TopicEndpointInfo]:
        _refuse_raw_names(no_demangle=no_mangle)
        return self._rcl_info(EndpointKind.SUBSCRIPTION, topic_name)

    def count_publishers(self, topic_name: str) -> int:
        return self._rcl_count(EndpointKind.PUBLISHER, self.resolve_topic_name(topic_name))

    def count_subscribers(self, topic_name: str) -> int:
        return self._rcl_count(EndpointKind.SUBSCRIPTION, self.resolve_topic_name(topic_name))

    def count_services(self, service_name: str) -> int:
        return self._rcl_count(EndpointKind.SERVICE, self.resolve_service_name(service_name))

    def count_clients(self, service_name: str) -> int:
        return self._rcl_count(EndpointKind.CLIENT, self.resolve_service_name(service_name))

    def wait_for_node(self, fully_qualified_node_name: str, timeout: float) -> bool:
        """Waits until a node is on the graph; False when it is not within ``timeout`` seconds."""
        full_name = f"/{fully_qualified_node_name.lstrip('/')}"
        return _graph.wait_for_graph(self.context, lambda: full_name in self.get_fully_qualified_node_names(), timeout)

    def _rcl_endpoints(self) -> list[Endpoint]:
        return list(self.context.rmw_context().endpoints())

    def _rcl_count(self, kind: EndpointKind, full_name: str) -> int:
        return len(_graph.endpoints_of(self.context, kind, full_name))

    def _rcl_info(self, kind: EndpointKind, topic_name: str) -> list[TopicEndpointInfo]:
        full_name = self.resolve_topic_name(topic_name)
        return [_graph.endpoint_info(found) for found in _graph.endpoints_of(self.context, kind, full_name)]

    def _rcl_of_node(self, name: str, namespace: str, kind: EndpointKind) -> NamesAndTypes:
        if (name, namespace) not in self.get_node_names_and_namespaces():
            raise NodeNameNonExistentError(
                f"cannot get names and types: node '{_names.join(namespace, name)}' not found"
            )
        of_node = (e for e in self._rcl_endpoints() if (e.node_name, e.node_namespace) == (name, namespace))
        return _graph.names_and_types(of_node, (kind,))


def _refuse_raw_names(*, no_demangle: bool) -> None:
    if no_demangle:
        raise UnsupportedFeature("asking for names as the middleware spells them (no_demangle, no_mangle)")
