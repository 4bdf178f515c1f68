"""``rmw_zenoh_cpp``: ROS 2 over Zenoh, on the wire of the RMW of that name."""

from __future__ import annotations

from embedded_ros2.rmw.zenoh.context import ZenohContext


class ZenohBackend:
    """The backend ``rmw_zenoh_cpp``."""

    identifier = "rmw_zenoh_cpp"

    def open_context(self, domain_id: int) -> ZenohContext:
        return ZenohContext(domain_id)
