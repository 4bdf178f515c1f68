"""The cross-sections of plugs and sockets, in the plug's xy plane, centred on the axis of insertion.

Each shape knows the socket that leaves a clearance around it (``grown``), why it would not enter another one
(``misfits``) and its outline, one closed loop of points per hole.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, model_validator

from tenon.configuration.base import Config

Loop = NDArray[np.float64]
"""(n, 2) in metres: a polygon's corners, anticlockwise, closed from the last to the first."""

Side = Literal["+x", "-x", "+y", "-y"]
SIDE_ANGLES_RAD = {"+x": 0.0, "+y": math.pi / 2, "-x": math.pi, "-y": -math.pi / 2}
CIRCLE_CORNERS = 32
ANGLE_TOLERANCE_RAD = 1e-6
LENGTH_TOLERANCE_M = 1e-9
PRONG_GAP_M = 0.003
"""The least material between two holes: walls that are thinner could be passed through."""


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
        for one, other in itertools.combinations(self.ribs, 2):
            if one.side == other.side and abs(one.offset_m - other.offset_m) < (one.width_m + other.width_m) / 2:
                raise ValueError(f"two ribs on side {one.side} overlap, at {one.offset_m} and {other.offset_m} m")
        return self

    def outlines(self) -> list[Loop]:
        corners: list[tuple[float, float]] = []
        for side, angle in SIDE_ANGLES_RAD.items():
            sideways = side in ("+x", "-x")
            distance, reach = self.width_m / 2, self.height_m / 2
            if not sideways:
                distance, reach = reach, distance
            corners.append(turned(angle, distance, -reach))
            for centre, half_width, height in self.ribs_along(side):
                for outwards, along in ((0, -1), (1, -1), (1, 1), (0, 1)):
                    corners.append(turned(angle, distance + outwards * height, centre + along * half_width))
        return [np.array(corners)]

    def ribs_along(self, side: str) -> list[tuple[float, float, float]]:
        """(centre along the side's tangent, half width, height) of the ribs of a side, in the tangent's order."""
        sign = 1 if side in ("+x", "-y") else -1  # the tangent of +x is +y, of +y is -x: offsets count along the axes
        ribs = ((sign * rib.offset_m, rib.width_m / 2, rib.height_m) for rib in self.ribs if rib.side == side)
        return sorted(ribs)

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

    def outlines(self) -> list[Loop]:
        upper, lower, half = self.width_m / 2, self.lower_width_m / 2, self.height_m / 2
        return [np.array(((upper, half), (-upper, half), (-lower, -half), (lower, -half)))]

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
            raise ValueError(
                f"key.width_m {self.key.width_m:.6g} must be below half the diameter {self.diameter_m:.6g}"
            )
        return self

    def grown(self, clearance_m: float) -> RoundConfig:
        key = self.key and self.key.model_copy(update={"width_m": self.key.width_m + 2 * clearance_m})
        return RoundConfig(diameter_m=self.diameter_m + 2 * clearance_m, key=key)

    def outlines(self) -> list[Loop]:
        radius = self.diameter_m / 2
        angles = 2 * math.pi * np.arange(CIRCLE_CORNERS) / CIRCLE_CORNERS
        circle = radius * np.stack((np.cos(angles), np.sin(angles)), axis=1)
        if self.key is None:
            return [circle]
        half, reach = self.key.width_m / 2, radius + self.key.height_m
        root = math.sqrt(radius**2 - half**2)
        body = circle[(circle[:, 0] < 0) | (np.abs(circle[:, 1]) > half)]
        key = np.array(((root, -half), (reach, -half), (reach, half), (root, half)))
        return [np.concatenate((key, body))]

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


class OvalConfig(Config):
    """Two half circles and the straight sides between them (USB-C): width (x) is the long way."""

    shape: Literal["oval"] = "oval"
    width_m: PositiveFloat
    height_m: PositiveFloat

    @model_validator(mode="after")
    def _is_long(self) -> OvalConfig:
        if self.width_m <= self.height_m:
            raise ValueError(f"width_m {self.width_m} must be above height_m {self.height_m}; a circle is shape: round")
        return self

    @property
    def end_m(self) -> float:
        """Where the ends' circles are centred: at +-end_m on x."""
        return (self.width_m - self.height_m) / 2

    def grown(self, clearance_m: float) -> OvalConfig:
        return OvalConfig(width_m=self.width_m + 2 * clearance_m, height_m=self.height_m + 2 * clearance_m)

    def outlines(self) -> list[Loop]:
        half = CIRCLE_CORNERS // 2
        angles = math.pi * np.arange(half + 1) / half - math.pi / 2
        end = self.height_m / 2 * np.stack((np.cos(angles), np.sin(angles)), axis=1) + (self.end_m, 0.0)
        return [np.concatenate((end, -end))]

    def misfits(self, socket: OvalConfig) -> list[str]:
        return _larger(self, socket, "width_m", "height_m")


class ProngConfig(Config):
    """One pin or blade of a plug with several, its middle at (x_m, y_m). It has no key of its own."""

    x_m: float
    y_m: float = 0.0
    profile: Annotated[RectangleConfig | RoundConfig | OvalConfig, Field(discriminator="shape")]

    @model_validator(mode="after")
    def _is_plain(self) -> ProngConfig:
        if getattr(self.profile, "ribs", ()) or getattr(self.profile, "key", None):
            raise ValueError("a prong has neither ribs nor a key: what is around it tells the way")
        return self

    def grown(self, clearance_m: float) -> ProngConfig:
        return self.model_copy(update={"profile": self.profile.grown(clearance_m)})

    def outline(self) -> Loop:
        return self.profile.outlines()[0] + (self.x_m, self.y_m)


class ProngsConfig(Config):
    """Several pins or blades, each in a hole of its own (Europlug, NEMA)."""

    shape: Literal["prongs"] = "prongs"
    prongs: Annotated[tuple[ProngConfig, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _stand_apart(self) -> ProngsConfig:
        for one, other in itertools.combinations(self.outlines(), 2):
            if bounds_of(one).gap(bounds_of(other)) < PRONG_GAP_M:
                raise ValueError(
                    f"prongs at {_text(one)} and {_text(other)} m are nearer to each other (clearance included) than "
                    f"{PRONG_GAP_M} m, the least wall between two holes"
                )
        return self

    def grown(self, clearance_m: float) -> ProngsConfig:
        return ProngsConfig(prongs=tuple(prong.grown(clearance_m) for prong in self.prongs))

    def outlines(self) -> list[Loop]:
        return [prong.outline() for prong in self.prongs]

    def misfits(self, socket: ProngsConfig) -> list[str]:
        if len(self.prongs) != len(socket.prongs):
            return [f"the plug has {len(self.prongs)} prongs, the socket {len(socket.prongs)} holes"]
        wrong = []
        for index, (prong, hole) in enumerate(zip(self.prongs, socket.prongs, strict=True)):
            where = f"prong {index + 1}"
            if max(abs(prong.x_m - hole.x_m), abs(prong.y_m - hole.y_m)) > LENGTH_TOLERANCE_M:
                wrong.append(f"{where} is at ({prong.x_m}, {prong.y_m}) m, its hole at ({hole.x_m}, {hole.y_m}) m")
            elif prong.profile.shape != hole.profile.shape:
                wrong.append(f"{where} is a {prong.profile.shape}, its hole a {hole.profile.shape}")
            else:
                wrong += [f"{where}: {reason}" for reason in prong.profile.misfits(hole.profile)]  # type: ignore[arg-type]
        return wrong


AnyProfile = RectangleConfig | KeystoneConfig | RoundConfig | OvalConfig | ProngsConfig
Profile = Annotated[AnyProfile, Field(discriminator="shape")]


@dataclass(frozen=True, slots=True)
class Bounds:
    """A rectangle along the axes, in metres."""

    left: float
    lower: float
    right: float
    upper: float

    @property
    def width_m(self) -> float:
        return self.right - self.left

    @property
    def height_m(self) -> float:
        return self.upper - self.lower

    def expanded(self, by_m: float, along_y_m: float | None = None) -> Bounds:
        """Each side moved outwards."""
        along_y_m = by_m if along_y_m is None else along_y_m
        return Bounds(self.left - by_m, self.lower - along_y_m, self.right + by_m, self.upper + along_y_m)

    def gap(self, other: Bounds) -> float:
        """The free space between two, along the axis where it is larger; negative where they overlap."""
        along_x = max(self.left - other.right, other.left - self.right)
        return max(along_x, self.lower - other.upper, other.lower - self.upper)

    def contains(self, other: Bounds) -> bool:
        inside = self.left <= other.left and other.right <= self.right
        return inside and self.lower <= other.lower and other.upper <= self.upper

    def corners(self) -> Loop:
        left, lower, right, upper = self.left, self.lower, self.right, self.upper
        return np.array(((left, lower), (right, lower), (right, upper), (left, upper)))


def bounds_of(*loops: Loop) -> Bounds:
    """The smallest rectangle around them."""
    points = np.concatenate(loops)
    (left, lower), (right, upper) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return Bounds(left, lower, right, upper)


def turned(angle_rad: float, along_normal_m: float, along_tangent_m: float) -> tuple[float, float]:
    """The point at these distances along a normal at angle_rad and along its tangent (anticlockwise of it)."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return c * along_normal_m - s * along_tangent_m, s * along_normal_m + c * along_tangent_m


def text_mm(length_m: float) -> str:
    """A length as people say it."""
    return f"{length_m * 1e3:.4g} mm"


def _text(loop: Loop) -> str:
    x, y = loop.mean(axis=0)
    return f"({x:.4f}, {y:.4f})"


def _larger(plug: Config, socket: Config, *names: str, prefix: str = "") -> list[str]:
    pairs = ((name, getattr(plug, name), getattr(socket, name)) for name in names)
    return [f"{prefix}{name} of the plug is {a:.6g}, of the socket {b:.6g}" for name, a, b in pairs if a > b]


def _covers(plug: RectangleConfig, rib: RibConfig, socket: RectangleConfig, groove: RibConfig) -> bool:
    sideways = rib.side in ("+x", "-x")
    reach = (plug.width_m if sideways else plug.height_m) / 2 + rib.height_m
    room = (socket.width_m if sideways else socket.height_m) / 2 + groove.height_m
    inside = abs(rib.offset_m - groove.offset_m) + rib.width_m / 2 <= groove.width_m / 2 + LENGTH_TOLERANCE_M
    return inside and reach <= room + LENGTH_TOLERANCE_M
