"""A person at the stand, seen from the graph: reads the arm while it rests, has it give way, and sees the camera."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import SetBool
from tenon_msgs.srv import GuideHand

from tenon.configuration.camera import IntrinsicsConfig
from tenon.control.types import Pose, RobotState
from tenon.data.decode import image_to_array
from tenon_graph import contract
from tenon_graph.cameras import lens_from_msg
from tenon_graph.conversions import pose_to_msg
from tenon_graph.node import GraphNode
from tenon_graph.states import StateJoiner
from tenon_session.introspection import other_nodes

NODE_NAME = "_tenon_teaching"
READING_TIMEOUT_S = 10.0
COLLECT_TIMEOUT_S = 60.0
"""A window of five seconds, and a machine that is busy with other things."""
SERVICE_TIMEOUT_S = 20.0
POLL_S = 0.02


class StandError(RuntimeError):
    """The arm or the camera does not answer. The message says what to do."""


class Collector(Protocol):
    """A window of readings: tenon.control.teaching.PoseTeaching, tenon.control.tare.WrenchTare."""

    @property
    def done(self) -> bool: ...

    def add(self, state: RobotState) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """rgb (height, width, 3); lens: None where the camera does not say."""

    rgb: np.ndarray
    lens: IntrinsicsConfig | None


class TeachingNode(GraphNode):
    """Its callbacks run on an executor that the caller spins; the methods wait, on any other thread."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        """parameters: of a GraphNode."""
        overrides = [Parameter(name, Parameter.Type.STRING, value) for name, value in parameters.items()]
        super().__init__(NODE_NAME, parameter_overrides=overrides, start_parameter_services=False, enable_rosout=False)
        self._lock = threading.Lock()
        self._collector: tuple[Collector, queue.SimpleQueue[Exception | None]] | None = None
        self._newest: RobotState | None = None
        self._lens: CameraInfo | None = None
        self._pictures: queue.SimpleQueue[Image] | None = None
        self._joiner = StateJoiner(self, self._on_state)
        self.subscribe(contract.CAMERA_INFO, self._on_lens)
        self.subscribe(contract.CAMERA_IMAGE, self._on_image)
        self._freedrive = self.create_client(SetBool, contract.FREEDRIVE_SERVICE)
        self._hand = self.create_client(GuideHand, contract.SIMULATION_HAND_SERVICE)

    def nodes(self) -> list[str]:
        """Full names of the other nodes on the graph."""
        return other_nodes(self)

    def collect(self, collector: Collector) -> None:
        """Feeds readings to it until it is done. Raises StandError where none come, and what the collector raises."""
        outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        with self._lock:
            self._collector = (collector, outcome)
        try:
            error = outcome.get(timeout=COLLECT_TIMEOUT_S)
        except queue.Empty:
            raise StandError(
                "no readings of the arm come: look at its driver (tenon topic hz joint_states, and its log)"
            ) from None
        finally:
            with self._lock:
                self._collector = None
        if error is not None:
            raise error

    def picture(self) -> Picture:
        """The next picture that comes, with the lens. Raises StandError."""
        pictures: queue.SimpleQueue[Image] = queue.SimpleQueue()
        self._pictures = pictures
        try:
            image = pictures.get(timeout=READING_TIMEOUT_S)
        except queue.Empty:
            raise StandError(
                f"no picture on {contract.CAMERA_IMAGE.name} within {READING_TIMEOUT_S:g} s: look at the camera's "
                "cable and at the log of its node"
            ) from None
        finally:
            self._pictures = None
        try:
            return Picture(image_to_array(image), None if self._lens is None else lens_from_msg(self._lens))
        except ValueError as error:
            raise StandError(str(error)) from error

    def expect_freedrive(self) -> None:
        """Raises StandError for a robot whose driver cannot be guided by hand."""
        self._expect_service(self._freedrive, contract.FREEDRIVE_SERVICE)

    def give_way(self, *, on: bool) -> None:
        """The arm gives way to a hand, or holds again. Raises StandError where it cannot."""
        self._call(self._freedrive, SetBool.Request(data=on), contract.FREEDRIVE_SERVICE)

    def guide_home(self) -> None:
        """A simulated hand plugs the connector in. Raises StandError."""
        self._guide(GuideHand.Request(action=GuideHand.Request.SEATED))

    def guide_to(self, tcp_in_base: Pose) -> None:
        """A simulated hand takes the tool there. Raises StandError."""
        self._guide(GuideHand.Request(action=GuideHand.Request.POSE, tcp_in_base=pose_to_msg(tcp_in_base)))

    def let_go(self) -> None:
        """The simulated hand. Raises StandError."""
        self._guide(GuideHand.Request(action=GuideHand.Request.RELEASE))

    def wait_for(self, condition: Callable[[RobotState], bool], timeout_s: float) -> bool:
        """Waits until a reading meets a condition; False where none does in time."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            newest = self._newest
            if newest is not None and condition(newest):
                return True
            time.sleep(POLL_S)
        return False

    def _guide(self, request: GuideHand.Request) -> None:
        self._call(self._hand, request, contract.SIMULATION_HAND_SERVICE)

    def _expect_service(self, client: Any, service: str) -> None:
        if not client.wait_for_service(timeout_sec=SERVICE_TIMEOUT_S):
            raise StandError(f"no node offers {service}: this robot's driver cannot do that, or does not run")

    def _call(self, client: Any, request: Any, service: str) -> None:
        self._expect_service(client, service)
        future = client.call_async(request)
        deadline_s = time.monotonic() + SERVICE_TIMEOUT_S
        while not future.done():
            if time.monotonic() > deadline_s:
                raise StandError(f"{service} does not answer within {SERVICE_TIMEOUT_S:g} s: see the driver's log")
            time.sleep(POLL_S)
        answer = future.result()
        if not answer.success:
            raise StandError(f"{service}: {answer.message}")

    def _on_state(self, state: RobotState) -> None:
        self._newest = state
        with self._lock:
            if self._collector is None:
                return
            collector, outcome = self._collector
            try:
                collector.add(state)
                done = collector.done
            except Exception as error:  # told to the thread that waits
                outcome.put(error)
                self._collector = None
                return
            if done:
                outcome.put(None)
                self._collector = None

    def _on_lens(self, msg: CameraInfo) -> None:
        self._lens = msg

    def _on_image(self, msg: Image) -> None:
        pictures = self._pictures
        if pictures is not None:
            pictures.put(msg)
