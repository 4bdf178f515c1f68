"""A device by its configuration."""

from __future__ import annotations

from tenon.configuration.teleop import ConsoleConfig, DeviceConfig, GamepadConfig, KeyboardConfig, SpaceMouseConfig
from tenon.control.teleop.device import DeviceState, InputDevice
from tenon.control.teleop.gamepad import Gamepad
from tenon.control.teleop.keyboard import Keyboard
from tenon.control.teleop.spacemouse import SpaceMouse


class NoDevice:
    """Where a person drives by the console alone."""

    def open(self) -> None:
        pass

    def read(self) -> DeviceState:
        return DeviceState({})

    def close(self) -> None:
        pass


def create_device(config: DeviceConfig) -> InputDevice:
    """Not opened yet."""
    if isinstance(config, SpaceMouseConfig):
        return SpaceMouse(config)
    if isinstance(config, GamepadConfig):
        return Gamepad(config)
    if isinstance(config, KeyboardConfig):
        return Keyboard(config)
    assert isinstance(config, ConsoleConfig)
    return NoDevice()
