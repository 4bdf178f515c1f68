"""What all input devices have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class DeviceError(RuntimeError):
    """A device that is missing, was unplugged or cannot be used here. The message says what to do."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What a device says now. axes: name -> deflection in [-1, 1]; pressed: names of the buttons that are down."""

    axes: Mapping[str, float]
    pressed: frozenset[str] = frozenset()


class InputDevice(Protocol):
    """``open``, then ``read`` at any rate, which never waits, then ``close``."""

    def open(self) -> None:
        """Raises DeviceError where the device is not there."""
        ...

    def read(self) -> DeviceState:
        """Raises DeviceError where the device has gone."""
        ...

    def close(self) -> None:
        """May be called twice, and before ``open``."""
        ...
