"""What a node owns, as in rclpy: creating and destroying publishers, subscriptions, services, clients and timers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from embedded_ros2.rmw import api

from ._entity import Entity
from ._unsupported import UnsupportedFeature
from .callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from .client import Client
from .clock import Clock
from .constants import S_TO_NS
from .event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from .guard_condition import GuardCondition
from .publisher import Publisher
from .qos import QoSProfile, as_profile, qos_profile_services_default, to_rmw
from .service import Service
from .subscription import Subscription
from .timer import Rate, Timer
from .type_support import check_is_interface

if TYPE_CHECKING:
    from .context import Context
    from .executors import Executor
    from .node import Node

MsgT = TypeVar("MsgT")
SrvT = TypeVar("SrvT")
E = TypeVar("E", bound=Entity)


class NodeEntities:
    """The part of ``Node`` that owns entities."""

    _context: Context
    _rcl_rmw: api.Node
    executor: Executor | None

    def _init_entities(self, clock: Clock) -> None:
        self._clock = clock
        self._rcl_entities: list[Entity] = []
        self._rcl_publishers: list[Publisher[Any]] = []
        self._rcl_lock = threading.RLock()
        self._default_callback_group = MutuallyExclusiveCallbackGroup()
        self._rate_group = MutuallyExclusiveCallbackGroup()

    def resolve_topic_name(self, topic: str, *, only_expand: bool = False) -> str:
        raise NotImplementedError

    def resolve_service_name(self, service: str, *, only_expand: bool = False) -> str:
        raise NotImplementedError

    @property
    def default_callback_group(self) -> CallbackGroup:
        return self._default_callback_group

    @property
    def publishers(self) -> Iterator[Publisher[Any]]:
        yield from tuple(self._rcl_publishers)

    @property
    def subscriptions(self) -> Iterator[Subscription[Any]]:
        yield from self._rcl_entities_of(Subscription)

    @property
    def clients(self) -> Iterator[Client[Any]]:
        yield from self._rcl_entities_of(Client)

    @property
    def services(self) -> Iterator[Service[Any]]:
        yield from self._rcl_entities_of(Service)

    @property
    def timers(self) -> Iterator[Timer]:
        yield from self._rcl_entities_of(Timer)

    @property
    def guards(self) -> Iterator[GuardCondition]:
        yield from self._rcl_entities_of(GuardCondition)

    def _rcl_entities_of(self, kind: type[E]) -> list[E]:
        return [entity for entity in tuple(self._rcl_entities) if isinstance(entity, kind)]

    # Creating

    def create_publisher(
        self,
        msg_type: type[MsgT],
        topic: str,
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        event_callbacks: PublisherEventCallbacks | None = None,
        qos_overriding_options: object = None,
        publisher_class: type[Publisher[Any]] = Publisher,
    ) -> Publisher[MsgT]:
        """Creates a publisher; an integer for ``qos_profile`` is the depth of the default profile.

        :raises InvalidTopicNameException, NoTypeSupportImportedException, TypeError, ValueError: by the arguments.
        """
        _refuse_overriding(qos_overriding_options)
        profile = as_profile(qos_profile)
        interface = check_is_interface(msg_type)
        full_name = self.resolve_topic_name(topic)
        rmw_publisher = self._rcl_rmw.create_publisher(full_name, interface, to_rmw(profile))
        publisher = publisher_class(cast("Node", self), msg_type, full_name, profile, rmw_publisher)
        self._rcl_publishers.append(publisher)
        return publisher

    def create_subscription(
        self,
        msg_type: type[MsgT],
        topic: str,
        callback: Callable[..., Any],
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        event_callbacks: SubscriptionEventCallbacks | None = None,
        qos_overriding_options: object = None,
        raw: bool = False,
        content_filter_options: object = None,
    ) -> Subscription[MsgT]:
        """Creates a subscription; ``raw`` hands the serialized message to the callback.

        :raises InvalidTopicNameException, NoTypeSupportImportedException, TypeError, ValueError: by the arguments.
        """
        _refuse_overriding(qos_overriding_options)
        if content_filter_options is not None:
            raise UnsupportedFeature("create_subscription(content_filter_options=...)")
        profile = as_profile(qos_profile)
        interface = check_is_interface(msg_type)
        full_name = self.resolve_topic_name(topic)
        group = callback_group or self._default_callback_group
        subscription = Subscription(cast("Node", self), msg_type, full_name, callback, group, profile, raw=raw)
        self._rcl_adopt(subscription)
        subscription._rmw = self._rcl_rmw.create_subscription(
            full_name, interface, to_rmw(profile), subscription._on_message
        )
        return subscription

    def create_service(
        self,
        srv_type: type[SrvT],
        srv_name: str,
        callback: Callable[[Any, Any], Any],
        *,
        qos_profile: QoSProfile = qos_profile_services_default,
        callback_group: CallbackGroup | None = None,
    ) -> Service[SrvT]:
        """Creates a service whose callback gets (request, response) and returns the response.

        :raises InvalidServiceNameException, NoTypeSupportImportedException: by the arguments.
        """
        return self._rcl_create_service(Service, srv_type, srv_name, callback, qos_profile, callback_group)

    def _rcl_create_service(
        self,
        service_class: type[Service[Any]],
        srv_type: type[SrvT],
        srv_name: str,
        callback: Callable[[Any, Any], Any],
        qos_profile: QoSProfile,
        callback_group: CallbackGroup | None,
    ) -> Service[SrvT]:
        interface = check_is_interface(srv_type)
        full_name = self.resolve_service_name(srv_name)
        group = callback_group or self._default_callback_group
        service = service_class(cast("Node", self), srv_type, full_name, callback, group, qos_profile)
        self._rcl_adopt(service)
        service._rmw = self._rcl_rmw.create_service(full_name, interface, to_rmw(qos_profile), service._on_request)
        return service

    def create_client(
        self,
        srv_type: type[SrvT],
        srv_name: str,
        *,
        qos_profile: QoSProfile = qos_profile_services_default,
        callback_group: CallbackGroup | None = None,
    ) -> Client[SrvT]:
        """:raises InvalidServiceNameException, NoTypeSupportImportedException: by the arguments."""
        interface = check_is_interface(srv_type)
        full_name = self.resolve_service_name(srv_name)
        client = Client(
            cast("Node", self), srv_type, full_name, callback_group or self._default_callback_group, qos_profile
        )
        self._rcl_adopt(client)
        client._rmw = self._rcl_rmw.create_client(full_name, interface, to_rmw(qos_profile), client._on_response)
        return client

    def create_timer(
        self,
        timer_period_sec: float,
        callback: Callable[[], Any] | None,
        callback_group: CallbackGroup | None = None,
        clock: Clock | None = None,
        autostart: bool = True,
    ) -> Timer:
        """Creates a timer on the node's clock (ROS time) or another one."""
        timer = Timer(
            callback,
            callback_group or self._default_callback_group,
            int(float(timer_period_sec) * S_TO_NS),
            clock or self._clock,
            context=self._context,
            autostart=autostart,
        )
        self._rcl_adopt(timer)
        return timer

    def create_rate(self, frequency: float, clock: Clock | None = None) -> Rate:
        """Creates a rate in Hz; its ``sleep`` needs another thread that spins the node.

        :raises ValueError: when the frequency is not positive.
        """
        if frequency <= 0:
            raise ValueError("frequency must be > 0")
        timer = self.create_timer(1.0 / frequency, None, self._rate_group, clock)
        return Rate(timer, context=self._context)

    def create_guard_condition(
        self, callback: Callable[[], Any], callback_group: CallbackGroup | None = None
    ) -> GuardCondition:
        guard = GuardCondition(callback, callback_group or self._default_callback_group)
        self._rcl_adopt(guard)
        return guard

    def add_waitable(self, waitable: object) -> None:
        """:raises UnsupportedFeature: always."""
        raise UnsupportedFeature("Node.add_waitable")

    def _rcl_adopt(self, entity: Entity) -> None:
        entity._node = cast("Node", self)
        with self._rcl_lock:
            self._rcl_entities.append(entity)
        executor = self.executor
        if executor is not None:
            executor._entities_changed()

    # Destroying

    def destroy_publisher(self, publisher: Publisher[Any]) -> bool:
        """Returns False when the publisher is not this node's."""
        if publisher not in self._rcl_publishers:
            return False
        publisher.destroy()
        return True

    def destroy_subscription(self, subscription: Subscription[Any]) -> bool:
        """Returns False when the subscription is not this node's."""
        return self._rcl_destroy(subscription)

    def destroy_service(self, service: Service[Any]) -> bool:
        """Returns False when the service is not this node's."""
        return self._rcl_destroy(service)

    def destroy_client(self, client: Client[Any]) -> bool:
        """Returns False when the client is not this node's."""
        return self._rcl_destroy(client)

    def destroy_timer(self, timer: Timer) -> bool:
        """Returns False when the timer is not this node's."""
        return self._rcl_destroy(timer)

    def destroy_guard_condition(self, guard: GuardCondition) -> bool:
        """Returns False when the guard condition is not this node's."""
        return self._rcl_destroy(guard)

    def destroy_rate(self, rate: Rate) -> bool:
        """Returns False when the rate is not this node's."""
        if rate._timer not in self._rcl_entities:
            return False
        rate.destroy()
        return True

    def _rcl_destroy(self, entity: Entity) -> bool:
        if entity not in self._rcl_entities:
            return False
        entity.destroy()
        return True

    def _forget_entity(self, entity: Entity) -> None:
        with self._rcl_lock:
            if entity in self._rcl_entities:
                self._rcl_entities.remove(entity)
        executor = self.executor
        if executor is not None:
            executor._entities_changed()

    def _forget_publisher(self, publisher: Publisher[Any]) -> None:
        with self._rcl_lock:
            if publisher in self._rcl_publishers:
                self._rcl_publishers.remove(publisher)


def _refuse_overriding(qos_overriding_options: object) -> None:
    if qos_overriding_options is not None:
        raise UnsupportedFeature("qos_overriding_options (QoS by parameters)")
