"""The navigators on arm and head: buttons and scroll wheels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from intera_io import IODeviceInterface

from tenon_sawyer.ros1.node import Node

BUTTON_STATES = {0: "OFF", 1: "CLICK", 2: "LONG_PRESS", 3: "DOUBLE_CLICK"}


class Navigator:
    """All navigators of the robot; items are called right_button_ok, head_wheel and the like."""

    def __init__(self, *, node: Node | None = None) -> None:
        """Raises OSError where the navigator does not speak."""
        self._navigator_io = IODeviceInterface("robot", "navigator", node=node)

    def list_all_items(self) -> list[str]:
        return self._navigator_io.list_signal_names()

    def get_wheel_state(self, wheel_name: str) -> int | None:
        """0 to 255, and round again."""
        return self._navigator_io.get_signal_value(wheel_name)

    def get_button_state(self, button_name: str) -> int | None:
        """See ``button_string_lookup``."""
        return self._navigator_io.get_signal_value(button_name)

    def button_string_lookup(self, button_value: int) -> str:
        return BUTTON_STATES.get(button_value, "INVALID_VALUE")

    def register_callback(
        self, callback_function: Callable[[Any], Any], signal_name: str, poll_rate: float = 10
    ) -> str:
        """See IODeviceInterface."""
        return self._navigator_io.register_callback(callback_function, signal_name, poll_rate)

    def deregister_callback(self, callback_id: str) -> bool:
        return self._navigator_io.deregister_callback(callback_id)
