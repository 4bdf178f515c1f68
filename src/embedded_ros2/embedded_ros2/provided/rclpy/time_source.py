"""``TimeSource``, as in rclpy: follows ``use_sim_time`` and hands ``/clock`` to the node's clocks."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from .clock import ROSClock
from .parameter import Parameter
from .qos import QoSProfile, ReliabilityPolicy
from .time import Time

if TYPE_CHECKING:
    from rosgraph_msgs.msg import Clock as ClockMsg

    from .clock import Clock
    from .node import Node
    from .subscription import Subscription

CLOCK_TOPIC = "/clock"
USE_SIM_TIME_NAME = "use_sim_time"


class TimeSource:
    """Switches clocks between system time and ``/clock`` as the node's ``use_sim_time`` says."""

    def __init__(self, *, node: Node) -> None:
        self._node = weakref.ref(node)
        self._clocks: list[ROSClock] = []
        self._last_time: Time | None = None
        self._subscription: Subscription[ClockMsg] | None = None
        self._ros_time_is_active = False
        if not node.has_parameter(USE_SIM_TIME_NAME):
            node.declare_parameter(USE_SIM_TIME_NAME, False)
        self.ros_time_is_active = bool(node.get_parameter(USE_SIM_TIME_NAME).value)
        node.add_post_set_parameters_callback(self._on_parameters_set)

    @property
    def ros_time_is_active(self) -> bool:
        return self._ros_time_is_active

    @ros_time_is_active.setter
    def ros_time_is_active(self, enabled: bool) -> None:
        if enabled == self._ros_time_is_active:
            return
        self._ros_time_is_active = enabled
        for clock in self._clocks:
            clock._set_ros_time_is_active(enabled)
        if enabled:
            self._subscribe()

    def attach_clock(self, clock: Clock) -> None:
        """Lets the clock follow this source.

        :raises ValueError: when it is not a ROS clock.
        """
        if not isinstance(clock, ROSClock):
            raise ValueError("Only clocks with type ROS_TIME can be attached.")
        if self._last_time is not None:
            clock.set_ros_time_override(self._last_time)
        clock._set_ros_time_is_active(self._ros_time_is_active)
        self._clocks.append(clock)

    def _subscribe(self) -> None:
        node = self._node()
        if node is None or self._subscription is not None:
            return
        from rosgraph_msgs.msg import Clock as ClockMsg

        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._subscription = node.create_subscription(ClockMsg, CLOCK_TOPIC, self._on_clock, qos)

    def _on_clock(self, msg: ClockMsg) -> None:
        self._last_time = Time.from_msg(msg.clock)
        for clock in self._clocks:
            clock.set_ros_time_override(self._last_time)

    def _on_parameters_set(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == USE_SIM_TIME_NAME and parameter.type_ is Parameter.Type.BOOL:
                self.ros_time_is_active = parameter.value
