"""A gamepad or joystick, by pygame."""

from __future__ import annotations

import os
from typing import Any

from tenon.configuration.teleop import GamepadConfig
from tenon.control.teleop.device import DeviceError, DeviceState


class Gamepad:
    """Axes and buttons by the names that the configuration gives them."""

    def __init__(self, config: GamepadConfig) -> None:
        self._config = config
        self._pygame: Any = None
        self._joystick: Any = None

    def open(self) -> None:
        self._pygame = _load()
        self._pygame.joystick.init()
        self._pygame.event.pump()  # without it one that was plugged in since the first look is not counted
        count, index = self._pygame.joystick.get_count(), self._config.index
        if index >= count:
            raise DeviceError(
                f"gamepad number {index} is not there, {count} are plugged in: plug it in, see that this user may read "
                "/dev/input (group input), or change device.index in config/teleop/gamepad.yaml"
            )
        joystick = self._pygame.joystick.Joystick(index)
        for what, named, has in (
            ("axes", self._config.axes, joystick.get_numaxes()),
            ("buttons", self._config.buttons, joystick.get_numbuttons()),
        ):
            beyond = [name for name, number in named.items() if number >= has]
            if beyond:
                raise DeviceError(
                    f"{joystick.get_name()} has {has} {what}, numbered from 0; there is no place for "
                    f"{', '.join(beyond)}: change device.{what} in config/teleop/gamepad.yaml"
                )
        self._joystick = joystick

    def read(self) -> DeviceState:
        assert self._joystick is not None, "open it first"
        joystick = self._joystick
        for event in self._pygame.event.get():
            if event.type == self._pygame.JOYDEVICEREMOVED and event.instance_id == joystick.get_instance_id():
                raise DeviceError("the gamepad is gone: plug it in again and start anew")
        axes = {name: max(-1.0, min(1.0, joystick.get_axis(number))) for name, number in self._config.axes.items()}
        pressed = frozenset(name for name, number in self._config.buttons.items() if joystick.get_button(number))
        return DeviceState(axes, pressed)

    def close(self) -> None:
        if self._joystick is not None:
            self._joystick.quit()
            self._joystick = None


def _load() -> Any:
    """pygame with its event queue, but without a window: a gamepad must work on a machine without a screen."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS", "1")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
    except ImportError as error:
        raise DeviceError("a gamepad needs pygame: pip install -e '.[teleop]'") from error
    pygame.display.init()
    return pygame
