"""The head with the screen."""

from __future__ import annotations

import logging
import math
from typing import Any

import intera_dataflow

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.node import Node

from . import settings

LOG = logging.getLogger("intera_interface")
STATE_TIMEOUT_S = 5.0
PAN_RATE_HZ = 100
BASE_JOINT = "right_j0"
"""Carries the head, about the same axis as its own."""


class Head:
    """Pan angles in rad."""

    def __init__(self, *, node: Node | None = None) -> None:
        """Raises OSError where the head's state does not come."""
        owner = node or process.node()
        self._state: Any = None
        self._base_rad: float | None = None
        self._kind: Any = message("intera_core_msgs/HeadPanCommand")
        self._publisher = owner.advertise("/robot/head/command_head_pan", self._kind)
        owner.subscribe("/robot/joint_states", message("sensor_msgs/JointState"), self._on_joint_states)
        owner.subscribe("/robot/head/head_state", message("intera_core_msgs/HeadState"), self._on_state)
        intera_dataflow.wait_for(
            lambda: self._state is not None,
            timeout=STATE_TIMEOUT_S,
            timeout_msg="nothing comes on /robot/head/head_state: is the robot running?",
        )

    def pan(self) -> float:
        return self._state.pan

    def panning(self) -> bool:
        return self._state.isTurning

    def blocked(self) -> bool:
        return self._state.isBlocked

    def pan_mode(self) -> str:
        return ("PASSIVE_MODE", "ACTIVE_MODE", "ACTIVE_CANCELLATION_MODE")[self._state.panMode]

    def set_pan(
        self, angle: float, speed: float = 1.0, timeout: float = 10.0, active_cancellation: bool = False
    ) -> None:
        """Turns the head; timeout 0 returns at once. speed: clipped to 0 to 1. active_cancellation: the angle is in the
        base, where the head stays while the arm turns below it.

        Raises OSError where it does not get there in time.
        """
        kind = self._kind
        wanted, speed = speed, min(max(speed, kind.MIN_SPEED_RATIO), kind.MAX_SPEED_RATIO)
        if speed != wanted:
            LOG.warning("a pan speed of %g is out of range, %g is taken", wanted, speed)
        mode = kind.SET_ACTIVE_CANCELLATION_MODE if active_cancellation else kind.SET_ACTIVE_MODE
        command = kind(target=angle, speed_ratio=speed, pan_mode=mode)
        self._publisher.publish(command)
        if timeout == 0:
            return

        def error_rad() -> float:
            if not active_cancellation:
                return self.pan() - angle
            return math.inf if self._base_rad is None else math.remainder(self._base_rad + self.pan() - angle, math.tau)

        intera_dataflow.wait_for(
            lambda: abs(error_rad()) <= settings.HEAD_PAN_ANGLE_TOLERANCE,
            timeout=timeout,
            rate=PAN_RATE_HZ,
            timeout_msg=f"the head has not turned to {angle:g} rad",
            body=lambda: self._publisher.publish(command),
        )

    def _on_state(self, msg: Any) -> None:
        self._state = msg

    def _on_joint_states(self, msg: Any) -> None:
        if BASE_JOINT in msg.name:
            self._base_rad = msg.position[msg.name.index(BASE_JOINT)]
