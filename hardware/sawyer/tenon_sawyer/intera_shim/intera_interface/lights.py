"""The lights of the robot."""

from __future__ import annotations

from intera_io import IODeviceInterface

from tenon_sawyer.ros1.node import Node


class Lights:
    """Names are ASSEMBLY_COLOUR_light: head_red_light, right_hand_blue_light."""

    def __init__(self, *, node: Node | None = None) -> None:
        """Raises OSError where the robot's own device does not speak."""
        self._lights_io = IODeviceInterface("robot", "robot", node=node)

    def list_all_lights(self) -> list[str]:
        return [name for name in self._lights_io.list_signal_names() if "light" in name]

    def set_light_state(self, name: str, on: bool = True) -> bool:
        """Whether the light is set."""
        return self._lights_io.set_signal_value(name, on)

    def get_light_state(self, name: str) -> bool | None:
        return self._lights_io.get_signal_value(name)
