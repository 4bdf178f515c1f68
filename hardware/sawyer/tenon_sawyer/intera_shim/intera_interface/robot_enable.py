"""Enabling, stopping and resetting the robot."""

from __future__ import annotations

import errno
import logging
import re
import sys
from typing import Any

import intera_dataflow

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.definitions import message
from tenon_sawyer.ros1.messages import Message
from tenon_sawyer.ros1.node import Node

from . import settings

LOG = logging.getLogger("intera_interface")
FIRST_STATE_TIMEOUT_S = 10.0
SWITCH_TIMEOUT_S = 5.0
REPEAT_RATE_HZ = 20
STATE_TOPIC = "/robot/state"


class RobotEnable:
    """enable, disable, reset, stop: each sends its wish until the robot's state shows it."""

    def __init__(self, versioned: bool = False, *, node: Node | None = None) -> None:
        """versioned: exits where the robot's software does not fit. Raises OSError where no state comes."""
        self._node = node or process.node()
        self._state: Any = None
        self._node.subscribe(STATE_TOPIC, message("intera_core_msgs/RobotAssemblyState"), self._on_state)
        if versioned and not self.version_check():
            sys.exit(1)
        intera_dataflow.wait_for(
            lambda: self._state is not None,
            timeout=FIRST_STATE_TIMEOUT_S,
            timeout_msg=f"nothing comes on {STATE_TOPIC}: is the robot's own software running?",
        )

    def state(self) -> Any:
        """The last RobotAssemblyState."""
        return self._state

    def enable(self) -> None:
        """Enables the joints; resets the robot first where it is stopped. Raises OSError."""
        if self._state.stopped:
            LOG.info("the robot is stopped: resetting it first")
            self.reset()
        self._switch(enabled=True)

    def disable(self) -> None:
        """Raises OSError where the robot does not follow."""
        self._switch(enabled=False)

    def reset(self) -> bool:
        """Clears a stop and joint faults; the robot is disabled afterwards. False: an error that does not block stays.

        Raises OSError: EREMOTEIO while the stop button is pressed, ETIMEDOUT where the robot does not follow.
        """
        kind = type(self._state)
        if self._state.stopped and self._state.estop_button == kind.ESTOP_BUTTON_PRESSED:
            raise OSError(errno.EREMOTEIO, "the emergency stop is pressed: release the button (turn it), then reset")
        try:
            self._send_until(
                lambda: self._is_reset(),
                "set_super_reset",
                message("std_msgs/Empty")(),
                "the robot has not reset: see its screen, and that ROS_IP is an address it can reach",
            )
        except OSError as error:
            if error.errno == errno.ETIMEDOUT and self._state.error and not self._state.stopped:
                LOG.warning("the stop is cleared and the robot can be enabled, but an error stays: see its diagnostics")
                return False
            raise
        return True

    def stop(self) -> None:
        """As the emergency button does, in software. Raises OSError where the robot does not follow."""
        self._send_until(
            lambda: self._state.stopped,
            "set_super_stop",
            message("std_msgs/Empty")(),
            "the robot does not stop: press the red button",
        )

    def version_check(self) -> bool:
        """Whether the robot's software is one that this package speaks with."""
        try:
            told = str(self._node.parameter("/manifest/robot_software/version/HLR_VERSION_STRING"))
        except KeyError:
            LOG.warning("the robot tells no software version on its parameter server")
            return False
        match = re.match(r"\d+\.\d+\.\d+", told)
        allowed = settings.VERSIONS_SDK2ROBOT[settings.SDK_VERSION]
        if match is None or match.group() not in allowed:
            LOG.error("the robot's software is %s, this package speaks with %s", told, ", ".join(allowed))
            return False
        return True

    def _on_state(self, msg: Any) -> None:
        self._state = msg

    def _is_reset(self) -> bool:
        state = self._state
        return not (state.stopped or state.error or state.estop_button or state.estop_source)

    def _switch(self, *, enabled: bool) -> None:
        self._send_until(
            lambda: self._state.enabled == enabled,
            "set_super_enable",
            message("std_msgs/Bool")(data=enabled),
            f"the robot is not {'enabled' if enabled else 'disabled'}: see its screen",
        )
        LOG.info("robot %s", "enabled" if enabled else "disabled")

    def _send_until(self, test: Any, topic: str, wish: Message, complaint: str) -> None:
        publisher = self._node.advertise(f"/robot/{topic}", type(wish))
        intera_dataflow.wait_for(
            test,
            timeout=SWITCH_TIMEOUT_S,
            rate=REPEAT_RATE_HZ,
            timeout_msg=complaint,
            body=lambda: publisher.publish(wish),
        )
