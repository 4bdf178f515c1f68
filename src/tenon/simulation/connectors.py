"""A connector as numbers: the shapes of plug and socket, how deep, how tight, how it holds, how it looks.

One YAML per connector (``config/connectors``); one that a user writes works like a shipped one. ``plug`` and ``socket``
are cross-sections in the plug's xy plane, centred on the axis of insertion. The socket is either measured by itself or
follows from the plug and ``clearance_m``.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from tenon.configuration.base import Config
from tenon.simulation.looks import (
    HIGHEST_HANDLE_M,
    HOUSING_MARGIN_M,
    WIDEST_HANDLE_M,
    WIDEST_PANEL_M,
    AppearanceConfig,
    BezelConfig,
    CollarConfig,
    DistractorConfig,
    Fraction,
    HandleConfig,
    HousingConfig,
    PanelConfig,
    SurroundingsConfig,
)
from tenon.simulation.profiles import AnyProfile, Bounds, Loop, Profile, RoundConfig, bounds_of, text_mm

METRES = "lengths are in metres, 12 mm is 0.012"
ROUNDING = 1e-6
LONGEST_M = 0.5
"""Nothing that a person plugs in is larger: a number above it was meant in millimetres."""
THINNEST_M = 0.0005
"""No side of a plug is smaller: a number below it was meant in another unit."""
LEAST_CLEARANCE_M = 1e-5
"""A plug that fits more tightly never goes home: the contact itself gives way by so much."""
LOOSEST = 0.5
"""Of a plug's smaller side: with a wider gap per side it counts as home beside its socket."""
HIGHEST_FRICTION = 1.5
"""Rubber on rubber."""
MOST_PINS = 200
HANDLE_MARGIN_M = 0.0005
"""Of a handle that was left out, beyond the plug: a wider one would hide from the camera how far the plug is in."""
RECESS_ROOM_M = 0.001
"""A collar that goes into a recess has so much room on every side."""


def _is_a_name(name: str) -> str:
    """It stands in lists, in the scene and in the names of folders."""
    if not name.isprintable() or set(name) & {"/", "\\"} or name in (".", ".."):
        raise ValueError("a name has letters, digits, spaces or signs, but no line break, slash or control character")
    return name


ConnectorName = Annotated[str, Field(min_length=1), AfterValidator(_is_a_name)]


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
        if "maximum_n" not in self.model_fields_set and self.minimum_n > self.maximum_n:
            raise ValueError(f"maximum_n is left out, which is 0: give it, at least the minimum_n of {self.minimum_n}")
        if self.minimum_n > self.maximum_n:
            raise ValueError(f"minimum_n {self.minimum_n} must not be above maximum_n {self.maximum_n}")
        return self


class ConnectorConfig(Config):
    """A plug and its socket.

    series: the kind that it belongs to; data are split by it. depth_m: how deep the plug goes. clearance_m: gap per
    side, or left out where ``socket`` is given. lead_in_m: 45 degree chamfer of the socket's mouth. friction: Coulomb
    coefficient between plug and socket. shoulder_gap_m: the collar (or handle) stays so far off the mouth when the plug
    is home, as plugs are longer than holes are deep. grasp_m: the plug stands so much further out of the gripper than
    usual. handle: left out, one that follows the plug. surroundings: left out, the stand's own light and table.
    """

    name: ConnectorName
    series: Annotated[str, Field(min_length=1)] | None = None
    plug: Profile
    depth_m: PositiveFloat
    clearance_m: Annotated[float, Field(ge=LEAST_CLEARANCE_M)] | None = None
    socket: Profile | None = None
    lead_in_m: NonNegativeFloat = 0.0
    friction: Annotated[NonNegativeFloat, Field(le=HIGHEST_FRICTION)] = 0.3
    retention: RetentionConfig = RetentionConfig()
    pins: PinsConfig | None = None
    shoulder_gap_m: Annotated[NonNegativeFloat, Field(le=0.02)] = 0.0
    grasp_m: Annotated[float, Field(ge=-0.01, le=0.01)] = 0.0
    appearance: AppearanceConfig = AppearanceConfig()
    handle: HandleConfig | None = None
    collar: CollarConfig | None = None
    housing: HousingConfig | None = None
    bezel: BezelConfig | None = None
    panel: PanelConfig = PanelConfig()
    distractors: tuple[DistractorConfig, ...] = ()
    surroundings: SurroundingsConfig | None = None

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
        self._gap_is_possible()
        return self

    def _gap_is_possible(self) -> None:
        for plug, hole in zip(self.plug.outlines(), self.opening.outlines(), strict=True):
            inner, outer = bounds_of(plug), bounds_of(hole)
            smaller_m = min(inner.width_m, inner.height_m)
            if smaller_m < THINNEST_M:
                raise ValueError(
                    f"a side of the plug is {text_mm(smaller_m)}, the least is {text_mm(THINNEST_M)}: {METRES}"
                )
            gaps_m = (outer.width_m - inner.width_m) / 2, (outer.height_m - inner.height_m) / 2
            if max(gaps_m) > LOOSEST * smaller_m:
                raise ValueError(
                    f"the gap per side (clearance_m, or half of what socket is larger than plug) is "
                    f"{text_mm(max(gaps_m))}, at most half of the plug's smaller side of {text_mm(smaller_m)} is "
                    f"taken: {METRES}"
                )
            if min(gaps_m) < LEAST_CLEARANCE_M * (1 - ROUNDING):
                raise ValueError(
                    f"socket leaves {text_mm(min(gaps_m))} per side, and a plug goes home with "
                    f"{text_mm(LEAST_CLEARANCE_M)} or more"
                )

    @model_validator(mode="after")
    def _socket_is_possible(self) -> ConnectorConfig:
        """Also with its chamfer: what grows may meet its neighbour."""
        mouth = bounds_of(*_grown(self.opening, self.lead_in_m, "lead_in_m").outlines())
        longest_m = max(mouth.width_m, mouth.height_m, self.depth_m)
        if longest_m > LONGEST_M:
            raise ValueError(
                f"plug, clearance_m, socket, lead_in_m and depth_m make a socket of {longest_m:.3g} m: {METRES}"
            )
        panel = self.panel
        edge = Bounds(-panel.width_m / 2, -panel.height_m / 2, panel.width_m / 2, panel.height_m / 2)
        face = mouth if self.housing is None else self.face
        if not edge.contains(face.expanded(HOUSING_MARGIN_M)):
            needed = face.expanded(HOUSING_MARGIN_M)
            raise ValueError(
                f"the panel of {panel.width_m} by {panel.height_m} m is too small for the socket, which takes "
                f"{2 * max(-needed.left, needed.right):.4g} by {2 * max(-needed.lower, needed.upper):.4g} m with "
                f"{text_mm(HOUSING_MARGIN_M)} of wall: set panel.width_m and panel.height_m (at most "
                f"{WIDEST_PANEL_M} m)"
            )
        if self.housing is not None:
            if self.housing.proud_m >= self.depth_m:
                raise ValueError(f"housing.proud_m {self.housing.proud_m} must be below depth_m {self.depth_m}")
            if not face.contains(mouth.expanded(HOUSING_MARGIN_M / 2)):
                raise ValueError(f"lead_in_m {self.lead_in_m} leaves too little of the housing's margins")
            if self.bezel is not None and not face.contains(bounds_of(bezel_outline(self.bezel, mouth))):
                raise ValueError("the bezel reaches beyond the housing: lower bezel.margin_m or raise the margins")
        self._collar_fits()
        self._pins_fit()
        for item in self.distractors:
            half_x, half_y = item.width_m / 2, item.height_m / 2
            area = Bounds(item.x_m - half_x, item.y_m - half_y, item.x_m + half_x, item.y_m + half_y)
            if area.gap(face) < 0:
                raise ValueError(f"the {item.kind} at ({item.x_m}, {item.y_m}) m lies over the socket")
            if not edge.contains(area):
                raise ValueError(
                    f"the {item.kind} at ({item.x_m}, {item.y_m}) m reaches beyond the panel of "
                    f"{text_mm(panel.width_m)} by {text_mm(panel.height_m)}: {METRES}"
                )
        return self

    def _pins_fit(self) -> None:
        """Drawn ones as well: what lies far away moves the camera's near plane, and plug and gripper are gone."""
        pins = self.pins
        if pins is None:
            return
        hole = bounds_of(*self.opening.outlines())
        width_m, height_m = ((count - 1) * pins.pitch_m + pins.diameter_m for count in (pins.columns, pins.rows))
        if width_m > hole.width_m or height_m > hole.height_m:
            raise ValueError(
                f"pins take {text_mm(width_m)} by {text_mm(height_m)}, the hole is {text_mm(hole.width_m)} by "
                f"{text_mm(hole.height_m)}: lower pins.pitch_m or pins.diameter_m; {METRES}"
            )
        if pins.length_m > self.depth_m:
            raise ValueError(f"pins.length_m {pins.length_m} must not be above depth_m {self.depth_m}; {METRES}")
        if pins.rows * pins.columns > MOST_PINS:
            raise ValueError(f"{pins.rows} rows of {pins.columns} pins: at most {MOST_PINS} pins are drawn")

    def _collar_fits(self) -> None:
        if self.housing is None or self.collar is None:
            return
        recess_m, face = -self.housing.proud_m, self.face
        half_x, half_y = self.collar.width_m / 2, self.collar.height_m / 2
        needed = Bounds(-half_x, -half_y, half_x, half_y).expanded(RECESS_ROOM_M)
        if recess_m > self.shoulder_gap_m and not face.contains(needed):
            raise ValueError(
                f"the collar of {self.collar.width_m} by {self.collar.height_m} m goes into a recess of "
                f"{face.width_m:.4f} by {face.height_m:.4f} m: raise the housing's margins or "
                f"shoulder_gap_m to {recess_m} or more"
            )

    @property
    def grip(self) -> HandleConfig:
        """What the gripper holds. Left out, it reaches no further towards the camera than the plug."""
        if self.handle is not None:
            return self.handle
        plug = bounds_of(*self.plug.outlines())
        width_m, to_the_front_m = 2 * max(-plug.left, plug.right), 2 * max(0.0, -plug.lower)
        return HandleConfig(
            shape="cylinder" if isinstance(self.plug, RoundConfig) and self.plug.key is None else "box",
            width_m=min(width_m + 2 * HANDLE_MARGIN_M, WIDEST_HANDLE_M),
            height_m=min(to_the_front_m + 2 * HANDLE_MARGIN_M, HIGHEST_HANDLE_M),
        )

    @property
    def face(self) -> Bounds:
        """Of the housing, or of the bare hole where there is none."""
        hole = bounds_of(*self.opening.outlines())
        return hole if self.housing is None else hole.expanded(self.housing.margin_x_m, self.housing.margin_y_m)

    @property
    def opening(self) -> AnyProfile:
        """The socket's cross-section."""
        if self.socket is not None:
            return self.socket
        assert self.clearance_m is not None
        return _grown(self.plug, self.clearance_m, "clearance_m")


def _grown(profile: AnyProfile, by_m: float, key: str) -> AnyProfile:
    """Raises ValueError that says where the numbers come from: those of what has grown stand in no file."""
    try:
        return profile.grown(by_m)
    except ValidationError as error:
        reasons = "; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())
        raise ValueError(f"{reasons} (with {key}, {by_m:g} m, added on every side)") from error


def bezel_outline(bezel: BezelConfig, mouth: Bounds) -> Loop:
    """Its outer edge."""
    around = mouth.expanded(bezel.margin_m)
    if bezel.shape == "rectangle":
        return around.corners()
    diameter_m = math.hypot(around.right - around.left, around.upper - around.lower)
    (circle,) = RoundConfig(diameter_m=diameter_m).outlines()
    return circle
