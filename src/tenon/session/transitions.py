"""Transitions (s, a, r, s', terminated, truncated) from streams that arrive in any order.

Everything is keyed by episode and by the stamp of the observation that it answers. A transition is complete when the
observation, its action, the next observation and the reward of that next observation are all there. Nothing is dropped
silently: what does not come in time is an AssemblyError that names the node to look at; what comes after the end of an
episode is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tenon.control.types import Vector

LATE_PERIODS = 1.5
"""Two observations further apart than this many control periods: another one may still be on its way."""
GAP_PERIODS = 3.0
"""An observation that is still missing when session time is so many control periods past the next one was dropped: they
come in order. To wait on would let the policy act on past the episode's horizon."""


class AssemblyError(RuntimeError):
    """A stream that did not deliver. The message names what is missing and the node to look at."""


@dataclass(frozen=True, slots=True, eq=False)
class ObservationSample:
    """An observation of a running episode. payload: what the caller wants back with the transition (the message).

    connected: the stand's own detector says that the connection is made, whatever the reward says; None without one.
    """

    episode: int
    stamp_ns: int
    state: Vector
    payload: Any = None
    connected: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ActionSample:
    """The residual that answers the observation of this stamp. saturated: the sum with the controller was clipped.

    human: a person drove in this step.
    """

    episode: int
    stamp_ns: int
    action: Vector
    saturated: bool
    policy_version: int
    human: bool = False


@dataclass(frozen=True, slots=True)
class RewardSample:
    """The reward of the observation of this stamp, and whether the task is solved in it.

    logit, version: of the classifier that says so; NaN and empty for a formula.
    """

    episode: int
    stamp_ns: int
    reward: float
    success: bool
    logit: float = math.nan
    version: str = ""


@dataclass(frozen=True, slots=True)
class EndRule:
    """When an episode ends. horizon_steps: truncation. success_ticks: termination once success has held for so many
    steps in a row; None: the episode runs on to its horizon (training, insertion.md pitfall 3)."""

    horizon_steps: int
    success_ticks: int | None


@dataclass(frozen=True, slots=True, eq=False)
class AssembledTransition:
    """One step, from 0. late: more than 1.5 control periods lie between the two observations."""

    episode: int
    step: int
    observation: ObservationSample
    next_observation: ObservationSample
    action: ActionSample
    reward: RewardSample
    terminated: bool
    truncated: bool
    late: bool


@dataclass(slots=True)
class AssemblyCounters:
    """late: transitions across a gap. surplus: samples after the end of their episode, or of another episode."""

    transitions: int = 0
    late: int = 0
    surplus: int = 0


class TransitionAssembler:
    """Assembles one episode at a time. Feed samples in, then call ``take``."""

    def __init__(self, *, control_period_ns: int, timeout_ns: int) -> None:
        """timeout_ns: session time within which all that belongs to an observation must have come."""
        self._period_ns = control_period_ns
        self._timeout_ns = timeout_ns
        self.counters = AssemblyCounters()
        self._episode = 0
        self._clear(0, None)

    @property
    def running(self) -> bool:
        """Whether an episode is being assembled."""
        return self._rule is not None

    def begin(self, episode: int, rule: EndRule, started_ns: int) -> None:
        """Starts an episode. started_ns: stamp of the SessionState that says RUNNING; no observation is older.

        An episode's number must not come back: what is late from an old episode is told apart by it.
        """
        self.end()
        self._episode = episode
        self._clear(started_ns, rule)

    def finish(self) -> None:
        """The next step is the last: what comes after it is not looked at, so it is a truncation."""
        self._finishes = True

    def end(self) -> None:
        """Ends the episode before its rule does (stop, fault). What was not used is counted as surplus."""
        streams: tuple[Iterable[int], ...] = (self._observations, self._actions, self._rewards)
        self.counters.surplus += sum(stamp_ns > self._anchor_ns for stream in streams for stamp_ns in stream)
        self._clear(0, None)

    def on_observation(self, sample: ObservationSample) -> None:
        if self._is_wanted(sample.episode, sample.stamp_ns):
            self._observations[sample.stamp_ns] = sample

    def on_action(self, sample: ActionSample) -> None:
        if self._is_wanted(sample.episode, sample.stamp_ns):
            self._actions[sample.stamp_ns] = sample

    def on_reward(self, sample: RewardSample) -> None:
        if self._is_wanted(sample.episode, sample.stamp_ns):
            self._rewards[sample.stamp_ns] = sample

    def take(self, now_ns: int) -> list[AssembledTransition]:
        """The transitions that are complete, in order. Raises AssemblyError for what has not come in time.

        What is complete before a gap is returned first; the error comes with the next call.
        """
        taken: list[AssembledTransition] = []
        while self._rule is not None:
            if self._current is None:
                self._find_first(now_ns)
            transition = self._next(self._current, now_ns) if self._current else None
            if transition is None:
                break
            taken.append(transition)
        if not taken and self._rule is not None:
            self._check_overdue(now_ns)
        return taken

    def _clear(self, started_ns: int, rule: EndRule | None) -> None:
        self._rule = rule
        self._finishes = False
        self._anchor_ns = started_ns
        self._current: ObservationSample | None = None
        self._step = 0
        self._held = 0
        self._observations: dict[int, ObservationSample] = {}
        self._actions: dict[int, ActionSample] = {}
        self._rewards: dict[int, RewardSample] = {}

    def _is_wanted(self, episode: int, stamp_ns: int) -> bool:
        if self._rule is not None and episode == self._episode and stamp_ns >= self._anchor_ns:
            return True
        self.counters.surplus += 1
        return False

    def _find_first(self, now_ns: int) -> None:
        first_ns = min(self._observations, default=None)
        if first_ns is not None and self._follows(first_ns, self._period_ns, now_ns):
            self._current = self._observations[first_ns]
            self._forget_before(first_ns)

    def _follows(self, next_ns: int, gap_ns: int, now_ns: int) -> bool:
        """Whether no observation between the last one and this can still come: it is near, or time is up."""
        if next_ns - self._anchor_ns <= gap_ns:
            return True
        patience_ns = min(round(GAP_PERIODS * self._period_ns), self._timeout_ns)
        return now_ns - next_ns > patience_ns and not self._strays(next_ns)

    def _strays(self, before_ns: int) -> list[int]:
        """Stamps since the last observation for which an action or a reward came, but no observation."""
        answered = self._actions.keys() | self._rewards.keys()
        return sorted(stamp_ns for stamp_ns in answered if self._anchor_ns < stamp_ns < before_ns)

    def _following(self) -> int | None:
        return min((stamp_ns for stamp_ns in self._observations if stamp_ns > self._anchor_ns), default=None)

    def _next(self, current: ObservationSample, now_ns: int) -> AssembledTransition | None:
        next_ns = self._following()
        if next_ns is None or not self._follows(next_ns, self._gap_ns, now_ns):
            return None
        action, reward = self._actions.get(current.stamp_ns), self._rewards.get(next_ns)
        if action is None or reward is None:
            return None
        return self._complete(current, action, reward, self._observations[next_ns])

    @property
    def _gap_ns(self) -> int:
        return round(LATE_PERIODS * self._period_ns)

    def _complete(
        self, current: ObservationSample, action: ActionSample, reward: RewardSample, following: ObservationSample
    ) -> AssembledTransition:
        assert self._rule is not None  # take has seen to it
        self._held = self._held + 1 if reward.success else 0
        terminated = self._rule.success_ticks is not None and self._held >= self._rule.success_ticks
        transition = AssembledTransition(
            episode=self._episode,
            step=self._step,
            observation=current,
            next_observation=following,
            action=action,
            reward=reward,
            terminated=terminated,
            truncated=not terminated and (self._finishes or self._step + 1 >= self._rule.horizon_steps),
            late=following.stamp_ns - current.stamp_ns > self._gap_ns,
        )
        self.counters.transitions += 1
        self.counters.late += transition.late
        self._step += 1
        self._current = following
        self._forget_before(following.stamp_ns)
        if transition.terminated or transition.truncated:
            self.end()
        return transition

    def _forget_before(self, stamp_ns: int) -> None:
        self._anchor_ns = stamp_ns
        self._observations = {key: value for key, value in self._observations.items() if key >= stamp_ns}
        self._actions = {key: value for key, value in self._actions.items() if key >= stamp_ns}
        self._rewards = {key: value for key, value in self._rewards.items() if key >= stamp_ns}

    def _check_overdue(self, now_ns: int) -> None:
        """Names what holds the next transition up, once it is late."""
        next_ns = self._following() if self._current else min(self._observations, default=None)
        strays = self._strays(now_ns if next_ns is None else next_ns)
        if strays:
            self._raise_if_late("no observation, but answers to one,", strays[0], now_ns, "observation_node")
        if next_ns is None:
            self._raise_if_late("no observation after the one", self._anchor_ns, now_ns, "observation_node")
            return
        if self._current and self._current.stamp_ns not in self._actions:
            sender = "policy_node and residual_controller"
            self._raise_if_late("no action for the observation", self._current.stamp_ns, now_ns, sender)
        if self._current and next_ns not in self._rewards:
            self._raise_if_late("no reward for the observation", next_ns, now_ns, "reward_node")

    def _raise_if_late(self, what: str, stamp_ns: int, now_ns: int, node: str) -> None:
        late_ns = now_ns - stamp_ns
        if late_ns > self._timeout_ns:
            raise AssemblyError(
                f"episode {self._episode}, step {self._step}: {what} of {stamp_ns} ns has come within "
                f"{late_ns / 1e6:.0f} ms, allowed are {self._timeout_ns / 1e6:.0f} ms: look at {node}"
            )
