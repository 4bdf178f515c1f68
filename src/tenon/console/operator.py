"""What the pages may ask of the robot. The console's node answers; the pages know no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from tenon.session.machine import SessionPlan

Mark = Literal["success", "failure", "discard"]


class OperatorError(RuntimeError):
    """What was asked was not done. The message says why, and what to do."""


class Operator(Protocol):
    """Every method but ``drive`` waits for the answer, so it is called off the thread that serves browsers.

    All return what the robot's side says, and raise OperatorError.
    """

    def start(self) -> str:
        """Begins the run that the session is configured for."""
        ...

    def start_run(self, plan: SessionPlan) -> str:
        """Begins another run."""
        ...

    def pause(self) -> str: ...

    def resume(self) -> str: ...

    def stop(self) -> str:
        """Ends the run; where the session manager does not do so at once, the supervisor holds the arm."""
        ...

    def clear_fault(self) -> str: ...

    def mark(self, mark: Mark) -> str:
        """The operator's word on the episode that runs."""
        ...

    def hand_back(self) -> str:
        """A person who took over gives the arm back."""
        ...

    def save_training(self) -> Path | None:
        """Has the trainer write a checkpoint; None while it has updates to do first."""
        ...

    def drive(self, velocity: Sequence[float]) -> None:
        """One message of the on-screen control. velocity: (6,) m/s and rad/s of the TCP, in axes of the base."""
        ...
