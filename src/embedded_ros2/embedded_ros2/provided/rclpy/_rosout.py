"""Publishes what a node logs on ``/rosout``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .impl.rcutils_logger import LogRecord
from .logging import register_rosout, unregister_rosout
from .qos import QoSProfile
from .time import Time

if TYPE_CHECKING:
    from .node import Node

ROSOUT_TOPIC = "/rosout"


class RosoutPublisher:
    """Turns the records of one node's logger into ``rcl_interfaces/msg/Log``."""

    def __init__(self, node: Node, qos_profile: QoSProfile) -> None:
        from rcl_interfaces.msg import Log

        self._message_type = Log
        self._context = node.context
        self._logger_name = node.get_logger().name
        self._publisher = node.create_publisher(Log, ROSOUT_TOPIC, qos_profile)
        register_rosout(self._logger_name, self._publish)

    def _publish(self, record: LogRecord) -> None:
        if not self._context.ok():
            return
        self._publisher.publish(
            self._message_type(
                stamp=Time(nanoseconds=record.stamp_ns).to_msg(),
                level=int(record.severity),
                name=record.name,
                msg=record.message,
                file=record.site.file,
                function=record.site.function,
                line=record.site.line,
            )
        )

    def close(self) -> None:
        unregister_rosout(self._logger_name)
