"""The cuff at the wrist: its two buttons, and the squeeze that sets the arm free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from intera_io import IODeviceInterface

from tenon_sawyer.ros1 import process
from tenon_sawyer.ros1.node import Node

from .robot_params import RobotParams


class Cuff:
    """Reads only."""

    def __init__(self, limb: str = "right", *, node: Node | None = None) -> None:
        """Raises ValueError for a limb that the robot does not have, OSError where the cuff does not speak."""
        owner = node or process.node()
        limbs = RobotParams(node=owner).get_limb_names()
        if limb not in limbs:
            raise ValueError(f"the robot has no limb {limb!r}; it has: {', '.join(limbs) or 'none'}")
        self.limb = limb
        self._cuff_io = IODeviceInterface("robot", "cuff", node=owner)

    def lower_button(self) -> bool:
        return self._is_pressed("button_lower")

    def upper_button(self) -> bool:
        return self._is_pressed("button_upper")

    def cuff_button(self) -> bool:
        """Squeezed: the arm is in zero-gravity mode and can be guided by hand."""
        return self._is_pressed("cuff")

    def list_all_items(self) -> list[str]:
        return self._cuff_io.list_signal_names()

    def register_callback(
        self, callback_function: Callable[[Any], Any], signal_name: str, poll_rate: float = 10
    ) -> str:
        """Signals: right_cuff, right_button_lower, right_button_upper. See IODeviceInterface."""
        return self._cuff_io.register_callback(callback_function, signal_name, poll_rate)

    def deregister_callback(self, callback_id: str) -> bool:
        return self._cuff_io.deregister_callback(callback_id)

    def _is_pressed(self, button: str) -> bool:
        return bool(self._cuff_io.get_signal_value(f"{self.limb}_{button}"))
