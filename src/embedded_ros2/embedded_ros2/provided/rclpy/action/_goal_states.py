"""The life of a goal on the server: which event leads from which state to which.

Follows https://design.ros2.org/articles/actions.html; values are those of ``action_msgs/msg/GoalStatus``.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class GoalState(IntEnum):
    UNKNOWN = 0
    ACCEPTED = 1
    EXECUTING = 2
    CANCELING = 3
    SUCCEEDED = 4
    CANCELED = 5
    ABORTED = 6

    @property
    def is_active(self) -> bool:
        return self in (GoalState.ACCEPTED, GoalState.EXECUTING, GoalState.CANCELING)


class GoalEvent(Enum):
    EXECUTE = 1
    CANCEL_GOAL = 2
    SUCCEED = 3
    ABORT = 4
    CANCELED = 5


_TRANSITIONS = {
    (GoalState.ACCEPTED, GoalEvent.EXECUTE): GoalState.EXECUTING,
    (GoalState.ACCEPTED, GoalEvent.CANCEL_GOAL): GoalState.CANCELING,
    (GoalState.EXECUTING, GoalEvent.CANCEL_GOAL): GoalState.CANCELING,
    (GoalState.EXECUTING, GoalEvent.SUCCEED): GoalState.SUCCEEDED,
    (GoalState.EXECUTING, GoalEvent.ABORT): GoalState.ABORTED,
    (GoalState.CANCELING, GoalEvent.SUCCEED): GoalState.SUCCEEDED,
    (GoalState.CANCELING, GoalEvent.ABORT): GoalState.ABORTED,
    (GoalState.CANCELING, GoalEvent.CANCELED): GoalState.CANCELED,
}


def next_state(state: GoalState, event: GoalEvent) -> GoalState | None:
    """Returns the state after the event, None when the event cannot happen in this state."""
    return _TRANSITIONS.get((state, event))
