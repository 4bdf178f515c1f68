"""A device by which a person drives the arm, one file each in ``config/teleop``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from tenon.configuration.base import Config

AxisName = Literal["x", "y", "z", "roll", "pitch", "yaw"]
AXES: tuple[AxisName, ...] = ("x", "y", "z", "roll", "pitch", "yaw")
"""Of the TCP's motion in axes of the base: three of translation, then three of rotation."""
Key = Annotated[str, Field(min_length=1)]
ROTATIONS = AXES[3:]
TOGETHER = "+"
"""Between the names of buttons that are pressed at the same time."""


class SpaceMouseConfig(Config):
    """A 3Dconnexion SpaceMouse, by ``pyspacemouse``. Its axes: x, y, z, roll, pitch, yaw, as REP 103 has them for the
    cap (pushed away from the cable's side is x forward).

    product: as pyspacemouse names it; None: the first that is plugged in. buttons: name -> number on the device.
    silence_s: a cap that is held reports on and on; after so long without a report it counts as let go (a wireless one
    that is out of reach, or whose battery is empty, says nothing).
    """

    kind: Literal["spacemouse"]
    product: str | None = None
    buttons: dict[str, NonNegativeInt] = Field(default_factory=lambda: {"left": 0, "right": 1})
    silence_s: PositiveFloat = 0.3

    @property
    def axis_names(self) -> tuple[str, ...]:
        return AXES

    @property
    def button_names(self) -> tuple[str, ...]:
        return tuple(self.buttons)


class GamepadConfig(Config):
    """A gamepad or joystick, by ``pygame``. index: of the device. axes, buttons: name -> number on the device."""

    kind: Literal["gamepad"]
    index: NonNegativeInt = 0
    axes: dict[str, NonNegativeInt]
    buttons: dict[str, NonNegativeInt]

    @property
    def axis_names(self) -> tuple[str, ...]:
        return tuple(self.axes)

    @property
    def button_names(self) -> tuple[str, ...]:
        return tuple(self.buttons)


class KeyPairConfig(Config):
    """The keys of one axis: towards plus and towards minus."""

    plus: Key
    minus: Key


def fine_key(key: str) -> str:
    """What the key of an axis sends with Shift; itself where that makes no difference."""
    return key.upper() if len(key) == 1 else key


class KeyboardConfig(Config):
    """The keys of the terminal. A key is a character, or enter, space, tab, escape, backspace, up, down, left, right.

    fine_share: of the full speed, for an axis' letter that is typed with Shift. hold_s: a terminal does not tell when a
    key is let go; one counts as held for so long after it came, or came again. repeat_delay_s: the same for buttons,
    longer than the time to a key's first repeat, so that a key that is held is one press.
    """

    kind: Literal["keyboard"]
    axes: dict[str, KeyPairConfig]
    buttons: dict[str, Key]
    fine_share: Annotated[PositiveFloat, Field(lt=1.0)] = 0.1
    hold_s: PositiveFloat = 0.15
    repeat_delay_s: PositiveFloat = 0.7

    @property
    def axis_names(self) -> tuple[str, ...]:
        return tuple(self.axes)

    @property
    def button_names(self) -> tuple[str, ...]:
        return tuple(self.buttons)

    @model_validator(mode="after")
    def _keys_differ(self) -> KeyboardConfig:
        of_axes = [key for pair in self.axes.values() for key in (pair.plus, pair.minus)]
        fine = [fine_key(key) for key in of_axes if fine_key(key) != key]
        keys = [*of_axes, *fine, *self.buttons.values()]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"one key cannot do two things: {', '.join(twice)} comes twice")
        return self


class ConsoleConfig(Config):
    """The on-screen control of ``tenon console``: its axes are those of the topic teleop/twist, buttons are its own.

    hold_s: a control counts as held for so long after its last message.
    """

    kind: Literal["console"]
    hold_s: PositiveFloat = 0.15

    @property
    def axis_names(self) -> tuple[str, ...]:
        return AXES

    @property
    def button_names(self) -> tuple[str, ...]:
        return ()


DeviceConfig = Annotated[SpaceMouseConfig | GamepadConfig | KeyboardConfig | ConsoleConfig, Field(discriminator="kind")]


class AxisConfig(Config):
    """One axis of the TCP's motion. source: axis of the device. sign: 1 or -1. dead_zone: part of the source's way that
    counts as none; what is left is stretched, so that motion begins gently. exponent: above 1, finer near the middle.
    """

    source: str
    sign: Literal[-1, 1] = 1
    dead_zone: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    exponent: Annotated[float, Field(ge=1.0, le=4.0)] = 1.0


class ButtonsConfig(Config):
    """What the device's buttons do; None: nothing does it. Two names with a + between: both at the same time; either
    of them alone then acts as it is let go.

    hold_to_run: the arm follows only while it is held. hand_back: the person gives the arm back. success, failure,
    discard: marks of the episode that runs (accept, reject, reset). gripper: opens and closes in turn.
    """

    hold_to_run: str | None = None
    hand_back: str | None = None
    success: str | None = None
    failure: str | None = None
    discard: str | None = None
    gripper: str | None = None


class TeleopConfig(Config):
    """From a device to motion of the arm.

    rate_hz: how often the device is read and a reference is sent. axes: of the TCP's motion, those left out do not
    move. speed_m_s, turn_rad_s: at full deflection. lead_m, lead_rad: the target is never further ahead of the measured
    TCP than this, so a person who pushes on at a wall presses with stiffness times lead_m and no more.
    hand_back_after_s: a person who took over and gives no input for so long has handed back; None: only the button
    hand_back does, and that of the console's page.
    """

    device: DeviceConfig
    rate_hz: Annotated[float, Field(ge=20.0, le=250.0)]
    axes: dict[AxisName, AxisConfig]
    speed_m_s: Annotated[PositiveFloat, Field(le=0.25)]
    turn_rad_s: Annotated[NonNegativeFloat, Field(le=1.0)] = 0.0
    lead_m: Annotated[PositiveFloat, Field(le=0.03)]
    lead_rad: Annotated[PositiveFloat, Field(le=0.3)] = 0.1
    hand_back_after_s: PositiveFloat | None = None
    buttons: ButtonsConfig = ButtonsConfig()

    @model_validator(mode="after")
    def _device_has_it(self) -> TeleopConfig:
        axes, buttons = self.device.axis_names, self.device.button_names
        for name, axis in self.axes.items():
            if axis.source not in axes:
                raise ValueError(f"axes.{name}: the device has no axis {axis.source!r}, but {', '.join(axes)}")
            if name in ROTATIONS and not self.turn_rad_s:
                raise ValueError(f"axes.{name}: turns nothing at turn_rad_s 0: set it, or leave the axis out")
        used = {name: button for name, button in self.buttons.model_dump().items() if button is not None}
        for role, names in used.items():
            if TOGETHER in names and isinstance(self.device, KeyboardConfig):
                raise ValueError(f"buttons.{role}: a terminal tells of one key at a time, not of {names!r}")
            for button in names.split(TOGETHER):
                if button not in buttons:
                    has = f"but {', '.join(buttons)}" if buttons else "and none at all"
                    raise ValueError(f"buttons.{role}: the device has no button {button!r}, {has}")
        return self

    @model_validator(mode="after")
    def _can_hand_back(self) -> TeleopConfig:
        has_page = isinstance(self.device, ConsoleConfig)  # with a button of its own
        if self.buttons.hand_back is None and self.hand_back_after_s is None and not has_page:
            raise ValueError("a person must be able to hand back: name buttons.hand_back or set hand_back_after_s")
        return self
