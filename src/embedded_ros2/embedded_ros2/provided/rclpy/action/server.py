"""``ActionServer``, as in rclpy."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from .._callbacks import await_or_execute
from .._rclpy_pybind11 import RCLError
from ..clock import Clock
from ..clock_type import ClockType
from ..constants import S_TO_NS
from ..qos import QoSProfile, qos_profile_action_status_default, qos_profile_services_default
from ..type_support import check_for_type_support
from . import _names
from ._goal_states import GoalEvent, GoalState
from ._server_goal import ServerGoalHandle as ServerGoalHandle
from ._server_goal import goal_key as _key
from ._service import Reply, ReplyingService

if TYPE_CHECKING:
    from ..callback_groups import CallbackGroup
    from ..node import Node

DEFAULT_RESULT_TIMEOUT_SEC = 10
"""As in rclpy: how long a server keeps the result of a goal that has ended."""


class GoalResponse(Enum):
    """What a goal callback returns."""

    REJECT = 1
    ACCEPT = 2


class CancelResponse(Enum):
    """What a cancel callback returns."""

    REJECT = 1
    ACCEPT = 2


def default_handle_accepted_callback(goal_handle: ServerGoalHandle) -> None:
    """Executes the goal."""
    goal_handle.execute()


def default_goal_callback(goal_request: Any) -> GoalResponse:
    """Accepts all goals."""
    return GoalResponse.ACCEPT


def default_cancel_callback(cancel_request: Any) -> CancelResponse:
    """Cancels nothing."""
    return CancelResponse.REJECT


class ActionServer:
    """Serves one action: accepts goals, executes them on the node's executor, reports status and results.

    :param execute_callback: gets a ``ServerGoalHandle`` and returns ``action_type.Result``; may be ``async``.
    :param goal_callback: gets the goal and returns a ``GoalResponse``.
    :param handle_accepted_callback: gets the handle of an accepted goal; by default executes it.
    :param cancel_callback: gets the handle of the goal and returns a ``CancelResponse``; by default rejects.
    :param result_timeout: how long, in seconds, a result is kept after its goal has ended.
    """

    def __init__(
        self,
        node: Node,
        action_type: Any,
        action_name: str,
        execute_callback: Callable[[ServerGoalHandle], Any],
        *,
        callback_group: CallbackGroup | None = None,
        goal_callback: Callable[[Any], Any] | None = default_goal_callback,
        handle_accepted_callback: Callable[[ServerGoalHandle], Any] | None = default_handle_accepted_callback,
        cancel_callback: Callable[[ServerGoalHandle], Any] | None = default_cancel_callback,
        goal_service_qos_profile: QoSProfile = qos_profile_services_default,
        result_service_qos_profile: QoSProfile = qos_profile_services_default,
        cancel_service_qos_profile: QoSProfile = qos_profile_services_default,
        feedback_pub_qos_profile: QoSProfile | int = 10,
        status_pub_qos_profile: QoSProfile = qos_profile_action_status_default,
        result_timeout: float = DEFAULT_RESULT_TIMEOUT_SEC,
    ) -> None:
        from action_msgs.msg import GoalStatusArray
        from action_msgs.srv import CancelGoal

        check_for_type_support(action_type)
        self._node = node
        self._action_type = action_type
        self._result_timeout_ns = int(result_timeout * S_TO_NS)
        self._goal_handles: dict[bytes, ServerGoalHandle] = {}
        self._lock = threading.RLock()
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.register_goal_callback(goal_callback)
        self.register_handle_accepted_callback(handle_accepted_callback)
        self.register_cancel_callback(cancel_callback)
        self.register_execute_callback(execute_callback)

        impl = action_type.Impl
        self._feedback_publisher = node.create_publisher(
            impl.FeedbackMessage, action_name + _names.FEEDBACK, feedback_pub_qos_profile
        )
        self._status_publisher = node.create_publisher(
            GoalStatusArray, action_name + _names.STATUS, status_pub_qos_profile
        )
        self._services = [
            node._rcl_create_service(
                ReplyingService, srv_type, action_name + name, callback, qos_profile, callback_group
            )
            for srv_type, name, callback, qos_profile in (
                (impl.GetResultService, _names.GET_RESULT, self._on_result_request, result_service_qos_profile),
                (CancelGoal, _names.CANCEL_GOAL, self._on_cancel_request, cancel_service_qos_profile),
                (impl.SendGoalService, _names.SEND_GOAL, self._on_goal_request, goal_service_qos_profile),
            )
        ]
        self._expiry_timer = node.create_timer(
            result_timeout, self._expire_goals, callback_group, self._steady_clock, autostart=False
        )

    @property
    def action_type(self) -> Any:
        return self._action_type

    # Callbacks

    def register_handle_accepted_callback(self, callback: Callable[[ServerGoalHandle], Any] | None) -> None:
        """Replaces the callback; None puts the default back."""
        self._handle_accepted_callback = callback or default_handle_accepted_callback

    def register_goal_callback(self, goal_callback: Callable[[Any], Any] | None) -> None:
        """Replaces the callback; None puts the default back."""
        self._goal_callback = goal_callback or default_goal_callback

    def register_cancel_callback(self, cancel_callback: Callable[[ServerGoalHandle], Any] | None) -> None:
        """Replaces the callback; None puts the default back."""
        self._cancel_callback = cancel_callback or default_cancel_callback

    def register_execute_callback(self, execute_callback: Callable[[ServerGoalHandle], Any]) -> None:
        """:raises TypeError: when the callback is not callable."""
        if not callable(execute_callback):
            raise TypeError("Failed to register goal execution callback: not callable")
        self._execute_callback = execute_callback

    # Requests

    async def _on_goal_request(self, request: Any, reply: Reply) -> None:
        from action_msgs.msg import GoalInfo

        goal_info = GoalInfo(goal_id=request.goal_id, stamp=self._node.get_clock().now().to_msg())
        is_accepted = await self._is_acceptable(request)
        goal_handle = ServerGoalHandle(self, goal_info, request.goal)
        if is_accepted:
            with self._lock:
                self._goal_handles[_key(request.goal_id)] = goal_handle
        self._node.get_logger().debug(f"Goal {_key(request.goal_id).hex()} {'accepted' if is_accepted else 'rejected'}")
        reply(self._action_type.Impl.SendGoalService.Response(accepted=is_accepted, stamp=goal_info.stamp))
        if is_accepted:
            await await_or_execute(self._handle_accepted_callback, goal_handle)

    async def _is_acceptable(self, request: Any) -> bool:
        if _key(request.goal_id) in self._goal_handles:
            return False
        answer = await await_or_execute(self._goal_callback, request.goal)
        if not isinstance(answer, GoalResponse):
            self._node.get_logger().warning("Goal request callback did not return a GoalResponse type. Rejecting goal.")
            return False
        return answer is GoalResponse.ACCEPT

    async def _on_cancel_request(self, request: Any, reply: Reply) -> None:
        response = self._action_type.Impl.CancelGoalService.Response()
        candidates = self._candidates_for_cancel(request.goal_info)
        canceling = []
        for goal_handle in candidates:
            answer = await await_or_execute(self._cancel_callback, goal_handle)
            if answer is not CancelResponse.ACCEPT:
                continue
            try:
                goal_handle._update_state(GoalEvent.CANCEL_GOAL)
            except RCLError as error:
                self._node.get_logger().debug(f"goal ended while it was being cancelled: {error}")
                continue
            canceling.append(goal_handle._goal_info)
        response.goals_canceling = canceling
        if candidates:
            response.return_code = response.ERROR_NONE if canceling else response.ERROR_REJECTED
        elif any(key := _key(request.goal_info.goal_id)):
            is_known = key in self._goal_handles
            response.return_code = response.ERROR_GOAL_TERMINATED if is_known else response.ERROR_UNKNOWN_GOAL_ID
        reply(response)

    def _candidates_for_cancel(self, goal_info: Any) -> list[ServerGoalHandle]:
        """Returns the goals that a request means: one, all, or all accepted up to a time.

        An id without time means that goal, a time without id all goals up to it, neither all goals.
        """
        key, until = _key(goal_info.goal_id), _stamp_ns(goal_info.stamp)
        has_id = any(key)
        with self._lock:
            return [
                goal_handle
                for goal_key, goal_handle in self._goal_handles.items()
                if goal_handle._state in (GoalState.ACCEPTED, GoalState.EXECUTING)
                and (
                    (has_id and goal_key == key)
                    or (not has_id and not until)
                    or (until and _stamp_ns(goal_handle._goal_info.stamp) <= until)
                )
            ]

    def _on_result_request(self, request: Any, reply: Reply) -> None:
        goal_handle = self._goal_handles.get(_key(request.goal_id))
        if goal_handle is None:
            reply(self._action_type.Impl.GetResultService.Response(status=int(GoalState.UNKNOWN)))
            return
        future = goal_handle._result_future
        future._call_when_done(lambda: reply(future.result()))

    # Executing

    def notify_execute(
        self, goal_handle: ServerGoalHandle, execute_callback: Callable[[ServerGoalHandle], Any] | None
    ) -> None:
        """Has the executor run the execute callback."""
        executor = self._node.executor
        if executor is None:
            raise RCLError("the node of an action server must be in an executor")
        executor.create_task(self._execute_goal, execute_callback or self._execute_callback, goal_handle)

    async def _execute_goal(self, execute_callback: Callable[..., Any], goal_handle: ServerGoalHandle) -> None:
        logger = self._node.get_logger()
        try:
            result = await await_or_execute(execute_callback, goal_handle)
        except Exception as error:
            result = self._action_type.Result()
            logger.error(f"Error raised in execute callback: {error}\n{traceback.format_exc()}")
        if goal_handle.is_active:
            logger.warning(f"Goal state not set, assuming aborted. Goal ID: {_key(goal_handle.goal_id).hex()}")
            goal_handle.abort()
        response = self._action_type.Impl.GetResultService.Response()
        response.status = goal_handle.status
        response.result = result
        goal_handle._finished_at_ns = self._steady_clock._now_ns()
        self._schedule_expiry()
        goal_handle._result_future.set_result(response)

    def _publish_status(self) -> None:
        from action_msgs.msg import GoalStatus, GoalStatusArray

        with self._lock:
            statuses = [
                GoalStatus(goal_info=goal_handle._goal_info, status=goal_handle.status)
                for goal_handle in self._goal_handles.values()
            ]
        if self._node.context.ok():
            self._status_publisher.publish(GoalStatusArray(status_list=statuses))

    def _schedule_expiry(self) -> None:
        """Sets the timer to when the next result is no longer kept."""
        with self._lock:
            ends_ns = [h._finished_at_ns for h in self._goal_handles.values() if h._finished_at_ns is not None]
            if not ends_ns:
                self._expiry_timer.cancel()
                return
            remaining_ns = min(ends_ns) + self._result_timeout_ns - self._steady_clock._now_ns()
            self._expiry_timer.timer_period_ns = max(remaining_ns, 0)
            self._expiry_timer.reset()

    def _expire_goals(self) -> None:
        oldest_ns = self._steady_clock._now_ns() - self._result_timeout_ns
        with self._lock:
            expired = [
                key
                for key, goal_handle in self._goal_handles.items()
                if goal_handle._finished_at_ns is not None and goal_handle._finished_at_ns <= oldest_ns
            ]
            for key in expired:
                self._goal_handles.pop(key).destroy()
        self._schedule_expiry()

    def destroy(self) -> None:
        """Ends the server. Destroying twice does nothing."""
        for goal_handle in self._goal_handles.values():
            goal_handle.destroy()
        self._expiry_timer.destroy()
        for service in self._services:
            service.destroy()
        self._feedback_publisher.destroy()
        self._status_publisher.destroy()


def _stamp_ns(stamp: Any) -> int:
    return int(stamp.sec * S_TO_NS + stamp.nanosec)
