"""The six parameter services of a node, as in rclpy."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .exceptions import ParameterNotDeclaredException, ParameterUninitializedException
from .parameter import Parameter
from .qos import qos_profile_parameters

if TYPE_CHECKING:
    from .node import Node

_UNKNOWN = (ParameterNotDeclaredException, ParameterUninitializedException)


class ParameterService:
    """Serves a node's parameters to the command line tools and other nodes."""

    def __init__(self, node: Node) -> None:
        from rcl_interfaces import srv

        self._node = weakref.ref(node)
        services: list[tuple[Any, str, Callable[[Node, Any, Any], None]]] = [
            (srv.DescribeParameters, "describe_parameters", _describe),
            (srv.GetParameters, "get_parameters", _get),
            (srv.GetParameterTypes, "get_parameter_types", _get_types),
            (srv.ListParameters, "list_parameters", _list),
            (srv.SetParameters, "set_parameters", _set),
            (srv.SetParametersAtomically, "set_parameters_atomically", _set_atomically),
        ]
        for srv_type, name, answer in services:
            node.create_service(srv_type, f"~/{name}", self._callback(answer), qos_profile=qos_profile_parameters)

    def _callback(self, answer: Callable[[Node, Any, Any], None]) -> Callable[[Any, Any], Any]:
        def callback(request: Any, response: Any) -> Any:
            node = self._node()
            if node is not None:
                answer(node, request, response)
            return response

        return callback


def _describe(node: Node, request: Any, response: Any) -> None:
    try:
        response.descriptors = node.describe_parameters(request.names)
    except ParameterNotDeclaredException:
        response.descriptors = []


def _get(node: Node, request: Any, response: Any) -> None:
    try:
        response.values = [parameter.get_parameter_value() for parameter in node.get_parameters(request.names)]
    except _UNKNOWN:
        response.values = []


def _get_types(node: Node, request: Any, response: Any) -> None:
    try:
        response.types = [type_.value for type_ in node.get_parameter_types(request.names)]
    except ParameterNotDeclaredException:
        response.types = []


def _list(node: Node, request: Any, response: Any) -> None:
    response.result = node.list_parameters(request.prefixes, request.depth)


def _set(node: Node, request: Any, response: Any) -> None:
    response.results = [_set_all(node, [parameter]) for parameter in request.parameters]


def _set_atomically(node: Node, request: Any, response: Any) -> None:
    response.result = _set_all(node, request.parameters)


def _set_all(node: Node, parameters: list[Any]) -> Any:
    from rcl_interfaces.msg import SetParametersResult

    try:
        return node.set_parameters_atomically([Parameter.from_parameter_msg(message) for message in parameters])
    except (ParameterNotDeclaredException, ValueError) as error:
        return SetParametersResult(successful=False, reason=str(error))
