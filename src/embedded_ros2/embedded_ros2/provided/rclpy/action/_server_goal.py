"""``ServerGoalHandle``, as in rclpy: an accepted goal on the server's side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._rclpy_pybind11 import RCLError
from ..task import Future
from ._goal_states import GoalEvent, GoalState, next_state

if TYPE_CHECKING:
    from .server import ActionServer


def goal_key(goal_id: Any) -> bytes:
    """Returns the 16 bytes of a goal's UUID."""
    return bytes(goal_id.uuid)


class ServerGoalHandle:
    """An accepted goal; the execute callback works with it."""

    def __init__(self, action_server: ActionServer, goal_info: Any, goal_request: Any) -> None:
        self._action_server = action_server
        self._goal_info = goal_info
        self._goal_request = goal_request
        self._state = GoalState.ACCEPTED
        self._lock = threading.Lock()
        self._result_future: Future[Any] = Future()
        self._finished_at_ns: int | None = None
        self._is_destroyed = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerGoalHandle) and self.goal_id == other.goal_id

    def __hash__(self) -> int:
        return hash(goal_key(self.goal_id))

    @property
    def request(self) -> Any:
        """The goal message."""
        return self._goal_request

    @property
    def goal_id(self) -> Any:
        return self._goal_info.goal_id

    @property
    def is_active(self) -> bool:
        """Whether the goal is accepted, executing or canceling."""
        return not self._is_destroyed and self._state.is_active

    @property
    def is_cancel_requested(self) -> bool:
        return self.status == GoalState.CANCELING

    @property
    def status(self) -> int:
        """A constant of ``action_msgs/msg/GoalStatus``."""
        return int(GoalState.UNKNOWN if self._is_destroyed else self._state)

    def execute(self, execute_callback: Callable[..., Any] | None = None) -> None:
        """Starts the goal, with the given or the server's execute callback."""
        if not self.is_cancel_requested:
            self._update_state(GoalEvent.EXECUTE)
        self._action_server.notify_execute(self, execute_callback)

    def publish_feedback(self, feedback: Any) -> None:
        """:raises TypeError: when the feedback is of another type."""
        action_type = self._action_server.action_type
        if not isinstance(feedback, action_type.Feedback):
            raise TypeError(f"expected feedback of type {action_type.__name__}.Feedback, got {type(feedback)}")
        if not self._is_destroyed:
            message = action_type.Impl.FeedbackMessage(goal_id=self.goal_id, feedback=feedback)
            self._action_server._feedback_publisher.publish(message)

    def succeed(self) -> None:
        """Ends the goal as succeeded. :raises RCLError: when it is not executing."""
        self._update_state(GoalEvent.SUCCEED)

    def abort(self) -> None:
        """Ends the goal as aborted. :raises RCLError: when it is not executing."""
        self._update_state(GoalEvent.ABORT)

    def canceled(self) -> None:
        """Ends the goal as cancelled. :raises RCLError: when nobody asked for that."""
        self._update_state(GoalEvent.CANCELED)

    def _update_state(self, event: GoalEvent) -> None:
        with self._lock:
            if self._is_destroyed:
                return
            state = next_state(self._state, event)
            if state is None:
                raise RCLError(
                    f"goal_handle attempted invalid transition from state {self._state.name} with event {event.name}"
                )
            self._state = state
        self._action_server._publish_status()

    def destroy(self) -> None:
        """Lets go of the goal; it is no longer reported."""
        self._is_destroyed = True
