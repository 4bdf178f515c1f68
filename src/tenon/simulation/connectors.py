"""A connector as numbers: the shapes of plug and socket, how deep, how tight, how it holds, how it looks.

One YAML per connector (``config/connectors``); one that a user writes works like a shipped one. ``plug`` and ``socket``
are cross-sections in the plug's xy plane, centred on the axis of insertion. The socket is either measured by itself or
follows from the plug and ``clearance_m``.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from tenon.configuration.base import Config

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Colour = tuple[Fraction, Fraction, Fraction]
Side = Literal["+x", "-x", "+y", "-y"]


class RibConfig(Config):
    """A key on one side of a rectangle: a rib of the plug, the groove of the socket.

    offset_m: its centre along the side, counted in the direction of the other axis. height_m: how far it stands out.
    """

    side: Side
    offset_m: float = 0.0
    width_m: PositiveFloat
    height_m: PositiveFloat

    def grown(self, clearance_m: float) -> RibConfig:
        """The groove that leaves ``clearance_m`` on both flanks and above the rib."""
        return self.model_copy(update={"width_m": self.width_m + 2 * clearance_m})


class RectangleConfig(Config):
    """A rectangle of width (x) by height (y), with any number of key ribs."""

    shape: Literal["rectangle"] = "rectangle"
    width_m: PositiveFloat
    height_m: PositiveFloat
    ribs: tuple[RibConfig, ...] = ()

    @model_validator(mode="after")
    def _ribs_fit(self) -> RectangleConfig:
        for rib in self.ribs:
            length = self.height_m if rib.side in ("+x", "-x") else self.width_m
            if abs(rib.offset_m) + rib.width_m / 2 > length / 2:
                raise ValueError(
                    f"the rib on side {rib.side} reaches {abs(rib.offset_m) + rib.width_m / 2:.4f} m from the centre, "
                    f"but the side ends at {length / 2:.4f} m"
                )
        return self

    def grown(self, clearance_m: float) -> RectangleConfig:
        return RectangleConfig(
            width_m=self.width_m + 2 * clearance_m,
            height_m=self.height_m + 2 * clearance_m,
            ribs=tuple(rib.grown(clearance_m) for rib in self.ribs),
        )

    def misfits(self, socket: RectangleConfig) -> list[str]:
        """Why a plug of this shape cannot enter ``socket``; empty where it can."""
        wrong = _larger(self, socket, "width_m", "height_m")
        if len(self.ribs) > len(socket.ribs):
            return [*wrong, f"the plug has {len(self.ribs)} ribs, the socket {len(socket.ribs)} grooves"]
        for rib in self.ribs:
            grooves = [g for g in socket.ribs if g.side == rib.side and _covers(self, rib, socket, g)]
            if not grooves:
                wrong.append(f"the plug's rib on side {rib.side} at {rib.offset_m} m meets no groove that takes it")
        return wrong


class KeystoneConfig(Config):
    """A trapezoid (the D of a D-Sub): width_m at +y, sides slanted inwards by side_angle_rad towards -y."""

    shape: Literal["keystone"] = "keystone"
    width_m: PositiveFloat
    height_m: PositiveFloat
    side_angle_rad: Annotated[float, Field(gt=0.0, lt=math.pi / 4)]

    @property
    def lower_width_m(self) -> float:
        """The width at -y."""
        return self.width_m - 2 * self.height_m * math.tan(self.side_angle_rad)

    @model_validator(mode="after")
    def _has_a_lower_side(self) -> KeystoneConfig:
        if self.lower_width_m <= 0:
            raise ValueError(f"with side_angle_rad {self.side_angle_rad} the sides meet above the lower edge")
        return self

    def grown(self, clearance_m: float) -> KeystoneConfig:
        """Each side moved outwards by clearance_m along its normal."""
        angle = self.side_angle_rad
        widened = clearance_m * (math.tan(angle) + 1 / math.cos(angle))
        return self.model_copy(
            update={"width_m": self.width_m + 2 * widened, "height_m": self.height_m + 2 * clearance_m}
        )

    def misfits(self, socket: KeystoneConfig) -> list[str]:
        if abs(self.side_angle_rad - socket.side_angle_rad) > ANGLE_TOLERANCE_RAD:
            return [f"side_angle_rad differs: plug {self.side_angle_rad}, socket {socket.side_angle_rad}"]
        return _larger(self, socket, "width_m", "height_m", "lower_width_m")


class RoundKeyConfig(Config):
    """A key on a round shape, at +x: width_m around the circumference, height_m beyond the radius."""

    width_m: PositiveFloat
    height_m: PositiveFloat


class RoundConfig(Config):
    """A circle, with or without a key."""

    shape: Literal["round"] = "round"
    diameter_m: PositiveFloat
    key: RoundKeyConfig | None = None

    @model_validator(mode="after")
    def _key_fits(self) -> RoundConfig:
        if self.key is not None and self.key.width_m >= self.diameter_m / 2:
            raise ValueError(f"key.width_m {self.key.width_m} must be below half the diameter {self.diameter_m}")
        return self

    def grown(self, clearance_m: float) -> RoundConfig:
        key = self.key and self.key.model_copy(update={"width_m": self.key.width_m + 2 * clearance_m})
        return RoundConfig(diameter_m=self.diameter_m + 2 * clearance_m, key=key)

    def misfits(self, socket: RoundConfig) -> list[str]:
        wrong = _larger(self, socket, "diameter_m")
        if self.key is not None:
            if socket.key is None:
                wrong.append("the plug has a key, the socket no slot for it")
            else:
                plug_reach, socket_reach = (s.diameter_m / 2 + s.key.height_m for s in (self, socket) if s.key)
                wrong += _larger(self.key, socket.key, "width_m", prefix="key.")
                if plug_reach > socket_reach:
                    wrong.append(f"the key reaches {plug_reach} m from the axis, the slot {socket_reach} m")
        return wrong


Profile = Annotated[RectangleConfig | KeystoneConfig | RoundConfig, Field(discriminator="shape")]


class PinsConfig(Config):
    """Contacts inside the socket, drawn but not collided with: the shell meets first and decides."""

    rows: PositiveInt = 1
    columns: PositiveInt
    pitch_m: PositiveFloat
    diameter_m: PositiveFloat
    length_m: PositiveFloat


class RetentionConfig(Config):
    """Dry (Coulomb) friction of the contact springs along the axis of insertion, both ways.

    Drawn per episode, uniform in [minimum_n, maximum_n]; it acts once the plug is deeper than begins_at * depth.
    """

    minimum_n: NonNegativeFloat = 0.0
    maximum_n: NonNegativeFloat = 0.0
    begins_at: Fraction = 0.2

    @model_validator(mode="after")
    def _is_a_range(self) -> RetentionConfig:
        if self.minimum_n > self.maximum_n:
            raise ValueError(f"minimum_n {self.minimum_n} must not be above maximum_n {self.maximum_n}")
        return self


class AppearanceConfig(Config):
    """Colours (red, green, blue in [0, 1]) and the pattern of the socket's face."""

    plug: Colour = (0.2, 0.2, 0.8)
    handle: Colour = (0.15, 0.15, 0.15)
    socket: Colour = (0.7, 0.5, 0.2)
    texture: Literal["plain", "checker", "gradient"] = "plain"


class ConnectorConfig(Config):
    """A plug and its socket.

    depth_m: how deep the plug goes. clearance_m: gap per side, or left out where ``socket`` is given. lead_in_m:
    45 degree chamfer of the socket's mouth. friction: Coulomb coefficient between plug and socket.
    """

    name: Annotated[str, Field(min_length=1)]
    plug: Profile
    depth_m: PositiveFloat
    clearance_m: NonNegativeFloat | None = None
    socket: Profile | None = None
    lead_in_m: NonNegativeFloat = 0.0
    friction: NonNegativeFloat = 0.3
    retention: RetentionConfig = RetentionConfig()
    pins: PinsConfig | None = None
    appearance: AppearanceConfig = AppearanceConfig()

    @model_validator(mode="after")
    def _mates(self) -> ConnectorConfig:
        if (self.socket is None) == (self.clearance_m is None):
            raise ValueError("give either clearance_m or a socket of its own, not both and not neither")
        if self.socket is not None:
            if self.socket.shape != self.plug.shape:
                raise ValueError(f"the plug is a {self.plug.shape}, the socket a {self.socket.shape}: they cannot mate")
            wrong = self.plug.misfits(self.socket)  # type: ignore[arg-type]
            if wrong:
                raise ValueError("the plug does not fit its socket: " + "; ".join(wrong))
        if self.lead_in_m >= self.depth_m:
            raise ValueError(f"lead_in_m {self.lead_in_m} must be below depth_m {self.depth_m}")
        return self

    @property
    def opening(self) -> RectangleConfig | KeystoneConfig | RoundConfig:
        """The socket's cross-section."""
        if self.socket is not None:
            return self.socket
        assert self.clearance_m is not None
        return self.plug.grown(self.clearance_m)


ANGLE_TOLERANCE_RAD = 1e-6
LENGTH_TOLERANCE_M = 1e-9


def _larger(plug: Config, socket: Config, *names: str, prefix: str = "") -> list[str]:
    pairs = ((name, getattr(plug, name), getattr(socket, name)) for name in names)
    return [f"{prefix}{name} of the plug is {a:.6g}, of the socket {b:.6g}" for name, a, b in pairs if a > b]


def _covers(plug: RectangleConfig, rib: RibConfig, socket: RectangleConfig, groove: RibConfig) -> bool:
    sideways = rib.side in ("+x", "-x")
    reach = (plug.width_m if sideways else plug.height_m) / 2 + rib.height_m
    room = (socket.width_m if sideways else socket.height_m) / 2 + groove.height_m
    inside = abs(rib.offset_m - groove.offset_m) + rib.width_m / 2 <= groove.width_m / 2 + LENGTH_TOLERANCE_M
    return inside and reach <= room + LENGTH_TOLERANCE_M
