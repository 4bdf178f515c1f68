"""The limits that the robot keeps for its joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import intera_dataflow

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.node import Node

STATE_TIMEOUT_S = 5.0


class JointLimits:
    """rad, rad/s, rad/s^2, Nm; dictionaries by joint name."""

    def __init__(self, *, node: Node | None = None) -> None:
        """Raises OSError where the limits do not come."""
        self._limits: Any = None
        owner = node or process.node()
        owner.subscribe("/robot/joint_limits", message("intera_core_msgs/JointLimits"), self._on_limits)
        intera_dataflow.wait_for(
            lambda: self._limits is not None,
            timeout=STATE_TIMEOUT_S,
            timeout_msg="nothing comes on /robot/joint_limits: is the robot running?",
        )

    def joint_position_lower_limits(self) -> dict[str, float]:
        return self._by_name("position_lower")

    def joint_position_upper_limits(self) -> dict[str, float]:
        return self._by_name("position_upper")

    def joint_velocity_limits(self) -> dict[str, float]:
        return self._by_name("velocity")

    def joint_acceleration_limits(self) -> dict[str, float]:
        return self._by_name("accel")

    def joint_effort_limits(self) -> dict[str, float]:
        return self._by_name("effort")

    def joint_lower_limit(self, joint: str) -> float:
        return self._by_name("position_lower")[joint]

    def joint_upper_limit(self, joint: str) -> float:
        return self._by_name("position_upper")[joint]

    def joint_velocity_limit(self, joint: str) -> float:
        return self._by_name("velocity")[joint]

    def joint_acceleration_limit(self, joint: str) -> float:
        return self._by_name("accel")[joint]

    def joint_effort_limit(self, joint: str) -> float:
        return self._by_name("effort")[joint]

    def get_joint_lower_limits(self, joint_names: Sequence[str]) -> list[float]:
        return [self.joint_lower_limit(name) for name in joint_names]

    def get_joint_upper_limits(self, joint_names: Sequence[str]) -> list[float]:
        return [self.joint_upper_limit(name) for name in joint_names]

    def get_joint_velocity_limits(self, joint_names: Sequence[str]) -> list[float]:
        return [self.joint_velocity_limit(name) for name in joint_names]

    def get_joint_acceleration_limits(self, joint_names: Sequence[str]) -> list[float]:
        return [self.joint_acceleration_limit(name) for name in joint_names]

    def get_joint_effort_limits(self, joint_names: Sequence[str]) -> list[float]:
        return [self.joint_effort_limit(name) for name in joint_names]

    def _by_name(self, field: str) -> dict[str, float]:
        return dict(zip(self._limits.joint_names, getattr(self._limits, field), strict=True))

    def _on_limits(self, msg: Any) -> None:
        self._limits = msg
