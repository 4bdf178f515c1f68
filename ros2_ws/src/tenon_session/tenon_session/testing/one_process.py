"""A whole session within one process, over ``rmw_loopback``: every node but those of cameras, in a few seconds."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import rclpy
import yaml
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from tenon_control.command_mux import CommandMuxNode
from tenon_control.residual_controller import ResidualControllerNode
from tenon_control.safety_supervisor import SafetySupervisorNode
from tenon_graph.node import SWITCH_INTERVAL_S
from tenon_learning.policy_node import PolicyNode
from tenon_learning.reward_node import RewardNode
from tenon_learning.trainer_node import TrainerNode
from tenon_mujoco.node import MujocoArm
from tenon_perception.observation_node import ObservationNode
from tenon_session.recorder_node import RecorderNode
from tenon_session.session_manager import SessionManager
from tenon_session.testing.probe import Probe

NODES = (
    SafetySupervisorNode,
    CommandMuxNode,
    ResidualControllerNode,
    ObservationNode,
    PolicyNode,
    RewardNode,
    TrainerNode,
    RecorderNode,
    SessionManager,
)
"""All but the arm, which turns on a thread of its own."""


@contextlib.contextmanager
def one_process(
    session: Mapping[str, Any], directory: Path, *, beside: Sequence[Callable[[], Node]] = ()
) -> Iterator[Probe]:
    """Brings up ``session`` with its run in ``directory/run``; ends all of it in order. beside: further nodes.

    A node that refuses its configuration or its data raises here, as ``tenon_graph.node.run`` would print it.
    """
    file = directory / "session.yaml"
    file.write_text(yaml.safe_dump({**session, "run_directory": str(directory / "run")}))
    given = ["--ros-args", "-p", f"session:={file}", "-p", "use_sim_time:=true"]
    with contextlib.ExitStack() as stack:
        stack.enter_context(_loopback())
        rclpy.init(args=given, signal_handler_options=SignalHandlerOptions.NO)
        stack.callback(rclpy.try_shutdown)
        executor = SingleThreadedExecutor()
        for make in (*NODES, *beside):
            executor.add_node(stack.enter_context(_node(make())))
        probe = stack.enter_context(_node(Probe()))
        executor.add_node(probe)
        arm = MujocoArm()
        stack.enter_context(_thread(executor.spin, executor.shutdown))
        stack.enter_context(_thread(lambda: _spin_to_its_end(arm), rclpy.try_shutdown))
        yield probe


def _spin_to_its_end(arm: MujocoArm) -> None:
    """The thread that draws the camera's pictures is the one that must let go of the graphics context."""
    try:
        arm.spin()
    finally:
        arm.destroy_node()


@contextlib.contextmanager
def _loopback() -> Iterator[None]:
    key, interval_s = "RMW_IMPLEMENTATION", sys.getswitchinterval()
    before = os.environ.get(key)
    os.environ[key] = "rmw_loopback"
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval_s)
        os.environ.pop(key)
        if before is not None:
            os.environ[key] = before


@contextlib.contextmanager
def _node(node: Any) -> Iterator[Any]:
    try:
        yield node
    finally:
        node.destroy_node()


@contextlib.contextmanager
def _thread(spin: Any, stop: Any) -> Iterator[None]:
    """Runs ``spin`` beside until ``stop`` ends it."""

    def run() -> None:
        try:
            spin()
        except ExternalShutdownException:
            return
        except Exception:
            if rclpy.ok():
                raise
            # Told to stop in the middle of a turn, which found its context gone.

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()
