"""``ActionClient``, as in rclpy."""

from __future__ import annotations

import threading
import uuid
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._graph import endpoints_of, wait_for_graph
from .._rclpy_pybind11 import InvalidHandle
from ..qos import QoSProfile, qos_profile_action_status_default, qos_profile_services_default
from ..task import Future
from ..type_support import check_for_type_support
from . import _names

if TYPE_CHECKING:
    from ..callback_groups import CallbackGroup
    from ..node import Node

FeedbackCallback = Callable[[Any], Any]


class ClientGoalHandle:
    """A goal that was sent: whether it was accepted, how it stands, its result."""

    def __init__(self, action_client: ActionClient, goal_id: Any, goal_response: Any) -> None:
        from action_msgs.msg import GoalStatus

        self._action_client = action_client
        self._goal_id = goal_id
        self._goal_response = goal_response
        self._status: int = GoalStatus.STATUS_UNKNOWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClientGoalHandle) and self._goal_id == other._goal_id

    def __hash__(self) -> int:
        return hash(_key(self._goal_id))

    def __repr__(self) -> str:
        return f"ClientGoalHandle <id={_key(self._goal_id).hex()}, accepted={self.accepted}, status={self._status}>"

    @property
    def goal_id(self) -> Any:
        return self._goal_id

    @property
    def stamp(self) -> Any:
        return self._goal_response.stamp

    @property
    def accepted(self) -> bool:
        return bool(self._goal_response.accepted)

    @property
    def status(self) -> int:
        """A constant of ``action_msgs/msg/GoalStatus``."""
        return self._status

    def cancel_goal(self) -> Any:
        """Asks the server to cancel the goal and waits for the answer, while another thread spins the node."""
        return self._action_client._cancel_goal(self)

    def cancel_goal_async(self) -> Future[Any]:
        """Asks the server to cancel the goal; the result is a ``CancelGoal.Response``."""
        return self._action_client._cancel_goal_async(self)

    def get_result(self) -> Any:
        """Waits for the result, while another thread spins the node."""
        return self._action_client._get_result(self)

    def get_result_async(self) -> Future[Any]:
        """Returns the future of a message with ``status`` and ``result``."""
        return self._action_client._get_result_async(self)


class ActionClient:
    """Sends goals of one type to one action server; what comes back arrives while the node is spun."""

    def __init__(
        self,
        node: Node,
        action_type: Any,
        action_name: str,
        *,
        callback_group: CallbackGroup | None = None,
        goal_service_qos_profile: QoSProfile = qos_profile_services_default,
        result_service_qos_profile: QoSProfile = qos_profile_services_default,
        cancel_service_qos_profile: QoSProfile = qos_profile_services_default,
        feedback_sub_qos_profile: QoSProfile | int = 10,
        status_sub_qos_profile: QoSProfile = qos_profile_action_status_default,
    ) -> None:
        from action_msgs.msg import GoalStatusArray
        from action_msgs.srv import CancelGoal

        check_for_type_support(action_type)
        impl = action_type.Impl
        self._node = node
        self._action_type = action_type
        self._action_name = action_name
        self._goal_handles: weakref.WeakValueDictionary[bytes, ClientGoalHandle] = weakref.WeakValueDictionary()
        self._feedback_callbacks: dict[bytes, FeedbackCallback] = {}
        self._is_destroyed = False
        options: dict[str, Any] = {"callback_group": callback_group}
        self._goal_client = node.create_client(
            impl.SendGoalService, action_name + _names.SEND_GOAL, qos_profile=goal_service_qos_profile, **options
        )
        self._cancel_client = node.create_client(
            CancelGoal, action_name + _names.CANCEL_GOAL, qos_profile=cancel_service_qos_profile, **options
        )
        self._result_client = node.create_client(
            impl.GetResultService, action_name + _names.GET_RESULT, qos_profile=result_service_qos_profile, **options
        )
        self._feedback_subscription = node.create_subscription(
            impl.FeedbackMessage, action_name + _names.FEEDBACK, self._on_feedback, feedback_sub_qos_profile, **options
        )
        self._status_subscription = node.create_subscription(
            GoalStatusArray, action_name + _names.STATUS, self._on_status, status_sub_qos_profile, **options
        )

    # What arrives

    def _on_feedback(self, message: Any) -> Any:
        callback = self._feedback_callbacks.get(_key(message.goal_id))
        return callback(message) if callback is not None else None

    def _on_status(self, message: Any) -> None:
        from action_msgs.msg import GoalStatus

        finished = (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED)
        for goal_status in message.status_list:
            key = _key(goal_status.goal_info.goal_id)
            goal_handle = self._goal_handles.get(key)
            if goal_handle is None:
                continue
            goal_handle._status = goal_status.status
            if goal_status.status in finished:
                self._goal_handles.pop(key, None)

    # Goals

    def send_goal(self, goal: Any, feedback_callback: FeedbackCallback | None = None, goal_uuid: Any = None) -> Any:
        """Sends a goal and waits for its result, while another thread spins the node.

        :return: a message with ``status`` and ``result``, None when the goal was rejected.
        """
        goal_handle = _wait(self.send_goal_async(goal, feedback_callback, goal_uuid))
        return self._get_result(goal_handle) if goal_handle.accepted else None

    def send_goal_async(
        self, goal: Any, feedback_callback: FeedbackCallback | None = None, goal_uuid: Any = None
    ) -> Future[ClientGoalHandle]:
        """Sends a goal; the result of the future is a ``ClientGoalHandle``.

        :param feedback_callback: gets messages with ``goal_id`` and ``feedback``.
        :param goal_uuid: a ``unique_identifier_msgs/msg/UUID``; random when None.
        :raises TypeError: when the goal is of another type.
        """
        if not isinstance(goal, self._action_type.Goal):
            raise TypeError(f"expected a goal of type {self._action_type.__name__}.Goal, got {type(goal)}")
        self._check_alive()
        request = self._action_type.Impl.SendGoalService.Request()
        request.goal_id = _random_id() if goal_uuid is None else goal_uuid
        request.goal = goal
        goal_id = request.goal_id
        if feedback_callback is not None:
            self._feedback_callbacks[_key(goal_id)] = feedback_callback
        future: Future[ClientGoalHandle] = Future(executor=self._node.executor)
        response = self._goal_client.call_async(request)
        response._call_when_done(lambda: self._on_goal_response(goal_id, response, future))
        return future

    def _on_goal_response(self, goal_id: Any, response: Future[Any], future: Future[ClientGoalHandle]) -> None:
        error = response.exception()
        if error is not None:
            future.set_exception(error)
            return
        goal_handle = ClientGoalHandle(self, goal_id, response.result())
        if goal_handle.accepted:
            self._goal_handles[_key(goal_id)] = goal_handle
            # Feedback may still be queued when the goal has ended: the callback goes with the handle.
            weakref.finalize(goal_handle, self._feedback_callbacks.pop, _key(goal_id), None)
        else:
            self._feedback_callbacks.pop(_key(goal_id), None)
        future._set_executor(self._node.executor)
        future.set_result(goal_handle)

    def _cancel_goal(self, goal_handle: ClientGoalHandle) -> Any:
        return _wait(self._cancel_goal_async(goal_handle))

    def _cancel_goal_async(self, goal_handle: ClientGoalHandle) -> Future[Any]:
        from action_msgs.srv import CancelGoal

        _check_goal_handle(goal_handle)
        self._check_alive()
        request = CancelGoal.Request()
        request.goal_info.goal_id = goal_handle.goal_id
        return self._cancel_client.call_async(request)

    def _get_result(self, goal_handle: ClientGoalHandle) -> Any:
        return _wait(self._get_result_async(goal_handle))

    def _get_result_async(self, goal_handle: ClientGoalHandle) -> Future[Any]:
        _check_goal_handle(goal_handle)
        self._check_alive()
        request = self._action_type.Impl.GetResultService.Request()
        request.goal_id = goal_handle.goal_id
        response = self._result_client.call_async(request)

        def on_result() -> None:
            result = response.result() if response.exception() is None else None
            if result is not None:
                goal_handle._status = result.status

        response._call_when_done(on_result)
        return response

    # Servers

    def server_is_ready(self) -> bool:
        """Whether all services and topics of a server are known."""
        from embedded_ros2.rmw.api import EndpointKind

        self._check_alive()
        clients = (self._goal_client, self._cancel_client, self._result_client)
        subscriptions = (self._feedback_subscription, self._status_subscription)
        return all(client.service_is_ready() for client in clients) and all(
            endpoints_of(self._node.context, EndpointKind.PUBLISHER, subscription.topic_name)
            for subscription in subscriptions
        )

    def wait_for_server(self, timeout_sec: float | None = None) -> bool:
        """Waits for a server; False when there is none within the time-out or before shutdown."""
        return wait_for_graph(self._node.context, self.server_is_ready, timeout_sec)

    def _check_alive(self) -> None:
        if self._is_destroyed:
            raise InvalidHandle("cannot use ActionClient because destruction was requested")

    def destroy(self) -> None:
        """Ends the client. Destroying twice does nothing."""
        self._is_destroyed = True
        for client in (self._goal_client, self._cancel_client, self._result_client):
            client.destroy()
        self._feedback_subscription.destroy()
        self._status_subscription.destroy()


def _key(goal_id: Any) -> bytes:
    return bytes(goal_id.uuid)


def _random_id() -> Any:
    from unique_identifier_msgs.msg import UUID

    return UUID(uuid=list(uuid.uuid4().bytes))


def _wait(future: Future[Any]) -> Any:
    is_done = threading.Event()
    future._call_when_done(is_done.set)
    is_done.wait()
    return future.result()


def _check_goal_handle(goal_handle: object) -> None:
    if not isinstance(goal_handle, ClientGoalHandle):
        raise TypeError(f"Expected type ClientGoalHandle but received {type(goal_handle)}")
