"""Input devices that are not there, as far below the real client libraries as a machine without them allows."""

from __future__ import annotations

import ctypes
import os
import pty
import struct
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMPACT = "SpaceMouseCompact"
FULL_DEFLECTION = 350
TRANSLATION, ROTATION, BUTTONS = 1, 2, 3
"""Numbers of the HID reports of a SpaceMouse."""


class SpaceMouseCap:
    """What pyspacemouse talks to below itself: hidapi's device. Reports wait until they are read."""

    product_string, manufacturer_string, serial_number, release_number = COMPACT, "3Dconnexion", "0", 1

    def __init__(self) -> None:
        self.reports: list[list[int]] = []
        self.is_open = False
        self.unplugged = False

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def set_nonblocking(self, enable: bool) -> None:
        assert enable

    def read(self, size: int) -> list[int]:
        if self.unplugged:
            raise OSError("Failed to read from HID device: -1")
        return self.reports.pop(0)[:size] if self.reports else []

    def translate(self, right: int, towards_person: int, down: int) -> None:
        """As USB's HID has the axes, in counts."""
        self.reports.append(list(struct.pack("<B3h", TRANSLATION, right, towards_person, down)))

    def press(self, *numbers: int) -> None:
        """These buttons are down and no others."""
        mask = sum(1 << number for number in numbers)
        self.reports.append(list(struct.pack("<BH", BUTTONS, mask)))


def open_emulated(cap: SpaceMouseCap) -> Any:
    """pyspacemouse's own device on ``cap``, opened as ``pyspacemouse.open`` does it."""
    import pyspacemouse
    from pyspacemouse.config_helpers import apply_axis_convention
    from pyspacemouse.device import SpaceMouseDevice

    spec = apply_axis_convention(pyspacemouse.get_device_specs()[COMPACT], pyspacemouse.AxisConvention.ROS)
    device = SpaceMouseDevice(spec, cap)
    device.open()
    return device


class VirtualPad:
    """A joystick of SDL's own, which every program on SDL in this process sees as plugged in."""

    GAMECONTROLLER = 1
    FULL = 32767

    def __init__(self, axes: int, buttons: int) -> None:
        import pygame

        folder = Path(pygame.__file__).parents[1] / "pygame.libs"
        self._sdl = ctypes.CDLL(str(next(folder.glob("libSDL2-2*"))))
        self._sdl.SDL_JoystickOpen.restype = ctypes.c_void_p
        self._sdl.SDL_JoystickSetVirtualAxis.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int16]
        self._sdl.SDL_JoystickSetVirtualButton.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint8]
        self._sdl.SDL_JoystickClose.argtypes = [ctypes.c_void_p]
        self.index = self._sdl.SDL_JoystickAttachVirtual(self.GAMECONTROLLER, axes, buttons, 0)
        assert self.index >= 0
        self._handle = self._sdl.SDL_JoystickOpen(self.index)

    def push(self, axis: int, deflection: float) -> None:
        self._sdl.SDL_JoystickSetVirtualAxis(self._handle, axis, int(deflection * self.FULL))

    def press(self, button: int, *, down: bool = True) -> None:
        self._sdl.SDL_JoystickSetVirtualButton(self._handle, button, int(down))

    def unplug(self) -> None:
        if self._handle is not None:
            self._sdl.SDL_JoystickDetachVirtual(self.index)
            self._sdl.SDL_JoystickClose(self._handle)
            self._handle = None


@contextmanager
def virtual_pad(axes: int = 4, buttons: int = 6) -> Iterator[VirtualPad]:
    from tenon.control.teleop.gamepad import _load

    _load().joystick.init()
    pad = VirtualPad(axes, buttons)
    try:
        yield pad
    finally:
        pad.unplug()


class Terminal:
    """A terminal without a window: what is typed at one end is read at the other."""

    def __init__(self) -> None:
        self._hand, self.descriptor = pty.openpty()

    def type(self, text: str) -> None:
        os.write(self._hand, text.encode())

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.descriptor)[tty.LFLAG] & termios.ECHO)

    def close(self) -> None:
        for descriptor in (self._hand, self.descriptor):
            os.close(descriptor)

    def hang_up(self) -> None:
        """The window was closed."""
        os.close(self._hand)
