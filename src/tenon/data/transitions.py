"""The values that learning is made of: observations and transitions, and the sizes that they must have.

Without torch, so that the nodes that only carry them start quickly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration import Config

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]

# A float32 that went over the wire as a clipped action may stand one rounding outside the box.
_ACTION_TOLERANCE = 1e-5
POSITION_SIZE = 3
_REWARD_LIMIT = float(np.finfo(np.float32).max)


class TransitionError(ValueError):
    """A transition that the learner cannot use. The message says what was seen and what is allowed."""


class ImageSpec(Config):
    """Sizes of an image of uint8, in pixels: arrays are (height, width, channels)."""

    height: int = Field(gt=0)
    width: int = Field(gt=0)
    channels: int = Field(gt=0)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    @property
    def bytes(self) -> int:
        return self.height * self.width * self.channels


class GoalSpec(Config):
    """The goal of a goal-conditioned task: the last ``size`` entries of its state are the desired goal.

    Sources: demos-her.md, eq. (20) to (22).
    """

    size: int = Field(gt=0, description="entries of a goal")
    parts: int = Field(
        default=1, gt=0, description="a goal is so many equal vectors, each compared on its own (stacked blocks)"
    )
    tolerance: float = Field(
        gt=0.0, description="a part is reached when its Euclidean distance is below this, in the unit of the goal"
    )
    reward: Literal["miss_penalty", "all_reached", "per_part"] = Field(
        description="miss_penalty: 0 when all parts are reached, else -1, eq. (20). all_reached: 1, else 0, eq. (21). "
        "per_part: -1 plus the number of parts that are reached, eq. (22)"
    )

    def model_post_init(self, context: Any, /) -> None:
        if self.size % self.parts:
            raise ValueError(f"a goal of size {self.size} cannot be {self.parts} equal parts")

    @property
    def reward_bounds(self) -> tuple[float, float]:
        """The least and the greatest reward of a step; values lie between these, each divided by 1 - discount."""
        if self.reward == "per_part":
            return -1.0, self.parts - 1.0
        return (-1.0, 0.0) if self.reward == "miss_penalty" else (0.0, 1.0)


class ObservationSpec(Config):
    """What an observation holds.

    state_size: entries of the state vector.
    image: sizes of the camera image; None where the task uses none.
    state_scale: what counts as one unit of each entry, in that entry's unit (0.001 for a position error that matters
        in millimetres): networks see state / state_scale, data are stored as measured. None: 1 throughout.
    goal: what the state's last entries ask for; None where the task has no goals.
    """

    state_size: int = Field(gt=0)
    image: ImageSpec | None = None
    state_scale: tuple[float, ...] | None = None
    goal: GoalSpec | None = None

    def model_post_init(self, context: Any, /) -> None:
        if self.goal is not None and self.goal.size > self.state_size:
            raise ValueError(f"a goal of size {self.goal.size} cannot be a part of a state of size {self.state_size}")
        scale = self.state_scale
        if scale is not None and (len(scale) != self.state_size or min(scale) <= 0.0):
            raise ValueError(f"state_scale is {scale}: {self.state_size} positive numbers are needed")


class EnvironmentSpec(Config):
    """What a learner must know of a task: its observation, and the entries of an action in [-1, 1]."""

    observation: ObservationSpec
    action_size: int = Field(gt=0)


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """state (S,) of float32; image (height, width, channels) of uint8, or None.

    achieved_goal: (goal.size,) of float32, what has been reached, in the form of the desired goal; None where the task
    has no goals, or where nobody learns from this observation.
    """

    state: FloatArray
    image: ImageArray | None = None
    achieved_goal: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Transition:
    """One step of an episode: (s, a, r, s').

    action is what the learner chose, in [-1, 1] (the residual, not the sum that was commanded). terminated: the task
    ended, nothing follows. truncated: time ran out, values continue. saturated: the command was clipped after the sum.
    human: a person drove; action is what they did in the learner's terms, the nearest one where saturated.
    reward_logit, reward_version: output and version of the classifier that paid, so that another one can pay old data
    anew; NaN and empty for a formula. next_tcp_in_base_m: (3,) of float32, where the arm says its TCP was at the next
    observation; None where nobody says it. States tell the way to a goal that each episode may show elsewhere.
    """

    session: str
    episode: int
    step: int
    observation: Observation
    action: FloatArray
    reward: float
    next_observation: Observation
    terminated: bool
    truncated: bool
    success: bool = False
    saturated: bool = False
    policy_version: int = 0
    human: bool = False
    stamp_ns: int = 0
    reward_logit: float = math.nan
    reward_version: str = ""
    next_tcp_in_base_m: FloatArray | None = None

    @property
    def ended(self) -> bool:
        return self.terminated or self.truncated


def check_transition(transition: Transition, spec: EnvironmentSpec) -> None:
    """Raises TransitionError unless sizes are those of ``spec``, numbers are finite and the action is in its box."""
    where = f"session {transition.session!r}, episode {transition.episode}, step {transition.step}"
    if transition.episode < 0 or transition.step < 0:
        raise TransitionError(f"{where}: episode and step count from 0")
    check_observation(transition.observation, spec.observation, f"{where}: observation")
    check_observation(transition.next_observation, spec.observation, f"{where}: next observation")
    if spec.observation.goal is not None and transition.next_observation.achieved_goal is None:
        raise TransitionError(
            f"{where}: next observation: holds no achieved goal, ({spec.observation.goal.size},) is needed: the task's "
            f"rewards are those of reaching a goal"
        )
    _check_vector(transition.action, spec.action_size, f"{where}: action")
    if np.abs(transition.action).max() > 1.0 + _ACTION_TOLERANCE:
        raise TransitionError(f"{where}: action is {transition.action}: every entry must be in [-1, 1]")
    if transition.next_tcp_in_base_m is not None:
        _check_vector(transition.next_tcp_in_base_m, POSITION_SIZE, f"{where}: next_tcp_in_base_m")
    if not abs(transition.reward) <= _REWARD_LIMIT:
        raise TransitionError(f"{where}: reward is {transition.reward}: a finite number of 32 bits is needed")
    if spec.observation.goal is not None:
        _check_goal_reward(transition.reward, spec.observation.goal, where)


def check_observation(observation: Observation, spec: ObservationSpec, where: str) -> None:
    """Raises TransitionError unless ``observation`` has the sizes of ``spec`` and only finite numbers.

    The achieved goal may be missing: nobody needs it to act.
    """
    _check_vector(observation.state, spec.state_size, f"{where}: state")
    if observation.achieved_goal is not None:
        if spec.goal is None:
            raise TransitionError(f"{where}: holds an achieved goal, but the task has none: remove it or configure one")
        _check_vector(observation.achieved_goal, spec.goal.size, f"{where}: achieved goal")
    if spec.image is None:
        if observation.image is not None:
            raise TransitionError(f"{where}: holds an image, but the task uses none: remove it or configure one")
        return
    if observation.image is None:
        raise TransitionError(f"{where}: holds no image, {spec.image.shape} of uint8 is needed")
    if observation.image.shape != spec.image.shape or observation.image.dtype != np.uint8:
        seen = f"{observation.image.shape} of {observation.image.dtype}"
        raise TransitionError(f"{where}: image is {seen}, {spec.image.shape} of uint8 is needed")


def _check_goal_reward(reward: float, goal: GoalSpec, where: str) -> None:
    """One batch holds what was paid and what a relabelled goal pays, and values are clamped to what goals can pay."""
    least, most = goal.reward_bounds
    if not least <= reward <= most:
        raise TransitionError(
            f"{where}: reward is {reward:g}: reaching the task's goals ({goal.reward}) pays from {least:g} to {most:g} "
            f"a step: pay the data anew by that, or record them as a task with another reward"
        )


def _check_vector(values: FloatArray, size: int, where: str) -> None:
    if values.shape != (size,):
        raise TransitionError(f"{where} has shape {values.shape}, ({size},) is needed")
    if not np.isfinite(values).all():
        raise TransitionError(f"{where} is {values}: every entry must be finite")
