"""The keys of a terminal, read without a window: works over SSH and on machines without a screen."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any

from tenon.configuration.teleop import KeyboardConfig, fine_key
from tenon.control.teleop.device import DeviceError, DeviceState

_READ_BYTES = 1024
_ESCAPE = "\x1b"
_NAMED = {"\r": "enter", "\n": "enter", " ": "space", "\t": "tab", "\x7f": "backspace", "\b": "backspace"}
_SEQUENCES = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
}


class Keyboard:
    """Takes single keys off a terminal, which shows none of them meanwhile; Ctrl-C stays what it is."""

    def __init__(
        self, config: KeyboardConfig, descriptor: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """descriptor: of a terminal; None: the one that this process was started in. clock: seconds, steady."""
        self._config = config
        self._given = descriptor
        self._clock = clock
        self._descriptor: int | None = None
        self._settings: list[Any] | None = None
        self._seen_s: dict[str, float] = {}

    def open(self) -> None:
        descriptor = self._terminal()
        try:
            self._settings = termios.tcgetattr(descriptor)
            tty.setcbreak(descriptor, termios.TCSADRAIN)
        except termios.error as error:
            raise DeviceError(f"the keyboard cannot be read: {error.args[-1]}. Start in a terminal") from error
        self._descriptor = descriptor

    def read(self) -> DeviceState:
        now_s = self._clock()
        for key in _keys(self._take()):
            self._seen_s[key] = now_s
        config = self._config

        def held(key: str) -> float:
            fine = config.fine_share * self._is_held(fine_key(key), now_s, config.hold_s)
            return max(float(self._is_held(key, now_s, config.hold_s)), fine)

        axes = {name: held(pair.plus) - held(pair.minus) for name, pair in config.axes.items()}
        buttons = (name for name, key in config.buttons.items() if self._is_held(key, now_s, config.repeat_delay_s))
        return DeviceState(axes, frozenset(buttons))

    def close(self) -> None:
        if self._descriptor is not None and self._settings is not None:
            with contextlib.suppress(termios.error):  # the terminal may have been closed
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._settings)
        self._descriptor = None

    def _terminal(self) -> int:
        descriptor = sys.stdin.fileno() if self._given is None else self._given
        if not os.isatty(descriptor):
            raise DeviceError(
                "the keyboard can be read in a terminal only, and the standard input is none: start in a terminal, or "
                "choose another device"
            )
        with contextlib.suppress(OSError):  # not the controlling terminal: nobody would stop this process
            if os.tcgetpgrp(descriptor) != os.getpgrp():
                raise DeviceError("the keyboard belongs to another job of this terminal: start in the foreground")
        return descriptor

    def _take(self) -> str:
        """All that was typed since the last time."""
        assert self._descriptor is not None, "open it first"
        taken = b""
        try:
            while select.select([self._descriptor], [], [], 0.0)[0]:
                got = os.read(self._descriptor, _READ_BYTES)
                if not got:
                    raise OSError("end of file")
                taken += got
        except OSError as error:
            raise DeviceError(f"the terminal is gone ({error})") from error
        return taken.decode("utf-8", errors="replace")

    def _is_held(self, key: str, now_s: float, for_s: float) -> bool:
        seen_s = self._seen_s.get(key)
        return seen_s is not None and now_s - seen_s <= for_s


def _keys(text: str) -> Iterator[str]:
    """The names of the keys that sent ``text``."""
    at = 0
    while at < len(text):
        sequence = text[at : at + 3]
        if sequence in _SEQUENCES:
            yield _SEQUENCES[sequence]
            at += 3
            continue
        yield "escape" if text[at] == _ESCAPE else _NAMED.get(text[at], text[at])
        at += 1
