"""A 3Dconnexion SpaceMouse, by pyspacemouse (which needs the system's hidapi)."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

from tenon.configuration.teleop import AXES, SpaceMouseConfig
from tenon.control.teleop.device import DeviceError, DeviceState

REPORTS_PER_READ = 64
"""A device sends translation, rotation and buttons apart, each up to a few hundred times a second: all that waits is
taken, so that what is read is the newest."""

_INSTALL = "pip install -e '.[teleop]', and on Debian or Ubuntu: sudo apt-get install libhidapi-hidraw0"
_PERMISSION = (
    "see that it is plugged in, and that this user may read it: docs/teleoperation.md has the udev rule to add"
)


def open_first(product: str | None) -> Any:
    """The device by its product's name, or the first one, opened. Raises DeviceError."""
    try:
        import pyspacemouse
    except ImportError as error:
        raise DeviceError(f"a SpaceMouse needs pyspacemouse: {_INSTALL}") from error
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it finds
            return pyspacemouse.open(device=product, axis_convention=pyspacemouse.AxisConvention.ROS)
    except ValueError as error:
        raise DeviceError(f"product: {error}") from error
    except Exception as error:  # hidapi's own type too, which exists only where hidapi is
        remedy = _INSTALL if "HID API" in str(error) else _PERMISSION
        raise DeviceError(f"no SpaceMouse can be opened ({error}): {remedy}") from error


class SpaceMouse:
    """Axes x, y, z, roll, pitch, yaw of the cap."""

    def __init__(
        self,
        config: SpaceMouseConfig,
        open_device: Callable[[str | None], Any] = open_first,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """open_device: gives an opened ``pyspacemouse.SpaceMouseDevice`` for a product's name. clock_s: steady."""
        self._config = config
        self._open_device = open_device
        self._clock_s = clock_s
        self._device: Any = None
        self._reported: tuple[float, float] = (0.0, 0.0)

    def open(self) -> None:
        device = self._open_device(self._config.product)
        has = len(device.state.buttons)
        beyond = [name for name, number in self._config.buttons.items() if number >= has]
        if beyond:
            device.close()
            raise DeviceError(
                f"{device.name} has {has} buttons, numbered from 0; there is no place for {', '.join(beyond)}: change "
                "device.buttons in config/teleop/spacemouse.yaml"
            )
        self._device = device

    def read(self) -> DeviceState:
        state = self._newest()
        pressed = frozenset(name for name, number in self._config.buttons.items() if state.buttons[number])
        if self._is_silent(state.t):
            return DeviceState({}, pressed)
        return DeviceState({name: _unit(getattr(state, name)) for name in AXES}, pressed)

    def close(self) -> None:
        if self._device is not None:
            self._device.close()
            self._device = None

    def _is_silent(self, stamp: float) -> bool:
        """Whether the newest report is still the one of long ago. stamp: the library's, of whatever clock."""
        now_s = self._clock_s()
        if stamp != self._reported[0]:
            self._reported = (stamp, now_s)
        return now_s - self._reported[1] > self._config.silence_s

    def _newest(self) -> Any:
        assert self._device is not None, "open it first"
        try:
            state = self._device.read()
            for _ in range(REPORTS_PER_READ):
                stamp = state.t
                state = self._device.read()
                if state.t == stamp:
                    break
        except Exception as error:  # hidapi's own type, which exists only where hidapi is
            raise DeviceError(f"the SpaceMouse is gone ({error}): plug it in again and start anew") from error
        return state


def _unit(value: float) -> float:
    """Worn caps give a little more than full deflection."""
    return max(-1.0, min(1.0, float(value)))
