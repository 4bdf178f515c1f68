"""``Node``, as in rclpy."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _names
from ._node_entities import NodeEntities
from ._node_graph import NodeGraph
from ._node_parameters import NodeParameters
from ._rclpy_pybind11 import NodeNameNonExistentError as NodeNameNonExistentError
from ._ros_arguments import RosArguments, parameter_overrides, parse_arguments, remap_name, remap_node
from ._rosout import RosoutPublisher
from ._unsupported import UnsupportedFeature
from .clock import Clock, ROSClock
from .exceptions import NotInitializedException
from .logging import get_logger
from .parameter import Parameter
from .parameter_service import ParameterService
from .qos import (
    QoSProfile,
    as_profile,
    qos_profile_parameter_events,
    qos_profile_rosout_default,
)
from .time_source import TimeSource
from .utilities import get_default_context
from .validate_full_topic_name import validate_full_topic_name
from .validate_namespace import validate_namespace
from .validate_node_name import validate_node_name
from .validate_topic_name import validate_topic_name

if TYPE_CHECKING:
    from .context import Context
    from .executors import Executor
    from .impl.rcutils_logger import RcutilsLogger

HIDDEN_NODE_PREFIX = "_"


class Node(NodeGraph, NodeEntities, NodeParameters):
    """A participant in the graph: owns publishers, subscriptions, services, clients, timers and parameters.

    :raises NotInitializedException: when the context is not valid.
    :raises InvalidNodeNameException, InvalidNamespaceException: by the names.
    :raises UnsupportedFeature: for options that only a real ROS 2 offers.
    """

    def __init__(
        self,
        node_name: str,
        *,
        context: Context | None = None,
        cli_args: list[str] | None = None,
        namespace: str | None = None,
        use_global_arguments: bool = True,
        enable_rosout: bool = True,
        rosout_qos_profile: QoSProfile | int = qos_profile_rosout_default,
        start_parameter_services: bool = True,
        parameter_overrides: list[Parameter] | None = None,
        allow_undeclared_parameters: bool = False,
        automatically_declare_parameters_from_overrides: bool = False,
        enable_logger_service: bool = False,
    ) -> None:
        if enable_logger_service:
            raise UnsupportedFeature("Node(enable_logger_service=True)")
        self._context = context or get_default_context()
        if not self._context.ok():
            raise NotInitializedException("cannot create node")
        self._rcl_is_destroyed = False
        self._rcl_executor: weakref.ref[Executor] | None = None
        self._rcl_arguments = self._collect_arguments(cli_args, use_global_arguments=use_global_arguments)
        self._rcl_name, self._rcl_namespace = self._rcl_names(node_name, namespace or "")
        self._rcl_rmw = self._context.rmw_context().create_node(
            self._rcl_name, self._rcl_namespace, self._context.arguments.enclave
        )
        self._init_entities(ROSClock())
        self._logger = get_logger(self._logger_name(), clock=self._clock)
        self._rcl_rosout: RosoutPublisher | None = None
        try:
            self._rcl_start_parameters(parameter_overrides or [], allow_undeclared=allow_undeclared_parameters)
            if enable_rosout and self._context.arguments.rosout_logs:
                self._rcl_rosout = RosoutPublisher(self, as_profile(rosout_qos_profile))
            if automatically_declare_parameters_from_overrides:
                self._declare_overrides()
            self._rcl_time_source = TimeSource(node=self)
            self._rcl_time_source.attach_clock(self._clock)
            if start_parameter_services:
                self._rcl_parameter_service = ParameterService(self)
        except BaseException:
            self.destroy_node()  # half a node must not stay on the graph
            raise

    # Setting up

    def _collect_arguments(self, cli_args: list[str] | None, *, use_global_arguments: bool) -> list[RosArguments]:
        """Returns the node's own arguments, then those of the process; the first rule that matches counts."""
        own = [parse_arguments(cli_args)] if cli_args else []
        return own + ([self._context.arguments] if use_global_arguments else [])

    def _rcl_names(self, name: str, namespace: str) -> tuple[str, str]:
        validate_node_name(name)
        name, namespace = remap_node(name, namespace, self._rcl_arguments)
        namespace = namespace if namespace.startswith("/") else f"/{namespace}"
        validate_namespace(namespace)
        return name, namespace

    def _logger_name(self) -> str:
        return self.get_fully_qualified_name().lstrip("/").replace("/", ".")

    def _rcl_start_parameters(self, overrides: list[Parameter], *, allow_undeclared: bool) -> None:
        from rcl_interfaces.msg import ParameterEvent

        # Global arguments come first, so that the node's own arguments and then the caller's overrides win.
        values = parameter_overrides(self.get_fully_qualified_name(), reversed(self._rcl_arguments))
        given = {name: Parameter(name, value=value) for name, value in values.items()}
        given.update({parameter.name: parameter for parameter in overrides})
        self._init_parameters(given, allow_undeclared=allow_undeclared)
        self._parameter_event_publisher = self.create_publisher(
            ParameterEvent, "/parameter_events", qos_profile_parameter_events
        )

    def _declare_overrides(self) -> None:
        from rcl_interfaces.msg import ParameterDescriptor

        self.declare_parameters(
            "",
            [
                (name, parameter.value, ParameterDescriptor(dynamic_typing=True))
                for name, parameter in self._parameter_overrides.items()
            ],
            ignore_override=True,
        )

    def _publish_parameter_event(
        self, new: list[Parameter], changed: list[Parameter], deleted: list[Parameter]
    ) -> None:
        from rcl_interfaces.msg import ParameterEvent

        if not (new or changed or deleted) or not self._context.ok():
            return
        self._parameter_event_publisher.publish(
            ParameterEvent(
                stamp=self._clock.now().to_msg(),
                node=self.get_fully_qualified_name(),
                new_parameters=[parameter.to_parameter_msg() for parameter in new],
                changed_parameters=[parameter.to_parameter_msg() for parameter in changed],
                deleted_parameters=[parameter.to_parameter_msg() for parameter in deleted],
            )
        )

    # What the node is and has

    def get_name(self) -> str:
        return self._rcl_name

    def get_namespace(self) -> str:
        return self._rcl_namespace

    def get_fully_qualified_name(self) -> str:
        return _names.join(self._rcl_namespace, self._rcl_name)

    def get_clock(self) -> Clock:
        """Returns the clock of ROS time, which follows ``use_sim_time``."""
        return self._clock

    def get_logger(self) -> RcutilsLogger:
        return self._logger

    @property
    def context(self) -> Context:
        return self._context

    @property
    def executor(self) -> Executor | None:
        return self._rcl_executor() if self._rcl_executor is not None else None

    @executor.setter
    def executor(self, new_executor: Executor | None) -> None:
        current = self.executor
        if current is new_executor:
            return
        self._rcl_executor = weakref.ref(new_executor) if new_executor is not None else None
        if current is not None:
            current.remove_node(self)
        if new_executor is not None:
            new_executor.add_node(self)

    # Names

    def resolve_topic_name(self, topic: str, *, only_expand: bool = False) -> str:
        """Returns the fully qualified name, after remapping unless ``only_expand``.

        :raises InvalidTopicNameException: when the name is invalid.
        """
        return self._rcl_resolve(topic, "topic", only_expand=only_expand)

    def resolve_service_name(self, service: str, *, only_expand: bool = False) -> str:
        """Returns the fully qualified name, after remapping unless ``only_expand``.

        :raises InvalidServiceNameException: when the name is invalid.
        """
        return self._rcl_resolve(service, "service", only_expand=only_expand)

    def _rcl_resolve(self, name: str, kind: str, *, only_expand: bool = False) -> str:
        is_service = kind == "service"
        validate_topic_name(name, is_service=is_service)
        full_name = _names.expand(name, self._rcl_name, self._rcl_namespace)
        if not only_expand:
            full_name = remap_name(full_name, kind, (self._rcl_name, self._rcl_namespace), self._rcl_arguments)
        validate_full_topic_name(full_name, is_service=is_service)
        return full_name

    # Destroying

    def destroy_node(self) -> None:
        """Ends the node and all that it owns. Destroying twice does nothing."""
        if self._rcl_is_destroyed:
            return
        self._rcl_is_destroyed = True
        executor = self.executor
        if executor is not None:
            executor.remove_node(self)
        if self._rcl_rosout is not None:
            self._rcl_rosout.close()
        owned: Iterable[Any] = (*self._rcl_entities, *self._rcl_publishers)
        for entity in owned:
            entity.destroy()
        self._rcl_rmw.close()

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.destroy_node()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.get_fully_qualified_name()!r})"
