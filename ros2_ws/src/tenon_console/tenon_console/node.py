"""The console among the nodes: what it hears goes into the model, what the pages ask becomes calls of services."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
from geometry_msgs.msg import TwistStamped
from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from tenon_msgs.msg import TeleopState

from tenon.console.config import ConsoleConfig
from tenon.console.model import ConsoleModel
from tenon.control.phase import SessionPhase
from tenon.data.decode import image_to_array
from tenon_console.watch import SessionTime, TopicWatch
from tenon_graph import contract
from tenon_graph.states import robot_state
from tenon_session.client import SessionClient
from tenon_session.introspection import list_topics

NAME = "tenon_console"
TOOLS = "tenon_"
"""Names of commands that look on begin so; their coming and going means nothing for the robot."""
LOOK_PERIOD_S = 1.0
POLL_S = 0.005
IMAGE_TYPE = "sensor_msgs/msg/Image"
DEPTH_ENCODINGS = ("16UC1", "32FC1")
"""Of REP 118: distances, not pictures."""
UNDER_WAY = (SessionPhase.RESETTING, SessionPhase.RUNNING, SessionPhase.PAUSED)
WATCHED = (
    contract.JOINT_STATES,
    contract.TCP_POSE,
    contract.TCP_WRENCH,
    contract.JOINT_COMMAND,
    contract.TASK_ELECTRICAL,
    contract.OBSERVATION,
    contract.POLICY_ACTION,
    contract.RESIDUAL_COMMAND,
    contract.REWARD,
    contract.COMMAND_REFERENCE,
    contract.COMMAND_SAFE,
    contract.SAFETY_STATE,
    contract.TRAINER_STATE,
)


class ConsoleNode(SessionClient):
    """Runs on an executor that the caller spins; what is asked of it waits on the caller's thread."""

    def __init__(self, config: ConsoleConfig, model: ConsoleModel) -> None:
        super().__init__(NAME, model, service_timeout_s=config.service_timeout_s)
        self._config = config
        self._model = model
        self._time = SessionTime()
        self._watches = {
            topic.name: TopicWatch(self, topic.name, topic.type, self._time, leads=topic is contract.JOINT_STATES)
            for topic in WATCHED
        }
        self._depths: set[str] = set()
        self._lives: dict[str, Client] = {}
        self._stop_client = self.create_client(Trigger, contract.STOP_SERVICE)
        self._hold_client = self.create_client(Trigger, contract.SAFETY_STOP_SERVICE)
        twist = contract.TELEOP_TWIST
        self._twist = self.create_publisher(twist.type, twist.name, twist.qos)
        self._listen(contract.TELEOP_STATE, self._on_teleop)
        self.on_recorder_error(model.on_recorder_error)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0 / config.sample_rate_hz, self._sample, clock=steady)
        self.create_timer(LOOK_PERIOD_S, self._look, clock=steady)

    # --- what is heard ------------------------------------------------------------------------------------------------

    def _sample(self) -> None:
        joints, pose, wrench = (
            self._watches[topic.name].newest(within_s=self._config.silent_after_s)
            for topic in (contract.JOINT_STATES, contract.TCP_POSE, contract.TCP_WRENCH)
        )
        if joints is not None and pose is not None and wrench is not None:
            self._model.on_arm(joints.name, robot_state(joints, pose, wrench, np.zeros(6)))
        else:
            self._model.on_no_arm()

    def _look(self) -> None:
        """Who is there, which cameras there are, how the topics come."""
        self._look_for_cameras()
        nodes = {node for name in self.nodes() if not (node := name.rsplit("/", 1)[-1]).startswith(TOOLS)}
        publishers = {name: self._publishers(name) for name in self._watches}
        self._model.on_graph(nodes, next(iter(publishers[contract.JOINT_STATES.name]), None))
        self._model.on_teleop_node(is_there=bool(self._publishers(contract.TELEOP_STATE.name)))
        for node in self._model.to_ask():
            self._ask_for_life(node)
        self._model.on_topics([watch.status(publishers[name]) for name, watch in self._watches.items()])

    def _look_for_cameras(self) -> None:
        """Listens to every topic of images until the first message tells that it holds depth."""
        prefix = self.get_namespace().rstrip("/") + "/"
        there = {topic.name.removeprefix(prefix) for topic in list_topics(self) if topic.types == (IMAGE_TYPE,)}
        self._depths &= there
        for name in self._depths & self._watches.keys():
            self._watches.pop(name).close()
        for name in there - self._depths - self._watches.keys():
            on_message = partial(self._on_image, name)
            self._watches[name] = TopicWatch(self, name, Image, self._time, on_message=on_message)

    def _ask_for_life(self, node: str) -> None:
        """Any node answers for its parameters, as soon as its executor turns."""
        client = self._lives.get(node)
        if client is None:
            service = f"{self.get_namespace().rstrip('/')}/{node}/get_parameters"
            client = self._lives[node] = self.create_client(GetParameters, service)
        if client.service_is_ready():
            self._model.on_asked(node)
            client.call_async(GetParameters.Request()).add_done_callback(lambda _: self._model.on_answered(node))

    def _publishers(self, topic: str) -> tuple[str, ...]:
        infos = self.get_publishers_info_by_topic(self.resolve_topic_name(topic))
        return tuple(sorted({info.node_name for info in infos}))

    def _on_image(self, camera: str, data: bytes) -> None:
        if camera in self._depths:
            return
        if camera not in self._model.cameras() and deserialize_message(data, Image).encoding in DEPTH_ENCODINGS:
            self._depths.add(camera)
            return
        self._model.picture(camera).put(lambda: image_to_array(deserialize_message(data, Image)))

    def _on_teleop(self, msg: TeleopState) -> None:
        drives = f"{msg.device} drives" if msg.engaged else ""
        self._model.on_teleop(": ".join(part for part in (drives, msg.detail) if part), engaged=msg.engaged)

    # --- what is asked ------------------------------------------------------------------------------------------------

    def start_as_configured(self) -> str:
        return self._trigger(contract.START_SERVICE)

    def run_is_under_way(self) -> bool:
        """As the session says of itself."""
        return self._model.phase() in UNDER_WAY

    def fault(self) -> str:
        """The fault that the session stands in, as it says of itself; empty: in none."""
        return self._model.fault()

    def stop_in_order(self) -> Trigger.Response | None:
        """The session manager's answer; None where it does not answer in time."""
        return self._answer_of(self._stop_client)

    def hold(self) -> Trigger.Response | None:
        """The supervisor's answer; None where it does not answer in time."""
        return self._answer_of(self._hold_client)

    def say_twist(self, velocity: Sequence[float]) -> None:
        """velocity: (6,) m/s and rad/s, in axes of the base."""
        msg = TwistStamped()
        msg.header.stamp = self.get_clock().now().to_msg()
        msg.header.frame_id = "base"
        linear, angular = msg.twist.linear, msg.twist.angular
        linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = map(float, velocity)
        self._twist.publish(msg)

    def _answer_of(self, client: Client) -> Trigger.Response | None:
        if not client.service_is_ready():
            return None
        future = client.call_async(Trigger.Request())
        deadline_s = time.monotonic() + self._config.stop_patience_s
        while not future.done() and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
        return future.result() if future.done() else None
