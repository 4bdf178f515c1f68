"""Which command of a control step was carried out: the controller's own, or that of a person who took over meanwhile.

A step lasts from its observation to the next one, and only then it is known who acted in it. Where a person's command
passed the mux within it, the step is theirs, and the last command that passed is what was done: the arm ends the step
under it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from tenon.control.mux import TELEOP
from tenon.control.types import Pose, Reference

ObservationT = TypeVar("ObservationT")
CommandT = TypeVar("CommandT")
PATIENCE_STEPS = 3
"""The mux's word may come later than the next observation in a fast simulation, but not by whole steps."""


@dataclass(slots=True)
class Step(Generic[ObservationT, CommandT]):
    """One step. command: what the controller answered, None where it has not. driven: where a person sent the TCP;
    None: nobody did."""

    stamp_ns: int
    observation: ObservationT
    command: CommandT | None = None
    driven: Pose | None = None


class StepLog(Generic[ObservationT, CommandT]):
    """Feed observations, the controller's commands and what passed the mux, in any order; ``take`` gives the steps that
    are over."""

    def __init__(self) -> None:
        self._steps: deque[Step[ObservationT, CommandT]] = deque()
        self._passed_ns = -1
        self._driven: tuple[int, Pose] | None = None

    def begin(self) -> None:
        """A new episode: its steps do not follow those of the last one."""
        self._steps.clear()

    def on_observation(self, stamp_ns: int, observation: ObservationT) -> None:
        driven = self._driven[1] if self._driven is not None and self._driven[0] == stamp_ns else None
        self._steps.append(Step(stamp_ns, observation, driven=driven))

    def on_command(self, stamp_ns: int, command: CommandT) -> None:
        """The controller's answer to the observation of stamp_ns."""
        step = self._find(stamp_ns)
        if step is not None:
            step.command = command

    def on_passed(self, reference: Reference) -> None:
        """A reference that the mux let pass."""
        self._passed_ns = max(self._passed_ns, reference.stamp_ns)
        target = reference.tcp_in_base
        if reference.source != TELEOP or target is None or not np.isfinite(target.position_m).all():
            return
        self._driven = (reference.stamp_ns, target)
        step = self._find(reference.stamp_ns)
        if step is not None:
            step.driven = target

    def take(self) -> list[Step[ObservationT, CommandT]]:
        """The steps that are over since the last call, in order; one that nobody answered is left out."""
        over: list[Step[ObservationT, CommandT]] = []
        while len(self._steps) > 1 and self._is_known(self._steps[0]):
            step = self._steps.popleft()
            if step.command is not None or step.driven is not None:
                over.append(step)
        return over

    def _is_known(self, step: Step[ObservationT, CommandT]) -> bool:
        answered = step.command is not None or step.driven is not None
        return (answered and self._passed_ns >= step.stamp_ns) or len(self._steps) > PATIENCE_STEPS

    def _find(self, stamp_ns: int) -> Step[ObservationT, CommandT] | None:
        return next((step for step in self._steps if step.stamp_ns == stamp_ns), None)
