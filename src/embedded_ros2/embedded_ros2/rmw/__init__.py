"""The seam to the middleware: ``api`` says what rclpy needs of one, ``load_backend`` picks it."""

from __future__ import annotations

import os
from functools import cache

from embedded_ros2.rmw.api import Backend

DEFAULT_BACKEND = "rmw_zenoh_cpp"
LOOPBACK_BACKEND = "rmw_loopback"


def load_backend(identifier: str | None = None) -> Backend:
    """The backend of that name, by default the one that ``RMW_IMPLEMENTATION`` names, else ``rmw_zenoh_cpp``.

    A process has one object per backend. Raises LookupError for a name that does not exist.
    """
    return _load(identifier or os.environ.get("RMW_IMPLEMENTATION") or DEFAULT_BACKEND)


@cache
def _load(identifier: str) -> Backend:
    if identifier == DEFAULT_BACKEND:
        from embedded_ros2.rmw.zenoh import ZenohBackend

        return ZenohBackend()
    if identifier == LOOPBACK_BACKEND:
        from embedded_ros2.rmw.loopback import LoopbackBackend

        return LoopbackBackend()
    raise LookupError(
        f"RMW_IMPLEMENTATION asks for '{identifier}', but the embedded ROS 2 speaks {DEFAULT_BACKEND} (and "
        f"{LOOPBACK_BACKEND} within one process). To talk to a robot whose ROS 2 uses DDS, either set "
        f"RMW_IMPLEMENTATION={DEFAULT_BACKEND} on the robot (package ros-$ROS_DISTRO-rmw-zenoh-cpp) and here, or run "
        "this program where a real ROS 2 is installed: its own rclpy is then used, with any RMW."
    )
