"""SIGINT and SIGTERM, as in rclpy: both end all contexts; SIGINT then raises KeyboardInterrupt as it would anyway."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from enum import IntEnum
from types import FrameType
from typing import Any

from .context import invalidate_all

_Handler = Callable[[int, FrameType | None], Any] | int | None


class SignalHandlerOptions(IntEnum):
    """Which signals rclpy handles."""

    NO = 0
    SIGINT = 1
    SIGTERM = 2
    ALL = 3


_SIGNALS = {SignalHandlerOptions.SIGINT: signal.SIGINT, SignalHandlerOptions.SIGTERM: signal.SIGTERM}
_previous: dict[signal.Signals, _Handler] = {}


def _handle(number: int, frame: FrameType | None) -> None:
    invalidate_all()
    previous = _previous.get(signal.Signals(number))
    if callable(previous):
        previous(number, frame)


def install_signal_handlers(options: SignalHandlerOptions = SignalHandlerOptions.ALL) -> None:
    """Installs the handlers; those that were there are called after ours.

    :raises RuntimeError: outside the main thread, where Python cannot install handlers.
    """
    if options == SignalHandlerOptions.NO:
        return
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "signal handlers can only be installed in the main thread: call rclpy.init() there, "
            "or pass signal_handler_options=SignalHandlerOptions.NO"
        )
    for option, number in _SIGNALS.items():
        if options & option and number not in _previous:
            _previous[number] = signal.signal(number, _handle)


def uninstall_signal_handlers() -> None:
    """Puts the handlers back that were there before. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in list(_previous.items()):
        if signal.getsignal(number) is _handle:
            signal.signal(number, handler)
        del _previous[number]


def get_current_signal_handlers_options() -> SignalHandlerOptions:
    """Returns which signals are handled now."""
    installed = sum(option for option, number in _SIGNALS.items() if number in _previous)
    return SignalHandlerOptions(installed)
