"""The head with the screen."""

from __future__ import annotations

import logging
from typing import Any

import intera_dataflow

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.node import Node

from . import settings

LOG = logging.getLogger("intera_interface")
STATE_TIMEOUT_S = 5.0
PAN_RATE_HZ = 100


class Head:
    """Pan angles in rad."""

    def __init__(self, *, node: Node | None = None) -> None:
        """Raises OSError where the head's state does not come."""
        owner = node or process.node()
        self._state: Any = None
        self._kind: Any = message("intera_core_msgs/HeadPanCommand")
        self._publisher = owner.advertise("/robot/head/command_head_pan", self._kind)
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
        """Turns the head; timeout 0 returns at once. active_cancellation: keeps it still while the arm turns below it.

        Raises OSError where it does not get there in time.
        """
        kind = self._kind
        if not kind.MIN_SPEED_RATIO <= speed <= kind.MAX_SPEED_RATIO:
            LOG.error("a pan speed is between %g and %g, not %g", kind.MIN_SPEED_RATIO, kind.MAX_SPEED_RATIO, speed)
        mode = kind.SET_ACTIVE_CANCELLATION_MODE if active_cancellation else kind.SET_ACTIVE_MODE
        command = kind(target=angle, speed_ratio=speed, pan_mode=mode)
        self._publisher.publish(command)
        if timeout == 0:
            return
        intera_dataflow.wait_for(
            lambda: abs(self.pan() - angle) <= settings.HEAD_PAN_ANGLE_TOLERANCE,
            timeout=timeout,
            rate=PAN_RATE_HZ,
            timeout_msg=f"the head has not turned to {angle:g} rad",
            body=lambda: self._publisher.publish(command),
        )

    def _on_state(self, msg: Any) -> None:
        self._state = msg
