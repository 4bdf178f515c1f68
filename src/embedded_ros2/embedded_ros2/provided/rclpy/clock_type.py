"""``ClockType``, as in rclpy."""

from __future__ import annotations

from enum import IntEnum


class ClockType(IntEnum):
    """Which time a clock or a stamp shows; values are those of ``rcl_clock_type_t``."""

    UNINITIALIZED = 0
    ROS_TIME = 1
    SYSTEM_TIME = 2
    STEADY_TIME = 3
