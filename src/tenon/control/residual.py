"""Residual control: a learned, bounded correction added to a hand-written controller's command.

Source: Johannink et al., 2019, eq. (45), u = clip(pi_H + k a), and the guards of the released connector insertion code
(Schoettler et al., 2020). The learner's action is the residual alone, so all that stands in the configuration here is
part of the learner's world: ``version`` names it, and a policy is good only under the version it was trained with.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from tenon.configuration.base import Config
from tenon.control.p_controller import PController, PControllerConfig
from tenon.control.types import Vector

Triple = tuple[float, float, float]


class BoxConfig(Config):
    """Where the commanded TCP may be, relative to the estimated goal, in axes of the base."""

    lower_m: Triple = (-0.05, -0.05, -0.01)
    upper_m: Triple = (0.05, 0.05, 0.20)

    @model_validator(mode="after")
    def _is_not_empty(self) -> BoxConfig:
        if any(low >= high for low, high in zip(self.lower_m, self.upper_m, strict=True)):
            raise ValueError(f"lower_m {self.lower_m} must be below upper_m {self.upper_m} on each axis")
        return self


class ForceGuardConfig(Config):
    """While the tool is pressed harder than force_n, the command is a step of retreat_m upwards instead."""

    force_n: PositiveFloat = 10.0
    retreat_m: PositiveFloat = 0.001


class FenceConfig(Config):
    """Outside radius_m around the goal, or outside the heights, the command leads back to the goal instead."""

    radius_m: PositiveFloat = 0.05
    lower_m: float = -0.05
    upper_m: float = 0.20
    gain: PositiveFloat = 0.5
    step_limit_m: PositiveFloat = 0.01


class ResidualConfig(Config):
    """base: the hand-written controller; None for none, where the action alone is the command (pure RL, a baseline).

    authority_m: k, the displacement of action 1, per axis. step_limit_m: bound of the sum per axis.
    force_guard, fence: off where they are left out.
    """

    base: PControllerConfig | None = PControllerConfig()
    authority_m: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.001, 0.001, 0.001)
    step_limit_m: PositiveFloat = 0.011
    box: BoxConfig = BoxConfig()
    force_guard: ForceGuardConfig | None = None
    fence: FenceConfig | None = Field(default_factory=FenceConfig)

    def alone(self, step_m: float | None = None) -> ResidualConfig:
        """The same task without the hand-written part: the action alone is the step, of up to ``step_m``.

        None for the step_limit_m that it has, and for no change where there is no such part.
        """
        if step_m is None and self.base is None:
            return self
        step_m = self.step_limit_m if step_m is None else step_m
        return self.model_copy(update={"base": None, "authority_m": (step_m,) * 3, "step_limit_m": step_m})

    @property
    def version(self) -> str:
        """16 hex digits that change with any value of this configuration."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class ResidualCommand:
    """One step's command and how it came about, for the log. All (3,).

    target_m: x_d, where the TCP shall go. base_m: u_H. action: a, as applied, in [-1, 1]. step_m: u, after all clips.
    saturated: the sum was clipped, so ``action`` is not what the arm did. guard: "", "force" or "fence".
    """

    target_m: Vector
    base_m: Vector
    action: Vector
    step_m: Vector
    saturated: bool
    guard: str


TOLERANCE_M = 1e-6
"""A command that an action leads to within this was not clipped on the way."""
TOLERANCE_RAD = 0.03
"""An arm that is asked to stay as it is keeps what its own control left of an angle; beyond this it was turned."""


def within_reach(command: ResidualCommand, before_m: Vector | None, reach_m: float) -> ResidualCommand:
    """The command with a target no further than reach_m from the one before it, (3,); None: it is the first.

    An arm lags behind its target, and each step is taken from where the arm is: one that turns round (a policy that
    learnt from little, the way back from the fence) asks for more than any single step, and the set point would jump.
    A target that the arm is further from is not the one that it follows (a person drove meanwhile): it bounds nothing.
    """
    position_m = command.target_m - command.step_m
    if before_m is None or np.linalg.norm(position_m - before_m) > reach_m:
        return command
    way_m = command.target_m - before_m
    length_m = float(np.linalg.norm(way_m))
    if length_m <= reach_m:
        return command
    target = before_m + way_m * (reach_m / length_m)
    return replace(command, target_m=target, step_m=target - position_m, saturated=True)


class ResidualController:
    """u = clip(pi_H(x) + k a); x_d = clip(x + u, box around the goal)."""

    def __init__(self, config: ResidualConfig) -> None:
        self.config = config
        self._base = None if config.base is None else PController(config.base)
        self._authority = np.array(config.authority_m)
        self._lower, self._upper = np.array(config.box.lower_m), np.array(config.box.upper_m)

    def command(self, position_m: Vector, goal_m: Vector, action: Vector, *, press_n: float = 0.0) -> ResidualCommand:
        """position_m, goal_m: TCP and estimated goal (3,), in the base. action: residual (3,), clipped to [-1, 1].

        press_n: force on the tool along the base's +z, tare subtracted (positive when pressed down on something).
        Raises ValueError for an action that is not finite or has another shape.
        """
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (3,) or not np.isfinite(action).all():
            raise ValueError(f"a residual action is 3 finite numbers in [-1, 1], got {action.tolist()}")
        action = np.clip(action, -1.0, 1.0)
        base = np.zeros(3) if self._base is None else self._base.step(position_m, goal_m)
        wanted = base + self._authority * action
        limited = np.clip(wanted, -self.config.step_limit_m, self.config.step_limit_m)
        step, guard = self._guarded(limited, position_m - goal_m, press_n)
        target = np.clip(position_m + step, goal_m + self._lower, goal_m + self._upper)
        saturated = not guard and not np.array_equal(target, position_m + wanted)
        return ResidualCommand(target, base, action, target - position_m, saturated, guard)

    def explain(
        self, position_m: Vector, goal_m: Vector, target_m: Vector, *, turned_rad: float = 0.0, press_n: float = 0.0
    ) -> ResidualCommand:
        """What it means in terms of actions that the TCP was sent to target_m (3,), whoever sent it.

        The action is the one whose command comes nearest. saturated: none leads there, so it is not what the arm did.
        turned_rad: by how much the TCP was sent out of the goal's orientation, which every action asks for.
        Raises ValueError for a target that is not finite.
        """
        if not np.isfinite(target_m).all():
            raise ValueError(f"a target is 3 finite numbers, got {target_m.tolist()}")
        base = np.zeros(3) if self._base is None else self._base.step(position_m, goal_m)
        action = np.clip((target_m - position_m - base) / self._authority, -1.0, 1.0)
        nearest = self.command(position_m, goal_m, action, press_n=press_n)
        reached = np.allclose(nearest.target_m, target_m, rtol=0.0, atol=TOLERANCE_M) and turned_rad <= TOLERANCE_RAD
        saturated = not reached
        return ResidualCommand(target_m, base, action, target_m - position_m, saturated, nearest.guard)

    def _guarded(self, step: Vector, offset_m: Vector, press_n: float) -> tuple[Vector, str]:
        guard, fence = self.config.force_guard, self.config.fence
        if guard is not None and press_n >= guard.force_n:
            return np.array((0.0, 0.0, guard.retreat_m)), "force"
        if fence is not None and not _inside(fence, offset_m):
            return np.clip(-fence.gain * offset_m, -fence.step_limit_m, fence.step_limit_m), "fence"
        return step, ""


def _inside(fence: FenceConfig, offset_m: Vector) -> bool:
    radius = float(np.hypot(offset_m[0], offset_m[1]))
    return radius < fence.radius_m and fence.lower_m <= offset_m[2] <= fence.upper_m
