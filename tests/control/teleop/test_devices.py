"""Each device through its real client library: what comes out of the library, and what happens when it is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from emulated import FULL_DEFLECTION, SpaceMouseCap, Terminal, open_emulated, virtual_pad

from tenon.configuration.teleop import GamepadConfig, KeyboardConfig, KeyPairConfig, SpaceMouseConfig
from tenon.control.teleop.device import DeviceError
from tenon.control.teleop.gamepad import Gamepad
from tenon.control.teleop.keyboard import Keyboard
from tenon.control.teleop.spacemouse import SpaceMouse

KEYS = KeyboardConfig(
    kind="keyboard",
    axes={"x": KeyPairConfig(plus="w", minus="s"), "z": KeyPairConfig(plus="up", minus="down")},
    buttons={"success": "enter", "discard": "escape"},
)
PAD = GamepadConfig(kind="gamepad", axes={"left_x": 0, "left_y": 1}, buttons={"a": 0, "shoulder": 4})


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.close()


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


# --- SpaceMouse -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cap() -> SpaceMouseCap:
    pytest.importorskip("pyspacemouse")
    return SpaceMouseCap()


def spacemouse(cap: SpaceMouseCap, clock: Clock | None = None, **changes: object) -> SpaceMouse:
    config = SpaceMouseConfig(kind="spacemouse", **changes)
    mouse = SpaceMouse(config, lambda _product: open_emulated(cap), clock or Clock())
    mouse.open()
    return mouse


def test_spacemouse_is_right_handed_with_z_up(cap: SpaceMouseCap) -> None:
    mouse = spacemouse(cap)
    cap.translate(right=0, towards_person=-FULL_DEFLECTION, down=0)
    assert mouse.read().axes == pytest.approx({"x": 1.0, "y": 0.0, "z": 0.0, "roll": 0.0, "pitch": 0.0, "yaw": 0.0})
    cap.translate(right=-FULL_DEFLECTION, towards_person=0, down=-FULL_DEFLECTION // 2)
    assert mouse.read().axes == pytest.approx({"x": 0.0, "y": 1.0, "z": 0.5, "roll": 0.0, "pitch": 0.0, "yaw": 0.0})


def test_spacemouse_gives_the_newest_of_many_reports(cap: SpaceMouseCap) -> None:
    mouse = spacemouse(cap)
    for count in range(20):
        cap.translate(0, -count * FULL_DEFLECTION // 20, 0)
    cap.press(1)
    state = mouse.read()
    assert state.axes["x"] == pytest.approx(0.95, abs=0.005)
    assert state.pressed == {"right"}
    assert not cap.reports


def test_worn_spacemouse_gives_no_more_than_full_deflection(cap: SpaceMouseCap) -> None:
    mouse = spacemouse(cap)
    cap.translate(0, -2 * FULL_DEFLECTION, 0)
    assert mouse.read().axes["x"] == 1.0


def test_spacemouse_that_is_unplugged_says_so(cap: SpaceMouseCap) -> None:
    mouse = spacemouse(cap)
    cap.unplugged = True
    with pytest.raises(DeviceError, match="plug it in again"):
        mouse.read()
    mouse.close()
    assert not cap.is_open


def test_cap_that_falls_silent_while_pushed_counts_as_let_go(cap: SpaceMouseCap) -> None:
    """A wireless one out of reach: its receiver stays plugged in and reads nothing."""
    clock = Clock()
    mouse = spacemouse(cap, clock, silence_s=0.3)
    for _ in range(5):
        cap.translate(right=0, towards_person=-FULL_DEFLECTION, down=0)
        assert mouse.read().axes["x"] == 1.0
        clock.now_s += 0.2
    assert mouse.read().axes["x"] == 1.0
    clock.now_s += 0.2
    assert mouse.read().axes == {}
    cap.translate(right=0, towards_person=-FULL_DEFLECTION, down=0)
    assert mouse.read().axes["x"] == 1.0


def test_button_that_the_spacemouse_does_not_have_is_named(cap: SpaceMouseCap) -> None:
    with pytest.raises(DeviceError, match=r"has 2 buttons.*menu"):
        spacemouse(cap, buttons={"left": 0, "menu": 7})
    assert not cap.is_open


def test_spacemouse_that_is_not_there_names_the_remedy() -> None:
    pytest.importorskip("pyspacemouse")
    with pytest.raises(DeviceError, match=r"no SpaceMouse can be opened.*(apt-get install|udev)"):
        SpaceMouse(SpaceMouseConfig(kind="spacemouse")).open()


# --- gamepad ----------------------------------------------------------------------------------------------------------


def test_gamepad_axes_and_buttons_have_the_configured_names() -> None:
    pytest.importorskip("pygame")
    with virtual_pad() as pad:
        gamepad = Gamepad(PAD.model_copy(update={"index": pad.index}))
        gamepad.open()
        pad.push(1, -0.5)
        pad.press(4)
        state = gamepad.read()
        assert state.axes == pytest.approx({"left_x": 0.0, "left_y": -0.5}, abs=1e-3)
        assert state.pressed == {"shoulder"}
        pad.press(4, down=False)
        assert gamepad.read().pressed == set()
        gamepad.close()


def test_gamepad_that_is_unplugged_says_so() -> None:
    pytest.importorskip("pygame")
    with virtual_pad() as pad:
        gamepad = Gamepad(PAD.model_copy(update={"index": pad.index}))
        gamepad.open()
        pad.unplug()
        with pytest.raises(DeviceError, match="plug it in again"):
            gamepad.read()
        gamepad.close()


def test_axis_that_the_gamepad_does_not_have_is_named() -> None:
    pytest.importorskip("pygame")
    with virtual_pad(axes=2) as pad:
        config = PAD.model_copy(update={"index": pad.index, "axes": {"right_y": 3}})
        with pytest.raises(DeviceError, match=r"has 2 axes.*right_y.*config/teleop/gamepad\.yaml"):
            Gamepad(config).open()


def test_gamepad_that_is_not_there_names_the_remedy() -> None:
    pytest.importorskip("pygame")
    with pytest.raises(DeviceError, match="gamepad number 9 is not there"):
        Gamepad(PAD.model_copy(update={"index": 9})).open()


# --- keyboard ---------------------------------------------------------------------------------------------------------


def test_key_counts_as_held_until_a_while_after_its_last_repeat(terminal: Terminal) -> None:
    clock = Clock()
    keyboard = Keyboard(KEYS, terminal.descriptor, clock)
    keyboard.open()
    assert keyboard.read().axes == {"x": 0.0, "z": 0.0}
    terminal.type("w")
    assert keyboard.read().axes["x"] == 1.0
    clock.now_s += 0.1
    terminal.type("w")
    assert keyboard.read().axes["x"] == 1.0
    clock.now_s += KEYS.hold_s + 0.01
    assert keyboard.read().axes["x"] == 0.0
    keyboard.close()


def test_letter_with_shift_moves_finely(terminal: Terminal) -> None:
    keyboard = Keyboard(KEYS, terminal.descriptor)
    keyboard.open()
    terminal.type("S")
    assert keyboard.read().axes["x"] == -KEYS.fine_share
    terminal.type("s")
    assert keyboard.read().axes["x"] == -1.0
    keyboard.close()


def test_arrows_and_named_keys_are_known_and_opposite_keys_cancel(terminal: Terminal) -> None:
    keyboard = Keyboard(KEYS, terminal.descriptor)
    keyboard.open()
    terminal.type("ws\x1b[B\r")
    state = keyboard.read()
    assert state.axes == {"x": 0.0, "z": -1.0}
    assert state.pressed == {"success"}
    terminal.type("\x1b")
    assert keyboard.read().pressed == {"success", "discard"}
    keyboard.close()


def test_button_key_that_repeats_is_one_press(terminal: Terminal) -> None:
    """A terminal repeats a key that is held only after half a second."""
    clock = Clock()
    keyboard = Keyboard(KEYS, terminal.descriptor, clock)
    keyboard.open()
    for wait_s in (0.5, 0.03, 0.03):
        terminal.type("\r")
        assert keyboard.read().pressed == {"success"}
        clock.now_s += wait_s
    clock.now_s += KEYS.repeat_delay_s
    assert keyboard.read().pressed == set()
    keyboard.close()


def test_terminal_shows_no_keys_while_they_drive_and_is_as_before_afterwards(terminal: Terminal) -> None:
    assert terminal.echoes
    keyboard = Keyboard(KEYS, terminal.descriptor)
    keyboard.open()
    assert not terminal.echoes
    keyboard.close()
    keyboard.close()
    assert terminal.echoes


def test_keyboard_without_a_terminal_is_refused() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(DeviceError, match="start in a terminal"):
            Keyboard(KEYS, reader).open()
    finally:
        os.close(reader)
        os.close(writer)


def test_closed_window_is_told() -> None:
    terminal = Terminal()
    keyboard = Keyboard(KEYS, terminal.descriptor)
    keyboard.open()
    terminal.hang_up()
    with pytest.raises(DeviceError, match="terminal is gone"):
        keyboard.read()
    keyboard.close()
    os.close(terminal.descriptor)
