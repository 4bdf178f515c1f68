"""The scripted strategy that fills the data of many connectors: insert, with noise, and go on after success.

Source: daib.md 2.6. Within 1 mm of the socket's axis it moves down, else towards the axis, and with probability 0.2 an
action is noise. An episode of 20 steps shall hold both classes, and negatives that look like successes, so the script
also makes detours (presses beside the hole, hovers over it, stops half way in) and pulls the plug out again.

And it goes astray: a script that knows the way is low only where the socket is. What learns from that takes a low plug
for one that is there already, presses where it erred, and never saw how to come away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from tenon.configuration import Config
from tenon.control.types import Vector
from tenon.data.transitions import FloatArray, Observation
from tenon.environments.insertion import InsertionEnv

Detour = Literal["beside", "hover", "partial"]
DETOURS: tuple[Detour, ...] = ("beside", "hover", "partial")
Range = tuple[float, float]
FAR_M = 1.0
"""Further than any action reaches: what an aim without a bottom asks for."""


class JobScriptConfig(Config):
    """Numbers without a source are ours. Depths count from the socket's mouth, positive inside."""

    noise_probability: float = Field(default=0.2, ge=0.0, le=1.0, description="of an action that is noise; daib.md 2.6")
    noise: float = Field(default=0.6, gt=0.0, le=1.0, description="half width of such an action, uniform per entry")
    gain: float = Field(default=1.3, gt=0.0, description="of the way to go; the compliant arm does 0.6 of a command")
    aligned_m: float = Field(
        default=0.0008, gt=0.0, description="it goes down within this of the axis; 1 mm in daib.md 2.6, wider gaps"
    )
    progress_m: float = Field(default=0.0003, gt=0.0, description="deeper by less per step, the plug is stuck")
    settled_m: float = Field(default=0.001, gt=0.0, description="a height is reached within this")
    travel_m: Range = Field(default=(0.002, 0.005), description="it moves sideways at these heights over the mouth")
    detour_probability: float = Field(default=0.3, ge=0.0, le=1.0, description="of a detour before an insertion")
    detour_steps: tuple[int, int] = Field(default=(1, 3), description="it stays there, both included")
    beside_m: Range = Field(
        default=(0.0015, 0.008), description="distance from the axis when it presses beside the hole"
    )
    hover_m: Range = Field(default=(0.0005, 0.006), description="height over the mouth when it hovers")
    hover_off_m: float = Field(default=0.003, ge=0.0, description="distance from the axis when it hovers, at most")
    astray_probability: float = Field(
        default=0.5, ge=0.0, le=1.0, description="of heading for a wrong place first, in an episode that begins free"
    )
    astray_m: Range = Field(default=(0.002, 0.015), description="distance of that place from the axis")
    astray_hover_m: Range = Field(
        default=(0.0005, 0.012), description="height over the mouth where it goes to in half of these; else it presses"
    )
    astray_steps: tuple[int, int] = Field(default=(3, 9), description="after so many steps it turns, if not there")
    partial: Range = Field(default=(0.1, 0.95), description="share of the depth that would be success, half way in")
    withdraw: Range = Field(default=(0.1, 1.1), description="share of the depth that it pulls the plug out")
    home_steps: tuple[int, int] = Field(default=(2, 8), description="after success it stays at least so long, included")
    positives: Range = Field(
        default=(0.6, 0.9), description="share of the episode's steps that shall be successes before the plug comes out"
    )
    patience_steps: int = Field(
        default=4, ge=1, description="that it presses on the rim before it lifts off, or is late at a detour"
    )


@dataclass(frozen=True, slots=True)
class _Aim:
    """A place to go to. offset_m: from the socket's axis (x, y). depth_m: where to stop going down. stay: steps there.

    until_success: it stays until the plug is in. patience: steps until it gives up being late, None: as configured.
    """

    offset_m: tuple[float, float]
    depth_m: float
    stay: int
    until_success: bool = False
    patience: int | None = None


class JobScript:
    """One episode: it sees the truth that a person gave by placing the arm by hand, so it knows the socket's place."""

    def __init__(self, env: InsertionEnv, config: JobScriptConfig, rng: np.random.Generator) -> None:
        self._env, self._config, self._rng = env, config, rng
        self._authority_m = np.array(env.controller.config.authority_m)
        self._goal_m = env.simulation.goal_in_base.position_m
        self._success_depth_m = env.connector.depth_m - env.task.success_tolerance_m
        self._wanted_share = float(rng.uniform(*config.positives))
        self._positives = self._steps = 0
        self._depth_m = -np.inf
        self._detoured = False
        self._aim_at(self._first_aim())

    def act(self, observation: Observation) -> FloatArray:
        """The next action, in [-1, 1]. The observation itself is not needed."""
        del observation
        self._look()
        if self._rng.uniform() < self._config.noise_probability:
            return self._rng.uniform(-self._config.noise, self._config.noise, 3).astype(np.float32)
        wanted = self._config.gain * self._wanted_m() / self._authority_m
        action: FloatArray = np.clip(wanted, -1.0, 1.0).astype(np.float32)
        return action

    def _look(self) -> None:
        """Counts the class of the present picture and sets the next aim when this one is done."""
        inserted, depth_m = self._env.simulation.electrical(), self._env.simulation.depth_m
        is_stuck = self._touches() and depth_m - self._depth_m < self._config.progress_m
        self._depth_m = depth_m
        self._positives += inserted
        self._steps += 1
        if not self._aim.until_success:
            self._waited += 1
            self._stayed += self._arrived()
            patience = self._config.patience_steps if self._aim.patience is None else self._aim.patience
            if self._stayed > self._aim.stay or self._waited > patience + self._aim.stay:
                self._aim_at(self._next_aim())
        elif inserted:
            self._stayed += 1
            if self._stayed > self._aim.stay and self._positives >= self._wanted_share * self._steps:
                self._aim_at(self._withdrawal())
        else:
            self._waited += is_stuck
            if self._waited > self._config.patience_steps:
                self._aim_at(_Aim((0.0, 0.0), -self._config.travel_m[0], 0))

    def _aim_at(self, aim: _Aim) -> None:
        self._aim, self._stayed, self._waited = aim, 0, 0

    def _first_aim(self) -> _Aim:
        """A wrong place now and then, unless the plug is in already; else the next aim."""
        config, rng = self._config, self._rng
        if self._touches() or rng.uniform() >= config.astray_probability:
            return self._next_aim()
        depth_m = np.inf if rng.uniform() < 0.5 else -rng.uniform(*config.astray_hover_m)
        return _Aim(
            self._around(rng.uniform(*config.astray_m)), depth_m, 0, patience=self._between(config.astray_steps)
        )

    def _next_aim(self) -> _Aim:
        """A detour now and then, never two in a row; else the socket."""
        self._detoured = not self._detoured and self._rng.uniform() < self._config.detour_probability
        if self._detoured:
            return self._detour(DETOURS[self._rng.integers(len(DETOURS))])
        return _Aim((0.0, 0.0), np.inf, self._between(self._config.home_steps), until_success=True)

    def _detour(self, kind: Detour) -> _Aim:
        config, rng = self._config, self._rng
        stay = self._between(config.detour_steps)
        if kind == "beside":
            return _Aim(self._around(rng.uniform(*config.beside_m)), np.inf, stay)
        if kind == "hover":
            return _Aim(self._around(rng.uniform(0.0, config.hover_off_m)), -rng.uniform(*config.hover_m), stay)
        return _Aim((0.0, 0.0), rng.uniform(*config.partial) * self._success_depth_m, stay)

    def _withdrawal(self) -> _Aim:
        """Straight up by a share of the depth: out of the hole, or not quite."""
        share = self._rng.uniform(*self._config.withdraw)
        return _Aim((0.0, 0.0), (1.0 - share) * self._success_depth_m, 0)

    def _between(self, bounds: tuple[int, int]) -> int:
        """Both included."""
        return int(self._rng.integers(bounds[0], bounds[1] + 1))

    def _around(self, distance_m: float) -> tuple[float, float]:
        angle = self._rng.uniform(0.0, 2.0 * np.pi)
        return float(distance_m * np.cos(angle)), float(distance_m * np.sin(angle))

    def _wanted_m(self) -> Vector:
        """The way (3,) to the aim that is to be gone now."""
        sideways, depth_m = self._sideways_m(), self._env.simulation.depth_m
        inside = depth_m > self._config.settled_m and self._aim.offset_m == (0.0, 0.0)
        if inside or np.hypot(*sideways) < self._config.aligned_m:
            return np.array((*sideways, np.clip(depth_m - self._aim.depth_m, -FAR_M, FAR_M)))
        # Towards the axis, as in the specification, at a height between the two.
        return np.array((*sideways, np.clip(-depth_m, *self._config.travel_m) + depth_m))

    def _arrived(self) -> bool:
        """At the aim sideways, and as deep as it asks for, or pressing."""
        if np.hypot(*self._sideways_m()) >= self._config.aligned_m:
            return False
        if self._aim.depth_m == np.inf:
            return self._touches()
        return bool(abs(self._env.simulation.depth_m - self._aim.depth_m) < self._config.settled_m)

    def _touches(self) -> bool:
        """Where plug and mouth or panel may touch."""
        return bool(self._env.simulation.depth_m > -self._config.settled_m)

    def _sideways_m(self) -> Vector:
        """(2,): from the TCP to the aim."""
        here = self._env.simulation.tcp_in_base().position_m
        way: Vector = self._goal_m[:2] + np.array(self._aim.offset_m) - here[:2]
        return way
