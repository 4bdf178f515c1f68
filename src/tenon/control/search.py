"""Scripted ways to find a socket by touch: straight down, random search, spiral.

The baselines of on-the-job learning (Nair et al., 2023; daib.md section 5). Each is a pure step function: ``advance``
takes a state and a reading and gives the next state and the motion of the TCP, relative to where it is, which is the
action of a pure policy. Positions count from the estimated goal, in axes of the base.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration.base import Config
from tenon.control.types import Vector

BaselineName = Literal["localise", "down", "random", "spiral"]
BASELINES: tuple[BaselineName, ...] = ("localise", "down", "random", "spiral")


class SearchConfig(Config):
    """How to search. Numbers without a source are ours."""

    pattern: Literal["down", "random", "spiral"] = Field(description="what to do once the plug stands on something")
    localise: Literal["never", "once", "always"] = Field(
        default="never",
        description="where to go down: over the estimated goal; over the socket as the first picture shows it; over "
        "the socket as each new picture shows it",
    )
    step_m: float = Field(default=0.006, gt=0.0, description="largest motion per step and axis: the action box")
    stride_m: float = Field(
        default=0.002, gt=0.0, description="along the spiral per step: at 3 mm the plug jumps over the hole (measured)"
    )
    press_m: float = Field(
        default=0.0025, gt=0.0, description="motion into the surface while searching; 1 mm presses with 1.6 N"
    )
    touch_n: float = Field(default=2.0, gt=0.0, description="pressing force of a plug that stands on something")
    aligned_m: float = Field(default=0.001, gt=0.0, description="a place is reached within this, sideways; daib.md 5")
    engaged_m: float = Field(
        default=0.0004, gt=0.0, description="this far below where it touched first, the plug is in the mouth"
    )
    positions: int = Field(default=5, ge=1, description="of the random search; daib.md 5")
    patience_steps: int = Field(default=6, ge=1, description="so many steps towards one random position at most")
    radius_m: float = Field(default=0.010, gt=0.0, description="of the disc that is searched; scenario I of daib.md")
    pitch_m: float = Field(
        default=0.0016,
        gt=0.0,
        description="from one turn of the spiral to the next: no more than the plug's play in the mouth, twice its gap "
        "and chamfer",
    )
    turn_rad: float = Field(
        default=math.pi / 3, gt=0.0, lt=math.pi, description="largest turn per step: keeps the innermost turns round"
    )


def baseline(name: BaselineName, *, far: bool) -> SearchConfig:
    """daib.md section 5. far: the start is out of reach of a search, so that it begins at the localised position."""
    if name == "localise":
        return SearchConfig(pattern="down", localise="always")
    return SearchConfig(pattern=name, localise="once" if far else "never")


class SearchPhase(enum.Enum):
    """APPROACH: sideways, above the surface. DESCEND: down until it touches. SEARCH: pressing. INSERT: in the mouth."""

    APPROACH = "approach"
    DESCEND = "descend"
    SEARCH = "search"
    INSERT = "insert"


@dataclass(frozen=True, slots=True, eq=False)
class SearchReading:
    """position_m (3,): of the TCP. press_n: positive when pressed down. socket_m (2,): where a picture shows the
    socket; needed by those who localise, else None."""

    position_m: Vector
    press_n: float
    socket_m: Vector | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SearchState:
    """All that the next step depends on beside the reading.

    offsets_m (n, 2): the random positions about the centre. centre_m (2,): None until it is known. surface_m: height at
    the first touch. progress: position that is being tried, or angle on the spiral (rad). waited: steps towards it.
    """

    phase: SearchPhase
    offsets_m: Vector
    centre_m: Vector | None = None
    surface_m: float = math.inf
    progress: float = 0.0
    waited: int = 0


def begin(config: SearchConfig, generator: np.random.Generator) -> SearchState:
    """The state before the first step. The random positions are uniform in the disc."""
    radius = config.radius_m * np.sqrt(generator.uniform(size=config.positions))
    angle = generator.uniform(0.0, 2.0 * np.pi, config.positions)
    return SearchState(SearchPhase.APPROACH, np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1))


def advance(config: SearchConfig, state: SearchState, reading: SearchReading) -> tuple[SearchState, Vector]:
    """One step: the state after it and the motion (3,) in metres, each entry within +-step_m.

    Raises ValueError where the socket is to be localised and the reading does not tell it.
    """
    state = _looked(config, state, reading)
    state = _moved_on(config, state, reading)
    here, centre = reading.position_m[:2], state.centre_m
    assert centre is not None
    if state.phase is SearchPhase.APPROACH:
        return state, _motion(config, centre - here, 0.0)
    if state.phase is SearchPhase.DESCEND:
        return state, _motion(config, centre - here, -config.step_m)
    if state.phase is SearchPhase.INSERT or config.pattern == "down":
        return state, _motion(config, np.zeros(2), -config.step_m)
    state, offset = _next_place(config, state, here - centre)
    return state, _motion(config, centre + offset - here, -config.press_m)


def spiral_point(config: SearchConfig, angle_rad: float) -> Vector:
    """(2,): Archimedes' r = pitch * angle / 2 pi, no further out than the disc."""
    radius = min(config.pitch_m * angle_rad / (2.0 * math.pi), config.radius_m)
    return radius * np.array((math.cos(angle_rad), math.sin(angle_rad)))


def spiral_advanced(config: SearchConfig, angle_rad: float) -> float:
    """The angle one step on: stride_m of arc, or turn_rad where that is less."""
    growth = config.pitch_m / (2.0 * math.pi)
    radius = min(growth * angle_rad, config.radius_m)
    return angle_rad + min(config.stride_m / math.hypot(radius, growth), config.turn_rad)


class Search:
    """A search as a controller: it keeps the state, and speaks in actions.

    authority_m: the motion of action 1, per axis (``ResidualConfig.authority_m`` of a task without a base controller).
    """

    def __init__(self, config: SearchConfig, authority_m: tuple[float, float, float]) -> None:
        step_m = min(config.step_m, *authority_m)
        self.config = config.model_copy(update={"step_m": step_m, "press_m": min(config.press_m, step_m)})
        self._authority_m = np.array(authority_m)
        self.begin(0)

    def begin(self, seed: int) -> None:
        """A new episode; its random positions follow from ``seed``."""
        self.state = begin(self.config, np.random.default_rng(seed))

    @property
    def needs_socket(self) -> bool:
        """Whether the next reading must tell where the picture shows the socket."""
        if self.state.phase is not SearchPhase.APPROACH or self.config.localise == "never":
            return False
        return self.config.localise == "always" or self.state.centre_m is None

    def act(self, reading: SearchReading) -> NDArray[np.float32]:
        """(3,) in [-1, 1]. Raises ValueError as ``advance`` does."""
        self.state, motion = advance(self.config, self.state, reading)
        action: NDArray[np.float32] = (motion / self._authority_m).astype(np.float32)
        return action


def _looked(config: SearchConfig, state: SearchState, reading: SearchReading) -> SearchState:
    """Where to go down, as far as it is known."""
    if state.phase is not SearchPhase.APPROACH:
        return state
    if config.localise == "never":
        return replace(state, centre_m=np.zeros(2))
    if config.localise == "once" and state.centre_m is not None:
        return state
    if reading.socket_m is None:
        raise ValueError("the socket is to be localised: hand in its position as a picture shows it")
    return replace(state, centre_m=np.asarray(reading.socket_m, np.float64))


def _moved_on(config: SearchConfig, state: SearchState, reading: SearchReading) -> SearchState:
    """The phase that this reading begins."""
    assert state.centre_m is not None
    height_m, off_m = float(reading.position_m[2]), reading.position_m[:2] - state.centre_m
    if state.phase is SearchPhase.APPROACH and float(np.hypot(*off_m)) <= config.aligned_m:
        state = replace(state, phase=SearchPhase.DESCEND)
    if state.phase is SearchPhase.DESCEND and reading.press_n >= config.touch_n:
        state = replace(state, phase=SearchPhase.SEARCH, surface_m=height_m)
    if state.phase is SearchPhase.SEARCH and height_m < state.surface_m - config.engaged_m:
        state = replace(state, phase=SearchPhase.INSERT)
    return state


def _next_place(config: SearchConfig, state: SearchState, offset_m: Vector) -> tuple[SearchState, Vector]:
    """Where to press next (2,), relative to the centre. offset_m (2,): where the TCP is."""
    if config.pattern == "spiral":
        angle = spiral_advanced(config, state.progress)
        return replace(state, progress=angle), spiral_point(config, angle)
    tried = int(state.progress)
    reached = float(np.hypot(*(state.offsets_m[tried] - offset_m))) <= config.aligned_m
    if (reached or state.waited >= config.patience_steps) and tried + 1 < config.positions:
        state, tried = replace(state, progress=float(tried + 1), waited=0), tried + 1
    return replace(state, waited=state.waited + 1), state.offsets_m[tried]


def _motion(config: SearchConfig, sideways_m: Vector, down_m: float) -> Vector:
    """Sideways along a straight line as far as a step reaches."""
    longest = float(np.abs(sideways_m).max())
    scale = 1.0 if longest <= config.step_m else config.step_m / longest
    return np.array((*(scale * sideways_m), down_m))
